"""Run the simulations: how often intervals cover and tests reject, in worlds whose truth is known.

    python perf/simulation/run.py                    every subject; writes results/SUBJECT.csv
    python perf/simulation/run.py favour ranks       these subjects
    python perf/simulation/run.py --small favour     few replicates, to look; writes nothing
    python perf/simulation/run.py --list             what there is

Exits with 1 where an estimate is outside its band by more than three Monte Carlo errors. How to add a subject: ``cell.py``.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
if str(HERE.parents[1]) not in sys.path:
    sys.path.insert(0, str(HERE.parents[1]))

from perf.simulation.cell import Cell, Row, run_cell  # noqa: E402 (a script finds its package only now)

RESULTS = HERE / "results"
_NOT_SUBJECTS = {"__init__", "cell", "run", "world"}
FIELDS = [
    "subject",
    "settings",
    "figure",
    "kind",
    "nominal",
    "estimate",
    "mc_error",
    "replicates",
    "low",
    "high",
]
FIELDS += ["falls_short"]


def subjects() -> list[str]:
    """The files of this folder that have cells (a file whose name begins with _ is a part of others)."""
    names = sorted(p.stem for p in HERE.glob("*.py"))
    return [n for n in names if n not in _NOT_SUBJECTS and not n.startswith("_")]


def cells_of(subject: str) -> list[Cell]:
    """The cells of a subject."""
    module = importlib.import_module(f"perf.simulation.{subject}")
    return list(module.cells())


def run_subject(subject: str, *, small: bool = False, seed: int = 0) -> list[Row]:
    """Estimate every figure of a subject."""
    return [
        row
        for cell in cells_of(subject)
        for row in run_cell(subject, cell, replicates=cell.small if small else cell.replicates, seed=seed)
    ]


def write(rows: list[Row], path: Path) -> None:
    """One line a figure."""
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(FIELDS)
        for row in rows:
            f = row.figure
            nominal = "" if f.nominal is None else f"{f.nominal:g}"
            numbers = [f"{row.estimate:.4f}", f"{row.error:.4f}", row.replicates]
            band = [f"{f.band[0]:g}", f"{f.band[1]:g}"]
            out.writerow(
                [row.subject, row.settings, f.name, f.kind, nominal, *numbers, *band, int(row.short)]
            )


def line(row: Row) -> str:
    """A row for the terminal."""
    note = "  OUT OF ITS BAND" if row.left else "  falls short" if row.short else ""
    return (
        f"{row.subject:10} {row.settings:48} {row.figure.name:44} {row.estimate:8.3f} ± {row.error:.3f}{note}"
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT")
    parser.add_argument("--small", action="store_true", help="few replicates; writes nothing")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--list", action="store_true")
    asked = parser.parse_args()
    if unknown := set(asked.subjects) - set(subjects()):
        parser.error(f"no subject {', '.join(sorted(unknown))}; there are: {', '.join(subjects())}")
    if asked.list:
        print("\n".join(subjects()))
        return
    left = False
    for subject in asked.subjects or subjects():
        clock = time.perf_counter()
        rows = run_subject(subject, small=asked.small, seed=asked.seed)
        print(*map(line, rows), sep="\n")
        print(f"{subject}: {time.perf_counter() - clock:.0f} s\n", flush=True)
        if not asked.small:
            write(rows, RESULTS / f"{subject}.csv")
        left |= any(row.left for row in rows)
    sys.exit(1 if left else 0)


if __name__ == "__main__":
    main()
