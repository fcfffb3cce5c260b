"""Chances add up to the number of comparisons, the choice keeps them, and weighted totals are unbiased."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.study.frame import find_candidates
from charm_rm.study.planning.design import (
    Design,
    choose,
    codes_of,
    discordant,
    draw_design,
    inclusion_chances,
    systematic,
)

from ..small import before_and_after, responses

MODELS = ("before", "after")


def design_of(frame: pl.DataFrame, models: Sequence[str], *, n: int, seed: int) -> Design:
    pair, differs = codes_of(frame.select("policy_a", "policy_b")), discordant(frame, models)
    chances = inclusion_chances(pair, differs, n=n, random_share=0.3, balance=0.5)
    return draw_design(frame, pair, differs, chances, seed=seed)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, int, float, float]:
    """Pairs, where models disagree, n, random share, balance."""
    size = draw(st.integers(2, 60))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    pair = rng.integers(0, draw(st.integers(1, 8)), size)
    differs = rng.uniform(size=size) < draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    n = draw(st.integers(1, size))
    return pair, differs, n, draw(st.sampled_from([0.05, 0.3, 1.0])), draw(st.sampled_from([0.0, 0.5, 1.0]))


@given(worlds())
def test_chances_add_up_to_n_and_are_the_random_share_where_models_agree(
    world: tuple[np.ndarray, np.ndarray, int, float, float],
) -> None:
    pair, differs, n, random_share, balance = world
    chances = inclusion_chances(pair, differs, n=n, random_share=random_share, balance=balance)
    assert chances.sum() == pytest.approx(n, rel=1e-12)
    assert chances.min() > 0
    assert chances.max() <= 1
    at_random = random_share * n / len(pair)
    assert chances.min() >= at_random * (1 - 1e-12)
    agreed = chances[~differs]
    if len(agreed):
        assert np.ptp(agreed) < 1e-12  # one chance for all of them
        more = agreed[0] > at_random * (1 + 1e-9)
        assert not more or (chances[differs] > 1 - 1e-9).all()  # only once disagreement is used up


@given(worlds())
def test_the_choice_has_n_comparisons_and_every_pair_gets_its_number(
    world: tuple[np.ndarray, np.ndarray, int, float, float],
) -> None:
    pair, differs, n, random_share, balance = world
    chances = inclusion_chances(pair, differs, n=n, random_share=random_share, balance=balance)
    prompt = np.arange(len(pair)) % 7
    chosen = choose(chances, pair, prompt, differs, pair % 3, np.random.default_rng(n))
    assert len(set(chosen.tolist())) == n
    expected = np.bincount(pair, weights=chances)
    got = np.bincount(pair[chosen], minlength=len(expected))
    assert (got >= np.floor(expected - 1 - 1e-9)).all()
    assert (got[expected >= 2] >= 1).all()


def test_parts_of_pairs_follow_the_balance() -> None:
    pair = np.repeat([0, 1], [100, 100])
    differs = np.zeros(200, dtype=bool)
    differs[:40] = differs[100:110] = True

    def parts(balance: float, n: int = 20) -> np.ndarray:
        chances = inclusion_chances(pair, differs, n=n, random_share=0.0, balance=balance)
        return np.bincount(pair, weights=chances)

    assert parts(0.0) == pytest.approx([16, 4])  # as often as the models disagree
    assert parts(1.0) == pytest.approx([10, 10])
    assert parts(0.5) == pytest.approx([20 * 2 / 3, 20 / 3])  # as the square roots of 40 and 10
    assert parts(1.0, n=30) == pytest.approx([20, 10])  # the second has no more


def test_frequencies_of_the_choice_are_the_chances_and_weighted_totals_are_unbiased() -> None:
    frame = find_candidates(responses(6), before_and_after(responses(6))).frame
    differs = discordant(frame, MODELS)
    y = np.random.default_rng(1).uniform(0.2, 1.0, frame.height) + differs
    draws = 400
    counts, totals = np.zeros(frame.height), np.zeros(draws)
    for seed in range(draws):
        found = design_of(frame, MODELS, n=9, seed=seed)
        counts[found.chosen] += 1
        totals[seed] = (y[found.chosen] / found.inclusion[found.chosen]).sum()
    chances = found.inclusion
    drawn = chances < 1 - 1e-9
    assert (counts[~drawn] == draws).all()
    z = ((counts / draws - chances) / np.sqrt(chances * (1 - chances) / draws + 1e-12))[drawn]
    assert np.abs(z).max() < 4
    assert 0.5 < (z**2).mean() < 1.6
    assert abs(totals.mean() - y.sum()) < 4 * totals.std() / np.sqrt(draws)


def test_systematic_sampling_takes_what_is_sure_and_keeps_the_other_chances() -> None:
    chances = np.array([1.0, 0.5, 0.25, 0.25, 1.0, 0.7, 0.3])
    order = np.arange(7)
    found = [systematic(chances, order, np.random.default_rng(seed)) for seed in range(2000)]
    assert {len(one) for one in found} == {4}
    frequency = np.bincount(np.concatenate(found), minlength=7) / 2000
    assert frequency[[0, 4]].tolist() == [1.0, 1.0]
    assert np.abs(frequency - chances).max() < 0.05


def test_a_verdict_against_a_tie_is_a_disagreement_and_of_several_models_one_is_enough() -> None:
    frame = pl.DataFrame(
        {
            "margin_x": [1.0, 0.0, 0.0, -1.0, 2.0],
            "margin_y": [2.0, 0.0, 1.0, 1.0, 1.0],
            "margin_z": [1.0, 0.0, 1.0, -1.0, -1.0],
        }
    )
    assert discordant(frame, ["x", "y"]).tolist() == [False, False, True, True, False]
    assert discordant(frame, ["x", "y", "z"]).tolist() == [False, False, True, True, True]
    assert not discordant(frame, ["x"]).any()


def test_prompts_and_policies_are_spread_more_evenly_than_by_chance() -> None:
    texts = responses(40, [f"m{i}" for i in range(8)])
    frame = find_candidates(texts, before_and_after(texts, noise=0.4)).frame

    def spread(positions: np.ndarray, *columns: str) -> float:
        """Sum of squared counts, over columns as one."""
        chosen = frame[positions.tolist()]
        return float(sum(n * n for n in pl.concat([chosen[c] for c in columns]).value_counts()["count"]))

    prompts, policies = [], []
    for seed in range(20):
        found = design_of(frame, MODELS, n=60, seed=seed)
        rng = np.random.default_rng(seed)
        poisson = rng.choice(frame.height, 60, replace=False, p=found.inclusion / found.inclusion.sum())
        prompts.append(spread(found.chosen, "prompt_id") / spread(poisson, "prompt_id"))
        policies.append(
            spread(found.chosen, "policy_a", "policy_b") / spread(poisson, "policy_a", "policy_b")
        )
    assert np.mean(prompts) < 0.92
    assert np.mean(policies) < 0.99


def test_the_same_seed_chooses_the_same_and_another_one_others() -> None:
    texts = responses(10)
    frame = find_candidates(texts, before_and_after(texts)).frame
    one, again, other = (design_of(frame, MODELS, n=20, seed=seed).chosen.tolist() for seed in (1, 1, 2))
    assert one == again != other


def test_all_there_are_is_a_census() -> None:
    texts = responses(3)
    frame = find_candidates(texts, before_and_after(texts)).frame
    census = design_of(frame, MODELS, n=18, seed=0)
    assert census.chosen.tolist() == list(range(18))
    assert census.inclusion == pytest.approx(np.ones(18))


def test_one_model_is_asked_about_at_random() -> None:
    texts = responses(3)
    frame = find_candidates(texts, before_and_after(texts)[:1]).frame
    found = design_of(frame, ["before"], n=6, seed=0)
    assert found.inclusion == pytest.approx(np.full(18, 6 / 18))
    assert found.discordant_share == 0


@pytest.mark.slow
def test_very_many_comparisons_keep_their_chances_too() -> None:
    texts = responses(900, [f"m{i}" for i in range(6)])
    frame = find_candidates(texts, before_and_after(texts)).frame
    found = design_of(frame, MODELS, n=9000, seed=3)
    assert len(set(found.chosen.tolist())) == 9000
    got = found.discordant[found.chosen].sum()
    assert got == pytest.approx(found.inclusion[found.discordant].sum(), abs=60)
