"""Offsets of all policies at once, so that every policy's total wins are what the ratings say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..errors import ConfigError, NoOverlap, NotIdentifiable, listing
from ..margins import PairedMargins, only_policies, pair_margins, position
from ..ratings import Aliases, expected_win_rate, match_ratings
from ..settings import Link, Objective, Unrated
from ..statistics import FloatArray, PromptWeights, draw_prompt_weights
from ..tables import Margins, Offsets, Ratings, Scores
from .inputs import Settings, Targets, rating_targets
from .joint_equations import BoolArray, JointEquations, hard_rates, sigmoid_rates
from .joint_solvers import solve_hard, solve_sigmoid
from .results import as_offsets, measured_in, note_verdicts, summarise_draws
from .uncertainty import draw_deltas


def solve_joint_offsets(
    source: Scores | Margins,
    ratings: Ratings,
    *,
    references: str | Sequence[str] = (),
    link: Link = "hard",
    temperature: float = 1.0,
    objective: Objective = "total-wins",
    aliases: Aliases | None = None,
    unrated: Unrated = "error",
    draws: int = 1000,
    seed: int = 0,
) -> Offsets:
    """Find one offset per policy such that each policy's total wins are what the ratings say.

    Solves Σ_l L_kl(Δ_k - Δ_l) = Σ_l P_kl for every policy k that is not a reference. One number per policy
    cannot mend every pair: ``residuals`` shows what is left.

    Args:
        source: reward-model scores, or judgements of pairs (offsets are then in log-odds).
        ratings: human-preference ratings.
        references: policies held at Δ = 0. Without any the offsets have mean 0; only their differences matter.
        link: as in :func:`solve_offsets`.
        temperature: as in :func:`solve_offsets`.
        objective: ``total-wins``, or ``least-squares`` over all pairs as the paper's code has it.
        aliases: the names of policies in the ratings, as in :func:`charm_rm.ratings.match_ratings`.
        unrated: ``error`` raises for policies without a rating, ``skip`` leaves them out and says so.
        draws: bootstrap draws of prompts and ratings behind the intervals, linearised at the solution.
        seed: of the draws.

    Returns:
        One row per policy; ``target`` and ``attained`` are the mean expected and attained win rate over its
        opponents, under the link. ``residuals`` has one row per pair that shares prompts, with hard win rates.

    Raises:
        UnknownPolicy: a policy has no rating, or a reference was neither scored nor judged.
        NoOverlap: some policies share no prompts with the others.
        NotIdentifiable: too few shared prompts, or all scores equal under the hard link.
        NotConverged: the solver stopped short.
    """
    settings = Settings(link, temperature, draws, seed)
    if objective not in ("total-wins", "least-squares"):
        raise ConfigError(f"objective {objective!r} is not known", mend="use total-wins or least-squares")
    refs = [references] if isinstance(references, str) else list(dict.fromkeys(references))
    matched = match_ratings(ratings, source.policies, aliases=aliases, unrated=unrated)
    paired = pair_margins(only_policies(source, set(matched.frame["policy"])))
    held = np.isin(paired.policies, refs)
    for reference in refs:
        position(paired.policies, reference)
    rng = np.random.default_rng(seed)
    targets, notes = rating_targets(matched, paired.policies, aliases=None, draws=draws, rng=rng)
    equations = _equations_of(paired, targets, held, link=link)
    if link == "hard":
        solution = solve_hard(equations, objective=objective)
    else:
        solution = solve_sigmoid(equations, temperature=temperature, objective=objective)
    drawn = draw_prompt_weights(paired.n_prompts, draws=draws, rng=rng)
    deltas, draw_matrix = _gauge(
        solution.deltas, _draws(equations, solution.deltas, targets, drawn, settings, objective), refs
    )
    frame = _frame(equations, deltas, draw_matrix, held, settings)
    if objective == "total-wins":
        notes += _note_missed(equations, frame)
    return as_offsets(
        frame,
        residuals=_residuals(equations, deltas, held),
        provenance={
            "verb": "solve_joint_offsets",
            **measured_in(source),
            "references": refs,
            "link": link,
            "temperature": temperature if link == "sigmoid" else None,
            "objective": objective,
            "draws": draws,
            "seed": seed,
            "iterations": solution.iterations,
            "largest_total_wins_residual": solution.residual,
        },
        notes=[*notes, *note_verdicts(source)],
    )


def _equations_of(paired: PairedMargins, targets: Targets, held: BoolArray, *, link: Link) -> JointEquations:
    """The equations, after checking that they determine the offsets. Without a reference one policy is held."""
    policies = paired.policies
    if held.all():
        raise ConfigError(
            f"{len(policies)} rated policies of which {int(held.sum())} are references: nothing to solve",
            mend="score or judge more policies, or name fewer references",
        )
    free = ~held if held.any() else np.arange(len(policies)) > 0
    k, r = paired.pairs.T
    equations = JointEquations(paired, expected_win_rate(targets.rating[k], targets.rating[r]), free)
    _check_connected(equations)
    most = np.zeros(len(policies))
    np.maximum.at(most, paired.pairs, equations.counts[:, None])
    if (most < 2).any():
        raise NotIdentifiable(
            f"{listing(np.array(policies)[most < 2])} share a single prompt with any other policy",
            where="calibration",
            mend="score or judge more prompts",
        )
    if link == "hard" and equations.scale == 0:
        raise NotIdentifiable(
            "on every prompt all scores are equal: win rates can only be 0, ½ or 1",
            where="calibration",
            mend="check the scores or judgements (a constant reward model?)",
        )
    return equations


def _check_connected(equations: JointEquations) -> None:
    linked = equations.margins.pairs[equations.met]
    graph = coo_array((np.ones(len(linked)), linked.T), shape=(equations.size, equations.size))
    n_groups, group = connected_components(graph, directed=False)
    if n_groups > 1:
        smallest = int(np.argmin(np.bincount(group)))
        apart = [p for p, g in zip(equations.margins.policies, group, strict=True) if g == smallest]
        raise NoOverlap(
            f"{listing(apart)} share no prompts with the other policies",
            where="calibration",
            mend="score or judge the same prompts for every policy (check prompt_id), or calibrate the groups apart",
        )


def _draws(
    equations: JointEquations,
    deltas: FloatArray,
    targets: Targets,
    drawn: PromptWeights,
    settings: Settings,
    objective: Objective,
) -> FloatArray:
    """(draws, K) offsets; least squares has no intervals, as it is there for comparison alone."""
    if settings.draws == 0 or objective == "least-squares":
        return np.empty((0, deltas.size))
    temperature = None if settings.link == "hard" else settings.temperature
    return draw_deltas(equations, deltas, targets.draws, drawn, temperature=temperature)


def _gauge(deltas: FloatArray, draws: FloatArray, refs: list[str]) -> tuple[FloatArray, FloatArray]:
    """Without references, shift to mean 0: a common shift changes no comparison."""
    if refs:
        return deltas, draws
    return deltas - deltas.mean(), draws - draws.mean(axis=1, keepdims=True)


def _frame(
    equations: JointEquations, deltas: FloatArray, draws: FloatArray, held: BoolArray, settings: Settings
) -> pl.DataFrame:
    hard = settings.link == "hard"
    rates = (
        hard_rates(equations, deltas) if hard else sigmoid_rates(equations, deltas, settings.temperature)[0]
    )
    opponents = equations.opponents()
    std_err, low, high = (np.where(held, np.nan, x) for x in summarise_draws(draws))
    return pl.DataFrame(
        {
            "policy": list(equations.margins.policies),
            "delta": deltas,
            "std_err": std_err,
            "ci_low": low,
            "ci_high": high,
            "is_reference": held,
            "target": equations.total_rates(equations.targets) / opponents,
            "attained": equations.total_rates(rates) / opponents,
        }
    )


def _note_missed(equations: JointEquations, frame: pl.DataFrame) -> list[str]:
    """Say so where equal margins keep a policy's mean win rate further from its target than one prompt would."""
    step = 1 / equations.counts[equations.met].min()
    gap = (pl.col("attained") - pl.col("target")).abs()
    missed = frame.filter(~pl.col("is_reference") & (gap > max(step, 0.005))).sort(gap, descending=True)
    if missed.is_empty():
        return []
    first = missed.row(0, named=True)
    return [
        f"the offsets of {listing(missed['policy'])} miss their targets ({first['policy']!r} attains a mean win rate of "
        f"{first['attained']:.4f}, not {first['target']:.4f}): many margins are equal, and their wins turn all at once"
    ]


def _residuals(equations: JointEquations, deltas: FloatArray, held: BoolArray) -> pl.DataFrame:
    """One row per pair that shares prompts; a reference stands on the reference side."""
    k, r = equations.sides()
    turn = held[k] & ~held[r]
    names = np.array(equations.margins.policies, dtype=object)
    rates = {
        "target": equations.targets,
        "before": hard_rates(equations, np.zeros_like(deltas)),
        "after": hard_rates(equations, deltas),
    }
    return pl.DataFrame(
        {
            "policy": names[np.where(turn, r, k)].tolist(),
            "reference": names[np.where(turn, k, r)].tolist(),
            "n": equations.counts.astype(np.int64),
            **{name: np.where(turn, 1 - rate, rate) for name, rate in rates.items()},
        }
    ).filter(pl.Series(equations.met))
