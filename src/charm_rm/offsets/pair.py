"""Offset of one policy against one or several references: the paper's calibration, solved as a root."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl

from ..margins import margins_between, pair_margins, position
from ..ratings import Aliases, expected_matrix
from ..settings import Link
from ..statistics import FloatArray, PromptWeights, draw_prompt_weights
from ..tables import Margins, Offsets, Ratings, Scores
from .inputs import Question, Settings, Targets, checked_weights, named, rating_targets
from .paired import Paired
from .results import as_offsets, measured_in, note_verdicts, summarise_draws
from .unpaired import Unpaired, score_columns


def solve_offsets(
    source: Scores | Margins,
    ratings: Ratings,
    *,
    over: str | Sequence[str],
    references: str | Sequence[str],
    reference_weights: Sequence[float] | None = None,
    link: Link = "hard",
    temperature: float = 1.0,
    paired: bool = True,
    aliases: Aliases | None = None,
    draws: int = 1000,
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
        seed: of the draws.

    Returns:
        One row per policy. ``target`` and ``attained`` are Σ w_l P_l and Σ w_l L_l(Δ) under the link.
        ``residuals`` has one row per pair: n comparisons, target, and hard win rate before and after.

    Raises:
        UnknownPolicy: a policy was neither scored nor judged, or has no rating.
        NoOverlap: no prompt is shared with a reference.
        NotIdentifiable: one shared prompt, margins all equal, or a target of 0 or 1.
        ConfigError: a setting is not usable.
    """
    settings = Settings(link, temperature, draws, seed)
    overs, refs = named(over), named(references)
    weights = checked_weights(overs, refs, reference_weights)
    for name in (*overs, *refs):
        position(source.policies, name)
    margins = pair_margins(source, references=refs)
    scores = None if paired else score_columns(source, [*overs, *refs])
    rng = np.random.default_rng(seed)
    targets, notes = rating_targets(ratings, [*overs, *refs], aliases=aliases, draws=draws, rng=rng)
    drawn = draw_prompt_weights(margins.n_prompts, draws=draws, rng=rng)
    solved = []
    for k, name in enumerate(overs):
        chosen = [k, *range(len(overs), len(overs) + len(refs))]
        question = Question(name, tuple(refs), weights, settings.link_temperature)
        estimand: Estimand
        if scores is None:
            estimand = Paired(question, np.stack([margins_between(margins, name, r) for r in refs]))
        else:
            estimand = Unpaired(question, scores[chosen])
        solved.append(_solve(question, estimand, targets.of(chosen), drawn))
    return as_offsets(
        pl.concat([s.row for s in solved] + [_fixed(refs)], how="diagonal_relaxed"),
        residuals=pl.concat([s.residuals for s in solved]),
        provenance={
            "verb": "solve_offsets",
            **measured_in(source),
            "over": overs,
            "references": refs,
            "reference_weights": weights.tolist(),
            "link": link,
            "temperature": settings.link_temperature,
            "paired": paired,
            "draws": draws,
            "seed": seed,
        },
        notes=[*notes, *note_verdicts(source), *(note for s in solved for note in s.notes)],
    )


class Estimand(Protocol):
    """What it means that one policy wins a target share: :class:`Paired` by prompt, or :class:`Unpaired`."""

    def check(self) -> None:
        """Raise where no offset answers."""

    def solve(self, target: float) -> tuple[float, float]:
        """(Δ, attained): the offset that meets the target, and what it attains under the link."""

    def draws(self, delta: float, target: float, goals: FloatArray, drawn: PromptWeights) -> FloatArray:
        """Plausible offsets, one for each draw of the prompts and its target in ``goals``."""

    def rates(self, delta: float) -> list[tuple[int, float, float]]:
        """By reference: (n comparisons, hard win rate before, after)."""


@dataclass(frozen=True, eq=False)
class _Solved:
    row: pl.DataFrame
    residuals: pl.DataFrame
    notes: list[str]


def _solve(question: Question, estimand: Estimand, targets: Targets, drawn: PromptWeights) -> _Solved:
    """Point estimate, interval and residuals of one policy."""
    expected = expected_matrix(targets.rating)[0, 1:]
    target = float(question.weights @ expected)
    question.check_target(target)
    estimand.check()
    delta, attained = estimand.solve(target)
    goals = expected_matrix(targets.draws)[:, 0, 1:] @ question.weights
    std_err, low, high = summarise_draws(estimand.draws(delta, target, goals, drawn)[:, None])
    row = {
        "policy": question.over,
        "delta": delta,
        "std_err": std_err[0],
        "ci_low": low[0],
        "ci_high": high[0],
        "is_reference": False,
        "target": target,
        "attained": attained,
    }
    residuals = _residuals(question, expected, estimand.rates(delta))
    return _Solved(pl.DataFrame(row), residuals, _notes(question, target, attained, residuals))


def _residuals(
    question: Question, expected: FloatArray, rates: list[tuple[int, float, float]]
) -> pl.DataFrame:
    """Per reference: n comparisons, target, hard win rate before and after."""
    rows = [
        (question.over, reference, n, target, before, after)
        for reference, target, (n, before, after) in zip(
            question.references, expected.tolist(), rates, strict=True
        )
    ]
    return pl.DataFrame(rows, schema=["policy", "reference", "n", "target", "before", "after"], orient="row")


def _notes(question: Question, target: float, attained: float, residuals: pl.DataFrame) -> list[str]:
    """Say so where equal margins keep the win rate further from its target than one comparison would."""
    step = float((question.weights / residuals["n"].to_numpy()).max())
    if abs(attained - target) <= max(step / 2, 0.005) * (1 + 1e-9):
        return []
    return [
        f"the offset of {question.over!r} attains a win rate of {attained:.4f}, not {target:.4f}: "
        "many margins are equal there, and their wins turn all at once"
    ]


def _fixed(references: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame({"policy": list(references), "delta": 0.0, "is_reference": True})
