"""How many prompts or votes: plans from a pilot's scores, or from assumptions, in both directions."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..comparison.evaluations import Evaluated, common_items
from ..errors import ConfigError, NoOverlap
from ..given import SourceLike, as_source
from ..mismatch.compare import shared_sources
from ..mismatch.compare_scatter import line_scatter
from ..mismatch.held import Held, derivatives, hold_against, prompt_variance, quadratic
from ..mismatch.pair_tests import plain_outcomes
from ..mismatch.power import WANTED
from ..policy_names import near_policies
from ..ratings import Aliases, RatingsLike, as_ratings, expected_variance, expected_win_rate
from ..settings import Outcome, Scope, Unrated
from ..statistics import ELO_PER_LOGIT, FloatArray
from ..tables import WinRates
from .designs import AccuracyDesign, FavourDesign, GapDesign, MeanDesign, PairDesign, policies_tested
from .search import Design, detectable, needed

LADDER = (50, 100, 200, 400, 800, 1600, 3200)


@dataclass(frozen=True)
class Plan:
    """What it takes to see one kind of effect.

    ``needed`` is the fewest prompts (items) for ``effect``; None: no number is enough. ``detectable`` are (prompts, least effect found in
    ``power`` of cases; None: none). ``floor`` is that effect with endlessly many prompts: what ratings, and other policies, leave in doubt
    (0: nothing, None: none however large). ``tests`` of them are adjusted for.
    """

    kind: str
    unit: str
    effect: float
    needed: int | None
    detectable: tuple[tuple[int, float | None], ...]
    floor: float | None
    power: float
    alpha: float
    tests: int
    basis: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON-able values."""
        rows = [{"n": n, "effect": effect} for n, effect in self.detectable]
        return {**self.__dict__, "detectable": rows}


@dataclass(frozen=True)
class Asked:
    """What is the same in every plan: the power wanted, the level, how many tests (None: as many as the audit makes), for how many prompts."""

    power: float = WANTED
    alpha: float = 0.05
    tests: int | None = None
    prompts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name, value in (("power", self.power), ("alpha", self.alpha)):
            if not 0 < value < 1:
                raise ConfigError(
                    f"{name} {value:g} is not between 0 and 1", fix="the usual ones are 0.8 and 0.05"
                )
        if self.tests is not None and self.tests < 1:
            raise ConfigError(f"{self.tests} tests", fix="give at least 1")
        if any(n < 2 for n in self.prompts):
            raise ConfigError("fewer than two prompts tell nothing", fix="give --prompts of 2 or more")
        if self.alpha >= self.power:
            raise ConfigError("the power is no more than the level", fix="the usual ones are 0.8 and 0.05")


def planned(
    design: Design, kind: str, unit: str, effect: float, asked: Asked, tests: int, **basis: Any
) -> Plan:
    """Both directions of one design."""
    if not 0 < effect <= design.largest:
        raise ConfigError(
            f"an effect of {effect:g} {unit} cannot be",
            fix=f"give one above 0 and at most {design.largest:g}",
        )
    shown = tuple((n, detectable(design, n, asked.power)) for n in asked.prompts or LADDER)
    # Degrees of freedom shrink as prompts grow, so that a large number may show a little less than endlessly many.
    floors = [_floor(design, asked.power), *(seen for _, seen in shown)]
    return Plan(
        kind=kind,
        unit=unit,
        effect=effect,
        needed=needed(design, effect, asked.power),
        detectable=shown,
        floor=min((floor for floor in floors if floor is not None), default=None),
        power=asked.power,
        alpha=asked.alpha,
        tests=tests,
        basis=basis,
    )


def _floor(design: Design, wanted: float) -> float | None:
    least = 1e-9 * design.largest
    return 0.0 if design.power(least, math.inf) >= wanted else detectable(design, math.inf, wanted)


# --- from a pilot ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class How:
    """How a pilot is held against the ratings: as in an audit."""

    aliases: Aliases | None = None
    unrated: Unrated = "error"
    outcome: Outcome = "hard"
    temperature: float = 1.0
    scope: Scope = "sample"

    def hold(self, source: Any, ratings: Any) -> Held:
        """The pilot's strengths and their line."""
        return hold_against(
            source,
            ratings,
            aliases=self.aliases,
            unrated=self.unrated,
            outcome=self.outcome,
            temperature=self.temperature,
        )


