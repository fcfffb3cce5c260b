"""The measures of a run, before and after, from its files; what is missing is left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from .. import store
from ..estimates import SIGNIFICANT
from ..mismatch import METRICS
from ..mismatch.metrics import comparing, in_order
from ..mismatch.sharpening import fitted_mismatch
from ..report import shapes
from ..tables import Favouritism, Mismatch, Ratings
from .config import Config
from .stages.audit import ALIGNMENT

_Interval = tuple[float | None, float | None]


@dataclass(frozen=True)
class Measure:
    """One measure; better is nearer to ``goal``, or higher where there is none. ``unused``: of policies that
    calibration never saw. ``placebo``: the same of the first model's scores with noise added. ``p_value``: of the test that both score alike."""

    measure: str
    n: int
    before: float | None
    after: float | None
    goal: float | None = None
    ci: _Interval = (None, None)
    unused: bool = False
    placebo: float | None = None
    p_value: float | None = None

    @property
    def better(self) -> str:
        """``yes``, ``no`` or ``same``; ``unclear`` where the interval of the change holds 0, or the test does not reject.

        Where there is a test, both have to leave out no change: the weaker of the two is believed.
        """
        if self.before is None or self.after is None:
            return ""
        low, high = self.ci
        if low is not None and high is not None and low <= 0 <= high:
            return "unclear"
        if self.p_value is not None and (None in self.ci or self.p_value > SIGNIFICANT):
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
        return self.measure, self.n, self.before, self.after, self.placebo, self.better, change


def measures(config: Config, directory: Path, over: str | None, used: set[str]) -> list[Measure]:
    """All that the run directory tells; ``over`` is the policy calibrated, ``used`` are all that calibration saw."""
    return [
        *_effect_rows(directory),
        *_group_rows(directory, used),
        *_favour_rows(directory, over, used),
        *_sharpness_rows(directory),
        *_truth_rows(config, directory),
        *_benchmark_rows(directory),
    ]


_UNUSED_PAIRS, _ALL_PAIRS = "pairs never used in calibration", "all pairs"


# --- measures -----------------------------------------------------------------------------------


def _effect_rows(directory: Path) -> list[Measure]:
    """The figures of :data:`charm_rm.mismatch.METRICS`, with floor and placebo: the raw one alone can fall for no good reason."""
    return [_effect_measure(row) for row in in_order(_effect(directory))]


def _effect(directory: Path) -> list[dict[str, Any]]:
    """After beside before, of the second audit or of the evaluation; else what the audits themselves say."""
    for folder in ("after", "evaluation"):
        path = directory / folder / ALIGNMENT
        if path.exists():
            needed = ("metric", "n", "value", "baseline_value")
            return store.read_columns(path, shapes.ALIGNMENT, noun="alignment", needed=needed).to_dicts()
    found = [_audit(directory / side).get("summary") or {} for side in ("before", "after")]
    return comparing(found[0].get("effect") or [], found[1].get("effect") or [])


def _effect_measure(row: Mapping[str, Any]) -> Measure:
    metric = METRICS[row["metric"]]
    before, after = row["baseline_value"], row["value"]
    if before is None:
        before, after = after, None
    floor = "" if row.get("floor") is None else f" (noise floor {metric.shown(row['floor'])})"
    return Measure(
        f"{metric.label}{floor}",
        row["n"],
        before,
        after,
        goal=0 if metric.better == "lower" else None,
        ci=(row.get("diff_ci_low"), row.get("diff_ci_high")),
        placebo=row.get("placebo_value"),
        p_value=row.get("p_value"),
    )


def _group_rows(directory: Path, used: set[str]) -> list[Measure]:
    """Mean |P̂ - P| over groups of pairs, sharpness fitted (one exponent for all pairs of an audit) and raw."""
    before, after = (_gaps(directory / side / "mismatch.parquet") for side in ("before", "after"))
    if before is None:
        return []
    groups: list[tuple[str, Callable[[frozenset[str]], bool]]] = [
        ("calibrated pairs", lambda pair: pair <= used),
        (_UNUSED_PAIRS, lambda pair: not pair & used),
        (_ALL_PAIRS, lambda _pair: True),
    ]
    told = bool(_effect(directory))
    rows = []
    for name, belongs in groups:
        pairs = [p for p in before if belongs(p)]
        if pairs and (not told if name is _ALL_PAIRS else used):
            rows += [
                Measure(
                    f"{METRICS[figure].label}, {name}",
                    len(pairs),
                    _mean([before[p][i] for p in pairs]),
                    _mean([after[p][i] for p in pairs if p in after]) if after else None,
                    goal=0,
                    unused=name is _UNUSED_PAIRS,
                )
                for i, figure in enumerate(("sharpness_fitted_mismatch", "mean_abs_mismatch"))
            ]
    return rows


def _gaps(path: Path) -> dict[frozenset[str], tuple[float, float]] | None:
    """|P̂ - P| by pair, sharpness fitted and raw, whichever of the two the table calls the policy."""
    if not path.exists():
        return None
    frame = store.load(Mismatch, path).frame
    frame = frame.with_columns(fitted=pl.Series(fitted_mismatch(frame)))
    return {
        frozenset((p, r)): (abs(fitted), abs(m))
        for p, r, fitted, m in frame.select("policy", "reference", "fitted", "mismatch").iter_rows()
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


def _sharpness_rows(directory: Path) -> list[Measure]:
    details = [_audit(directory / side) for side in ("before", "after")]
    values = [(d.get("sharpness") or {}).get("value") for d in details]
    if values[0] is None:
        return []
    n = len(details[0].get("favouritism") or [])
    return [Measure("sharpness (1: as decided as people)", n, values[0], values[1], goal=1)]


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
    frame = store.read_columns(path, shapes.BENCHMARKS, noun="benchmarks")
    for row in frame.iter_rows(named=True):
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


def _audit(folder: Path) -> dict[str, Any]:
    return store.read_shaped(folder / "audit.json", shapes.AUDIT)
