"""Planning pairs: complete, balanced, and the same whatever the order of rows."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charm_rm.errors import ConfigError, NoOverlap, UnknownPolicy
from charm_rm.judging import plan_pairs
from charm_rm.tables import Responses
from judge_fakes import many_responses, responses_of

tables = st.dictionaries(
    st.sampled_from([f"q{i}" for i in range(6)]),
    st.dictionaries(st.sampled_from("abcde"), st.just("text"), min_size=2),
    min_size=1,
)


@given(tables)
def test_all_is_every_unordered_pair_of_every_prompt(table: dict[str, dict[str, str]]) -> None:
    expected = [(q, *pair) for q in sorted(table) for pair in combinations(sorted(table[q]), 2)]
    assert plan_pairs(responses_of(table), "all").rows() == expected


@given(tables, st.integers(1, 12), st.integers(0, 3), st.randoms())
@settings(max_examples=40)
def test_a_sample_has_k_distinct_pairs_per_prompt_whatever_the_order_of_rows(
    table: dict[str, dict[str, str]], k: int, seed: int, shuffler: object
) -> None:
    responses = responses_of(table)
    planned = plan_pairs(responses, f"sampled:{k}", seed)
    possible = set(plan_pairs(responses, "all").rows())
    assert set(planned.rows()) <= possible
    assert planned.is_unique().all()
    counts = Counter(planned["prompt_id"].to_list())
    assert counts == {q: min(k, len(p) * (len(p) - 1) // 2) for q, p in table.items()}
    shuffled = Responses(responses.frame.sample(fraction=1.0, shuffle=True, seed=shuffler.randint(0, 99)))  # type: ignore[attr-defined]
    assert plan_pairs(shuffled, f"sampled:{k}", seed).equals(planned)


def test_a_sample_is_balanced_and_depends_on_the_seed() -> None:
    responses = many_responses(60, policies="abcdef")
    planned = plan_pairs(responses, "sampled:2", 0)
    seen = Counter(planned["policy"].to_list() + planned["reference"].to_list())
    assert max(seen.values()) - min(seen.values()) <= 1
    met = Counter(planned.select("policy", "reference").rows())
    assert len(met) == 15
    assert max(met.values()) <= 2 * min(met.values())
    assert not planned.equals(plan_pairs(responses, "sampled:2", 1))


def test_against_one_policy() -> None:
    responses = responses_of(
        {"q": dict.fromkeys("abc", "x"), "r": dict.fromkeys("ac", "x"), "s": {"b": "x", "c": "y"}}
    )
    assert plan_pairs(responses, "vs:a").rows() == [("q", "b", "a"), ("q", "c", "a"), ("r", "c", "a")]


@pytest.mark.parametrize(
    "spec", ["", "some", "all:3", "vs:", "sampled", "sampled:0", "sampled:-1", "sampled:x", "sampled:²"]
)
def test_an_unknown_spec_is_refused(spec: str) -> None:
    with pytest.raises(ConfigError, match="are unknown"):
        plan_pairs(many_responses(), spec)


def test_a_misspelt_policy_gets_a_suggestion() -> None:
    with pytest.raises(UnknownPolicy, match="Near: 'gpt-4o', a different model"):
        plan_pairs(responses_of({"q": {"gpt-4o": "x", "other": "y"}}), "vs:gpt-4")


@pytest.mark.parametrize("spec", ["all", "vs:a", "sampled:2"])
def test_policies_that_share_no_prompt_are_refused(spec: str) -> None:
    with pytest.raises(NoOverlap, match="answered by two"):
        plan_pairs(responses_of({"q": {"a": "x"}, "r": {"b": "y"}}), spec)


def test_the_plan_feeds_margins_without_change() -> None:
    assert plan_pairs(many_responses(), "all").schema == pl.Schema(
        {"prompt_id": pl.String, "policy": pl.String, "reference": pl.String}
    )
