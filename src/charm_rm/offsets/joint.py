"""Offsets of all policies at once, so that every policy's total wins are what the ratings say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..errors import ConfigError, NoOverlap, NotIdentifiable, listing
from ..given import ComparableLike, as_comparable
from ..margins import PairedMargins, only_policies, pair_margins, position
from ..ratings import Aliases, RatingsLike, as_ratings, expected_win_rate, match_ratings
from ..settings import Link, Objective, Unrated
from ..solved_on import solved_on
from ..statistics import FloatArray, PromptWeights, draw_prompt_weights
from ..tables import Offsets
from . import cross_fitting
from .cross_fitting import CrossFitted, Rates, halve, nothing_cross_fitted, where_unmoved
from .inputs import BoolArray, Settings, Targets, check_sharpness, named, rating_targets
from .joint_equations import JointEquations, hard_rates, sigmoid_rates
from .joint_solvers import JointSolution, solve_hard, solve_sigmoid
from .magnitude import brought_back, brought_near_1
from .results import (
    NO_SPREAD,
    as_offsets,
    measured_in,
    note_not_cross_fitted,
    note_verdicts,
    spread_of,
)
from .uncertainty import draw_deltas


def solve_joint_offsets(
    source: ComparableLike,
    ratings: RatingsLike,
    *,
    references: str | Sequence[str] = (),
    link: Link = "hard",
    temperature: float = 1.0,
    objective: Objective = "total-wins",
    aliases: Aliases | None = None,
    unrated: Unrated = "error",
    draws: int = 1000,
    cross_fit: bool = True,
    seed: int = 0,
) -> Offsets:
    """Find one offset per policy such that each policy's total wins are what the ratings say.

    Solves Σ_l L_kl(Δ_k - Δ_l) = Σ_l P_kl for every policy k that is not a reference. One number per policy
    cannot fix every pair: ``residuals`` shows what is left.

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
        cross_fit: solve each half of the prompts again and measure the other with it (see ``attained_cross_fitted``).
        seed: of the draws and of the halves.

    Returns:
        One row per policy; ``target`` and ``attained`` are the mean expected and attained win rate over its
        opponents, under the link, on the prompts that the offsets were solved on; ``attained_cross_fitted`` is what as
        many fresh prompts would show. ``residuals`` has one row per pair that shares prompts, with hard win rates. With the hard link
        all offsets are 0 where nothing found is better than that, which a warning says.

    Raises:
        UnknownPolicy: a policy has no rating, or a reference was neither scored nor judged.
        NoOverlap: some policies share no prompts with the others.
        NotIdentifiable: too few shared prompts, or all scores equal under the hard link.
        NotConverged: the solver stopped short.
        ConfigError: a setting is not usable.
    """
    source = as_comparable(source)
    ratings = as_ratings(ratings)
    settings = Settings(link, temperature, draws, seed, cross_fit)
    if objective not in ("total-wins", "least-squares"):
        raise ConfigError(
            f"objective {objective!r} is not known",
            fix="use --objective total-wins or least-squares (objective= in Python)",
        )
    refs = named(references)
    matched = match_ratings(ratings, source.policies, aliases=aliases, unrated=unrated)
    rated = only_policies(source, set(matched.frame["policy"]))
    scaled, scaled_temperature, exponent = brought_near_1(rated, settings.link_temperature)
    paired = pair_margins(scaled)
    for reference in refs:
        position(paired.policies, reference)
    held = np.isin(paired.policies, refs)
    rng = np.random.default_rng(seed)
    targets, notes = rating_targets(matched, paired.policies, aliases=None, draws=draws, rng=rng)
    solver = _Solver(scaled_temperature, objective)
    equations = _equations_of(paired, targets, held, solver)
    solution = solver.solve(equations)
    held_out, missing = _cross_fitted(equations, solver, solution.deltas, settings)
    drawn = draw_prompt_weights(paired.n_prompts, draws=draws, rng=rng)
    deltas, draw_matrix = gauge(
        solution.deltas, _draws(equations, solution.deltas, targets, drawn, solver), refs
    )
    frame = joint_frame(equations, deltas, draw_matrix, held, solver.rates(equations, deltas), held_out)
    missed = missed_rows(equations, frame) if objective == "total-wins" else frame.clear()
    return as_offsets(
        brought_back(frame, exponent),
        residuals=joint_residuals(
            equations,
            held,
            hard_rates(equations, np.zeros_like(deltas)),
            hard_rates(equations, deltas),
            held_out,
        ),
        provenance={
            "verb": "solve_joint_offsets",
            **measured_in(source),
            "solved_on": solved_on(rated, paired.policies),
            "references": refs,
            "link": link,
            "temperature": settings.link_temperature,
            "objective": objective,
            "draws": draws,
            "cross_fit": cross_fit,
            "seed": seed,
            "iterations": solution.iterations,
            "largest_total_wins_residual": solution.residual,
        },
        notes=[*notes, *missing, *note_missed(missed, refused=solution.refused), *note_verdicts(source)],
        missed=missed["policy"].to_list(),
    )


@dataclass(frozen=True)
class _Solver:
    """The link (a temperature, or None: hard) and the objective, to be used on all prompts and on folds alike."""

    temperature: float | None
    objective: Objective

    def solve(self, equations: JointEquations, start: FloatArray | None = None) -> JointSolution:
        if self.temperature is None:
            return solve_hard(equations, objective=self.objective, start=start)
        return solve_sigmoid(equations, temperature=self.temperature, objective=self.objective, start=start)

    def rates(self, equations: JointEquations, deltas: FloatArray) -> FloatArray:
        """Win rates by pair under the link."""
        if self.temperature is None:
            return hard_rates(equations, deltas)
        return sigmoid_rates(equations, deltas, self.temperature)[0]


def _equations_of(
    paired: PairedMargins, targets: Targets, held: BoolArray, solver: _Solver
) -> JointEquations:
    """The equations, after checking that they determine the offsets. Without a reference one policy is held."""
    policies = paired.policies
    if held.all():
        raise ConfigError(
            f"{len(policies)} rated policies of which {int(held.sum())} are references: nothing to solve",
            fix="score or judge more policies, or name fewer references",
        )
    free = ~held if held.any() else np.arange(len(policies)) > 0
    k, r = paired.pairs.T
    equations = JointEquations(paired, expected_win_rate(targets.rating[k], targets.rating[r]), free)
    check_determined(equations, solver.temperature)
    return equations


def check_determined(equations: JointEquations, temperature: float | None) -> None:
    """Raise where the equations do not determine the offsets."""
    _check_connected(equations)
    most = np.zeros(equations.size)
    np.maximum.at(most, equations.margins.pairs, equations.counts[:, None])
    if (most < 2).any():
        raise NotIdentifiable(
            f"{listing(np.array(equations.margins.policies)[most < 2])} share a single prompt with any other policy",
            where="calibration",
            fix="score or judge more prompts",
        )
    check_sharpness(temperature, equations.largest)
    if temperature is None and equations.scale == 0:
        raise NotIdentifiable(
            "on every prompt all scores are equal: win rates can only be 0, ½ or 1",
            where="calibration",
            fix="check the scores or judgements (a constant reward model?)",
        )


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
            fix="score or judge the same prompts for every policy (check prompt_id), or calibrate the groups apart",
        )


def _cross_fitted(
    equations: JointEquations, solver: _Solver, solved: FloatArray, settings: Settings
) -> tuple[CrossFitted, list[str]]:
    """Win rates as on fresh prompts; NaN, and why, where a half of the prompts does not determine the offsets.

    The solution of all prompts is where each half's solving starts, which saves time; it ends at the half's own. A pair whose two
    offsets are equal is what it was before.
    """
    paired = equations.margins
    first = halve(paired.prompts, seed=settings.seed) if settings.cross_fit else None
    nothing = nothing_cross_fitted(len(paired.pairs))
    if first is None:
        return nothing, []
    k, r = equations.sides()
    unmoved, none = solved[k] == solved[r], np.zeros_like(solved)
    now = CrossFitted(solver.rates(equations, none), hard_rates(equations, none))
    if unmoved.all():
        return now, []

    def measure(train: BoolArray, held_out: BoolArray) -> Rates:
        rest, left = (replace(equations, margins=paired.at(prompts)) for prompts in (train, held_out))
        check_determined(rest, solver.temperature)
        deltas = solver.solve(rest, solved).deltas
        hard = hard_rates(left, deltas)
        return left.counts, hard if solver.temperature is None else solver.rates(left, deltas), hard

    try:
        return where_unmoved(unmoved, cross_fitting.cross_fit(first, measure), now), []
    except (NoOverlap, NotIdentifiable) as error:
        return nothing, [note_not_cross_fitted(error)]


def _draws(
    equations: JointEquations,
    deltas: FloatArray,
    targets: Targets,
    drawn: PromptWeights,
    solver: _Solver,
) -> FloatArray:
    """(draws, K) offsets; least squares has no intervals, as it is there for comparison alone."""
    if len(targets.draws) == 0 or solver.objective == "least-squares":
        return np.empty((0, deltas.size))
    return draw_deltas(equations, deltas, targets.draws, drawn, temperature=solver.temperature)


def gauge(deltas: FloatArray, draws: FloatArray, refs: list[str]) -> tuple[FloatArray, FloatArray]:
    """Without references, shift to mean 0: a common shift changes no comparison."""
    if refs:
        return deltas, draws
    return deltas - deltas.mean(), draws - draws.mean(axis=1, keepdims=True)


def joint_frame(
    equations: JointEquations,
    deltas: FloatArray,
    draws: FloatArray,
    held: BoolArray,
    attained: FloatArray,
    held_out: CrossFitted,
) -> pl.DataFrame:
    """One row a policy; ``attained`` are win rates by pair under the link, after the offsets."""
    spreads = [NO_SPREAD if fixed else spread_of(x) for x, fixed in zip(draws.T, held, strict=True)]
    opponents = equations.opponents()
    rates = {
        "target": equations.targets,
        "attained": attained,
        "attained_cross_fitted": held_out.link,
    }
    return pl.DataFrame(
        {
            "policy": list(equations.margins.policies),
            "delta": deltas,
            "std_err": [s.std_err for s in spreads],
            "ci_low": [s.low for s in spreads],
            "ci_high": [s.high for s in spreads],
            "is_reference": held,
            **{name: equations.total_rates(rate) / opponents for name, rate in rates.items()},
        }
    )


def missed_rows(equations: JointEquations, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows whose mean win rate is further from its target than one prompt would leave it, the worst first."""
    step = 1 / equations.counts[equations.met].min()
    gap = (pl.col("attained") - pl.col("target")).abs()
    return frame.filter(~pl.col("is_reference") & (gap > max(step, 0.005))).sort(gap, descending=True)


