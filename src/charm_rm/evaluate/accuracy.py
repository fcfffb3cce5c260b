"""A model on a benchmark: official accuracies with intervals, and the paired comparison with a baseline.

Uncertainty is over prompts, for they are what was sampled: where each prompt gives one comparison the
interval is Wilson's; where it gives several (RM-Bench's nine) or several subsets are averaged, it is a
bootstrap that draws whole prompts (:mod:`.draws`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..benchmarks import Benchmark, Item, Metric, ScoredItem, scored_by_reward
from ..errors import ModelError, NoOverlap, noting_warnings
from ..settings import check_draws
from ..shown import Summarised
from ..statistics import FloatArray, wilson_interval
from .credits import Credits, combined, credits_of, pairs_read
from .draws import Interval, drawn_metric, interval_around, prompt_names
from .paired import discordant_prompts, exact_mcnemar, q_values

_BASELINE_COLUMNS = {
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


@dataclass(frozen=True, eq=False, repr=False)
class BenchmarkResult(Summarised):
    """What a model makes of a benchmark.

    ``scored`` are the items with the model's preferences. ``frame`` has one row per metric: benchmark, subset, metric,
    n (items), comparisons, accuracy, ci_low, ci_high, ties, partial, and, once compared with a baseline (else null),
    baseline_accuracy, difference, diff_ci_low, diff_ci_high, better, worse, p_value, q_value. ``warnings`` were said while scoring.
    """

    benchmark: Benchmark
    scored: tuple[ScoredItem, ...]
    frame: pl.DataFrame
    provenance: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def accuracy(self, subset: str = "all", metric: str | None = None) -> float:
        """One accuracy of the table; ``metric`` defaults to the subset's last, its average."""
        rows = self.frame.filter(pl.col("subset") == subset)
        rows = rows if metric is None else rows.filter(pl.col("metric") == metric)
        return float(rows["accuracy"][-1])

    @property
    def headline(self) -> float:
        """The last figure of the table: over all, as benchmarks put it last."""
        return float(self.frame["accuracy"][-1])

    @property
    def unanswered(self) -> int:
        """Comparisons that the model was asked for and gave no verdict on; they count as lost."""
        cells = zip(self.scored, self.benchmark.comparisons(), strict=True)
        return sum(int(np.isnan(scored.margins[i, j])) for scored, pairs in cells for i, j in pairs)


def evaluate_benchmark(
    scorer: Scorer, benchmark: Benchmark, *, draws: int = 1000, seed: int = 0
) -> BenchmarkResult:
    """Score a benchmark, each distinct (prompt, response) once, and report its official metrics.

    Raises:
        ModelError: the scorer gives another number of scores than responses, or one that is not finite.
    """
    with noting_warnings() as notes:
        texts = list(benchmark.texts().values())
        scores = np.asarray(scorer([p for p, _ in texts], [r for _, r in texts]), dtype=np.float64)
    scored = score_items(benchmark, scores)
    return measure_benchmark(benchmark, scored, draws=draws, seed=seed, warnings=notes)


def score_items(benchmark: Benchmark, scores: FloatArray) -> tuple[ScoredItem, ...]:
    """The items with the scores of :meth:`~charm_rm.benchmarks.Benchmark.texts`, in that order.

    Raises:
        ModelError: another number of scores than texts, or one that is not finite.
    """
    texts = benchmark.texts()
    _check_scores(scores, len(texts))
    score = dict(zip(texts, scores.tolist(), strict=True))
    return tuple(
        scored_by_reward(
            item, np.array([score[item.prompt_key, r] for r in item.responses]), tie_value=benchmark.tie_value
        )
        for item in benchmark.items
    )


def measure_benchmark(
    benchmark: Benchmark,
    scored: Sequence[ScoredItem],
    *,
    draws: int = 1000,
    seed: int = 0,
    warnings: Sequence[str] = (),
) -> BenchmarkResult:
    """Report the benchmark's metrics of items that a model has scored or judged; ``warnings`` were said meanwhile."""
    check_draws(draws)
    result = BenchmarkResult(
        benchmark, tuple(scored), pl.DataFrame(), {"draws": draws, "seed": seed}, tuple(warnings)
    )
    rows = [_row(result, m, draws=draws, seed=seed) for m in benchmark.metrics]
    frame = pl.DataFrame(rows, infer_schema_length=None).with_columns(
        pl.lit(None, t).alias(c) for c, t in _BASELINE_COLUMNS.items()
    )
    return replace(result, frame=frame)


