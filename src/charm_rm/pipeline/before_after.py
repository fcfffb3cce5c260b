"""Before and after in a few figures, from the files of a run; what did not improve is said as plainly as what did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from .. import store
from ..tables import Favouritism, Mismatch, Offsets, Ratings
from .config import Config

_SCHEMA = {
    "measure": pl.String,
    "n": pl.Int64,
    "before": pl.Float64,
    "after": pl.Float64,
    "better": pl.String,
    "change_95_ci": pl.String,
}


@dataclass(frozen=True)
class Summary:
    """``frame`` has measure, n (pairs, policies or items), before, after, whether the figure got better, and the 95 %
    interval of the change where it was measured; where that lies on both sides of 0, better is ``unclear``.
    """

    title: str
    frame: pl.DataFrame
    remarks: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As JSON-able values."""
        return {"title": self.title, "measures": self.frame.to_dicts(), "remarks": list(self.remarks)}


def summarise(config: Config, directory: str | Path) -> Summary:
    """Collect what the run directory holds; measures whose files are missing are left out."""
    directory = Path(directory)
    over, used = _calibrated(directory, config)
    rows = [
        *_mismatch_rows(directory, used),
        *_favour_rows(directory, over, used),
        *_correlation_rows(directory),
        *_truth_rows(config, directory),
        *_benchmark_rows(directory),
    ]
    frame = pl.DataFrame(rows, schema=_SCHEMA, orient="row")
    title = (
        f"Before and after, on the {_test_prompts(directory)} test prompts (training has seen none of them)"
    )
    if frame["after"].null_count() == frame.height:
        frame, title = (
            frame.drop("after", "better", "change_95_ci"),
            "The audit in short, on the test prompts",
        )
    return Summary(title, frame, _remarks(frame, over, used, config))


Row = tuple[str, int, float | None, float | None, str, str]
Interval = tuple[float | None, float | None]


def _row(
    measure: str,
    n: int,
    before: float | None,
    after: float | None,
    *,
    goal: float | None = None,
    ci: Interval = (None, None),
) -> Row:
    """One measure; better is nearer to ``goal``, or higher where there is none."""
    low, high = ci
    interval = "" if low is None or high is None else f"{low:+.3f} to {high:+.3f}"
    if before is None or after is None:
        return measure, n, before, after, "", ""
    gain = after - before if goal is None else abs(before - goal) - abs(after - goal)
    return measure, n, before, after, _better(gain, ci), interval


def _better(gain: float, ci: Interval) -> str:
    """``yes``, ``no`` or ``same``; ``unclear`` where the interval of the change lies on both sides of 0."""
    low, high = ci
    if low is not None and high is not None and low <= 0 <= high:
        return "unclear"
    return "yes" if gain > 0 else "no" if gain < 0 else "same"


def _change_intervals(directory: Path) -> dict[str, Interval]:
    """95 % intervals of the changes that ``evaluate`` measured over policies, by metric."""
    path = directory / "evaluation" / "alignment.parquet"
    if not path.exists():
        return {}
    rows = store.read_frame(path).select("metric", "diff_ci_low", "diff_ci_high").iter_rows()
    return {metric: (low, high) for metric, low, high in rows}


def _calibrated(directory: Path, config: Config) -> tuple[str | None, set[str]]:
    """The policy calibrated (where it is one) and every policy that calibration used."""
    path = directory / "offsets.parquet"
    if config.calibrate is None or not path.exists():
        return None, set()
    offsets = store.load(Offsets, path)
    over = offsets.provenance.get("over") if config.calibrate.method == "pair" else None
    return (over if isinstance(over, str) else None), set(offsets.policies)


def _test_prompts(directory: Path) -> int:
    path = directory / "prompts.parquet"
    return store.read_frame(path).filter(pl.col("split") == "test").height if path.exists() else 0


# --- measures -----------------------------------------------------------------------------------


def _mismatch_rows(directory: Path, used: set[str]) -> list[Row]:
    before, after = (_gaps(directory / side / "mismatch.parquet") for side in ("before", "after"))
    if before is None:
        return []
    groups: dict[str, Callable[[frozenset[str]], bool]] = {
        "mean |P̂-P|, calibrated pairs": lambda pair: pair <= used,
        "mean |P̂-P|, pairs never used in calibration": lambda pair: not pair & used,
        "mean |P̂-P|, all pairs": lambda _pair: True,
    }
    rows, changes = [], _change_intervals(directory)
    for name, belongs in groups.items():
        pairs = [p for p in before if belongs(p)]
        if pairs and (used or name.endswith("all pairs")):
            after_mean = _mean([after[p] for p in pairs if p in after]) if after else None
            ci = changes.get("mean_abs_mismatch", (None, None)) if len(pairs) == len(before) else (None, None)
            rows.append(_row(name, len(pairs), _mean([before[p] for p in pairs]), after_mean, goal=0, ci=ci))
    return rows


