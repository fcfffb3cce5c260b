"""Write the tables of README.md from results/*.csv.

    python examples/style/tables.py [--check]

``--check`` writes nothing and fails where a table is not what the CSV says.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import polars as pl

from charm_rm.mismatch import METRICS

HERE = Path(__file__).resolve().parent
README = HERE / "README.md"
HEAD = "| left out | | before | after | change | length only | placebo: noise added | noise floor |\n|---|---|---|---|---|---|---|---|"


def held_out_table(name: str) -> str:
    """The figures of ``results/NAME_held_out.csv`` as Markdown."""
    lines = [HEAD]
    for row in pl.read_csv(HERE / "results" / f"{name}_held_out.csv").iter_rows(named=True):
        metric = METRICS[row["metric"]]
        change = f"{row['difference']:+.{metric.digits}f} [{row['diff_ci_low']:+.{metric.digits}f}, {row['diff_ci_high']:+.{metric.digits}f}]"
        cells = [
            row["left out"],
            metric.label.replace("|", "\\|"),
            metric.shown(row["before"]),
            metric.shown(row["after"], row["ci_low"], row["ci_high"]),
            change,
            *(metric.shown(row[c]) for c in ("length_only", "placebo", "floor")),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def weights_table(names: list[str]) -> str:
    """Weights by feature, one column a reward model."""
    tables = {name: pl.read_csv(HERE / "results" / f"{name}_weights.csv") for name in names}
    lines = ["| feature | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for feature in tables[names[0]]["name"]:
        cells = []
        for table in tables.values():
            one = table.row(by_predicate=pl.col("name") == feature, named=True)
            cells.append(f"{one['weight']:+.2f} [{one['ci_low']:+.2f}, {one['ci_high']:+.2f}]")
        lines.append(f"| `{feature}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def rewritten(text: str) -> str:
    """The page with its tables made anew."""
    blocks = {f"held out {name}": held_out_table(name) for name in ("minilm", "own_rm")}
    blocks["weights"] = weights_table(["minilm", "own_rm"])
    for name, table in blocks.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        text = re.sub(
            f"{re.escape(begin)}.*?{re.escape(end)}",
            lambda _, b=begin, t=table, e=end: f"{b}\n{t}\n{e}",
            text,
            flags=re.S,
        )
    return text


if __name__ == "__main__":
    before = README.read_text(encoding="utf-8")
    after = rewritten(before)
    if "--check" in sys.argv:
        sys.exit(
            f"{README.name} is not what results/ says: run examples/style/tables.py" if before != after else 0
        )
    README.write_text(after, encoding="utf-8")
