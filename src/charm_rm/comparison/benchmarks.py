"""The models' figures on benchmarks, how they differ on the same items, and the mean over benchmarks."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from ..errors import CharmWarning, NoOverlap, counted
from ..statistics import percentile_interval, permutation_p
from .evaluations import Contrast, Evaluated, common_items, contrast

Figure = tuple[str, str, str]
MEAN: Figure = ("mean of benchmarks", "all", "accuracy")


@dataclass(frozen=True, eq=False)
class Benchmarked:
    """All models on the items that all were scored on; ``credits`` has a frame per figure and model."""

    credits: dict[Figure, dict[str, pl.DataFrame]]
    headlines: tuple[Figure, ...]
    figures: pl.DataFrame
    draws: int
    seed: int

    @property
    def models(self) -> tuple[str, ...]:
        """The models that were evaluated."""
        return tuple(next(iter(self.credits.values())))

    @property
    def shown(self) -> tuple[Figure, ...]:
        """The figures that are compared: every benchmark's, and their mean where there are several."""
        return tuple(f for f in self.credits if f != MEAN) + ((MEAN,) if len(self.headlines) > 1 else ())

    @property
    def partial(self) -> list[str]:
        """The benchmarks of which this is less than the official whole."""
        known = self.figures.filter(pl.col("partial"))["benchmark"].unique(maintain_order=True).to_list()
        return [name for name in known if name in {figure[0] for figure in self.credits}]

    @property
    def whole(self) -> Figure | None:
        """The one figure over all benchmarks."""
        if not self.headlines:
            return None
        return MEAN if len(self.headlines) > 1 else self.headlines[0]

    def between(self, name: str, baseline: str, figure: Figure) -> Contrast:
        """The figure of one model less that of another."""
        if figure == MEAN:
            return _mean([self.between(name, baseline, one) for one in self.headlines])
        frames = self.credits[figure]
        seed = self.seed + 1000 * (list(self.credits).index(figure) + 1)
        return contrast(frames[name], frames[baseline], draws=self.draws, seed=seed)

    @cached_property
    def nothing(self) -> dict[Figure, pl.DataFrame]:
        """A model that earns nothing, by figure: a contrast with it is a figure by itself."""
        return {
            figure: next(iter(frames.values())).with_columns(credit=pl.lit(0.0))
            for figure, frames in self.credits.items()
        }

    def alone(self, name: str, figure: Figure) -> tuple[float, float | None, float | None]:
        """The figure of one model on these items, with its 95 % interval."""
        parts = self.headlines if figure == MEAN else (figure,)
        found = [
            contrast(
                self.credits[one][name],
                self.nothing[one],
                draws=self.draws,
                seed=self.seed + 1000 * (list(self.credits).index(one) + 1),
                low=0.0,
            )
            for one in parts
        ]
        return with_interval(_mean(found))


def benchmarked(evaluated: Mapping[str, Evaluated], *, subsets: bool, draws: int, seed: int) -> Benchmarked:
    """Bring the models' evaluations to the benchmarks and items that all have; a warning says what is left out.

    Raises:
        NoOverlap: they have no benchmark in common, or no items of it.
    """
    first = next(iter(evaluated.values()))
    known = [
        {(r["benchmark"], r["subset"], r["metric"]) for r in e.figures.iter_rows(named=True)}
        for e in evaluated.values()
    ]
    shared = set.intersection(*known)
    order: list[Figure] = [
        (r["benchmark"], r["subset"], r["metric"]) for r in first.figures.iter_rows(named=True)
    ]
    heads = set(first.headlines)
    wanted = [f for f in order if f in shared and (subsets or f in heads)]
    credits: dict[Figure, dict[str, pl.DataFrame]] = {}
    for figure in wanted:
        if (found := common_items(evaluated, figure)) is not None:
            credits[figure] = found
    if not credits:
        raise NoOverlap(
            "the evaluations have no benchmark in common, or no items of one",
            fix="run charm evaluate with the same --benchmark, --data and --limit for every model",
        )
    _tell(evaluated, credits, wanted)
    headlines = tuple(f for f in credits if f in heads)
    figures = first.figures.select("benchmark", "subset", "metric", "partial")
    return Benchmarked(credits, headlines, figures, draws, seed)


def _tell(
    evaluated: Mapping[str, Evaluated],
    credits: Mapping[Figure, Mapping[str, pl.DataFrame]],
    wanted: list[Figure],
) -> None:
    """Say which benchmarks and items are left out, and which figures cannot be compared."""
    names = {figure[0] for figure in credits}
    for name, one in evaluated.items():
        others = sorted(set(one.figures["benchmark"]) - names)
        lost = {
            f[0]: one.of(f)["item"].n_unique() - frames[name]["item"].n_unique()
            for f, frames in credits.items()
        }
        parts = [f"the benchmark {other}" for other in others]
        parts += [f"{counted(n, 'item')} of {benchmark}" for benchmark, n in lost.items() if n]
        if parts:
            warnings.warn(
                f"{name}: not all models have {', '.join(parts)}: left out", CharmWarning, stacklevel=4
            )
    for figure in wanted:
        if figure not in credits and figure[0] in names:
            warnings.warn(
                f"{' '.join(dict.fromkeys(figure))} is no mean over prompts, or not on the same items: it is not compared",
                CharmWarning,
                stacklevel=4,
            )


def tell_of_the_same(told: Benchmarked, name: str, baseline: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Warn of two models that earn the very same credit on every item of all that is compared (``rows``): what a difference of 0 means."""
    if not rows or not all(row["same"] for row in rows):
        return
    items = sum(told.credits[figure][name].height for figure in told.headlines)
    beyond = (
        "; on other prompts like these it may be another, as far as its interval says" if told.draws else ""
    )
    warnings.warn(
        f"{name} and {baseline} earn the very same credit on {'the one item' if items == 1 else f'each of the {items:,} items'}: "
        f"here their difference is exactly 0{beyond}. If they should differ, look whether one evaluation was given twice",
        CharmWarning,
        stacklevel=4,
    )


def _mean(parts: list[Contrast]) -> Contrast:
    """The mean of figures of different benchmarks, whose prompts are drawn apart."""
    return Contrast(
        float(np.mean([p.value for p in parts])),
        float(np.mean([p.baseline_value for p in parts])),
        sum(p.n for p in parts),
        np.mean([p.draws for p in parts], axis=0),
        np.mean([p.exchanged for p in parts], axis=0),
        same=all(p.same for p in parts),
    )


def with_interval(found: Contrast) -> tuple[float, float | None, float | None]:
    """The difference with the 95 % range of its draws, which holds it."""
    value = found.difference
    if found.draws.size == 0:
        return value, None, None
    low, high = percentile_interval(found.draws)
    return value, min(float(low), value), max(float(high), value)


def contrast_row(found: Contrast) -> dict[str, Any]:
    """value, baseline_value, difference, ci_low, ci_high, p_value, same: p by exchanging the models within prompts.

    Where the two earn the ``same`` on every item, every exchange gives 0, too: p is 1 without any draw.
    """
    value, low, high = with_interval(found)
    p = permutation_p(value, found.exchanged) if found.exchanged.size else (1.0 if found.same else None)
    gap = {"value": found.value, "baseline_value": found.baseline_value, "difference": value}
    return {**gap, "ci_low": low, "ci_high": high, "p_value": p, "same": found.same}
