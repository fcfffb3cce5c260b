"""Gather what the two runs found into small tables: no response text, no prompt text.

    python examples/alpaca_eval/tables.py

Reads runs/pair and runs/joint, writes results/*.csv, and the tables of the effect into README.md.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

import charm_rm as charm
import charm_rm.pipeline
from charm_rm.evaluate.attained import effect_of_offsets
from charm_rm.mismatch.metrics import METRICS, in_order
from charm_rm.store import read_frame, write_frame

HERE = Path(__file__).resolve().parent
RUNS = ("pair", "joint")
MISMATCH = [
    "run",
    "when",
    "policy",
    "reference",
    "n",
    "win_rate",
    "expected",
    "mismatch",
    "ci_low",
    "ci_high",
]
MISMATCH += ["mismatch_degree", "q_value", "verdict"]
KEPT = ("value", "ci_low", "ci_high", "floor")


def main() -> None:
    """Write every table for every run that is there."""
    runs = [name for name in RUNS if (HERE / "runs" / name / "after/audit.json").exists()]
    tables = {
        "summary": [summary(run) for run in runs],
        "favour": [when(run, "favouritism.parquet") for run in runs],
        "mismatch": [when(run, "mismatch.parquet").select(MISMATCH) for run in runs],
        "offsets": [offsets(run) for run in runs],
        "ledger": [labelled(run, "prefs/ledger.parquet") for run in runs],
        "benchmarks": [labelled(run, "evaluation/benchmarks.parquet") for run in runs],
        "alignment": [labelled(run, "evaluation/alignment.parquet") for run in runs],
        "before_after": [measured(run) for run in runs],
        "offsets_effect": [offsets_effect(run) for run in runs],
    }
    for name, frames in tables.items():
        path = write_frame(
            rounded(pl.concat(frames, how="diagonal_relaxed")), HERE / "results" / f"{name}.csv", force=True
        )
        print(path.relative_to(HERE))
    fill_readme(runs, tables)


def fill_readme(runs: list[str], tables: dict[str, list[pl.DataFrame]]) -> None:
    """Write the tables of the effect into README.md, between the comments that name a run."""
    page = HERE / "README.md"
    text = page.read_text(encoding="utf-8")
    for i, run in enumerate(runs):
        begin, end = f"<!-- effect of {run}: begin -->", f"<!-- effect of {run}: end -->"
        head, _, rest = text.partition(begin)
        _, _, tail = rest.partition(end)
        made = effect_tables(tables["alignment"][i], tables["offsets_effect"][i])
        text = f"{head}{begin}\n{made}\n{end}{tail}" if tail else text
    page.write_text(text, encoding="utf-8")


def effect_tables(alignment: pl.DataFrame, offsets: pl.DataFrame) -> str:
    """Markdown: before, after, placebo, floor and change of the model; before, in-sample, cross-fitted of the offsets."""
    lines = [
        "| fine-tuned model, test prompts | before | after | placebo: noise added | noise floor | change | p |"
    ]
    lines.append("|---|---|---|---|---|---|---|")
    for row in in_order(alignment.to_dicts()):
        m = METRICS[row["metric"]]
        cells = [m.shown(row[c]) for c in ("baseline_value", "value", "placebo_value", "floor")]
        cells += [
            m.shown(row["difference"], row["diff_ci_low"], row["diff_ci_high"]),
            f"{row['p_value']:.3f}",
        ]
        lines.append(" | ".join([f"| {escaped(m.label)}", *cells]) + " |")
    lines += [
        "",
        "| scores with offsets added, train prompts | before | in-sample | cross-fitted | noise floor |",
    ]
    lines.append("|---|---|---|---|---|")
    for row in in_order(offsets.to_dicts()):
        m = METRICS[row["metric"]]
        cells = [m.shown(row[c]) for c in ("before", "in_sample", "cross_fitted", "floor")]
        lines.append(" | ".join([f"| {escaped(m.label)}", *cells]) + " |")
    return "\n".join(lines)


def escaped(label: str) -> str:
    """For a cell of a Markdown table."""
    return label.replace("|", "\\|")


def labelled(run: str, path: str) -> pl.DataFrame:
    """One table of a run, with the run's name in front."""
    return read_frame(HERE / "runs" / run / path).select(pl.lit(run).alias("run"), pl.all())


def when(run: str, path: str) -> pl.DataFrame:
    """The same table before and after."""
    both = [
        labelled(run, f"{time}/{path}").with_columns(pl.lit(time).alias("when"))
        for time in ("before", "after")
    ]
    return pl.concat(both).select("run", "when", pl.exclude("run", "when"))


def offsets(run: str) -> pl.DataFrame:
    """Offsets, without the text of their provenance."""
    table = charm.load(charm.Offsets, HERE / "runs" / run / "offsets.parquet")
    return table.frame.select(pl.lit(run).alias("run"), pl.all())


def summary(run: str) -> pl.DataFrame:
    """Sharpness and every figure of the agreement with people, before and after, with intervals and noise floors."""
    rows: list[dict[str, Any]] = []
    for time in ("before", "after"):
        found = json.loads((HERE / "runs" / run / time / "audit.json").read_text())
        figures = {row["metric"]: row for row in found["summary"]["effect"]}
        figures = {"sharpness": found["sharpness"], **figures}
        rows += [
            {"run": run, "when": time, "figure": name} | {c: value.get(c) for c in KEPT}
            for name, value in figures.items()
            if value
        ]
    return pl.DataFrame(rows, infer_schema_length=None)


def measured(run: str) -> pl.DataFrame:
    """The table that `charm run` prints: before, after and placebo, whether it got better, the interval of the change."""
    config = charm.pipeline.load_config(HERE / f"{run}.yaml")
    found = charm.pipeline.summarise(config, HERE / "runs" / run)
    return found.frame.select(pl.lit(run).alias("run"), pl.all())


def offsets_effect(run: str) -> pl.DataFrame:
    """The agreement with people with the offsets added, train prompts: before, in-sample, cross-fitted."""
    offsets = charm.load(charm.Offsets, HERE / "runs" / run / "offsets.parquet")
    ratings = charm.load(charm.Ratings, HERE / "runs" / run / "ratings.parquet")
    config = charm.pipeline.load_config(HERE / f"{run}.yaml")
    rows = effect_of_offsets(offsets, ratings, aliases=config.ratings.aliases, unrated="skip")
    return pl.DataFrame(rows, infer_schema_length=None).select(pl.lit(run).alias("run"), pl.all())


def rounded(frame: pl.DataFrame) -> pl.DataFrame:
    """Five significant digits are more than any of it deserves."""
    return frame.with_columns(pl.selectors.float().round_sig_figs(5))


if __name__ == "__main__":
    main()
