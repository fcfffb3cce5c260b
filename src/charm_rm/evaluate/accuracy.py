"""A scorer on a benchmark: official accuracies with intervals, and the paired comparison with a baseline.

Uncertainty is over prompts, for they are what was sampled: where each prompt gives one comparison the
interval is Wilson's; where it gives several (RM-Bench's nine) or several subsets are averaged, it is a
bootstrap that draws whole prompts, each averaged group by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats

from ..benchmarks import Benchmark, Metric
from ..errors import ModelError, NoOverlap, noting_warnings
from ..settings import check_draws
from ..statistics import (
    FloatArray,
    benjamini_hochberg,
    draw_prompt_weights,
    percentile_interval,
    weighted_win_rates,
    wilson_interval,
)

Interval = tuple[float, float] | tuple[None, None]

BASELINE_COLUMNS = {
    "baseline_accuracy": pl.Float64,
    "difference": pl.Float64,
    "diff_ci_low": pl.Float64,
    "diff_ci_high": pl.Float64,
    "better": pl.Int64,
    "worse": pl.Int64,
    "p_value": pl.Float64,
    "q_value": pl.Float64,
}


class Scorer(Protocol):
    """Anything that scores responses to prompts, higher is better: a reward model, or a test's stand-in."""

    def __call__(
        self, prompts: Sequence[Any], responses: Sequence[str]
    ) -> NDArray[np.float64]:  # pragma: no cover
        """Return one finite score per (prompt, response)."""
        ...


@dataclass(frozen=True, eq=False)
class BenchmarkResult:
    """What a scorer makes of a benchmark.

    ``margins`` is (n_items, C, R): score of each chosen minus score of each rejected response. ``frame`` has
    one row per metric: benchmark, subset, metric, n (items), comparisons, accuracy, ci_low, ci_high, ties,
    partial, and, once compared with a baseline, :data:`BASELINE_COLUMNS` (else null). ``warnings`` were said
    while scoring.
    """

    benchmark: Benchmark
    margins: FloatArray
    frame: pl.DataFrame
    provenance: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def outcomes(self) -> FloatArray:
        """(n_items, C, R): 1 where the chosen response scores higher, the benchmark's tie value where equal."""
        return np.heaviside(self.margins, self.benchmark.tie_value)

    def accuracy(self, subset: str = "all", metric: str | None = None) -> float:
        """One accuracy of the table; ``metric`` defaults to the subset's last, its average."""
        rows = self.frame.filter(pl.col("subset") == subset)
        rows = rows if metric is None else rows.filter(pl.col("metric") == metric)
        return float(rows["accuracy"][-1])


def evaluate_benchmark(
    scorer: Scorer, benchmark: Benchmark, *, draws: int = 1000, seed: int = 0
) -> BenchmarkResult:
    """Score a benchmark, each distinct (prompt, response) once, and report its official metrics.

    Raises:
        ModelError: the scorer gives another number of scores than responses, or one that is not finite.
    """
    with noting_warnings() as notes:
        margins = _score(scorer, benchmark)
    check_draws(draws)
    settings = {"draws": draws, "seed": seed}
    result = BenchmarkResult(benchmark, margins, pl.DataFrame(), settings, tuple(notes))
    rows = [_row(result, m, draws=draws, seed=seed) for m in benchmark.metrics]
    frame = pl.DataFrame(rows).with_columns(pl.lit(None, t).alias(c) for c, t in BASELINE_COLUMNS.items())
    return replace(result, frame=frame)