def plan_favour(
    pilot: SourceLike,
    ratings: RatingsLike,
    *,
    favour: float = 50.0,
    policy: str | None = None,
    asked: Asked = Asked(),
    how: How = How(),
) -> Plan:
    """Prompts needed to see a favour of ``favour`` Elo shown to one policy (the mean over policies, or ``policy``).

    Args:
        pilot: scores or judgements of a few prompts, whose variance is scaled to other numbers of prompts.
        ratings: human ratings, whose own uncertainty no number of prompts removes.
        favour: Elo points.
        policy: plan for this one.
        asked: power, level, number of tests, prompts.
        how: as in an audit.

    Raises:
        ConfigError: published win rates. NotIdentifiable: the pilot shows no rising line, or no favour that could be tested.
    """
    held = _held(pilot, ratings, how)
    which = _which(held, policies_tested(held.measured, how.scope), policy)
    tests = asked.tests or int(policies_tested(held.measured, how.scope).sum())
    design = FavourDesign(held.measured, len(held.prompts), how.scope, asked.alpha, tests, which)
    return planned(design, "favour of one policy", "Elo", favour, asked, tests, **_basis(held, policy))


def plan_favour_gap(
    first: SourceLike,
    second: SourceLike,
    ratings: RatingsLike,
    *,
    favour: float = 50.0,
    policy: str | None = None,
    asked: Asked = Asked(),
    how: How = How(),
) -> Plan:
    """Prompts needed to see that two models' favours of one policy differ by ``favour`` Elo; arguments as :func:`plan_favour`."""
    one, other, _ = shared_sources(_by_prompt(as_source(first)), _by_prompt(as_source(second)))
    mine, theirs = (how.hold(source, as_ratings(ratings)) for source in (one, other))
    d, e = derivatives(mine.measured), derivatives(theirs.measured)
    moved = d.favour_by_theta @ mine.by_prompt - e.favour_by_theta @ theirs.by_prompt
    fixed = quadratic(d.favour_by_rho - e.favour_by_rho, mine.measured.rho_covariance)
    scatter = np.zeros(len(fixed))
    if how.scope == "sample":
        scatter = line_scatter(mine, theirs, d.favour_by_theta, e.favour_by_theta)
    known = policies_tested(mine.measured, how.scope) & policies_tested(theirs.measured, how.scope)
    which, tests = _which(mine, known, policy), asked.tests or int(known.sum())
    design = GapDesign(prompt_variance(moved), fixed, scatter, len(mine.prompts), asked.alpha, tests, which)
    return planned(
        design, "difference of favour between two models", "Elo", favour, asked, tests, **_basis(mine, policy)
    )


def plan_mismatch(
    pilot: SourceLike,
    ratings: RatingsLike,
    *,
    mismatch: float = 0.1,
    asked: Asked = Asked(),
    how: How = How(),
) -> Plan:
    """Prompts needed to see a mismatch P̂ - P of ``mismatch`` in one pair, the mean over the pilot's pairs; arguments as :func:`plan_favour`."""
    held = _held(pilot, ratings, how)
    expected, share, doubt = pairs_of(held)
    tests = asked.tests or len(expected)
    design = PairDesign(expected, share, doubt, asked.alpha, tests)
    return planned(
        design,
        "mismatch of one pair",
        "P̂ - P",
        mismatch,
        asked,
        tests,
        pairs=len(expected),
        **_basis(held, None),
    )


def plan_accuracy(
    first: Evaluated,
    second: Evaluated,
    *,
    accuracy: float = 0.02,
    asked: Asked = Asked(),
) -> list[Plan]:
    """Items needed to see a difference of ``accuracy`` between two models, for each benchmark that both were evaluated on.

    Raises:
        NoOverlap: none, or no items in common.
    """
    shared = [f for f in first.headlines if f in second.headlines]
    plans = []
    for figure in shared:
        found = common_items({"first": first, "second": second}, figure)
        if found is not None:
            plans.append(_plan_benchmark(figure[0], found["first"], found["second"], accuracy, asked))
    if not plans:
        raise NoOverlap(
            "the evaluations have no benchmark in common, or no items of one",
            fix="run charm evaluate with the same --benchmark and --data for both",
        )
    return plans