def _gaps(path: Path) -> dict[frozenset[str], float] | None:
    """|P̂ - P| by pair, whichever of the two the table calls the policy."""
    if not path.exists():
        return None
    frame = store.load(Mismatch, path).frame
    return {
        frozenset((p, r)): abs(m) for p, r, m in frame.select("policy", "reference", "mismatch").iter_rows()
    }


def _favour_rows(directory: Path, over: str | None, used: set[str]) -> list[Row]:
    tables = [_favour(directory / side / "favouritism.parquet") for side in ("before", "after")]
    if tables[0] is None:
        return []
    rows = []
    if over is not None:
        values = [t.get(over) if t else None for t in tables]
        rows.append(_row(f"favour of {over} (Elo)", 1, values[0], values[1], goal=0))
    others = sorted(set(tables[0]) - used)
    if used and others:
        means = [_mean([abs(t[p]) for p in others if p in t]) if t else None for t in tables]
        rows.append(_row("mean |favour| (Elo), policies never used", len(others), *means, goal=0))
    return rows


def _favour(path: Path) -> dict[str, float] | None:
    if not path.exists():
        return None
    frame = store.load(Favouritism, path).frame
    return dict(frame.select("policy", "favour").iter_rows())


def _correlation_rows(directory: Path) -> list[Row]:
    details = [_json(directory / side / "audit.json") for side in ("before", "after")]
    rows, changes = [], _change_intervals(directory)
    for name in ("spearman", "kendall"):
        values = [d.get("rank_correlation", {}).get(name, {}).get("value") for d in details]
        if values[0] is not None:
            n = len(details[0].get("favouritism") or [])
            ci = changes.get(name, (None, None))
            rows.append(_row(f"{name.title()} correlation with the ratings", n, *values, ci=ci))
    sharpness = [(d.get("sharpness") or {}).get("value") for d in details]
    if sharpness[0] is not None:
        n = len(details[0]["favouritism"])
        rows.append(_row("sharpness (1: as decided as people)", n, sharpness[0], sharpness[1], goal=1))
    return rows


def _truth_rows(config: Config, directory: Path) -> list[Row]:
    """Rank correlation with the true ratings, which only a simulation knows (`true_ratings` in the config)."""
    if config.truth is None or not Path(config.truth).exists():
        return []
    truth = dict(store.load(Ratings, config.truth).frame.select("policy", "rating").iter_rows())
    values = [
        _rank_correlation(directory / side / "favouritism.parquet", truth) for side in ("before", "after")
    ]
    if values[0] is None:
        return []
    return [_row("Spearman correlation with the TRUE ratings", len(truth), *values)]


def _rank_correlation(path: Path, truth: dict[str, float]) -> float | None:
    from ..statistics import spearman

    if not path.exists():
        return None
    frame = store.load(Favouritism, path).frame.filter(pl.col("policy").is_in(list(truth)))
    return float(spearman(frame["rm_elo"].to_numpy(), np.array([truth[p] for p in frame["policy"]])))


def _benchmark_rows(directory: Path) -> list[Row]:
    path = directory / "evaluation" / "benchmarks.parquet"
    if not path.exists():
        return []
    rows = []
    for row in store.read_frame(path).iter_rows(named=True):
        name = f"accuracy, {row['benchmark']}: {row['subset']}"
        name += "" if row["metric"] == "accuracy" else f" ({row['metric']})"
        name += " [partial]" if row["partial"] else ""
        before, after = row["baseline_accuracy"], row["accuracy"]
        if before is None:
            before, after = after, None
        rows.append(_row(name, row["n"], before, after, ci=(row["diff_ci_low"], row["diff_ci_high"])))
    return rows


# --- words --------------------------------------------------------------------------------------


def _remarks(frame: pl.DataFrame, over: str | None, used: set[str], config: Config) -> tuple[str, ...]:
    remarks = []
    if config.simulated:
        remarks.append("All data are SIMULATED: this says how the method works, not how any real model does.")
    if over is not None:
        others = ", ".join(sorted(used - {over}))
        remarks.append(f"Calibrated: {over} against {others}.")
    if "better" not in frame.columns:
        return tuple(remarks)
    held_out = frame.filter(pl.col("measure").str.contains("never used"))
    if held_out.filter(pl.col("better") == "no").height:
        remarks.append(
            "NOT everything carried over: on policies never used in calibration something got worse."
        )
    worse = frame.filter(pl.col("better") == "no")["measure"].to_list()
    if worse:
        remarks.append(f"Got worse: {'; '.join(worse)}.")
    return tuple(remarks)


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _json(path: Path) -> dict[str, Any]:
    return dict(store.read_json(path)) if path.exists() else {}
