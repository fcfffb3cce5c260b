"""Write the tables of simulated coverage into docs/method.md from perf/simulation/results/*.csv.

python docs/make_simulation.py           writes them into the page, between its marks
python docs/make_simulation.py --check   exits with 1 where the page does not have them
"""

from __future__ import annotations

import csv
import sys
from itertools import groupby
from pathlib import Path

PAGE = Path(__file__).with_name("method.md")
RESULTS = Path(__file__).parents[1] / "perf" / "simulation" / "results"
BEGIN, END = "<!-- simulation: written by docs/make_simulation.py -->", "<!-- end of simulation -->"


def render() -> str:
    """The page with fresh tables."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{rest.partition(END)[2]}"


def tables() -> str:
    """One table for each set of figures of a subject: a row a setting, a column a figure."""
    parts = []
    for path in sorted(RESULTS.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        cells = [list(group) for _, group in groupby(rows, key=lambda r: r["settings"])]
        cells = [cell for many in cells for cell in _split(many)]
        parts.append(f"**{path.stem}**")
        alike: dict[tuple[str, ...], list[list[dict[str, str]]]] = {}
        for cell in cells:
            alike.setdefault(tuple(r["figure"] for r in cell), []).append(cell)
        parts += [_table(same) for same in alike.values()]
    return "\n\n".join(parts)


def _split(rows: list[dict[str, str]]) -> list[list[dict[str, str]]]:
    """Two cells of the same settings, one after the other, apart: a figure that comes again begins the next."""
    cells: list[list[dict[str, str]]] = [[]]
    for row in rows:
        if row["figure"] in {r["figure"] for r in cells[-1]}:
            cells.append([])
        cells[-1].append(row)
    return cells


def _table(cells: list[list[dict[str, str]]]) -> str:
    names = [f"{r['figure']} ({float(r['nominal']):g})" if r["nominal"] else r["figure"] for r in cells[0]]
    lines = [f"| setting | {' | '.join(names)} | audits |", "|---" * (len(names) + 2) + "|"]
    for cell in cells:
        audits = max(int(row["replicates"]) for row in cell)
        numbers = " | ".join(_number(row, audits) for row in cell)
        lines.append(f"| {cell[0]['settings']} | {numbers} | {audits} |")
    return "\n".join(lines)


def _number(row: dict[str, str], audits: int) -> str:
    """The estimate, with a mark where it falls short, and of how many audits it is where the figure does not exist in some."""
    estimate = float(row["estimate"])
    text = f"{estimate:.3f}" if abs(estimate) < 10 else f"{estimate:.1f}"
    text = f"**{text} ▼**" if row["falls_short"] == "1" else text
    return text if int(row["replicates"]) == audits else f"{text} (of {row['replicates']})"


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        if PAGE.read_text(encoding="utf-8") != render():
            sys.exit(f"{PAGE.name} is stale; write it with: python docs/make_simulation.py")
    elif sys.argv[1:]:
        sys.exit("usage: python docs/make_simulation.py [--check]")
    else:
        PAGE.write_text(render(), encoding="utf-8")
