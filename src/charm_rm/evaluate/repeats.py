"""The same model asked again: how many verdicts change, and what of a figure's uncertainty is the model's own mood.

The interval of a single run holds this noise already. What it does not say is how much of it would go if the model were asked more often, and how
far two runs of one model are apart: a smaller difference between two models is no finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from ..estimates import Z95
from ..statistics import FloatArray
from .accuracy import BenchmarkResult
from .comparisons import comparisons_of, drawn_shares, ends
from .credits import CreditBook

_SCHEMA = {
    **dict.fromkeys(("benchmark", "subset", "metric"), pl.String),
    **dict.fromkeys(("runs", "n"), pl.Int64),
    **dict.fromkeys(
        ("lowest", "highest", "run_sd", "share_of_variance", "floor", "changed", "changed_ci_low", "changed_ci_high"),
        pl.Float64,
    ),
}  # fmt: skip


def repeats_table(
    result: BenchmarkResult, again: Sequence[BenchmarkResult], *, draws: int = 1000, seed: int = 0
) -> pl.DataFrame:
    """What repeated runs of one model say of each figure.

    Columns: benchmark, subset, metric, runs, n (items), lowest and highest accuracy of a run, run_sd (standard deviation of the figure from
    run to run), share_of_variance (of one run's variance over prompts and runs, how much is the model's own), floor (1.96·√2·run_sd: two
    runs of the same model are closer than this 95 times in 100), and for the whole benchmark, on its last row, changed (share of
    comparisons whose verdict differs from the first run's) with its interval over prompts. Figures that are no mean over prompts
    have no run_sd.
    """
    runs = [result, *again]
    rows = [_row(runs, k) for k in range(result.frame.height)]
    if rows:
        rows[-1] |= _changed(result, again, draws=draws, seed=seed)
    return pl.DataFrame([{name: row.get(name) for name in _SCHEMA} for row in rows], schema=_SCHEMA)


def _row(runs: Sequence[BenchmarkResult], k: int) -> dict[str, Any]:
    first = runs[0].frame.row(k, named=True)
    values = [run.frame["accuracy"][k] for run in runs]
    row = {name: first[name] for name in ("benchmark", "subset", "metric", "n")}
    row |= {"runs": len(runs), "lowest": min(values), "highest": max(values)}
    metric = runs[0].benchmark.metrics[k]
    if metric.combine is None:
        own, whole = _variances([run.book for run in runs], runs[0], k)
        run_sd = float(np.sqrt(own))
        row |= {"run_sd": run_sd, "floor": Z95 * np.sqrt(2) * run_sd}
        row["share_of_variance"] = min(1.0, own / whole) if whole > 0 else None
    return row


def _variances(books: Sequence[CreditBook], result: BenchmarkResult, k: int) -> tuple[float, float]:
    """Variance of the figure from run to run, Σ_i s_i² (w/n)², and of one run over prompts and runs together."""
    metric = result.benchmark.metrics[k]
    sides = [book.credits(metric) for book in books]
    total = metric.total or sum(part.weight for part in metric.parts)
    own = whole = 0.0
    for p, part in enumerate(metric.parts):
        values = np.array([side[p].values for side in sides])
        told = ~np.isnan(values).any(axis=0)
        by_prompt = _by_prompt(values[:, told], sides[0][p].prompts[told])
        scale = (part.weight / total / max(1, int(told.sum()))) ** 2
        own += scale * float(by_prompt.var(axis=0, ddof=1).sum())
        centred = by_prompt - by_prompt.mean(axis=1, keepdims=True)
        whole += scale * float((centred**2).sum(axis=1).mean())
    return own, whole


def _by_prompt(values: FloatArray, prompts: np.ndarray) -> FloatArray:
    """(runs, prompts): the credits of a prompt added up, as they are drawn together."""
    _, codes = np.unique(prompts, return_inverse=True)
    return np.array([np.bincount(codes, weights=row) for row in values])


def _changed(
    result: BenchmarkResult, again: Sequence[BenchmarkResult], *, draws: int, seed: int
) -> dict[str, float | None]:
    pairs = comparisons_of(result)
    if not len(pairs) or not again:
        return {}
    first = _verdicts(pairs.margin)
    others = [_verdicts(comparisons_of(run).margin) for run in again]
    share = np.mean([first != other for other in others], axis=0)
    means, drawn = drawn_shares(share, np.ones((1, len(pairs)), dtype=bool), pairs, draws=draws, seed=seed)
    low, high = ends(float(means[0]), drawn[:, 0])
    return {"changed": float(means[0]), "changed_ci_low": low, "changed_ci_high": high}


def _verdicts(margin: FloatArray) -> FloatArray:
    """-1, 0, 1, and 2 for none: what counts, not by how much."""
    return np.where(np.isnan(margin), 2.0, np.sign(margin))
