"""The simulated arena: same seed same arena, quality as defined, votes that recover the truth."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from charm_rm.ratings import fit_ratings
from charm_rm.testbed import POLICIES, Policy, draw_tasks, respond, simulate_arena, vote_probability
from charm_rm.testbed.arena import VOTE_SLOPE


@pytest.fixture(scope="module")
def arena():
    return simulate_arena(seed=3, n_prompts=80, n_votes=30_000)


def test_same_seed_same_arena_and_another_seed_another():
    one, two, other = (simulate_arena(seed=s, n_prompts=8, n_votes=1000) for s in (0, 0, 1))
    for name in ("responses", "battles", "true_ratings"):
        assert getattr(one, name).frame.equals(getattr(two, name).frame)
    assert not one.responses.frame.equals(other.responses.frame)
    assert not set(one.responses.frame["prompt_id"]) & set(other.responses.frame["prompt_id"])


def test_every_policy_answers_every_prompt(arena):
    assert len(arena.responses) == 80 * len(POLICIES)
    assert arena.responses.frame["prompt"].n_unique() == 80
    assert arena.responses.provenance["simulated"] is True


def test_quality_is_the_share_of_right_answers_and_follows_skill(arena):
    mean = dict(arena.quality.group_by("policy").agg(pl.mean("quality")).iter_rows())
    for policy in POLICIES:
        assert mean[policy.name] == pytest.approx(policy.skill, abs=0.12)


def test_style_is_independent_of_quality_within_a_policy(arena):
    velvet = arena.quality.filter(pl.col("policy") == "velvet")
    assert abs(np.corrcoef(velvet["quality"], velvet["style"])[0, 1]) < 3 / np.sqrt(80)


def test_a_perfect_plain_answer_holds_every_right_answer_and_nothing_else():
    rng = np.random.default_rng(0)
    for task in draw_tasks(20, rng=rng):
        answer = respond(Policy("perfect", skill=1.0), task, rng=rng)
        assert answer.quality == 1.0
        assert answer.style == 0.0
        assert (
            answer.text == "; ".join(f"{a}: {b}" for a, b in zip(task.asks, task.answers, strict=True)) + "."
        )


def test_all_style_is_style_one():
    rng = np.random.default_rng(0)
    task = draw_tasks(1, rng=rng)[0]
    answer = respond(Policy("show", skill=0.0, flattery=1.0, markdown=1.0, verbosity=1.0), task, rng=rng)
    assert (answer.quality, answer.style) == (0.0, 1.0)
    assert "##" in answer.text


def test_votes_recover_the_true_ratings(arena):
    """Errors in units of their standard error are those of a standard normal."""
    fitted = fit_ratings(arena.battles).frame.join(arena.true_ratings.frame, on="policy", suffix="_true")
    z = ((fitted["rating"] - fitted["rating_true"]) / fitted["std_err"]).to_numpy()
    assert np.abs(z).max() < 4
    assert 0.3 < np.sqrt((z**2).mean()) < 1.7


def test_true_ratings_reproduce_the_expected_wins(arena):
    """Bradley-Terry's own condition: each policy's expected wins are those of its quality."""
    k = len(POLICIES)
    quality = arena.quality["quality"].to_numpy().reshape(-1, k)
    rating = dict(arena.true_ratings.frame.select("policy", "rating").iter_rows())
    true = np.array([rating[p.name] for p in POLICIES])
    wins = vote_probability(quality[:, :, None], quality[:, None, :]).mean(axis=0)
    implied = 1 / (1 + 10 ** ((true[None, :] - true[:, None]) / 400))
    assert wins.sum(axis=1) == pytest.approx(implied.sum(axis=1), abs=1e-8)


def test_vote_probability_by_hand():
    assert vote_probability(1.0, 1.0) == 0.5
    assert vote_probability(1.0, 0.5) == pytest.approx(1 / (1 + np.exp(-VOTE_SLOPE / 2)))


def test_equal_quality_ties_half_the_time_and_two_bad_answers_are_both_bad(arena):
    quality = {(p, q): x for p, q, x, _ in arena.quality.iter_rows()}
    votes = arena.battles.frame.with_columns(
        a=pl.Series([quality[k] for k in arena.battles.frame.select("prompt_id", "policy_a").iter_rows()]),
        b=pl.Series([quality[k] for k in arena.battles.frame.select("prompt_id", "policy_b").iter_rows()]),
    )
    tied = pl.col("winner").is_in(["tie", "both_bad"])
    assert votes.filter(pl.col("a") != pl.col("b")).select(tied.any()).item() is False
    assert votes.filter(pl.col("a") == pl.col("b")).select(tied.mean()).item() == pytest.approx(0.5, abs=0.03)
    assert votes.filter(pl.col("winner") == "both_bad").select((pl.col("a") == 0).all()).item()
