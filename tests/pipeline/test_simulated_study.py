"""What a simulated study is about: its truth is that of votes drawn many times, and its attention checks tell who reads."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from charm_rm.errors import CharmWarning
from charm_rm.pipeline.simulated_study import (
    N_CHECKS,
    World,
    arena_checks,
    planned_study,
    simulate_world,
    true_agreement,
)
from charm_rm.study.frame import find_candidates
from charm_rm.study.nouns import CHECK
from charm_rm.testbed import vote_probability


@pytest.fixture(scope="module")
def world() -> World:
    return simulate_world(seed=3, n_prompts=12)


def test_the_truth_is_that_of_the_simulated_public(world: World) -> None:
    """Against votes drawn by the testbed's own rule, many per comparison."""
    candidates = find_candidates(world.responses, world.models).frame
    truth = true_agreement(world, candidates)
    quality = {(r["prompt_id"], r["policy"]): r["quality"] for r in world.arena.quality.iter_rows(named=True)}
    rng = np.random.default_rng(0)
    rows = candidates.to_dicts()
    p = np.array([float(vote_probability(*(quality[r["prompt_id"], r[s]] for s in ("policy_a", "policy_b")))) for r in rows])  # fmt: skip
    drawn = rng.random((400, len(rows))) < p
    for model, value in truth.items():
        says_a = np.array([r[f"margin_{model}"] > 0 for r in rows])
        assert value == pytest.approx((drawn == says_a).mean(), abs=0.004)
    assert 0.02 < truth["after"] - truth["before"] < 0.12


def test_checks_show_which_answer_is_to_another_prompt_by_what_it_says_alone(world: World) -> None:
    """The right one has all right; the other is to a prompt of another kind, of another policy, looks alike, and says nothing of this prompt."""
    checks = arena_checks(world.arena, n=6, votes_wanted=4, seed=1)
    assert checks.height == checks["prompt_id"].n_unique() == 6
    said = {
        (r["prompt_id"], r["policy"]): r
        for r in world.responses.frame.join(world.arena.quality, on=["prompt_id", "policy"]).to_dicts()
    }
    for row in checks.iter_rows(named=True):
        right, wrong = ("a", "b") if row["expected"] == "a" else ("b", "a")
        assert row[f"answered_{right}"] is None
        one = said[row["prompt_id"], row[f"policy_{right}"]]
        other = said[row[f"answered_{wrong}"], row[f"policy_{wrong}"]]
        assert one["quality"] == 1.0
        assert one["prompt"].split()[0] != other["prompt"].split()[0]
        assert ("- " in one["response"]) == ("- " in other["response"])
        short, long = sorted(len(r["response"]) for r in (one, other))
        assert long <= 1.3 * short
        assert (one["prompt"], other["response"]) not in world.quality
    assert checks.equals(arena_checks(world.arena, n=6, votes_wanted=4, seed=1))


def test_the_plan_says_that_it_is_simulated_and_counts_its_checks(world: World) -> None:
    with pytest.warns(CharmWarning, match="both answers are the same text"):
        study = planned_study(world, seed=0, comparisons=30)
    assert study.provenance["simulated"] is True
    kinds = study.comparisons.frame
    assert kinds.filter(kind=CHECK).height == study.provenance["plan"]["checks"] == N_CHECKS
    assert kinds.filter(pl.col("kind") != CHECK).height == 30
    assert study.provenance["rules"]["checks"] > 0
