"""Pairing by prompt and tallying, against the slow twin."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charm_rm import margins as m
from charm_rm.errors import NoOverlap, UnknownPolicy
from charm_rm.margins import pairing as pairing_module
from charm_rm.statistics import draw_prompt_weights
from charm_rm.tables import Margins, Scores
from reference import slow_audit

POLICIES = ["a", "b", "c", "d"]


def scores_of(cells: dict[tuple[str, str], float]) -> Scores:
    rows = [(prompt, policy, score) for (prompt, policy), score in cells.items()]
    return Scores(pl.DataFrame(rows, schema=["prompt_id", "policy", "score"], orient="row"))


cells = st.dictionaries(
    st.tuples(st.sampled_from([f"p{i}" for i in range(8)]), st.sampled_from(POLICIES)),
    st.integers(-2, 2).map(float),
    min_size=8,
)


@given(cells, st.sampled_from(["half", "loss"]))
@settings(max_examples=60)
def test_tally_is_the_slow_twins(table: dict[tuple[str, str], float], ties: str) -> None:
    shared = {(k, r) for p, k in table for q, r in table if p == q and k < r}
    source = scores_of(table)
    if not shared:
        with pytest.raises(NoOverlap):
            m.tally_margins(m.pair_margins(source))
        return
    tally = m.tally_margins(m.pair_margins(source), ties=ties, temperature=0.7)
    found = {(tally.policies[k], tally.policies[r]): j for j, (k, r) in enumerate(tally.pairs.tolist())}
    assert set(found) == shared
    for (k, r), j in found.items():
        assert (tally.win_rate[j], tally.n[j]) == pytest.approx(slow_audit.win_rate(table, k, r, ties))
        assert tally.win_rate_soft[j] == pytest.approx(slow_audit.soft_win_rate(table, k, r, 0.7))
    turned = tally.turned(np.ones(len(tally.pairs), dtype=bool))
    for (k, r), j in found.items():
        assert turned.win_rate[j] == pytest.approx(slow_audit.win_rate(table, r, k, ties)[0])


@given(cells, st.sampled_from([0.5, 1.0, 3.0]))
@settings(max_examples=40)
def test_a_soft_tally_is_the_slow_twins(table: dict[tuple[str, str], float], temperature: float) -> None:
    shared = {(k, r) for p, k in table for q, r in table if p == q and k < r}
    if not shared:
        return
    paired = m.pair_margins(scores_of(table))
    soft = m.tally_margins(paired, outcome="soft", temperature=temperature)
    hard = m.tally_margins(paired, temperature=temperature)
    np.testing.assert_allclose(soft.win_rate, hard.win_rate_soft)
    np.testing.assert_array_equal(soft.wins, hard.wins)
    np.testing.assert_array_equal(soft.ties, hard.ties)
    turned = soft.turned(np.ones(len(soft.pairs), dtype=bool))
    for j, (k, r) in enumerate(soft.pairs.tolist()):
        names = soft.policies[k], soft.policies[r]
        rate = slow_audit.soft_win_rate(table, *names, temperature)
        assert soft.win_rate[j] == soft.win_rate_soft[j] == pytest.approx(rate)
        assert soft.std_err[j] == pytest.approx(slow_audit.soft_std_err(table, *names, temperature))
        assert turned.win_rate[j] == pytest.approx(1 - rate)
        assert turned.wins[j] + soft.wins[j] + soft.ties[j] == soft.n[j]


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_soft_draws_have_the_closed_forms_spread(missing: float) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(60, 3))
    values[rng.random(values.shape) < missing] = np.nan
    tally = tallied(values, draws=20_000, outcome="soft")
    assert tally.win_rate_draws is not None
    np.testing.assert_allclose(tally.win_rate_draws.std(axis=0), tally.std_err, rtol=0.03)
    np.testing.assert_allclose(tally.win_rate_draws.mean(axis=0), tally.win_rate, atol=0.01)


@pytest.mark.parametrize("outcome", ["hard", "soft"])
def test_turning_twice_is_nothing(outcome: str) -> None:
    tally = tallied(np.random.default_rng(0).normal(size=(30, 4)), draws=100, outcome=outcome)
    all_of_them = np.ones(len(tally.pairs), dtype=bool)
    back = tally.turned(all_of_them).turned(all_of_them)
    np.testing.assert_allclose(back.win_rate, tally.win_rate)
    np.testing.assert_allclose(back.win_rate_draws, tally.win_rate_draws)
    np.testing.assert_allclose(back.wins, tally.wins)


def test_blocks_do_not_change_the_tally(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=(30, 4))
    whole = tallied(values, draws=50)
    monkeypatch.setattr(pairing_module, "_BLOCK_CELLS", 60)
    blocked = tallied(values, draws=50)
    np.testing.assert_array_equal(blocked.win_rate, whole.win_rate)
    np.testing.assert_allclose(blocked.win_rate_draws, whole.win_rate_draws)
    np.testing.assert_allclose(blocked.score_covariance, whole.score_covariance)


def test_draws_agree_with_the_closed_form_error() -> None:
    tally = tallied(np.random.default_rng(0).normal(size=(100, 3)), draws=4000)
    np.testing.assert_allclose(tally.win_rate_draws.std(axis=0), tally.std_err, rtol=0.05)


def test_references_meet_everyone_once() -> None:
    pairs = m.reference_pairs(["a", "b", "c"], ["b", "c"])
    assert sorted(map(tuple, pairs.tolist())) == [(0, 1), (0, 2), (2, 1)]


def test_an_unknown_reference_is_named_with_a_suggestion() -> None:
    with pytest.raises(UnknownPolicy, match="'gpt-4'.*Near: 'gpt-4o', a different model"):
        m.reference_pairs(["gpt-4o", "llama"], ["gpt-4"])


def test_one_policy_is_too_few() -> None:
    with pytest.raises(NoOverlap, match="at least two"):
        m.pair_margins(scores_of({("p", "a"): 1.0}))


def test_scores_and_their_margins_give_the_same_win_rates() -> None:
    rng = np.random.default_rng(0)
    table = {(f"p{i}", k): float(rng.normal()) for i in range(20) for k in POLICIES if rng.random() < 0.8}
    source = scores_of(table)
    for references in (None, ["b"], ["b", "d"]):
        judged = m.margins_from_scores(source, references=references)
        one = m.tally_margins(m.pair_margins(source, references=references))
        two = m.tally_margins(m.pair_margins(judged, references=references))
        assert by_pair(one) == pytest.approx(by_pair(two))


def test_both_orders_of_a_judgement_are_averaged() -> None:
    frame = pl.DataFrame(
        {"prompt_id": ["p", "p"], "policy": ["a", "b"], "reference": ["b", "a"], "margin": [1.0, 0.5]}
    )
    paired = m.pair_margins(Margins(frame))
    assert paired.rows(slice(0, 1)).tolist() == [[0.25]]


def test_score_matrix_marks_what_is_missing() -> None:
    matrix = m.score_matrix(scores_of({("p", "a"): 1.0, ("q", "b"): 2.0}))
    np.testing.assert_array_equal(matrix.values, [[1.0, np.nan], [np.nan, 2.0]])
    np.testing.assert_array_equal(matrix.column("b"), [np.nan, 2.0])


def tallied(values: np.ndarray, draws: int, outcome: str = "hard") -> m.Tally:
    paired = m.ScoreMargins(tuple(POLICIES[: values.shape[1]]), m.all_pairs(values.shape[1]), values.T)
    drawn = draw_prompt_weights(len(values), draws=draws, rng=np.random.default_rng(1))
    return m.tally_margins(paired, outcome=outcome, drawn=drawn)


def by_pair(tally: m.Tally) -> dict[tuple[str, str], float]:
    rows = tally.to_win_rates().frame.select("policy", "reference", "win_rate").iter_rows()
    return {(min(k, r), max(k, r)): w if k < r else 1 - w for k, r, w in rows}
