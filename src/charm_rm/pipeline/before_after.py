"""Before and after in a few figures, from the files of a run; what did not improve is said as plainly as what did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from .. import store
from ..mismatch import METRICS
from ..tables import Favouritism, Mismatch, Offsets, Ratings
from .config import Config
from .stages.audit import ALIGNMENT

_SCHEMA = {
    "measure": pl.String,
    "n": pl.Int64,
    "before": pl.Float64,
    "after": pl.Float64,
    "better": pl.String,
    "change_95_ci": pl.String,
}
_Interval = tuple[float | None, float | None]


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


@dataclass(frozen=True)
class _Row:
    """One measure; better is nearer to ``goal``, or higher where there is none. ``unused``: of policies that
    calibration never saw."""

    measure: str
    n: int
    before: float | None
    after: float | None
    goal: float | None = None
    ci: _Interval = (None, None)
    unused: bool = False

    @property
    def better(self) -> str:
        """``yes``, ``no`` or ``same``; ``unclear`` where the interval of the change lies on both sides of 0."""
        if self.before is None or self.after is None:
            return ""
        low, high = self.ci
        if low is not None and high is not None and low <= 0 <= high:
            return "unclear"
        gain = self.after - self.before
        if self.goal is not None:
            gain = abs(self.before - self.goal) - abs(self.after - self.goal)
        return "yes" if gain > 0 else "no" if gain < 0 else "same"

    @property
    def cells(self) -> tuple[Any, ...]:
        """The row of the table."""
        low, high = self.ci
        known = None not in (low, high, self.before, self.after)
        change = f"{low:+.3f} to {high:+.3f}" if known else ""
        return self.measure, self.n, self.before, self.after, self.better, change


def summarise(config: Config, directory: str | Path) -> Summary:
    """Collect what the run directory holds; measures whose files are missing are left out."""
    directory = Path(directory)
    over, used = _calibrated(directory, config)
    rows = [
        *_mismatch_rows(directory, used),
        *_alignment_rows(directory),
        *_favour_rows(directory, over, used),
        *_correlation_rows(directory),
        *_truth_rows(config, directory),
        *_benchmark_rows(directory),
    ]
    frame = pl.DataFrame([row.cells for row in rows], schema=_SCHEMA, orient="row")
    remarks = _remarks(rows, over, used, config)
    if frame["after"].null_count() == frame.height:
        frame = frame.drop("after", "better", "change_95_ci")
        return Summary("The audit in short, on the test prompts", frame, remarks)
    n = _test_prompts(directory)
    title = f"Before and after, on the {n} test prompts (training has seen none of them)"
    return Summary(title, frame, remarks)


def _alignment(directory: Path) -> dict[str, dict[str, Any]]:
    """The agreement with the ratings by figure, after beside before: of the second audit, or of the evaluation."""
    for folder in ("after", "evaluation"):
        path = directory / folder / ALIGNMENT
        if path.exists():
            return {row["metric"]: row for row in store.read_frame(path).iter_rows(named=True)}
    return {}


def _change(directory: Path, metric: str) -> _Interval:
    """95 % interval of the change of a figure, where it was measured."""
    row = _alignment(directory).get(metric, {})
    return row.get("diff_ci_low"), row.get("diff_ci_high")


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


_UNUSED_PAIRS, _ALL_PAIRS = "pairs never used in calibration", "all pairs"
# Where the raw figure stands above, "the same" needs no more words.
_ALIGNMENT_LABELS = {
    "sharpness_fitted_mismatch": "mean |P̂-P|, all pairs, sharpness fitted",
    "debiased_mismatch": "root mean square P̂-P, all pairs, less noise",
}


# --- measures -----------------------------------------------------------------------------------


def _mismatch_rows(directory: Path, used: set[str]) -> list[_Row]:
    before, after = (_gaps(directory / side / "mismatch.parquet") for side in ("before", "after"))
    if before is None:
        return []
    groups: list[tuple[str, Callable[[frozenset[str]], bool]]] = [
        ("calibrated pairs", lambda pair: pair <= used),
        (_UNUSED_PAIRS, lambda pair: not pair & used),
        (_ALL_PAIRS, lambda _pair: True),
    ]
    rows = []
    for name, belongs in groups:
        pairs = [p for p in before if belongs(p)]
        if pairs and (used or name is _ALL_PAIRS):
            after_mean = _mean([after[p] for p in pairs if p in after]) if after else None
            rows.append(
                _Row(
                    f"mean |P̂-P|, {name}",
                    len(pairs),
                    _mean([before[p] for p in pairs]),
                    after_mean,
                    goal=0,
                    ci=_change(directory, "mean_abs_mismatch") if len(pairs) == len(before) else (None, None),
                    unused=name is _UNUSED_PAIRS,
                )
            )
    return rows


def _alignment_rows(directory: Path) -> list[_Row]:
    """What sharpness and noise leave of the mean: without these the raw figure can fall for no good reason."""
    rows = []
    for name in ("sharpness_fitted_mismatch", "debiased_mismatch", "mean_abs_favour"):
        row = _alignment(directory).get(name)
        if row is None:
            continue
        before, after = row["baseline_value"], row["value"]
        if before is None:
            before, after = after, None
        floor = f" (floor {row['floor']:.{METRICS[name].digits}f})" if row.get("floor") is not None else ""
        label = f"{_ALIGNMENT_LABELS.get(name, METRICS[name].label)}{floor}"
        rows.append(_Row(label, row["n"], before, after, goal=0, ci=_change(directory, name)))
    return rows


def _gaps(path: Path) -> dict[frozenset[str], float] | None:
    """|P̂ - P| by pair, whichever of the two the table calls the policy."""
    if not path.exists():
        return None
    frame = store.load(Mismatch, path).frame
    return {
        frozenset((p, r)): abs(m) for p, r, m in frame.select("policy", "reference", "mismatch").iter_rows()
    }


def _favour_rows(directory: Path, over: str | None, used: set[str]) -> list[_Row]:
    tables = [_favour(directory / side / "favouritism.parquet") for side in ("before", "after")]
    if tables[0] is None:
        return []
    rows = []
    if over is not None:
        values = [t.get(over) if t else None for t in tables]
        rows.append(_Row(f"favour of {over} (Elo)", 1, values[0], values[1], goal=0))
    others = sorted(set(tables[0]) - used)
    if used and others:
        means = [_mean([abs(t[p]) for p in others if p in t]) if t else None for t in tables]
        rows.append(
            _Row(
                "mean |favour| (Elo), policies never used",
                len(others),
                means[0],
                means[1],
                goal=0,
                unused=True,
            )
        )
    return rows


def _favour(path: Path) -> dict[str, float] | None:
    if not path.exists():
        return None
    frame = store.load(Favouritism, path).frame
    return dict(frame.select("policy", "favour").iter_rows())


def _correlation_rows(directory: Path) -> list[_Row]:
    details = [_json(directory / side / "audit.json") for side in ("before", "after")]
    rows = []
    for name in ("spearman", "kendall"):
        values = [d.get("rank_correlation", {}).get(name, {}).get("value") for d in details]
        if values[0] is not None:
            n = len(details[0].get("favouritism") or [])
            label = f"{METRICS[name].label} with the ratings"
            rows.append(_Row(label, n, values[0], values[1], ci=_change(directory, name)))
    sharpness = [(d.get("sharpness") or {}).get("value") for d in details]
    if sharpness[0] is not None:
        n = len(details[0]["favouritism"])
        rows.append(_Row("sharpness (1: as decided as people)", n, sharpness[0], sharpness[1], goal=1))
    return rows


def _truth_rows(config: Config, directory: Path) -> list[_Row]:
    """Rank correlation with the true ratings, which only a simulation knows (`true_ratings` in the config)."""
    if config.truth is None or not Path(config.truth).exists():
        return []
    truth = dict(store.load(Ratings, config.truth).frame.select("policy", "rating").iter_rows())
    values = [
        _rank_correlation(directory / side / "favouritism.parquet", truth) for side in ("before", "after")
    ]
    if values[0] is None:
        return []
    return [_Row("Spearman correlation with the TRUE ratings", len(truth), values[0], values[1])]


def _rank_correlation(path: Path, truth: dict[str, float]) -> float | None:
    from ..statistics import spearman

    if not path.exists():
        return None
    frame = store.load(Favouritism, path).frame.filter(pl.col("policy").is_in(list(truth)))
    return float(spearman(frame["rm_elo"].to_numpy(), np.array([truth[p] for p in frame["policy"]])))


def _benchmark_rows(directory: Path) -> list[_Row]:
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
        rows.append(_Row(name, row["n"], before, after, ci=(row["diff_ci_low"], row["diff_ci_high"])))
    return rows


# --- words --------------------------------------------------------------------------------------


def _remarks(rows: list[_Row], over: str | None, used: set[str], config: Config) -> tuple[str, ...]:
    remarks = []
    if config.simulated:
        remarks.append("All data are SIMULATED: this says how the method works, not how any real model does.")
    if over is not None:
        others = ", ".join(sorted(used - {over}))
        remarks.append(f"Calibrated: {over} against {others}.")
    worse = [row for row in rows if row.better == "no"]
    if any(row.unused for row in worse):
        remarks.append(
            "NOT everything carried over: on policies never used in calibration something got worse."
        )
    if worse:
        remarks.append(f"Got worse: {'; '.join(row.measure for row in worse)}.")
    return tuple(remarks)


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _json(path: Path) -> dict[str, Any]:
    return dict(store.read_json(path)) if path.exists() else {}
