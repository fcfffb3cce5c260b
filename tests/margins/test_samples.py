"""All pairs of samples, averaged within a prompt: by hand, against the slow twin, and what must not change anything."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charm_rm.margins import SampledMargins, Tally, pair_samples, tally_margins
from charm_rm.margins.swaps import swap_models
from charm_rm.statistics import draw_prompt_weights
from charm_rm.tables import Scores
from reference import slow_samples

Key = tuple[str, str, int]


def scores_of(values: dict[Key, float]) -> Scores:
    rows = [(*key, value) for key, value in values.items()]
    return Scores(pl.DataFrame(rows, schema=["prompt_id", "policy", "sample", "score"], orient="row"))


def tally(scores: Scores, **more: Any) -> Tally:
    return tally_margins(pair_samples(scores), **more)


def test_by_hand() -> None:
    """Prompt 1: a's 1 and 3 against b's 2: one of two. Prompt 2: a's 0 against b's 0 and 1: a tie and a loss, a quarter."""
    values = {("1", "a", 0): 1.0, ("1", "a", 1): 3.0, ("1", "b", 0): 2.0, ("2", "a", 0): 0.0}
    values |= {("2", "b", 0): 0.0, ("2", "b", 4): 1.0}
    found = tally(scores_of(values))
    assert found.win_rate.tolist() == [(0.5 + 0.25) / 2]
    assert found.n.tolist() == [2.0]
    assert found.wins is not None
    assert found.ties is not None
    assert (found.wins.tolist(), found.ties.tolist()) == ([0.5], [0.5])
    assert tally(scores_of(values), ties="loss").win_rate.tolist() == [0.25]


@st.composite
def sampled(draw: st.DrawFn) -> dict[Key, float]:
    values: dict[Key, float] = {}
    for prompt in ("1", "2", "3"):
        for policy in ("a", "b", "c"):
            n = draw(st.integers(0, 3)) if (prompt, policy) != ("1", "a") else 2
            for sample in range(n):
                values[prompt, policy, sample] = draw(st.sampled_from([-1.5, 0.0, 0.25, 2.0]))
    for policy in ("a", "b", "c"):  # every pair meets once
        values.setdefault(("1", policy, 0), 0.5)
    return values


@settings(max_examples=40, deadline=None)
@given(sampled())
def test_the_slow_twin_agrees(values: dict[Key, float]) -> None:
    hard, soft = tally(scores_of(values)), tally(scores_of(values), outcome="soft", temperature=0.7)
    for j, (k, r) in enumerate(hard.pairs.tolist()):
        names = hard.policies[k], hard.policies[r]
        rate, n = slow_samples.win_rate(values, *names)
        assert (hard.win_rate[j], hard.n[j]) == (pytest.approx(rate), n)
        assert hard.std_err[j] == pytest.approx(slow_samples.std_err(values, *names))
        assert soft.win_rate[j] == pytest.approx(slow_samples.win_rate(values, *names, temperature=0.7)[0])


def same(one: Tally, other: Tally) -> None:
    assert one.policies == other.policies
    for name in ("pairs", "n", "win_rate", "std_err", "wins", "ties", "win_rate_soft", "score_covariance"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-12)
    np.testing.assert_allclose(one.win_rate_draws, other.win_rate_draws, atol=1e-12)  # type: ignore[arg-type]


@settings(max_examples=25, deadline=None)
@given(sampled(), st.integers(2, 3))
def test_samples_given_several_times_change_nothing(values: dict[Key, float], times: int) -> None:
    more = {(p, k, times * s + j): v for (p, k, s), v in values.items() for j in range(times)}
    drawn = draw_prompt_weights(len({p for p, _, _ in values}), draws=5, rng=np.random.default_rng(0))
    same(tally(scores_of(values), drawn=drawn), tally(scores_of(more), drawn=drawn))


@settings(max_examples=25, deadline=None)
@given(sampled())
def test_one_sample_each_is_what_no_samples_are(values: dict[Key, float]) -> None:
    """And the arrays for samples give of single ones what those without give."""
    single = {key: v for key, v in values.items() if key[2] == 0}
    scores = scores_of(single)
    bare = Scores(scores.frame.drop("sample"))
    paired = pair_samples(scores)
    assert not isinstance(paired, SampledMargins)
    cube = SampledMargins(paired.policies, paired.pairs, paired.scores[..., None], paired.prompts)  # type: ignore[attr-defined]
    drawn = draw_prompt_weights(paired.n_prompts, draws=5, rng=np.random.default_rng(0))
    for outcome in ("hard", "soft"):
        want = tally_margins(pair_samples(bare), drawn=drawn, outcome=outcome)  # type: ignore[arg-type]
        same(want, tally_margins(paired, drawn=drawn, outcome=outcome))  # type: ignore[arg-type]
        same(want, tally_margins(cube, drawn=drawn, outcome=outcome))  # type: ignore[arg-type]


def test_exchanged_models_are_exchanged_by_prompt() -> None:
    """With every prompt's outcomes exchanged or none, the two models' rates change places; the means add up to what they were."""
    rng = np.random.default_rng(0)
    values = {(str(p), k, s): float(rng.normal()) for p in range(40) for k in "ab" for s in range(2)}
    one, two = (
        pair_samples(scores_of(v)) for v in (values, {key: v + rng.normal() for key, v in values.items()})
    )
    found = swap_models(one, two, permutations=20, rng=rng)
    total = tally_margins(one).win_rate + tally_margins(two).win_rate
    np.testing.assert_allclose(found.win_rate + found.baseline_win_rate, np.tile(total, (20, 1)))
    assert np.ptp(found.win_rate) > 0
