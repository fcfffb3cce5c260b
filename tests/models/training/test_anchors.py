"""The data side of anchored training: what is matched, left out, refused; batches; scores before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.errors import CharmWarning, ConfigError, NoOverlap, NotIdentifiable, UnknownPolicy
from charm_rm.models.training.anchors import (
    Anchor,
    draw_batches,
    mean_wins,
    plan_anchor,
    score_grid,
    within_prompt_sd,
)
from charm_rm.preferences import prompt_key
from charm_rm.settings import TrainSettings
from charm_rm.tables import Responses
from models.tiny_models import simple_preferences
from models.training.anchor_fakes import POLICIES, an_anchor, some_ratings, some_responses

SETTINGS = TrainSettings(anchor_weight=1.0, anchor_policies=3, anchor_prompts=4, batch_size=8)


def test_expected_win_rates_are_those_of_the_ratings() -> None:
    anchor = an_anchor()
    assert anchor.policies == POLICIES
    assert anchor.expected[1, 0] == pytest.approx(1 / (1 + 10 ** (-150 / 400)))
    np.testing.assert_allclose(anchor.expected + anchor.expected.T, 1)
    for i, prompt in enumerate(anchor.prompt_ids):
        for k, policy in enumerate(anchor.policies):
            row = anchor.responses.frame.row(int(anchor.row_of[i, k]), named=True)
            assert (row["prompt_id"], row["policy"]) == (prompt, policy)


def test_a_policy_without_rating_is_refused_or_left_out_by_name() -> None:
    responses = some_responses(policies=(*POLICIES, "yew"))
    with pytest.raises(UnknownPolicy, match="'yew'"):
        Anchor.of(responses, some_ratings())
    with pytest.warns(CharmWarning, match="skipped 1 policy without a rating: 'yew'"):
        anchor = Anchor.of(responses, some_ratings(), unrated="skip")
    assert anchor.policies == POLICIES
    assert anchor.left_out == {"unrated": 1}
    assert "yew" not in set(anchor.responses.frame["policy"])


def test_one_policy_is_no_anchor() -> None:
    with pytest.raises(NotIdentifiable, match="two rated policies or more, and there is 'ash' alone"):
        Anchor.of(some_responses(policies=("ash",)), some_ratings())


def test_prompts_of_held_out_pairs_are_left_out_and_counted() -> None:
    held_out = simple_preferences(4)
    responses = some_responses()
    shared = held_out.frame["prompt"][0][0]["content"]
    frame = responses.frame.with_columns(
        prompt=pl.when(pl.col("prompt_id") == "a3").then(pl.lit(shared)).otherwise("prompt")
    )
    anchor = Anchor.of(Responses(frame), some_ratings())
    plan = plan_anchor(anchor, SETTINGS, pairs=24, held_out=held_out)
    assert plan is not None
    assert "a3" not in plan.anchor.prompt_ids
    assert plan.counts()["left_out"] == {"unrated": 0, "held_out": 1}
    assert len(plan.batches) == 3
    assert not {prompt_key(p) for p in plan.anchor.texts(plan.rows)[0]} & {prompt_key(shared)}
    with pytest.raises(NoOverlap):
        anchor.without_prompts({prompt_key(p) for p in frame["prompt"]})


def test_batches_are_complete_and_a_function_of_seed_and_step() -> None:
    anchor = an_anchor()
    batches = draw_batches(anchor, 20, policies=3, prompts=4, seed=1)
    for batch in batches:
        assert len(set(batch.prompts)) == 4
        assert len(set(batch.policies)) == 3
        np.testing.assert_array_equal(batch.rows, anchor.row_of[np.ix_(batch.prompts, batch.policies)])
    again = draw_batches(anchor, 5, policies=3, prompts=4, seed=1)
    for one, other in zip(batches, again, strict=False):
        np.testing.assert_array_equal(one.rows, other.rows)
    other_seed = draw_batches(anchor, 5, policies=3, prompts=4, seed=2)
    assert any((a.rows != b.rows).any() for a, b in zip(batches, other_seed, strict=False))


def test_every_policy_and_prompt_is_as_likely_as_any_other() -> None:
    batches = draw_batches(an_anchor(), 2000, policies=2, prompts=3, seed=0)
    policies = np.bincount(np.concatenate([b.policies for b in batches]))
    prompts = np.bincount(np.concatenate([b.prompts for b in batches]))
    np.testing.assert_allclose(policies / 2000, 2 / 4, atol=0.05)
    np.testing.assert_allclose(prompts / 2000, 3 / 12, atol=0.05)


@given(st.integers(0, 10_000), st.floats(0.3, 0.9))
def test_missing_responses_never_enter_a_batch(seed: int, share: float) -> None:
    frame = some_responses(10).frame
    kept = frame.filter(pl.Series(np.random.default_rng(seed).random(len(frame)) < share))
    if kept["policy"].n_unique() < 2:
        return
    anchor = Anchor.of(Responses(kept), some_ratings())
    shared = anchor.answered.T.astype(int) @ anchor.answered
    np.fill_diagonal(shared, 0)
    if (shared.max(axis=1) < 2).any():
        return
    for batch in draw_batches(anchor, 5, policies=3, prompts=2, seed=seed):
        assert (batch.rows >= 0).all()
        assert len(batch.policies) >= 2


def test_policies_that_share_too_little_are_named_or_refused() -> None:
    frame = some_responses().frame
    apart = frame.with_columns(
        prompt_id=pl.when(pl.col("policy") == "oak")
        .then(pl.concat_str("prompt_id", pl.lit("x")))
        .otherwise("prompt_id")
    )
    anchor = Anchor.of(Responses(apart), some_ratings())
    with pytest.warns(CharmWarning, match="fewer than 4 prompts with any other policy: 'oak'"):
        batches = draw_batches(anchor, 10, policies=4, prompts=4, seed=0)
    assert all(len(b.policies) == 3 for b in batches)
    with pytest.raises(NoOverlap, match=r"has 13 prompts, and no two policies share as many \(at most 12\)"):
        draw_batches(anchor, 1, policies=2, prompts=13, seed=0)


def test_an_anchor_and_its_weight_go_together() -> None:
    none = replace(SETTINGS, anchor_weight=0.0)
    assert plan_anchor(None, none, pairs=8, held_out=None) is None
    for anchor, settings in ((an_anchor(), none), (None, SETTINGS)):
        with pytest.raises(ConfigError, match=r"go together[\s\S]*--anchor RESPONSES"):
            plan_anchor(anchor, settings, pairs=8, held_out=None)


@pytest.mark.parametrize(("settings", "steps"), [({}, 3), ({"epochs": 2.5}, 8), ({"max_steps": 5}, 5)])
def test_there_is_a_batch_for_every_step(settings: dict[str, Any], steps: int) -> None:
    plan = plan_anchor(an_anchor(), replace(SETTINGS, **settings), pairs=20, held_out=None)
    assert plan is not None
    assert len(plan.batches) == steps
    assert plan.batch(steps) is plan.batch(0)


def test_scores_before_by_hand() -> None:
    anchor = an_anchor(2)
    rows = anchor.row_of[:, :3].ravel()
    grid = score_grid(anchor, rows, np.array([0.0, 1.0, 2.0, 3.0, 3.0, 0.0]))
    np.testing.assert_array_equal(grid, [[0, 1, 2, np.nan], [3, 3, 0, np.nan]])
    # Squares about the prompts' means 1 and 2: 1 + 0 + 1 and 1 + 1 + 4, over 2 + 2 degrees of freedom.
    assert within_prompt_sd(grid) == pytest.approx(np.sqrt(8 / 4))
    wins = mean_wins(grid, temperature=2.0)
    assert wins[0, 1] == pytest.approx((1 / (1 + np.exp(0.5)) + 0.5) / 2)
    np.testing.assert_allclose((wins + wins.T)[:3, :3], 1)
    assert np.isnan(wins[0, 3])
    with pytest.raises(NotIdentifiable, match="the same score"):
        within_prompt_sd(np.array([[1.0, 1.0], [2.0, 2.0]]))