def assume_accuracy(discordant: float, *, accuracy: float = 0.02, asked: Asked = Asked()) -> Plan:
    """The same from an assumption: the share of items that one of two models alone has right."""
    if not 0 < discordant <= 1:
        raise ConfigError(f"a share of {discordant:g} items", fix="--discordant is above 0 and at most 1")
    if accuracy > discordant:
        raise ConfigError(
            f"accuracies cannot differ by {accuracy:g} where only a share of {discordant:g} of the items tells the models apart",
            fix="give a larger --discordant or a smaller --accuracy",
        )
    tests = asked.tests or 1
    design = AccuracyDesign(discordant, asked.alpha, tests)
    return planned(
        design, "difference of benchmark accuracy", "accuracy", accuracy, asked, tests, discordant=discordant
    )


# --- parts ----------------------------------------------------------------------------------------


def _held(pilot: SourceLike, ratings: RatingsLike, how: How) -> Held:
    return how.hold(_by_prompt(as_source(pilot)), as_ratings(ratings))


def _by_prompt(source: Any) -> Any:
    if isinstance(source, WinRates):
        raise ConfigError(
            "published win rates are not per prompt: what another number of prompts would give is not known",
            fix="give the scores or judgements they were made from, or plan from assumptions (--policies)",
        )
    return source


def _which(held: Held, known: Any, policy: str | None) -> Any:
    if policy is None:
        if not known.any():
            raise ConfigError(
                "no policy's favour has a test in this pilot",
                fix="give a pilot of 30 prompts or more, and of more policies",
            )
        return known
    if policy not in held.policies:
        raise ConfigError(
            f"no policy {policy!r} in the pilot.{near_policies(policy, held.policies)}",
            fix="name one that was scored and is rated",
        )
    return np.array([name == policy for name in held.policies])


def pairs_of(held: Held) -> tuple[FloatArray, FloatArray, FloatArray]:
    """P of every pair, the share of P (1 - P) by which its outcomes vary, and the variance of P from the ratings."""
    tally = held.tally
    k, r = tally.pairs.T
    rating = held.rated.rating
    expected = expected_win_rate(rating[k], rating[r])
    gap = (rating[k] - rating[r]) / ELO_PER_LOGIT
    share = tally.n / plain_outcomes(tally, gap)
    return expected, np.asarray(share), expected_variance(expected, held.rated.gap_variance(tally.pairs))


def _plan_benchmark(name: str, one: Any, other: Any, accuracy: float, asked: Asked) -> Plan:
    gap = (one["credit"] - other["credit"]).to_numpy()
    plain = (
        one["part"].n_unique() == 1
        and one["prompt"].n_unique() == one.height
        and set(np.unique(gap)) <= {-1.0, 0.0, 1.0}
    )
    tests = asked.tests or 1
    basis: dict[str, Any] = {"benchmark": name, "items": one.height}
    design: Design
    if plain:
        basis["discordant"] = float(np.abs(gap).mean())
        design = AccuracyDesign(max(basis["discordant"], 1 / one.height), asked.alpha, tests)
    else:
        basis["spread"] = _spread(one, gap)
        design = MeanDesign(basis["spread"], asked.alpha, tests)
    return planned(design, f"difference of accuracy on {name}", "accuracy", accuracy, asked, tests, **basis)


def _spread(frame: Any, gap: FloatArray) -> float:
    """√n times the standard error of a weighted figure's difference, prompts being drawn whole and subsets kept in their shares."""
    import polars as pl

    parts = frame.with_columns(
        gap=pl.Series(gap), share=pl.col("weight") / pl.len().over("part")
    ).with_columns(centred=pl.col("share") * (pl.col("gap") - pl.col("gap").mean().over("part")))
    by_prompt = parts.group_by("prompt").agg(pl.col("centred").sum())["centred"].to_numpy()
    return float(np.sqrt((by_prompt**2).sum() * frame.height))


def _basis(held: Held, policy: str | None) -> dict[str, Any]:
    told = {
        "prompts": len(held.prompts),
        "policies": len(held.policies),
        "sharpness": float(held.measured.line.slope),
    }
    return told | ({} if policy is None else {"policy": policy})
