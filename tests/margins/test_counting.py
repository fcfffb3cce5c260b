"""Pairs counted some prompts at a time: every figure against one prompt and one pair at a time; draws against their formula."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charm_rm.margins import (
    GROUPS,
    PairCounter,
    PairCounts,
    ScoreMargins,
    all_pairs,
    influences,
    tally_margins,
)
from charm_rm.statistics import PromptWeights, draw_prompt_weights, weighted_win_rates, win_rate_variance
from reference.slow_audit import outcome as slow_outcome


@st.composite
def tables(draw: st.DrawFn) -> np.ndarray:
    size, prompts = draw(st.integers(2, 6)), draw(st.integers(1, 30))
    cell = st.one_of(st.none(), st.integers(-3, 3).map(float), st.floats(-1e3, 1e3))
    cells = draw(st.lists(cell, min_size=size * prompts, max_size=size * prompts))
    return np.array([np.nan if c is None else c for c in cells]).reshape(size, prompts)


def _counted(scores: np.ndarray, cut: int = 0, **how: Any) -> PairCounter:
    counter = PairCounter(len(scores), **how)
    counter.add(scores[:, :cut])
    counter.add(scores[:, cut:])
    return counter


@given(tables(), st.data())
@settings(deadline=None, max_examples=60)
def test_counts_are_those_of_one_prompt_and_pair_at_a_time(scores: np.ndarray, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, scores.shape[1]))
    counts = _counted(scores, cut, temperature=2.0).counts()
    for j, (k, r) in enumerate(all_pairs(len(scores)).tolist()):
        margins = [a - b for a, b in zip(scores[k], scores[r], strict=True) if not np.isnan(a - b)]
        assert counts.n[j] == len(margins)
        assert counts.wins[j] == sum(m > 0 for m in margins)
        assert counts.losses[j] == sum(m < 0 for m in margins)
        assert counts.soft[j] == pytest.approx(sum((1 + np.tanh(m / 4)) / 2 for m in margins), abs=1e-9)


@given(tables(), st.sampled_from(["half", "loss"]))
@settings(deadline=None, max_examples=60)
def test_scores_tallied_by_prompts_are_those_tallied_by_pairs(scores: np.ndarray, ties: Any) -> None:
    """The way with draws goes pair by pair, the one without some prompts at a time."""
    size, prompts = scores.shape
    paired = ScoreMargins(tuple("abcdef"[:size]), all_pairs(size), scores)
    if not any((~np.isnan(scores[[k, r]])).all(axis=0).any() for k, r in paired.pairs):
        return
    drawn = draw_prompt_weights(prompts, draws=2, rng=np.random.default_rng(0))
    fast, slow = tally_margins(paired, ties=ties), tally_margins(paired, ties=ties, drawn=drawn)
    for name in ("pairs", "n", "win_rate", "wins", "ties", "std_err"):
        assert np.array_equal(getattr(fast, name), getattr(slow, name)), name
    assert fast.win_rate_soft == pytest.approx(slow.win_rate_soft, abs=1e-12)
    if ties == "half":
        assert fast.score_covariance == pytest.approx(slow.score_covariance, abs=1e-9)
        assert fast.prompt_scores == pytest.approx(slow.prompt_scores, abs=1e-9)


@given(tables())
@settings(deadline=None, max_examples=40)
def test_soft_moments_are_those_of_one_prompt_at_a_time(scores: np.ndarray) -> None:
    counter = _counted(scores, outcome="soft", keep=True)
    counts = counter.counts()
    found = influences(counter.balances, ~np.isnan(scores), counts.soft / np.maximum(counts.n, 1))
    slow = np.zeros_like(scores)
    for j, (k, r) in enumerate(all_pairs(len(scores)).tolist()):
        excess = (1 + np.tanh((scores[k] - scores[r]) / 2)) / 2 - counts.soft[j] / max(counts.n[j], 1)
        slow[k] += np.nan_to_num(excess)
        slow[r] -= np.nan_to_num(excess)
    assert found == pytest.approx(slow, abs=1e-9)
    if counts.complete:
        assert counts.score_covariance() == pytest.approx(slow @ slow.T, abs=1e-7)


def test_scores_far_apart_keep_their_soft_outcomes() -> None:
    """exp(s/τ) would overflow, and those far below the best of a prompt would vanish together."""
    scores = np.array([[1e308, 0.0], [-1e308, -2000.0], [0.0, -2001.0]])
    counts = _counted(scores).counts()
    assert counts.soft[2] == pytest.approx(0.0 + 1 / (1 + np.exp(-1.0)))
    assert (counts.wins.tolist(), counts.losses.tolist()) == ([2, 2, 1], [0, 0, 1])


def test_more_policies_than_a_byte_counts() -> None:
    scores = np.arange(300.0)[:, None] * np.array([1.0, -1.0, 1.0])
    counter = _counted(scores, keep=True)
    counts = counter.counts()
    assert set(counts.wins) == {1.0}
    assert set(counts.losses) == {2.0}
    assert counter.balances[:, 0].tolist() == [(2 * k - 299) / 2 for k in range(300)]


# --- draws ----------------------------------------------------------------------------------------


def _draws(scores: np.ndarray, draws: int, **how: Any) -> tuple[PairCounts, np.ndarray]:
    counts = _counted(scores, 5, groups=True, **how).counts()
    rng = np.random.default_rng(7)
    found = counts.draw_rates(how.get("outcome", "hard"), how.get("ties", "half"), draws=draws, rng=rng)
    assert found is not None
    return counts, found


@pytest.mark.parametrize("how", [{}, {"ties": "loss"}, {"outcome": "soft"}])
def test_every_prompt_a_group_gives_the_draws_of_single_prompts(how: dict[str, Any]) -> None:
    scores = _ragged(4, 90)
    counts, found = _draws(scores, 50, **how)
    order = np.random.default_rng(7)
    drawn = draw_prompt_weights(counts.prompts, draws=50, rng=order)
    drawn = PromptWeights(drawn.weights, drawn.pseudo_wins, drawn.pseudo_losses)
    outcomes = np.array([_outcomes(scores[k] - scores[r], **how) for k, r in all_pairs(4)])
    assert found == pytest.approx(weighted_win_rates(outcomes, drawn), abs=1e-5)


@pytest.mark.parametrize("how", [{}, {"ties": "loss"}, {"outcome": "soft"}])
def test_groups_draw_with_the_spread_and_the_correlations_of_single_prompts(how: dict[str, Any]) -> None:
    scores = _ragged(4, 5 * GROUPS + 17)
    counts, found = _draws(scores, 4000, **how)
    outcomes = np.array([_outcomes(scores[k] - scores[r], **how) for k, r in all_pairs(4)])
    total, squares = np.nansum(outcomes, axis=1), np.nansum(outcomes**2, axis=1)
    variance = win_rate_variance(counts.n, total, squares)
    assert found.std(axis=0) == pytest.approx(np.sqrt(variance), rel=0.05)
    assert found.mean(axis=0) == pytest.approx((total + 0.5) / (counts.n + 1), abs=4e-4)
    drawn = draw_prompt_weights(scores.shape[1], draws=1000, rng=np.random.default_rng(1))
    single = weighted_win_rates(outcomes, drawn)
    assert np.corrcoef(found.T) == pytest.approx(np.corrcoef(single.T), abs=0.12)


def test_other_ties_than_those_summed_give_no_draws() -> None:
    counts = _counted(_ragged(3, 40), groups=True).counts()
    assert counts.draw_rates("hard", "loss", draws=10, rng=np.random.default_rng(0)) is None


def _ragged(size: int, prompts: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    scores = np.round(rng.gumbel(size=(size, prompts)) + np.arange(size)[:, None] / 3, 1)
    scores[rng.random(scores.shape) < 0.2] = np.nan
    scores[0, np.isnan(scores).all(axis=0)] = 0.0
    return scores


def _outcomes(margins: np.ndarray, *, outcome: str = "hard", ties: str = "half") -> list[float]:
    if outcome == "soft":
        return ((1 + np.tanh(margins / 2)) / 2).tolist()
    return [np.nan if np.isnan(m) else slow_outcome(m, ties) for m in margins.tolist()]


def test_pairs_are_in_the_order_of_all_pairs() -> None:
    counts = _counted(np.array([[3.0], [2.0], [np.nan], [1.0]])).counts()
    met = dict(zip(itertools.combinations(range(4), 2), counts.n, strict=True))
    assert {pair for pair, n in met.items() if n} == {(0, 1), (0, 3), (1, 3)}