def compare_with_baseline(
    result: BenchmarkResult, baseline: BenchmarkResult, *, draws: int = 1000, seed: int = 0
) -> BenchmarkResult:
    """Fill in the columns that compare ``result`` with ``baseline`` on the very same items.

    ``difference`` is accuracy minus the baseline's, its interval a bootstrap of the paired differences;
    ``better`` and ``worse`` count the discordant prompts and ``p_value`` is McNemar's exact test on them, null for
    metrics that are no mean over prompts; ``q_value`` adjusts for all metrics of the benchmark (Benjamini-Hochberg).

    Raises:
        NoOverlap: the two results are not of the same items.
    """
    if result.benchmark.items != baseline.benchmark.items:
        raise NoOverlap(
            f"benchmark {result.benchmark.name}: result and baseline are not of the same items",
            fix="evaluate both on the same files, with the same sample",
        )
    rows = [_comparison(result, baseline, m, draws=draws, seed=seed) for m in result.benchmark.metrics]
    schema = {name: dtype for name, dtype in _BASELINE_COLUMNS.items() if name != "q_value"}
    adjusted = q_values([row["p_value"] for row in rows])
    columns = pl.DataFrame(rows, schema=schema).with_columns(q_value=pl.Series(adjusted, dtype=pl.Float64))
    said = (*result.warnings, *(f"baseline: {note}" for note in baseline.warnings))
    return replace(result, frame=result.frame.with_columns(columns), warnings=said)


# --- details ------------------------------------------------------------------------------------


def _check_scores(scores: FloatArray, expected: int) -> None:
    if scores.shape != (expected,):
        raise ModelError(
            f"the scorer gave scores of shape {scores.shape} for {expected} responses",
            fix="return one number per response",
        )
    if bad := int((~np.isfinite(scores)).sum()):
        raise ModelError(
            f"{bad} of {expected} scores are NaN or infinite",
            fix="score in float32, or check the model's weights",
        )


def _row(result: BenchmarkResult, metric: Metric, *, draws: int, seed: int) -> dict[str, Any]:
    items = result.benchmark.items
    parts = credits_of(metric, result.scored)
    value = _value(metric, parts)
    read = pairs_read(parts, items)
    low, high = _interval(value, metric, parts, items, draws=draws, seed=seed)
    return {
        "benchmark": result.benchmark.name,
        "subset": metric.subset,
        "metric": metric.name,
        "n": len({i for part in parts for unit in part.told for i in unit}),
        "comparisons": len(read),
        "accuracy": value,
        "ci_low": low,
        "ci_high": high,
        "ties": sum(bool(result.scored[i].margins[j, k] == 0) for i, j, k in read),
        "partial": metric.partial,
    }


def _value(metric: Metric, parts: Sequence[Credits]) -> float:
    return float(combined(metric, np.array([part.mean for part in parts])))


def _interval(
    value: float, metric: Metric, parts: Sequence[Credits], items: Sequence[Item], *, draws: int, seed: int
) -> Interval:
    """Wilson's where every prompt gives one comparison, else a bootstrap over prompts."""
    if metric.combine is None and len(parts) == 1 and _one_comparison_each(parts[0], items):
        low, high = wilson_interval(parts[0].values.sum(), len(parts[0].values))
        return float(low), float(high)
    return interval_around(value, drawn_metric(metric, parts, items, draws=draws, seed=seed))


def _one_comparison_each(part: Credits, items: Sequence[Item]) -> bool:
    """Whether every prompt is there once, with a single comparison that is right or wrong."""
    names = prompt_names(part, items)
    once = len(set(names)) == len(names) == len(part.told)
    single = all(len(unit) == len(part.part.rule.pairs(items[unit[0]])) == 1 for unit in part.units)
    return once and single and (part.low, part.high) == (0.0, 1.0)


def _comparison(
    result: BenchmarkResult, baseline: BenchmarkResult, metric: Metric, *, draws: int, seed: int
) -> dict[str, Any]:
    items = result.benchmark.items
    mine, theirs = credits_of(metric, result.scored), credits_of(metric, baseline.scored)
    differences = [m.minus(t) for m, t in zip(mine, theirs, strict=True)]
    if metric.combine is None:
        change = _value(metric, differences)
        spread = drawn_metric(metric, differences, items, draws=draws, seed=seed)
        better, worse = discordant_prompts(differences, items)
        test: dict[str, Any] = {"better": better, "worse": worse, "p_value": exact_mcnemar(better, worse)}
    else:
        # A prompt has no share of its own in such a figure: both sides are drawn, with the same weights, and no prompt counted.
        change = _value(metric, mine) - _value(metric, theirs)
        drawn = [drawn_metric(metric, side, items, draws=draws, seed=seed) for side in (mine, theirs)]
        spread, test = drawn[0] - drawn[1], {"better": None, "worse": None, "p_value": None}
    low, high = interval_around(change, spread)
    ends = {"difference": change, "diff_ci_low": low, "diff_ci_high": high}
    return {"baseline_accuracy": _value(metric, theirs), **ends, **test}