def compare_with_baseline(
    result: BenchmarkResult, baseline: BenchmarkResult, *, draws: int = 1000, seed: int = 0
) -> BenchmarkResult:
    """Fill in the columns that compare ``result`` with ``baseline`` on the very same items.

    ``difference`` is accuracy minus the baseline's, its interval a bootstrap of the paired differences;
    ``better`` and ``worse`` count the discordant prompts and ``p_value`` is McNemar's exact test on them;
    ``q_value`` adjusts for all metrics of the benchmark (Benjamini-Hochberg).

    Raises:
        NoOverlap: the two results are not of the same items.
    """
    if result.benchmark.items != baseline.benchmark.items:
        raise NoOverlap(
            f"benchmark {result.benchmark.name}: result and baseline are not of the same items",
            mend="evaluate both on the same files, with the same sample",
        )
    rows = [_comparison(result, baseline, m, draws=draws, seed=seed) for m in result.benchmark.metrics]
    q_values = benjamini_hochberg([row["p_value"] for row in rows])
    columns = pl.DataFrame(rows).with_columns(q_value=q_values).select(list(BASELINE_COLUMNS))
    said = (*result.warnings, *(f"baseline: {note}" for note in baseline.warnings))
    return replace(result, frame=result.frame.with_columns(columns), warnings=said)


# --- scoring ------------------------------------------------------------------------------------


def _score(scorer: Scorer, benchmark: Benchmark) -> FloatArray:
    """(n_items, C, R) margins; a pair that several items share is scored once, so it cannot differ."""
    pairs = list(
        dict.fromkeys((item.prompt, r) for item in benchmark.items for r in item.chosen + item.rejected)
    )
    scores = np.asarray(scorer([p for p, _ in pairs], [r for _, r in pairs]), dtype=np.float64)
    _check_scores(scores, len(pairs))
    score = dict(zip(pairs, scores.tolist(), strict=True))
    chosen = np.array([[score[i.prompt, r] for r in i.chosen] for i in benchmark.items])
    rejected = np.array([[score[i.prompt, r] for r in i.rejected] for i in benchmark.items])
    margins: FloatArray = chosen[:, :, None] - rejected[:, None, :]
    return margins


def _check_scores(scores: FloatArray, expected: int) -> None:
    if scores.shape != (expected,):
        raise ModelError(
            f"the scorer gave scores of shape {scores.shape} for {expected} responses",
            mend="return one number per response",
        )
    if bad := int((~np.isfinite(scores)).sum()):
        raise ModelError(
            f"{bad} of {expected} scores are NaN or infinite",
            mend="score in float32, or check the model's weights",
        )


# --- one metric ---------------------------------------------------------------------------------


def _row(result: BenchmarkResult, metric: Metric, *, draws: int, seed: int) -> dict[str, Any]:
    groups = [_group(result.benchmark, g) for g in metric.groups]
    items = np.concatenate(groups)
    values = _per_item(result.outcomes, metric)
    accuracy = _mean_of_groups(values, groups)
    if len(groups) == len(metric.cells) == 1 and _prompt_codes(result.benchmark, items)[1] == len(items):
        low, high = wilson_interval(values[items].sum(), len(items))
        interval: Interval = (float(low), float(high))
    else:
        rates = _group_draws(result.benchmark, values, groups, draws=draws, seed=seed)
        interval = _interval_around(accuracy, rates)
    return {
        "benchmark": result.benchmark.name,
        "subset": metric.subset,
        "metric": metric.name,
        "n": len(items),
        "comparisons": len(items) * len(metric.cells),
        "accuracy": accuracy,
        "ci_low": interval[0],
        "ci_high": interval[1],
        "ties": int((_cells(result.margins, metric)[items] == 0).sum()),
        "partial": metric.partial,
    }


