"""Plans from pilots and from assumptions: both directions agree, floors are said, bad requests are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from charm_rm.comparison import read_evaluation
from charm_rm.errors import ConfigError, NoOverlap
from charm_rm.planning import (
    Asked,
    How,
    World,
    assume_accuracy,
    assume_favour,
    assume_favour_gap,
    plan_accuracy,
    plan_favour,
    plan_favour_gap,
    plan_mismatch,
    rating_half_width,
    scaled_votes,
    votes_for_width,
)
from charm_rm.sources import load_example
from comparison.worlds import benchmark, evaluation
from mismatch.planted import noise, ratings, scores

THESE = How(scope="these")


def test_a_pilot_and_its_plan_agree_both_ways() -> None:
    pilot = scores(noise(0, 150))
    plan = plan_favour(pilot, ratings(4.0), favour=50.0, how=THESE)
    assert plan.needed is not None
    back = plan_favour(pilot, ratings(4.0), favour=50.0, asked=Asked(prompts=(plan.needed,)), how=THESE)
    ((n, effect),) = back.detectable
    assert n == plan.needed
    assert effect == pytest.approx(50.0, rel=0.01)
    effects = [effect for _, effect in plan.detectable]
    assert effects == sorted(effects, reverse=True)
    assert plan.floor is not None
    assert plan.floor < effects[-1]


def test_a_larger_pilot_of_the_same_plans_alike() -> None:
    small, large = (plan_favour(scores(noise(1, n)), ratings(4.0), how=THESE) for n in (200, 800))
    assert small.needed == pytest.approx(large.needed, rel=0.15)


def test_below_the_floor_no_number_is_enough() -> None:
    plan = plan_favour(scores(noise(0, 150)), ratings(60.0), favour=30.0, how=THESE)
    assert plan.needed is None
    assert plan.floor is not None
    assert plan.floor > 30.0


def test_the_floor_is_never_above_what_a_number_of_prompts_shows() -> None:
    """Where the other policies' favours stand between, degrees of freedom fall as prompts grow: 50 may show a little less than many."""
    plan = plan_favour(scores(noise(0, 150)), ratings(60.0), favour=30.0, asked=Asked(prompts=(50, 500)))
    assert plan.floor is not None
    assert all(plan.floor <= effect for _, effect in plan.detectable if effect is not None)


def test_two_models_need_fewer_prompts_than_one() -> None:
    shared = noise(5, 300)
    one, other = scores(shared + 0.2 * noise(1, 300)), scores(shared + 0.2 * noise(2, 300))
    gap = plan_favour_gap(one, other, ratings(8.0), favour=40.0, how=THESE)
    alone = plan_favour(one, ratings(8.0), favour=40.0, how=THESE)
    assert gap.needed is not None
    assert alone.needed is None or gap.needed < alone.needed / 2


def test_mismatch_of_a_pair_from_a_pilot() -> None:
    plan = plan_mismatch(scores(noise(0, 150)), ratings(4.0), mismatch=0.1)
    fewer = plan_mismatch(scores(noise(0, 150)), ratings(4.0), mismatch=0.1, asked=Asked(tests=1))
    assert plan.needed is not None
    assert fewer.needed is not None
    assert fewer.needed < plan.needed
    assert plan.tests == 28


def test_benchmarks_from_two_evaluations(tmp_path: Path) -> None:
    right = np.arange(90) % 5 != 0
    other = right.copy()
    other[::6] = ~other[::6]
    one, two = (read_evaluation(evaluation(tmp_path / n, r)) for n, r in (("a", right), ("b", other)))
    (plan,) = plan_accuracy(one, two, accuracy=0.05)
    assert plan.basis["benchmark"] == "quiz"
    assert plan.needed is not None
    gap = right.astype(float) - other
    hard = np.arange(90) % 3 == 0
    spread = np.sqrt(90 * (gap[hard].var() * 0.25 / hard.sum() + gap[~hard].var() * 0.25 / (~hard).sum()))
    assert plan.basis["spread"] == pytest.approx(spread)
    riddles = read_evaluation(evaluation(tmp_path / "c", right, benchmark(90, name="riddles")))
    with pytest.raises(NoOverlap):
        plan_accuracy(one, riddles)


def test_assumptions_give_the_same_plan_every_time() -> None:
    world = World(policies=8, rating_error=4.0)
    how = {"favour": 60.0, "asked": Asked(), "how": THESE}
    assert assume_favour(world, **how) == assume_favour(world, **how)
    assert assume_favour_gap(world, **how).needed < assume_favour(world, **how).needed
    # The sharper the model, the more a prompt tells.
    assert assume_favour(World(policies=8, rating_error=4.0, sharpness=2.0), **how).needed < assume_favour(world, **how).needed  # fmt: skip


def test_accuracy_from_an_assumption_is_connors() -> None:
    """n = (z √ψ + z' √(ψ - δ²))² / δ² (Connor 1987), which the exact test exceeds by a little."""
    plan = assume_accuracy(0.2, accuracy=0.05)
    connor = (1.959964 * np.sqrt(0.2) + 0.841621 * np.sqrt(0.2 - 0.05**2)) ** 2 / 0.05**2
    assert connor < plan.needed < 1.1 * connor


def test_votes_go_with_the_square_of_the_width() -> None:
    how = {"policies": 10, "spread": 80.0}
    assert votes_for_width(5.0, **how) == pytest.approx(4 * votes_for_width(10.0, **how), rel=1e-3)
    assert votes_for_width(10.0, ties=0.3, **how) < votes_for_width(10.0, **how)
    assert rating_half_width(votes_for_width(10.0, **how), **how) <= 10.0
    assert scaled_votes(5.0, votes=1000, std_err=np.array([5.102])) == pytest.approx(4000, rel=0.01)
    with pytest.raises(ConfigError, match="more than there can be"):
        rating_half_width(100, ties=0.99, **how)


def test_two_policies_of_even_strength_by_hand() -> None:
    """One pair, P = ½: var(ρ_1 - ρ_2) = 1 / (V/4), each rating half of the gap: se = 400/ln 10 · √(4/V) / 2."""
    se = 173.7178 * np.sqrt(4 / 400) / 2
    assert rating_half_width(400, policies=2, spread=1e-6) == pytest.approx(1.959964 * se, rel=1e-6)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: Asked(power=1.0), "power 1 is not between 0 and 1"),
        (lambda: Asked(alpha=0.9), "the power is no more than the level"),
        (lambda: Asked(tests=0), "0 tests"),
        (lambda: Asked(prompts=(1,)), "fewer than two prompts"),
        (lambda: World(policies=2), "--policies 2 is not between 3 and 1000"),
        (lambda: World(rating_error=-1.0), "--rating-error -1"),
        (lambda: assume_accuracy(0.0), "a share of 0 items"),
        (lambda: assume_accuracy(0.1, accuracy=0.2), "cannot differ by 0.2"),
        (lambda: plan_favour(scores(noise(0)), ratings(), favour=-5.0), "an effect of -5 Elo cannot be"),
        (lambda: plan_favour(scores(noise(0)), ratings(), policy="anr"), "no policy 'anr' in the pilot"),
        (lambda: plan_mismatch(scores(noise(0)), ratings(), mismatch=1.5), "an effect of 1.5"),
        (lambda: plan_favour(load_example().win_rates, ratings()), "published win rates are not per prompt"),
    ],
)
def test_what_cannot_be_planned(call, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        call()
