"""The measures of a run, before and after, from its files; what is missing is left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from .. import store
from ..mismatch import METRICS
from ..tables import Favouritism, Mismatch, Ratings
from .config import Config
from .stages.audit import ALIGNMENT

_Interval = tuple[float | None, float | None]


@dataclass(frozen=True)
class Measure:
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


def measures(config: Config, directory: Path, over: str | None, used: set[str]) -> list[Measure]:
    """All that the run directory tells; ``over`` is the policy calibrated, ``used`` are all that calibration saw."""
    return [
        *_mismatch_rows(directory, used),
        *_alignment_rows(directory),
        *_favour_rows(directory, over, used),
        *_correlation_rows(directory),
        *_truth_rows(config, directory),
        *_benchmark_rows(directory),
    ]


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


_UNUSED_PAIRS, _ALL_PAIRS = "pairs never used in calibration", "all pairs"
# Where the raw figure stands above, "the same" needs no more words.
_ALIGNMENT_LABELS = {
    "sharpness_fitted_mismatch": "mean |P̂-P|, all pairs, sharpness fitted",
    "debiased_mismatch": "root mean square P̂-P, all pairs, less noise",
}


# --- measures -----------------------------------------------------------------------------------


def _mismatch_rows(directory: Path, used: set[str]) -> list[Measure]:
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
                Measure(
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


def _alignment_rows(directory: Path) -> list[Measure]:
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
        rows.append(Measure(label, row["n"], before, after, goal=0, ci=_change(directory, name)))
    return rows


def _gaps(path: Path) -> dict[frozenset[str], float] | None:
    """|P̂ - P| by pair, whichever of the two the table calls the policy."""
    if not path.exists():
        return None
    frame = store.load(Mismatch, path).frame
    return {
        frozenset((p, r)): abs(m) for p, r, m in frame.select("policy", "reference", "mismatch").iter_rows()
    }


def _favour_rows(directory: Path, over: str | None, used: set[str]) -> list[Measure]:
    tables = [_favour(directory / side / "favouritism.parquet") for side in ("before", "after")]
    if tables[0] is None:
        return []
    rows = []
    if over is not None:
        values = [t.get(over) if t else None for t in tables]
        rows.append(Measure(f"favour of {over} (Elo)", 1, values[0], values[1], goal=0))
    others = sorted(set(tables[0]) - used)
    if used and others:
        means = [_mean([abs(t[p]) for p in others if p in t]) if t else None for t in tables]
        rows.append(
            Measure(
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


def _correlation_rows(directory: Path) -> list[Measure]:
    details = [_json(directory / side / "audit.json") for side in ("before", "after")]
    rows = []
    for name in ("spearman", "kendall"):
        values = [d.get("rank_correlation", {}).get(name, {}).get("value") for d in details]
        if values[0] is not None:
            n = len(details[0].get("favouritism") or [])
            label = f"{METRICS[name].label} with the ratings"
            rows.append(Measure(label, n, values[0], values[1], ci=_change(directory, name)))
    sharpness = [(d.get("sharpness") or {}).get("value") for d in details]
    if sharpness[0] is not None:
        n = len(details[0]["favouritism"])
        rows.append(Measure("sharpness (1: as decided as people)", n, sharpness[0], sharpness[1], goal=1))
    return rows


def _truth_rows(config: Config, directory: Path) -> list[Measure]:
    """Rank correlation with the true ratings, which only a simulation knows (`true_ratings` in the config)."""
    if config.truth is None or not Path(config.truth).exists():
        return []
    truth = dict(store.load(Ratings, config.truth).frame.select("policy", "rating").iter_rows())
    values = [
        _rank_correlation(directory / side / "favouritism.parquet", truth) for side in ("before", "after")
    ]
    if values[0] is None:
        return []
    return [Measure("Spearman correlation with the TRUE ratings", len(truth), values[0], values[1])]


def _rank_correlation(path: Path, truth: dict[str, float]) -> float | None:
    from ..statistics import spearman

    if not path.exists():
        return None
    frame = store.load(Favouritism, path).frame.filter(pl.col("policy").is_in(list(truth)))
    return float(spearman(frame["rm_elo"].to_numpy(), np.array([truth[p] for p in frame["policy"]])))


def _benchmark_rows(directory: Path) -> list[Measure]:
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
        rows.append(Measure(name, row["n"], before, after, ci=(row["diff_ci_low"], row["diff_ci_high"])))
    return rows


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _json(path: Path) -> dict[str, Any]:
    return dict(store.read_json(path)) if path.exists() else {}
