"""What several models all have: the same cells of scores, the same pairs of judgements, and what is said to be left out."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charm_rm.comparison.shared import by_prompt, in_common, refuse_doubles
from charm_rm.errors import CharmWarning, ConfigError, NoOverlap
from charm_rm.margins import margins_from_scores, pair_margins
from charm_rm.sources import load_example
from charm_rm.tables import Margins, Scores
from mismatch.planted import noise, scores


def test_all_that_is_the_same_stays_as_it_is() -> None:
    sources = {"a": scores(noise(0)), "b": scores(noise(1))}
    found, left = in_common(sources)
    assert [len(x) for x in found.values()] == [len(x) for x in sources.values()]
    assert all(one.prompts == one.rows == 0 and one.policies == () for one in left.values())


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 959), min_size=1, max_size=200), st.lists(st.integers(0, 959), max_size=200))
def test_what_is_left_is_what_all_have(first: list[int], second: list[int]) -> None:
    whole = scores(noise(0))
    kept = [
        Scores(whole.frame.with_row_index("i").filter(~pl.col("i").is_in(lost)).drop("i"))
        for lost in (first, second)
    ]
    with pytest.warns(CharmWarning, match="that all have; left out are"):
        found, _ = in_common({"whole": whole, "one": kept[0], "two": kept[1]})
    cells = [set(x.frame.select("prompt_id", "policy").rows()) for x in (whole, *kept)]
    assert all(
        set(x.frame.select("prompt_id", "policy").rows()) == cells[0] & cells[1] & cells[2]
        for x in found.values()
    )


def test_scores_beside_judgements_count_on_the_judged_pairs() -> None:
    one, other = scores(noise(0)), scores(noise(1))
    judged = margins_from_scores(other, references=["ant"])
    found, _ = in_common({"rm": one, "judge": judged})
    assert all(isinstance(x, Margins) for x in found.values())
    assert (
        found["rm"]
        .frame.select("prompt_id", "policy", "reference")
        .equals(found["judge"].frame.select("prompt_id", "policy", "reference"))
    )
    assert found["rm"].frame.height == judged.frame.height
    direct = pair_margins(one, references=["ant"]).rows(slice(None))
    mine = pair_margins(found["rm"], references=["ant"]).rows(slice(None))
    assert mine == pytest.approx(direct)


def test_both_orders_of_a_judge_are_averaged() -> None:
    rows = [
        ("p1", "a", "b", 1.0),
        ("p1", "b", "a", 0.0),
        *((f"p{i}", x, y, 1.0) for i in (1, 2) for x, y in (("a", "c"), ("b", "c"))),
    ]
    judge = Margins(pl.DataFrame(rows, schema=["prompt_id", "policy", "reference", "margin"], orient="row"))
    other = Margins(judge.frame.with_columns(margin=-pl.col("margin")))
    found, _ = in_common({"x": judge, "y": other})
    row = found["x"].frame.filter((pl.col("prompt_id") == "p1") & (pl.col("reference") == "b"))
    assert row["margin"].to_list() == [0.5]


def test_too_little_in_common() -> None:
    one = scores(noise(0))
    apart = Scores(one.frame.with_columns(prompt_id=pl.lit("x") + pl.col("prompt_id")))
    with pytest.raises(NoOverlap, match="3 models share 0 policies and 0 prompts"):
        in_common({"a": one, "b": apart, "c": one})
    judges = {
        name: margins_from_scores(scores(noise(i)), references=[name])
        for i, name in enumerate(("ant", "hen"))
    }
    with pytest.raises(NoOverlap, match="ant compared with .*hen compared with"):
        in_common(judges)


def test_the_same_numbers_twice_and_published_rates_are_refused() -> None:
    one = scores(noise(0))
    shuffled = Scores(one.frame.sample(fraction=1.0, shuffle=True, seed=1))
    with pytest.raises(ConfigError, match="'a' and 'c' have the very same numbers"):
        refuse_doubles({"a": one, "b": scores(noise(1)), "c": shuffled})
    with pytest.raises(ConfigError, match="published win rates are not per prompt"):
        by_prompt("judge", load_example().win_rates)
