"""Offsets of all policies at once, so that every policy's total wins are what the ratings say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..errors import ConfigError, NoOverlap, NotIdentifiable, listing
from ..margins import position, score_matrix
from ..ratings import Aliases, match_ratings
from ..statistics import FloatArray, PromptWeights, draw_prompt_weights
from ..tables import Offsets, Ratings, Scores
from .inputs import Link, Settings, Targets, Unrated, as_offsets, rating_targets, summarise_draws
from .system import (
    BoolArray,
    JointProblem,
    hard_rates,
    sigmoid_rates,
    solve_hard,
    solve_sigmoid,
)
from .uncertainty import draw_deltas

Method = Literal["total-wins", "least-squares"]


def solve_joint_offsets(
    scores: Scores,
    ratings: Ratings,
    *,
    references: str | Sequence[str] = (),
    link: Link = "hard",
    temperature: float = 1.0,
    method: Method = "total-wins",
    aliases: Aliases | None = None,
    unrated: Unrated = "error",
    draws: int = 1000,
    seed: int = 0,
) -> Offsets:
    """Find one offset per policy such that each policy's total wins are what the ratings say.

    Solves Σ_l L_kl(Δ_k - Δ_l) = Σ_l P_kl for every policy k that is not a reference. One number per policy
    cannot mend every pair: ``residuals`` shows what is left.

    Args:
        scores: reward-model scores.
        ratings: human-preference ratings.
        references: policies held at Δ = 0. Without any the offsets have mean 0; only their differences matter.
        link: as in :func:`solve_offsets`.
        temperature: as in :func:`solve_offsets`.
        method: ``total-wins``, or ``least-squares`` over all pairs as the paper's code has it.
        aliases: the names of policies in the ratings, as in :func:`charm_rm.ratings.match_ratings`.
        unrated: ``error`` raises for policies without a rating, ``skip`` leaves them out and says so.
        draws: bootstrap draws of prompts and ratings behind the intervals, linearised at the solution.
        seed: of the draws.

    Returns:
        One row per policy; ``target`` and ``attained`` are the mean expected and attained win rate over its
        opponents, under the link. ``residuals`` has one row per pair that shares prompts, with hard win rates.

    Raises:
        UnknownPolicy: a policy has no rating, or a reference no scores.
        NoOverlap: some policies share no prompts with the others.
        NotIdentifiable: too few shared prompts, or all scores equal under the hard link.
        NotConverged: the solver stopped short.
    """
    settings = Settings(link, temperature, draws, seed)
    if method not in ("total-wins", "least-squares"):
        raise ConfigError(f"method {method!r} is not known", mend="use total-wins or least-squares")
    refs = [references] if isinstance(references, str) else list(dict.fromkeys(references))
    matched = match_ratings(ratings, scores.policies, aliases=aliases, unrated=unrated)
    policies = matched.frame["policy"].to_list()
    matrix = score_matrix(scores, policies=policies)
    held = np.zeros(len(policies), dtype=bool)
    held[[position(policies, r) for r in refs]] = True
    rng = np.random.default_rng(seed)
    targets, notes = rating_targets(matched, policies, aliases=None, draws=draws, rng=rng)
    problem = _problem(matrix.values.T, targets, held, policies, link=link)
    if link == "hard":
        solution = solve_hard(problem, method=method)
    else:
        solution = solve_sigmoid(problem, temperature=temperature, method=method)
    drawn = draw_prompt_weights(len(matrix.prompts), draws=draws, rng=rng)
    deltas, draw_matrix = _gauge(
        solution.deltas, _draws(problem, solution.deltas, targets, drawn, settings, method), refs
    )
    return as_offsets(
        _frame(problem, policies, deltas, draw_matrix, held, settings),
        residuals=_residuals(problem, policies, deltas, held),
        provenance={
            "verb": "solve_joint_offsets",
            "references": refs,
            "link": link,
            "temperature": temperature if link == "sigmoid" else None,
            "method": method,
            "draws": draws,
            "seed": seed,
            "iterations": solution.iterations,
            "largest_total_wins_residual": solution.residual,
        },
        notes=notes,
    )


def _problem(
    values: FloatArray, targets: Targets, held: BoolArray, policies: list[str], *, link: Link
) -> JointProblem:
    """The equations, after checking that they determine the offsets. Without a reference one policy is held."""
    if len(policies) < 2 or held.all():
        raise ConfigError(
            f"{len(policies)} rated policies of which {int(held.sum())} are references: nothing to solve",
            mend="score more policies, or name fewer references",
        )
    free = ~held if held.any() else np.arange(len(policies)) > 0
    problem = JointProblem(np.ascontiguousarray(values), targets.expected(), free)
    _check_connected(problem, policies)
    few = [p for p, most in zip(policies, problem.counts.max(axis=1), strict=True) if most < 2]
    if few:
        raise NotIdentifiable(
            f"{listing(few)} share a single prompt with any other policy",
            where="scores",
            mend="score more prompts",
        )
    if link == "hard" and problem.scale == 0:
        raise NotIdentifiable(
            "on every prompt all scores are equal: win rates can only be 0, ½ or 1",
            where="scores",
            mend="check the scores (a constant reward model?)",
        )
    return problem


def _check_connected(problem: JointProblem, policies: list[str]) -> None:
    n_groups, group = connected_components(coo_array(problem.counts > 0), directed=False)
    if n_groups > 1:
        smallest = int(np.argmin(np.bincount(group)))
        apart = [p for p, g in zip(policies, group, strict=True) if g == smallest]
        raise NoOverlap(
            f"{listing(apart)} share no prompts with the other policies",
            where="scores",
            mend="score the same prompts for every policy (check prompt_id), or calibrate the groups apart",
        )


def _draws(
    problem: JointProblem,
    deltas: FloatArray,
    targets: Targets,
    drawn: PromptWeights,
    settings: Settings,
    method: Method,
) -> FloatArray:
    """(draws, K) offsets; least squares has no intervals, as it is there for comparison alone."""
    if settings.draws == 0 or method == "least-squares":
        return np.empty((0, deltas.size))
    temperature = None if settings.link == "hard" else settings.temperature
    return draw_deltas(problem, deltas, targets.draws, drawn, temperature=temperature)


def _gauge(deltas: FloatArray, draws: FloatArray, refs: list[str]) -> tuple[FloatArray, FloatArray]:
    """Without references, shift to mean 0: a common shift changes no comparison."""
    if refs:
        return deltas, draws
    return deltas - deltas.mean(), draws - draws.mean(axis=1, keepdims=True)


def _frame(
    problem: JointProblem,
    policies: list[str],
    deltas: FloatArray,
    draws: FloatArray,
    held: BoolArray,
    settings: Settings,
) -> pl.DataFrame:
    moved = problem.values + deltas[:, None]
    rates = hard_rates(moved) if settings.link == "hard" else sigmoid_rates(moved, settings.temperature)[0]
    met = problem.counts > 0
    opponents = met.sum(axis=1)
    std_err, low, high = (np.where(held, np.nan, x) for x in summarise_draws(draws))
    return pl.DataFrame(
        {
            "policy": policies,
            "delta": deltas,
            "std_err": std_err,
            "ci_low": low,
            "ci_high": high,
            "is_reference": held,
            "target": np.where(met, problem.targets, 0.0).sum(axis=1) / opponents,
            "attained": rates.sum(axis=1) / opponents,
        }
    )


def _residuals(
    problem: JointProblem, policies: list[str], deltas: FloatArray, held: BoolArray
) -> pl.DataFrame:
    """One row per pair that shares prompts; a reference stands on the reference side."""
    rows, columns = np.nonzero(np.triu(problem.counts > 0, k=1))
    turn = held[rows] & ~held[columns]
    k, r = np.where(turn, columns, rows), np.where(turn, rows, columns)
    before, after = hard_rates(problem.values), hard_rates(problem.values + deltas[:, None])
    names = np.array(policies, dtype=object)
    return pl.DataFrame(
        {
            "policy": names[k].tolist(),
            "reference": names[r].tolist(),
            "n": problem.counts[k, r].astype(np.int64),
            "target": problem.targets[k, r],
            "before": before[k, r],
            "after": after[k, r],
        }
    )
