"""Joint offsets of scores larger than memory: the equations of all prompts, met by whole passes, with the slopes of a sample of prompts.

A pass counts every pair after the offsets, exactly. What is sampled is only how steeply win rates rise, which says where to look next; a
step with slopes that are a few parts in a hundred off leaves so many parts of the gap, so a handful of passes closes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..errors import ConfigError, NotConverged
from ..margins import (
    GROUPS,
    PairCounter,
    PairCounts,
    ScoreMargins,
    all_pairs,
    hard_outcomes,
    position,
    soft_outcomes,
)
from ..ratings import Aliases, RatingsLike, as_ratings, expected_win_rate, match_ratings
from ..settings import Link, Unrated
from ..statistics import FloatArray, draw_normal
from ..streaming import ScoreStream, refuse_streaming
from ..tables import Offsets
from .cross_fitting import CrossFitted, as_fresh, nothing_cross_fitted
from .inputs import Settings, Targets, named, rating_targets
from .joint import check_determined, gauge, joint_frame, joint_residuals, missed_rows, note_missed
from .joint_equations import JointEquations, laplacian, sigmoid_rates, wins_gap
from .joint_solvers import solve_hard, solve_sigmoid
from .results import as_offsets
from .ties import MANY_TIES
from .uncertainty import bandwidth, target_draws

SAMPLE = 2 * GROUPS
_PASSES, _PASSES_OF_A_HALF, _STALE = 25, 8, 3
_ENOUGH, _ENOUGH_SIGMOID = 0.5, 1e-9  # of one prompt of mean win rate; of a mean win rate
_LOOSEST = 1e-6
_FEWEST = 10  # prompts of a half, for cross-fitting


@dataclass(frozen=True, eq=False)
class StreamedEquations(JointEquations):
    """:class:`.JointEquations` of all prompts, of which counts alone are ``known``; ``margins`` are those of the sample."""

    known: tuple[FloatArray, float, float] = (np.zeros(0), 0.0, 0.0)

    @cached_property
    def _moments(self) -> tuple[FloatArray, float, float]:
        return self.known

    def with_counts(self, counts: FloatArray) -> StreamedEquations:
        """The same for the prompts of a half."""
        return replace(self, known=(counts, *self.known[1:]))


@dataclass(frozen=True, eq=False)
class _Passes:
    """Counts of all prompts after offsets; ``temperature`` of the link, None: hard."""

    source: ScoreStream
    temperature: float | None

    def at(self, deltas: FloatArray) -> PairCounts:
        counter = self._counter(len(deltas))
        for block in self.source.blocks():
            counter.add(block + deltas[:, None])
        return counter.counts()

    def halves(self, one: FloatArray, other: FloatArray) -> tuple[PairCounts, PairCounts]:
        """Every second prompt with ``one``, the rest with ``other``; prompts come in the order of hashes, so both halves are random."""
        counters = self._counter(len(one)), self._counter(len(one))
        for block in self.source.blocks():
            for i, (counter, deltas) in enumerate(zip(counters, (one, other), strict=True)):
                counter.add(block[:, i::2] + deltas[:, None])
        return counters[0].counts(), counters[1].counts()

    def rates(self, counts: PairCounts) -> tuple[FloatArray, FloatArray]:
        """By pair: mean outcome under the link, and hard win rate; 0 for a pair that shares no prompt."""
        n = np.maximum(counts.n, 1)
        hard = counts.rates("hard", "half")[0] / n
        return (hard if self.temperature is None else counts.soft / n), hard

    def covariance(self, deltas: FloatArray, counts: PairCounts) -> FloatArray:
        """(K, K) covariance of total wins Σ_l L_kl over prompts: Σ_i v_i v_iᵀ, v_ki = Σ_l (o_kl,i - L_kl) / n_kl."""
        if counts.complete:
            return counts.score_covariance() / max(counts.prompts, 1) ** 2
        size, rate = len(deltas), self.rates(counts)[0]
        starts = np.concatenate([[0], np.cumsum(size - 1 - np.arange(size))])
        total = np.zeros((size, size))
        for block in self.source.blocks():
            for some in _columns(block + deltas[:, None]):
                v = np.zeros(some.shape)
                for k in range(size - 1):
                    rows = slice(starts[k], starts[k + 1])
                    part = self._outcomes(some[k] - some[k + 1 :]) - rate[rows, None]
                    part /= np.maximum(counts.n[rows], 1)[:, None]
                    np.nan_to_num(part, copy=False)
                    v[k] += part.sum(axis=0)
                    v[k + 1 :] -= part
                total += v @ v.T
        return total

    def _outcomes(self, margins: FloatArray) -> FloatArray:
        if self.temperature is None:
            return hard_outcomes(margins)
        return soft_outcomes(margins, temperature=self.temperature)

    def _counter(self, size: int) -> PairCounter:
        if self.temperature is None:
            return PairCounter(size, soften=False)
        return PairCounter(size, outcome="soft", temperature=self.temperature)


def solve_streamed_joint_offsets(
    source: ScoreStream,
    ratings: RatingsLike,
    *,
    references: str | Sequence[str] = (),
    link: Link = "hard",
    temperature: float = 1.0,
    aliases: Aliases | None = None,
    unrated: Unrated = "error",
    draws: int = 1000,
    cross_fit: bool = True,
    seed: int = 0,
) -> Offsets:
    """:func:`.solve_joint_offsets` (objective ``total-wins``) of scores that need not fit memory; arguments and results as there.

    ``attained``, ``before`` and ``after`` are counted on all prompts, exactly; ``largest_total_wins_residual`` in the provenance is how far
    the worst mean win rate stays from its target. ``solved_on`` is not kept.

    Raises:
        ConfigError: more than a hundredth of all comparisons tie (hard link): offsets that keep ties take all scores at once.
        NotConverged: with the sigmoid link, the targets are missed by more than a millionth.
        UnknownPolicy, NoOverlap, NotIdentifiable: as there.
    """
    settings, refs = Settings(link, temperature, draws, seed, cross_fit), named(references)
    matched = match_ratings(as_ratings(ratings), source.policies, aliases=aliases, unrated=unrated)
    rated = source.only(set(matched.frame["policy"]))
    policies = tuple(rated.policies)
    for reference in refs:
        position(policies, reference)
    rng = np.random.default_rng(seed)
    targets, notes = rating_targets(matched, policies, aliases=None, draws=draws, rng=rng)
    held, passes = np.isin(policies, refs), _Passes(rated, settings.link_temperature)
    none = passes.at(np.zeros(len(policies)))
    sample, equations = _equations(passes, none, targets, held)
    deltas, counts, taken, refused = _solved(passes, sample, equations, none)
    steepness = _jacobian(sample, deltas, passes.temperature)
    held_out = (
        _cross_fitted(passes, equations, steepness, deltas)
        if cross_fit
        else nothing_cross_fitted(len(none.n))
    )
    drawn = _draws(passes, equations, steepness, deltas, counts, targets, rng)
    shown, drawn = gauge(deltas, drawn, refs)
    link_rate, hard = passes.rates(counts)
    frame = joint_frame(equations, shown, drawn, held, link_rate, held_out)
    missed = missed_rows(equations, frame)
    return as_offsets(
        frame,
        residuals=joint_residuals(equations, held, passes.rates(none)[1], hard, held_out),
        provenance={
            "verb": "solve_joint_offsets",
            "source": source.noun,
            "unit": "score",
            "engine": "streaming",
            "references": refs,
            "link": link,
            "temperature": settings.link_temperature,
            "objective": "total-wins",
            "draws": draws,
            "cross_fit": cross_fit,
            "seed": seed,
            "iterations": taken,
            "largest_total_wins_residual": _residual(equations, link_rate),
        },
        notes=[*notes, *note_missed(missed, refused=refused)],
        missed=missed["policy"].to_list(),
    )


def _equations(
    passes: _Passes, none: PairCounts, targets: Targets, held: np.ndarray
) -> tuple[JointEquations, StreamedEquations]:
    """The equations of a sample of prompts, and of all, after checking that they determine the offsets."""
    if held.all():
        raise ConfigError("every rated policy is a reference: nothing to solve", fix="name fewer references")
    policies = tuple(passes.source.policies)
    tied = float((none.n - none.wins - none.losses).sum() / max(none.n.sum(), 1))
    if passes.temperature is None and tied > MANY_TIES:
        raise refuse_streaming(
            f"solve offsets of all policies where {tied:.0%} of all comparisons tie: offsets that keep ties take all scores at once",
            fix="use --engine memory on some of the prompts (--prompts), or --link sigmoid",
        )
    pairs = all_pairs(len(policies))
    k, r = pairs.T
    goals = expected_win_rate(targets.rating[k], targets.rating[r])
    free = ~held if held.any() else np.arange(len(policies)) > 0
    sample = JointEquations(ScoreMargins(policies, pairs, _sample(passes.source)), goals, free)
    known = (none.n, sample.scale, sample.largest)
    equations = StreamedEquations(sample.margins, goals, free, known)
    for one in (equations, sample):
        check_determined(one, passes.temperature)
    return sample, equations


def _sample(source: ScoreStream) -> FloatArray:
    """(K, n) scores of the first prompts in the order of their hashes: a random sample."""
    parts, n = [], 0
    for block in source.blocks():
        parts.append(block[:, : SAMPLE - n])
        n += parts[-1].shape[1]
        if n >= SAMPLE:
            break
    return np.ascontiguousarray(np.concatenate(parts, axis=1))


def _columns(scores: FloatArray) -> Iterator[FloatArray]:
    for start in range(0, scores.shape[1], GROUPS):
        yield scores[:, start : start + GROUPS]


# --- solving --------------------------------------------------------------------------------------


def _solved(
    passes: _Passes, sample: JointEquations, equations: StreamedEquations, none: PairCounts
) -> tuple[FloatArray, PairCounts, int, bool]:
    """(offsets, what was counted after them, passes, whether all stay 0 as nothing found is better)."""
    if passes.temperature is None:
        start = solve_hard(sample).deltas
        enough = _ENOUGH / max(float(none.n.max()), 1)
    else:
        start, enough = solve_sigmoid(sample, temperature=passes.temperature).deltas, _ENOUGH_SIGMOID
    deltas, counts, best, stale, taken = start, none, np.inf, 0, 0
    trial = start
    while taken < _PASSES and stale < _STALE and best > enough:
        found, taken = passes.at(trial), taken + 1
        gap = wins_gap(equations, passes.rates(found)[0])
        size = _largest(equations, gap)
        stale = 0 if size < best else stale + 1
        if size < best:
            deltas, counts, best = trial, found, size
        trial = _stepped(equations, trial, gap, _jacobian(sample, trial, passes.temperature))
    if passes.temperature is not None and best > _LOOSEST:
        raise NotConverged(
            f"the joint offsets stopped {best:.1e} short of a mean win rate asked for",
            fix="raise --temperature, or use --link hard",
        )
    if passes.temperature is None and not _no_worse(passes, equations, counts, none):
        return np.zeros_like(deltas), none, taken, True
    return deltas, counts, taken, False


def _jacobian(sample: JointEquations, deltas: FloatArray, temperature: float | None) -> FloatArray:
    """(K, K) slopes of total wins, of the sample; of the staircase a density, at a kernel bandwidth."""
    width = bandwidth(sample) if temperature is None else temperature
    return laplacian(sample, sigmoid_rates(sample, deltas, width)[1])


def _stepped(
    equations: JointEquations, deltas: FloatArray, gap: FloatArray, jacobian: FloatArray
) -> FloatArray:
    free, moved = equations.free, deltas.copy()
    moved[free] += np.linalg.lstsq(jacobian[np.ix_(free, free)], gap[free], rcond=None)[0]
    return moved


def _largest(equations: JointEquations, gap: FloatArray) -> float:
    return float(np.abs(gap[equations.free]).max() / (equations.size - 1))


def _residual(equations: JointEquations, rates: FloatArray) -> float:
    return _largest(equations, wins_gap(equations, rates))


def _no_worse(passes: _Passes, equations: JointEquations, counts: PairCounts, none: PairCounts) -> bool:
    """Whether neither mean misses of total wins nor those of pairs are larger than without offsets."""
    after, before = (passes.rates(c)[1] for c in (counts, none))
    wins = [np.abs(wins_gap(equations, x)[equations.free]).mean() for x in (after, before)]
    pairs = [np.abs(x - equations.targets)[equations.met].mean() for x in (after, before)]
    return bool(wins[0] <= wins[1] + 1e-12 and pairs[0] <= pairs[1] + 1e-12)


def _draws(
    passes: _Passes,
    equations: JointEquations,
    jacobian: FloatArray,
    deltas: FloatArray,
    counts: PairCounts,
    targets: Targets,
    rng: np.random.Generator,
) -> FloatArray:
    """(draws, K) Δ* = Δ + J⁻¹ (P* - P - e), e normal with the covariance of total wins over prompts: as :func:`.draw_deltas`."""
    size = len(targets.draws)
    if size == 0:
        return np.empty((0, len(deltas)))
    wins = draw_normal(np.zeros(len(deltas)), passes.covariance(deltas, counts), draws=size, rng=rng)
    change, free = target_draws(equations, targets.draws) - wins, equations.free
    drawn = np.tile(deltas, (size, 1))
    drawn[:, free] += np.linalg.solve(jacobian[np.ix_(free, free)], change[:, free].T).T
    return drawn


def _cross_fitted(
    passes: _Passes, equations: StreamedEquations, jacobian: FloatArray, deltas: FloatArray
) -> CrossFitted:
    """Each half of the prompts solved on its own, from the solution of all, and measured with the offsets of the other."""
    ours = [deltas, deltas]
    for _ in range(_PASSES_OF_A_HALF):
        counts = passes.halves(*ours)
        if min(c.prompts for c in counts) < _FEWEST:
            return nothing_cross_fitted(len(equations.targets))
        halves = [equations.with_counts(c.n) for c in counts]
        gaps = [wins_gap(e, passes.rates(c)[0]) for e, c in zip(halves, counts, strict=True)]
        if all(
            _largest(e, g) <= _ENOUGH / max(float(e.counts.max()), 1)
            for e, g in zip(halves, gaps, strict=True)
        ):
            break
        ours = [_stepped(e, d, g, jacobian) for e, d, g in zip(halves, ours, gaps, strict=True)]
    one, other = passes.halves(ours[1], ours[0])
    known = (one.n > 0) & (other.n > 0)
    link, hard = (
        np.where(known, as_fresh(a, b), np.nan)
        for a, b in zip(passes.rates(one), passes.rates(other), strict=True)
    )
    return CrossFitted(link, hard)