def note_missed(missed: pl.DataFrame, *, refused: bool) -> list[str]:
    """Say so where equal margins keep policies from their targets, or where all offsets stay 0."""
    notes = []
    if refused:
        notes.append("no offsets found are better than none: all stay 0")
    if not missed.is_empty():
        first = missed.row(0, named=True)
        notes.append(
            f"the offsets of {listing(missed['policy'])} miss their targets ({first['policy']!r} attains a mean win rate of "
            f"{first['attained']:.4f}, not {first['target']:.4f}): many margins are equal, and their wins turn all at once"
        )
    return notes


def joint_residuals(
    equations: JointEquations,
    held: BoolArray,
    before: FloatArray,
    after: FloatArray,
    held_out: CrossFitted,
) -> pl.DataFrame:
    """One row per pair that shares prompts; a reference stands on the reference side."""
    k, r = equations.sides()
    turn = held[k] & ~held[r]
    names = np.array(equations.margins.policies, dtype=object)
    rates = {
        "target": equations.targets,
        "before": before,
        "after": after,
        "after_cross_fitted": held_out.hard,
    }
    table = pl.DataFrame(
        {
            "policy": names[np.where(turn, r, k)].tolist(),
            "reference": names[np.where(turn, k, r)].tolist(),
            "n": equations.counts.astype(np.int64),
            **{name: np.where(turn, 1 - rate, rate) for name, rate in rates.items()},
        }
    )
    return table.with_columns(pl.col("after_cross_fitted").fill_nan(None)).filter(pl.Series(equations.met))