def _comparison(
    result: BenchmarkResult, baseline: BenchmarkResult, metric: Metric, *, draws: int, seed: int
) -> dict[str, Any]:
    groups = [_group(result.benchmark, g) for g in metric.groups]
    items = np.concatenate(groups)
    theirs = _per_item(baseline.outcomes, metric)
    difference = _per_item(result.outcomes, metric) - theirs
    better, worse = _discordant(result, baseline, metric, items)
    # A difference lies in [-1, 1]; as a rate in [0, 1] it takes the same bootstrap as an accuracy.
    rates = _group_draws(result.benchmark, (difference + 1) / 2, groups, draws=draws, seed=seed)
    change = _mean_of_groups(difference, groups)
    low, high = _interval_around(change, 2 * rates - 1)
    return {
        "baseline_accuracy": _mean_of_groups(theirs, groups),
        "difference": change,
        "diff_ci_low": low,
        "diff_ci_high": high,
        "better": better,
        "worse": worse,
        "p_value": exact_mcnemar(better, worse),
    }


def exact_mcnemar(better: int, worse: int) -> float:
    """Two-sided exact McNemar p: better ~ Binomial(better + worse, 1/2) if neither model is better."""
    if better + worse == 0:
        return 1.0
    return float(stats.binomtest(better, better + worse, 0.5).pvalue)


def _discordant(
    result: BenchmarkResult, baseline: BenchmarkResult, metric: Metric, items: NDArray[np.int64]
) -> tuple[int, int]:
    """Prompts on which more, and on which fewer, comparisons come out right than with the baseline.

    With one comparison a prompt these are McNemar's discordant counts; with several, the sign test's: the
    comparisons of a prompt lean on each other, so a prompt counts once.
    """
    # Sums of outcomes, not means: multiples of a half, so that "equal" is exact.
    change = _cells(result.outcomes - baseline.outcomes, metric)[items].sum(axis=1)
    codes, size = _prompt_codes(result.benchmark, items)
    by_prompt = np.bincount(codes, weights=change, minlength=size)
    return int((by_prompt > 0).sum()), int((by_prompt < 0).sum())


def _cells(table: FloatArray, metric: Metric) -> FloatArray:
    """(n_items, cells) of an (n_items, C, R) table."""
    rows, columns = zip(*metric.cells, strict=True)
    return table[:, rows, columns]


def _per_item(outcomes: FloatArray, metric: Metric) -> FloatArray:
    """Mean outcome of each item over the metric's cells."""
    means: FloatArray = _cells(outcomes, metric).mean(axis=1)
    return means


def _mean_of_groups(values: FloatArray, groups: list[NDArray[np.int64]]) -> float:
    """(1/G) Σ_g mean of the group's items: groups weigh the same, whatever their sizes."""
    return float(np.mean([values[g].mean() for g in groups]))


def _interval_around(value: float, draws: FloatArray) -> Interval:
    """95 % range of the draws, widened to hold the value itself (all right, all wrong); none without draws."""
    if draws.size == 0:
        return None, None
    low, high = percentile_interval(draws)
    return min(float(low), value), max(float(high), value)


def _group_draws(
    benchmark: Benchmark, values: FloatArray, groups: list[NDArray[np.int64]], *, draws: int, seed: int
) -> FloatArray:
    """(draws,) bootstrap draws of :func:`_mean_of_groups`, whole prompts drawn within each group."""
    rng = np.random.default_rng(seed)
    rates = np.zeros(draws)
    for items in groups:
        codes, size = _prompt_codes(benchmark, items)
        drawn = draw_prompt_weights(size, draws=draws, rng=rng)
        by_item = replace(drawn, weights=drawn.weights[:, codes])
        rates += weighted_win_rates(values[items][None, :], by_item)[:, 0]
    return rates / len(groups)


def _group(benchmark: Benchmark, subsets: tuple[str, ...]) -> NDArray[np.int64]:
    """Positions of the items of some subsets."""
    return np.array([i for i, item in enumerate(benchmark.items) if item.subset in subsets], dtype=np.int64)


def _prompt_codes(benchmark: Benchmark, items: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """A number per item that is the same for the same prompt text, and how many prompts there are."""
    seen: dict[str, int] = {}
    codes = [seen.setdefault(benchmark.items[i].prompt, len(seen)) for i in items]
    return np.array(codes, dtype=np.int64), len(seen)
