"""Are a model's probabilities right? Reliability, expected calibration error, Brier score, and how wide its margins are.

A comparison's probability is σ(margin / T). A reward model's scale means nothing, so T is fitted on other prompts (cross-fitted in five folds); a
judge's margin is the log-odds of what it said, and T is 1. Confidence is max(p, 1 - p), the event is that the preferred response is the better one.
Every item weighs 1, and uncertainty is over prompts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse

from ..statistics import FloatArray, IntArray, basic_interval, percentile_interval, sigmoid
from .accuracy import BenchmarkResult
from .comparisons import Comparisons, comparisons_of
from .draws import weighted_sums

_FOLDS, _BINS, _FEWEST = 5, 10, 20
# 1/T is sought up to this many times the inverse of the median margin.
_SHARPEST = 100.0
_HISTOGRAM = 24


@dataclass(frozen=True, eq=False)
class Calibration:
    """``summary``: one row of figures; ``reliability``: a row a bin; ``margins``: a histogram of margins."""

    summary: pl.DataFrame
    reliability: pl.DataFrame
    margins: pl.DataFrame


def calibration_of(result: BenchmarkResult, *, draws: int = 1000, seed: int = 0) -> Calibration | None:
    """Calibration diagnostics of a result; None where fewer than 20 items have a verdict.

    ``summary``: benchmark, probabilities (``cross-fitted`` or ``as answered``), temperature, n (items), comparisons, ece, ece_ci_low,
    ece_ci_high, ece_by_chance (what a calibrated model would show on as many prompts), debiased (root mean square, less what chance
    leaves), brier, brier_ci_low, brier_ci_high. ``reliability``: benchmark, low, high (of confidence), n, confidence, accuracy, ci_low,
    ci_high. ``margins``: benchmark, low, high, items (of which each weighs 1).
    """
    pairs = comparisons_of(result)
    pairs = pairs.where(~np.isnan(pairs.margin))
    if not len(pairs) or pairs.n_items < _FEWEST:
        return None
    judged = any(scored.scores is None for scored in result.scored)
    p, temperature = _probabilities(pairs, judged=judged, seed=seed)
    name = {"benchmark": result.benchmark.name}
    bins = _Binned.of(pairs, p, draws=draws, seed=seed)
    how = "as answered" if judged else "cross-fitted"
    summary = {**name, "probabilities": how, "temperature": temperature, **bins.figures()}
    reliability = pl.DataFrame([{**name, **row} for row in bins.rows()])
    return Calibration(
        pl.DataFrame([summary]), reliability, _histogram(pairs).select(pl.lit(name["benchmark"]).alias("benchmark"), pl.all())
    )  # fmt: skip


def fit_inverse_temperature(margin: FloatArray, weight: FloatArray) -> float:
    """β = 1/T that maximises Σ w log σ(β m) over margins m in favour of the better response, with one pseudo-item.

    The pseudo-item has the median size of margin, half right and half wrong: it keeps β finite where all are right. β is 0 where margins
    point the wrong way on the whole.
    """
    size = float(np.median(np.abs(margin[margin != 0]))) if (margin != 0).any() else 0.0
    if size == 0.0:
        return 0.0
    m = np.append(margin, [size, -size]) / size
    w = np.append(weight, [0.5, 0.5])

    def slope(beta: float) -> float:
        return float((w * m * sigmoid(-beta * m)).sum())

    low, high = 0.0, _SHARPEST
    if slope(low) <= 0:
        return 0.0
    if slope(high) >= 0:
        return high / size
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    return 0.5 * (low + high) / size


# --- details ------------------------------------------------------------------------------------


def _probabilities(pairs: Comparisons, *, judged: bool, seed: int) -> tuple[FloatArray, float | None]:
    """(comparisons,) P(the better response is better), and the temperature over all: None where it is infinite."""
    if judged:
        return sigmoid(pairs.margin), 1.0
    beta = np.empty(len(pairs))
    fold = np.random.default_rng(seed).permutation(pairs.n_prompts)[pairs.prompt] % _FOLDS
    weight = pairs.weight
    for k in range(_FOLDS):
        rest = fold != k
        beta[~rest] = fit_inverse_temperature(pairs.margin[rest], weight[rest])
    whole = fit_inverse_temperature(pairs.margin, weight)
    return sigmoid(beta * pairs.margin), (1 / whole if whole > 0 else None)


@dataclass(frozen=True, eq=False)
class _Binned:
    """Comparisons in bins of confidence with about as much weight each: sums a bin, and their draws (draws, bins)."""

    edges: FloatArray
    weight: FloatArray
    right: FloatArray
    confidence: FloatArray
    gap_variance: FloatArray
    drawn_gap: FloatArray
    drawn_weight: FloatArray
    drawn_right: FloatArray
    brier: float
    drawn_brier: FloatArray
    n_items: int
    n_comparisons: int
    counts: IntArray

    @classmethod
    def of(cls, pairs: Comparisons, p: FloatArray, *, draws: int, seed: int) -> _Binned:
        confidence = np.maximum(p, 1 - p)
        right = np.where(p == 0.5, 0.5, (p > 0.5).astype(np.float64))
        w = pairs.weight
        edges, which = _bins(confidence, w)
        size = len(edges) - 1
        sums: list[FloatArray] = [
            np.bincount(which, weights=w * v, minlength=size).astype(np.float64)
            for v in (np.ones(len(w)), right, confidence)
        ]
        rows = np.concatenate([which, which + size, which + 2 * size, np.full(len(w), 3 * size)])
        values = np.concatenate([w * right, w * confidence, w, w * (1 - p) ** 2])
        shape = (3 * size + 1, pairs.n_prompts)
        table = sparse.coo_array((values, (rows, np.tile(pairs.prompt, 4))), shape=shape)
        totals = sparse.coo_array((w, (np.zeros(len(w), dtype=np.int64), pairs.prompt)), shape=shape)
        drawn, whole = weighted_sums(table, totals, draws=draws, rng=np.random.default_rng(seed))
        total = whole[:, :1]
        gap = (drawn[:, :size] - drawn[:, size : 2 * size]) / total
        # A bin that is all right has no spread, and a calibrated model of its confidence would have some.
        least = np.bincount(which, weights=w**2 * confidence * (1 - confidence), minlength=size)
        spread = np.maximum(_cluster_variance(pairs, which, w * (right - confidence), size), least)
        return cls(
            edges, sums[0], sums[1], sums[2], spread / w.sum() ** 2,
            gap, drawn[:, 2 * size : 3 * size] / total, drawn[:, :size] / total,
            float((w * (1 - p) ** 2).sum() / w.sum()), drawn[:, -1] / total[:, 0],
            pairs.n_items, len(pairs), np.bincount(which, minlength=size),
        )  # fmt: skip

    def figures(self) -> dict[str, Any]:
        """ECE = Σ_b |Σ w (right - confidence)| / Σ w, and what goes with it."""
        gaps = (self.right - self.confidence) / self.weight.sum()
        ece = float(np.abs(gaps).sum())
        share = self.weight / self.weight.sum()
        # The gaps are those of the whole; a bin's own gap is gap / share.
        square = float(((gaps**2 - self.gap_variance) / share).sum())
        found = {
            "n": self.n_items,
            "comparisons": self.n_comparisons,
            "ece": ece,
            "ece_ci_low": None,
            "ece_ci_high": None,
            "ece_by_chance": float(np.sqrt(2 * self.gap_variance / np.pi).sum()),
            "debiased": float(np.sqrt(max(0.0, square))),
            "brier": self.brier,
            "brier_ci_low": None,
            "brier_ci_high": None,
        }
        if len(self.drawn_gap):
            low, high = basic_interval(ece, np.abs(self._doubted_gap()).sum(axis=1), low=0.0, high=1.0)
            ends = percentile_interval(self.drawn_brier)
            found |= {"ece_ci_low": low, "ece_ci_high": high}
            found |= {"brier_ci_low": float(ends[0]), "brier_ci_high": float(ends[1])}
        return found

    def _doubted_gap(self) -> FloatArray:
        """(draws, bins) gaps with one pseudo-item over all bins, half right and half wrong: else all right would be no doubt."""
        rng = np.random.default_rng(len(self.weight))
        wins, losses = rng.standard_gamma(0.5 / len(self.weight), (2, *self.drawn_gap.shape))
        right = self.right / self.weight
        doubt: FloatArray = (wins * (1 - right) - losses * right) / self.weight.sum()
        return self.drawn_gap + doubt

    def rows(self) -> list[dict[str, Any]]:
        """A row a bin: of confidence, how often right, with its interval over prompts."""
        found = []
        for b, weight in enumerate(self.weight):
            right = float(self.right[b] / weight)
            low = high = None
            if len(self.drawn_gap):
                # Jeffreys' half a right and half a wrong one keep a bin that is all right from having no interval.
                rng = np.random.default_rng(b)
                wins, losses = rng.standard_gamma(0.5, (2, len(self.drawn_gap)))
                scale = self.weight.sum()
                top = self.drawn_right[:, b] * scale + wins
                low, high = map(float, percentile_interval(top / (self.drawn_weight[:, b] * scale + wins + losses)))  # fmt: skip
                low, high = min(low, right), max(high, right)
            found.append(
                {
                    "low": float(self.edges[b]),
                    "high": float(self.edges[b + 1]),
                    "n": int(self.counts[b]),
                    "confidence": float(self.confidence[b] / weight),
                    "accuracy": right,
                    "ci_low": low,
                    "ci_high": high,
                }
            )
        return found


def _bins(confidence: FloatArray, weight: FloatArray) -> tuple[FloatArray, IntArray]:
    """Edges in [½, 1] of bins with about as much weight each, at least 20 items a bin, and which bin each is in."""
    size = int(max(1, min(_BINS, weight.sum() // _FEWEST)))
    order = np.argsort(confidence, kind="stable")
    share = np.cumsum(weight[order]) / weight.sum()
    inner = confidence[order][np.searchsorted(share, np.arange(1, size) / size)]
    edges = np.unique(np.concatenate([[0.5], inner[(inner > 0.5) & (inner < 1.0)], [1.0]]))
    which = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, len(edges) - 2)
    used, which = np.unique(which, return_inverse=True)
    return np.append(edges[used], edges[-1]), which.astype(np.int64)


def _cluster_variance(pairs: Comparisons, which: IntArray, gap: FloatArray, size: int) -> FloatArray:
    """(bins,) Σ over prompts of (the prompt's sum of gaps)², less what the mean gap contributes: the variance of Σ gap."""
    table = sparse.coo_array((gap, (which, pairs.prompt)), shape=(size, pairs.n_prompts)).tocsr()
    n = max(2, len(np.unique(pairs.prompt)))
    squares = np.asarray(table.multiply(table).sum(axis=1))
    mean = np.asarray(table.sum(axis=1)) / n
    found: FloatArray = np.maximum(squares - n * mean**2, 0.0) * n / (n - 1)
    return found


def _histogram(pairs: Comparisons) -> pl.DataFrame:
    """Margins in favour of the better response, in bins that are symmetric around 0; the outermost hold all beyond."""
    limit = float(np.quantile(np.abs(pairs.margin), 0.99)) or 1.0
    edges = np.linspace(-limit, limit, _HISTOGRAM + 1)
    counts, _ = np.histogram(np.clip(pairs.margin, -limit, limit), bins=edges, weights=pairs.weight)
    return pl.DataFrame({"low": edges[:-1], "high": edges[1:], "items": counts})
