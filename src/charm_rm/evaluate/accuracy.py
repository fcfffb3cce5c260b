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

from ..benchmarks import Benchmark, Metric, ScoredItem, scored_by_reward
from ..errors import ModelError, NoOverlap, noting_warnings
from ..settings import check_draws
from ..shown import Summarised
from ..statistics import FloatArray, wilson_interval
from .credits import CreditBook, Credits, combined, metric_value
from .details import Details
from .draws import Drawn, Interval, draw_figures, interval_around
from .paired import discordant_prompts, exact_mcnemar, q_values, simultaneous_half_widths

_BASELINE_COLUMNS = {
    "baseline_accuracy": pl.Float64,
    "difference": pl.Float64,
    "diff_ci_low": pl.Float64,
    "diff_ci_high": pl.Float64,
    "sim_ci_low": pl.Float64,
    "sim_ci_high": pl.Float64,
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
    baseline_accuracy, difference, diff_ci_low, diff_ci_high, sim_ci_low, sim_ci_high, better, worse, p_value, q_value. ``warnings`` were said while scoring;
    ``details`` say what was cut, and what a judge said in which order.
    """

    benchmark: Benchmark
    scored: tuple[ScoredItem, ...]
    frame: pl.DataFrame
    provenance: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    details: Details = field(default_factory=Details)
    kept_book: CreditBook | None = field(default=None, repr=False)

    @property
    def book(self) -> CreditBook:
        """What each rule pays for each item."""
        return self.kept_book or CreditBook(self.scored)

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
        if not any(np.isnan(scored.margins).any() for scored in self.scored):
            return 0
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
    places = benchmark.places
    _check_scores(scores, int(places.max()) + 1)
    found = np.asarray(scores, dtype=np.float64)[places]
    stops = np.cumsum([len(item.responses) for item in benchmark.items]).tolist()
    return tuple(
        scored_by_reward(item, found[stop - len(item.responses) : stop], tie_value=benchmark.tie_value)
        for item, stop in zip(benchmark.items, stops, strict=True)
    )


def measure_benchmark(
    benchmark: Benchmark,
    scored: Sequence[ScoredItem],
    *,
    draws: int = 1000,
    seed: int = 0,
    warnings: Sequence[str] = (),
    details: Details | None = None,
) -> BenchmarkResult:
    """Report the benchmark's metrics of items that a model has scored or judged; ``warnings`` were said meanwhile."""
    check_draws(draws)
    book = CreditBook(scored)
    figures = [Drawn(metric, book.credits(metric)) for metric in benchmark.metrics]
    drawn = draw_figures(figures, book.n_prompts, draws=draws, seed=seed)
    rows = [_row(benchmark.name, book, figure, drawn[:, k]) for k, figure in enumerate(figures)]
    frame = pl.DataFrame(rows, infer_schema_length=None).with_columns(
        pl.lit(None, t).alias(c) for c, t in _BASELINE_COLUMNS.items()
    )
    how = {"draws": draws, "seed": seed}
    return BenchmarkResult(benchmark, tuple(scored), frame, how, tuple(warnings), details or Details(), book)


def compare_with_baseline(
    result: BenchmarkResult, baseline: BenchmarkResult, *, draws: int = 1000, seed: int = 0
) -> BenchmarkResult:
    """Fill in the columns that compare ``result`` with ``baseline`` on the very same items.

    ``difference`` is accuracy minus the baseline's, its interval a bootstrap of the paired differences; ``sim_ci_low`` and ``sim_ci_high``
    hold all rows of the benchmark at once, so they hold for the row that looks best (:func:`.paired.simultaneous_half_widths`).
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
    compared = [_Compared.of(m, result.book, baseline.book) for m in result.benchmark.metrics]
    drawn = _drawn_changes(compared, result.book.n_prompts, draws=draws, seed=seed)
    widths = simultaneous_half_widths(drawn) if draws else [None] * len(compared)
    rows = [one.row(drawn[:, k], widths[k]) for k, one in enumerate(compared)]
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


def _row(benchmark: str, book: CreditBook, figure: Drawn, drawn: FloatArray) -> dict[str, Any]:
    metric, parts = figure.metric, figure.parts
    value = metric_value(metric, parts)
    comparisons, ties = book.comparisons(parts)
    low, high = _interval(value, figure, book, drawn)
    return {
        "benchmark": benchmark,
        "subset": metric.subset,
        "metric": metric.name,
        "n": len({i for part in parts for unit in part.told for i in unit}),
        "comparisons": comparisons,
        "accuracy": value,
        "ci_low": low,
        "ci_high": high,
        "ties": ties,
        "partial": metric.partial,
    }


def _interval(value: float, figure: Drawn, book: CreditBook, drawn: FloatArray) -> Interval:
    """Wilson's where every prompt gives one comparison, else a bootstrap over prompts."""
    parts = figure.parts
    if figure.metric.combine is None and len(parts) == 1 and book.one_comparison_each(parts[0]):
        low, high = wilson_interval(parts[0].values.sum(), len(parts[0].values))
        return float(low), float(high)
    return interval_around(value, drawn)


@dataclass(frozen=True, eq=False)
class _Compared:
    """One metric of two models: the credits of both, and their differences."""

    metric: Metric
    mine: list[Credits]
    theirs: list[Credits]
    differences: list[Credits]

    @classmethod
    def of(cls, metric: Metric, book: CreditBook, other: CreditBook) -> _Compared:
        mine, theirs = book.credits(metric), other.credits(metric)
        return cls(metric, mine, theirs, [m.minus(t) for m, t in zip(mine, theirs, strict=True)])

    def drawn(self) -> list[Drawn]:
        """What has to be drawn: the differences; for a figure without a share of each prompt both sides, with the same weights."""
        if self.metric.combine is None:
            return [Drawn(self.metric, self.differences)]
        return [Drawn(self.metric, side) for side in (self.mine, self.theirs)]

    def row(self, drawn: FloatArray, width: float | None) -> dict[str, Any]:
        theirs = metric_value(self.metric, self.theirs)
        change = metric_value(self.metric, self.mine) - theirs
        test: dict[str, Any] = {"better": None, "worse": None, "p_value": None}
        if self.metric.combine is None:
            change = metric_value(self.metric, self.differences)
            better, worse = discordant_prompts(self.differences)
            test = {"better": better, "worse": worse, "p_value": exact_mcnemar(better, worse)}
        low, high = interval_around(change, drawn)
        ends = {"difference": change, "diff_ci_low": low, "diff_ci_high": high}
        wide = {} if width is None else self._wide(change, width)
        return {"baseline_accuracy": theirs, **ends, **wide, **test}

    def _wide(self, change: float, width: float) -> dict[str, float]:
        """The simultaneous interval, cut to what differences can be."""
        low, high = change - width, change + width
        if self.metric.combine is None:
            most = float(combined(self.metric, np.array([part.span for part in self.mine])))
            low, high = max(low, -most), min(high, most)
        return {"sim_ci_low": low, "sim_ci_high": high}


def _drawn_changes(compared: Sequence[_Compared], n_prompts: int, *, draws: int, seed: int) -> FloatArray:
    """(draws, metrics) draws of the differences, all with the same weights."""
    wanted = [one.drawn() for one in compared]
    drawn = draw_figures([f for figures in wanted for f in figures], n_prompts, draws=draws, seed=seed)
    ends = np.cumsum([len(figures) for figures in wanted])[:-1]
    sides = np.split(drawn, ends, axis=1)
    return np.stack([side[:, 0] - side[:, 1] if side.shape[1] == 2 else side[:, 0] for side in sides], axis=1)
