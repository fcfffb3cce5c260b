"""Offset of one policy against one or several references: the paper's calibration, solved as a root."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import polars as pl

from ..errors import NoOverlap, NotIdentifiable
from ..given import ComparableLike, as_comparable
from ..margins import margins_between, only_policies, pair_margins, position
from ..ratings import Aliases, RatingsLike, as_ratings, expected_matrix
from ..settings import Link
from ..solved_on import solved_on
from ..statistics import FloatArray, PromptWeights, RedrawnWeights, redraw_prompt_weights
from ..tables import Offsets
from . import cross_fitting
from .cross_fitting import CrossFitted, Rates, halve, nothing_cross_fitted
from .inputs import BoolArray, Question, Settings, Targets, checked_weights, named, rating_targets
from .magnitude import brought_back, brought_near_1
from .paired import Paired
from .results import Spread, as_offsets, measured_in, note_not_cross_fitted, note_verdicts
from .unpaired import Unpaired, score_columns


def solve_offsets(
    source: ComparableLike,
    ratings: RatingsLike,
    *,
    over: str | Sequence[str],
    references: str | Sequence[str],
    reference_weights: Sequence[float] | None = None,
    link: Link = "hard",
    temperature: float = 1.0,
    paired: bool = True,
    aliases: Aliases | None = None,
    draws: int = 1000,
    cross_fit: bool = True,
    seed: int = 0,
) -> Offsets:
    """Find the offset Δ of each policy in ``over`` at which its win rate is what the ratings say.

    Solves Σ_l w_l L_l(Δ) = Σ_l w_l P_l, with L_l(Δ) = mean_i link((m_l,i + Δ)/τ) over the prompts shared with reference l;
    m_l,i is the margin over it, s_over,i - s_l,i of scores. References stay as they are (Δ = 0).

    Args:
        source: reward-model scores, or judgements of pairs (margins), whose offset is in log-odds.
        ratings: human-preference ratings of the same policies.
        over: the policy to calibrate, or several; each is solved on its own.
        references: what to calibrate against.
        reference_weights: w_l, equal unless given; scaled to add up to 1.
        link: ``hard`` solves for the win rate itself; ``sigmoid`` for the mean of sigmoid(margin / temperature).
        temperature: of the sigmoid, in units of the margins.
        paired: compare responses to the same prompt; off, every response of one with every response of
            the other, as the paper's released code does (scores alone: judgements are paired by nature).
        aliases: the names of policies in the ratings, as in :func:`charm_rm.ratings.match_ratings`.
        draws: Bayesian-bootstrap draws of the prompts, each with a draw of the ratings (0: no intervals).
        cross_fit: solve each half of the prompts again and measure the other with it (see ``attained_cross_fitted``).
        seed: of the draws and of the halves.

    Returns:
        One row per policy. ``target`` and ``attained`` are Σ w_l P_l and Σ w_l L_l(Δ) under the link, on the prompts that Δ was
        solved on; ``attained_cross_fitted``
        is what as many fresh prompts would show. Where no offset comes nearer to the target than none
        does, Δ is 0. ``residuals`` has one row per pair: n comparisons, target, and hard win rate before,
        after, and after as on fresh prompts.

    Raises:
        UnknownPolicy: a policy was neither scored nor judged, or has no rating.
        NoOverlap: no prompt is shared with a reference.
        NotIdentifiable: one shared prompt, margins all equal, or a target of 0 or 1.
        ConfigError: a setting is not usable.
        NotConverged: the sigmoid is too steep for numbers of this size.
    """
    source = as_comparable(source)
    ratings = as_ratings(ratings)
    settings = Settings(link, temperature, draws, seed, cross_fit)
    overs, refs = named(over), named(references)
    weights = checked_weights(overs, refs, reference_weights)
    for name in (*overs, *refs):
        position(source.policies, name)
    source, scaled_temperature, exponent = brought_near_1(source, settings.link_temperature)
    margins = pair_margins(source, references=refs)
    scores = None if paired else score_columns(source, [*overs, *refs])
    rng = np.random.default_rng(seed)
    targets, notes = rating_targets(ratings, [*overs, *refs], aliases=aliases, draws=draws, rng=rng)
    drawn = redraw_prompt_weights(margins.n_prompts, draws=draws, rng=rng)
    first = halve(margins.prompts, seed=seed) if cross_fit else None
    solved = []
    for k, name in enumerate(overs):
        chosen = [k, *range(len(overs), len(overs) + len(refs))]
        question = Question(name, tuple(refs), weights, scaled_temperature)
        estimand: Estimand
        if scores is None:
            estimand = Paired(question, np.stack([margins_between(margins, name, r) for r in refs]))
        else:
            estimand = Unpaired(question, scores[chosen])
        solved.append(_solve(question, estimand, targets.of(chosen), drawn, first))
    return as_offsets(
        brought_back(pl.concat([s.row for s in solved] + [_fixed(refs)], how="diagonal_relaxed"), exponent),
        residuals=pl.concat([s.residuals for s in solved]),
        provenance={
            "verb": "solve_offsets",
            **measured_in(source),
            "solved_on": solved_on(only_policies(source, [*overs, *refs]), overs),
            "over": overs,
            "references": refs,
            "reference_weights": weights.tolist(),
            "link": link,
            "temperature": settings.link_temperature,
            "paired": paired,
            "draws": draws,
            "cross_fit": cross_fit,
            "seed": seed,
        },
        notes=[*notes, *note_verdicts(source), *(note for s in solved for note in s.notes)],
        missed=[name for name, s in zip(overs, solved, strict=True) if s.missed],
    )


class Estimand(Protocol):
    """What it means that one policy wins a target share: :class:`Paired` by prompt, or :class:`Unpaired`."""

    def check(self) -> None:
        """Raise where no offset answers."""

    def solve(self, target: float) -> tuple[float, float]:
        """(Δ, attained): the offset that meets the target, and what it attains under the link."""

    def spread(
        self, delta: float, target: float, goals: FloatArray, drawn: PromptWeights | RedrawnWeights
    ) -> Spread:
        """How uncertain Δ is: each draw of the prompts has its target in ``goals``."""

    def rates(self, delta: float) -> Rates:
        """By reference: comparisons, mean outcome under the link, and hard win rate, after the offset."""

    def at(self, prompts: BoolArray) -> Self:
        """The same question on some of the prompts."""


@dataclass(frozen=True, eq=False)
class _Solved:
    row: pl.DataFrame
    residuals: pl.DataFrame
    notes: list[str]
    missed: bool


def _solve(
    question: Question,
    estimand: Estimand,
    targets: Targets,
    drawn: PromptWeights | RedrawnWeights,
    first: BoolArray | None,
) -> _Solved:
    """Point estimate, interval, residuals and cross-fitted win rates of one policy."""
    expected = expected_matrix(targets.rating)[0, 1:]
    target = float(question.weights @ expected)
    question.check_target(target)
    estimand.check()
    delta, attained, kept = _nearest(question, estimand, target)
    counts, now, before = estimand.rates(0.0)
    held_out, notes = (
        (CrossFitted(now, before), [])  # an offset of 0 changes no fresh prompt
        if delta == 0 and first is not None
        else _cross_fitted(question, estimand, target, first)
    )
    goals = expected_matrix(targets.draws)[:, 0, 1:] @ question.weights
    row = {
        "policy": question.over,
        "delta": delta,
        **estimand.spread(delta, target, goals, drawn).columns(),
        "is_reference": False,
        "target": target,
        "attained": attained,
        "attained_cross_fitted": float(question.weights @ held_out.link),
    }
    residuals = pl.DataFrame(
        {
            "policy": question.over,
            "reference": question.references,
            "n": counts.astype(np.int64),
            "target": expected,
            "before": before,
            "after": estimand.rates(delta)[2],
            "after_cross_fitted": held_out.hard,
        }
    ).with_columns(pl.col("after_cross_fitted").fill_nan(None))
    step = float((question.weights / counts).max())
    missed = abs(attained - target) > max(step / 2, 0.005) * (1 + 1e-9)
    if kept or missed:
        notes = [*notes, _note_missed(question, target, attained, kept=kept)]
    return _Solved(pl.DataFrame(row), residuals, notes, missed)


def _nearest(question: Question, estimand: Estimand, target: float) -> tuple[float, float, bool]:
    """(Δ, attained, whether 0 was kept): the root, or 0 where that is nearer to the target.

    Beyond the outermost stair lies no offset to choose, but 0 may lie there.
    """
    delta, attained = estimand.solve(target)
    now = float(question.weights @ estimand.rates(0.0)[1])
    if abs(now - target) < abs(attained - target) - 1e-12:
        return 0.0, now, True
    return delta, attained, False


def _cross_fitted(
    question: Question, estimand: Estimand, target: float, first: BoolArray | None
) -> tuple[CrossFitted, list[str]]:
    """Win rates as on fresh prompts; NaN, and why, where a half of the prompts does not determine an offset."""
    nothing = nothing_cross_fitted(len(question.references))
    if first is None:
        return nothing, []

    def measure(train: BoolArray, held_out: BoolArray) -> Rates:
        rest = estimand.at(train)
        rest.check()
        return estimand.at(held_out).rates(_nearest(question, rest, target)[0])

    try:
        return cross_fitting.cross_fit(first, measure), []
    except (NoOverlap, NotIdentifiable) as error:
        return nothing, [note_not_cross_fitted(error)]


def _note_missed(question: Question, target: float, attained: float, *, kept: bool) -> str:
    """Why the win rate stays further from its target than one comparison would leave it."""
    if kept:
        return (
            f"no offset of {question.over!r} comes nearer to its target win rate of {target:.4f} than none does "
            f"({attained:.4f}): it stays 0"
        )
    return (
        f"the offset of {question.over!r} attains a win rate of {attained:.4f}, not {target:.4f}: "
        "many margins are equal there, and their wins turn all at once"
    )


def _fixed(references: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame({"policy": list(references), "delta": 0.0, "is_reference": True})
