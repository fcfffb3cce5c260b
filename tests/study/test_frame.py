"""Candidates are all comparisons that can be asked about, and counted votes carry weights that add up to them."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.errors import CharmWarning, ConfigError, NoOverlap, SchemaError, SeveralSamples, UnknownPolicy
from charm_rm.responses import load_responses
from charm_rm.study.frame import KEY, counted, find_candidates, left_out_words, with_margins
from charm_rm.study.nouns import CHECK, MAIN, Study, StudyModel
from charm_rm.study.planning import answers
from charm_rm.tables import Responses, Scores
from charm_rm.text_hash import text_hashes

from .small import POLICIES, before_and_after, comparisons, judge, responses, scores, votes

cells = st.sets(
    st.tuples(st.integers(0, 4).map(lambda i: f"p{i:03d}"), st.sampled_from(POLICIES)),
    min_size=0,
    max_size=12,
)


@given(missing=cells, unscored=cells)
def test_candidates_are_what_a_loop_over_all_prompts_and_pairs_finds(
    missing: set[tuple[str, str]], unscored: set[tuple[str, str]]
) -> None:
    texts = responses(without=missing)
    table = scores(responses())
    some = Scores(
        table.frame.filter(
            ~pl.struct("prompt_id", "policy").is_in([{"prompt_id": p, "policy": k} for p, k in unscored])
        )
        if unscored
        else table.frame
    )
    known = {(p, k): s for p, k, s in some.frame.select("prompt_id", "policy", "score").iter_rows()}
    expected = [
        (p, a, b, known[p, a] - known[p, b])
        for p in sorted(set(texts.frame["prompt_id"]))
        for a, b in itertools.combinations(POLICIES, 2)
        if not {(p, a), (p, b)} & missing and {(p, a), (p, b)} <= known.keys()
    ]
    if not expected:
        with pytest.raises(NoOverlap):
            find_candidates(texts, [StudyModel("m", some)])
        return
    found = find_candidates(texts, [StudyModel("m", some)])
    assert found.frame.rows() == expected
    left = [v for k, v in found.account.items() if k in ("missing", "blank", "identical", "no_verdict")]
    assert found.account["possible"] == sum(left) + len(expected)


def test_what_is_left_out_is_said_with_the_prompts_that_are_left() -> None:
    model = judge([("p000", "ant", "bee", 1.0)])
    said = left_out_words(find_candidates(responses(2), [model]).account)
    assert "11 (a model has no verdict: judge 11); what is left is on 1 of 2 prompts" in said


def test_a_judge_is_turned_to_the_first_policy_and_both_orders_are_averaged() -> None:
    model = judge([("p000", "bee", "ant", 1.0), ("p000", "ant", "bee", 3.0), ("p001", "cow", "ant", -2.0)])
    frame = find_candidates(responses(2), [model]).frame
    assert frame.rows() == [("p000", "ant", "bee", 1.0), ("p001", "ant", "cow", 2.0)]


def test_blank_and_identical_answers_are_no_candidates_and_are_counted_once() -> None:
    texts = responses(1)
    said = pl.Series(["  \n", "same", "same", "other"])
    texts = Responses(texts.frame.with_columns(response=said))
    found = find_candidates(texts, [])
    assert found.frame.rows() == [("p000", "bee", "dog"), ("p000", "cow", "dog")]
    assert (found.account["blank"], found.account["identical"], found.account["possible"]) == (3, 1, 6)


def test_unfit_answers_are_counted_under_their_reason() -> None:
    unfit = {"names itself": pl.DataFrame({"prompt_id": ["p000", "elsewhere"], "policy": ["ant", "ant"]})}
    found = find_candidates(responses(2), [], unfit=unfit)
    assert found.account["names itself"] == 3
    assert found.frame.height == 12 - 3
    assert not found.frame.filter(pl.col("prompt_id") == "p000")["policy_a"].is_in(["ant"]).any()


def test_row_order_does_not_matter_and_policies_and_pairs_choose() -> None:
    texts = responses(3)
    models = before_and_after(texts)
    shuffled = Responses(texts.frame.sample(fraction=1.0, shuffle=True, seed=1))
    frame = find_candidates(texts, models).frame
    assert frame.equals(find_candidates(shuffled, models).frame)
    two = find_candidates(texts, models, policies=["cow", "ant"]).frame
    assert two.equals(frame.filter((pl.col("policy_a") == "ant") & (pl.col("policy_b") == "cow")))
    assert two.equals(find_candidates(texts, models, pairs=[("cow", "ant"), ("ant", "cow")]).frame)


def test_scores_of_other_texts_are_refused() -> None:
    texts = responses(2)
    hashed = Scores(scores(texts).frame.with_columns(text_hashes(texts)))
    assert find_candidates(texts, [StudyModel("m", hashed)]).frame.height == 12
    changed = Responses(texts.frame.with_columns(response=pl.col("response") + "!"))
    with pytest.raises(SchemaError, match="other texts than those that were scored"):
        find_candidates(changed, [StudyModel("m", hashed)])


def test_what_cannot_be_compared_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = responses(2)
    model = StudyModel("m", scores(texts))
    with pytest.raises(ConfigError, match="two models are called 'm'"):
        find_candidates(texts, [model, model])
    with pytest.raises(UnknownPolicy, match="Did you mean 'ant'"):
        find_candidates(texts, [model], policies=["Ant"])
    with pytest.raises(UnknownPolicy):
        find_candidates(texts, [model], pairs=[("ant", "elk")])
    doubled = Responses(pl.concat([texts.frame.with_columns(sample=pl.lit(i)) for i in range(2)]))
    with pytest.raises(SeveralSamples):
        find_candidates(doubled, [model])
    monkeypatch.setattr(answers, "MOST_CANDIDATES", 10)
    with pytest.raises(ConfigError, match="12 comparisons"):
        find_candidates(texts, [model])


def _study(**more: object) -> Study:
    texts = responses(3)
    rows = [
        ("c1", "p000", "ant", "bee", 0.5),
        ("c2", "p001", "ant", "cow", 0.25),
        ("k1", "p002", "x", "y", None),
    ]
    said = [
        ("c1", "r1", "a", False),
        ("c1", "r2", "both_bad", False),
        ("c1", "r1", "b", True),
        ("c2", "r1", "b", False),
        ("k1", "r1", "a", False),
    ]
    models = before_and_after(texts)
    given = {"candidates": find_candidates(texts, models).frame.select(KEY), "models": models, **more}
    return Study("s", comparisons(rows, kinds=[MAIN, MAIN, CHECK]), votes(said), responses=texts, **given)  # type: ignore[arg-type]


def test_repeats_and_checks_do_not_count_and_weights_divide_by_votes() -> None:
    found = counted(_study())
    rows = found.frame.select("comparison_id", "rater", "y", "decided", "weight").rows()
    assert rows == [("c1", "r1", 1.0, True, 1.0), ("c1", "r2", 0.5, False, 1.0), ("c2", "r1", 0.0, True, 4.0)]
    assert found.models == ("before", "after")
    assert found.all.height == 18
    margins = found.all.join(found.frame, on=KEY, how="inner", suffix="_voted")
    assert (margins["margin_after"] == margins["margin_after_voted"]).all()


def test_an_imported_study_has_its_comparisons_as_candidates_and_leaves_out_what_a_model_did_not_judge() -> (
    None
):
    found = counted(_study(candidates=None))
    assert found.all.select(KEY).rows() == [("p000", "ant", "bee"), ("p001", "ant", "cow")]
    half = judge([("p001", "cow", "ant", 1.0)])
    with pytest.warns(CharmWarning, match="2 votes of 3 left out"):
        found = counted(_study(candidates=None, models=(half,)))
    assert found.frame["comparison_id"].to_list() == ["c2"]
    assert found.all.height == 1


def test_a_study_without_models_counts_its_votes() -> None:
    found = counted(_study(models=()))
    assert found.frame.height == 3
    assert found.all.columns == KEY


def test_margins_keep_the_order_of_the_comparisons() -> None:
    texts = responses(4)
    models = before_and_after(texts)
    frame = find_candidates(texts, models).frame
    mixed = frame.select(KEY).sample(fraction=1.0, shuffle=True, seed=2)
    again = with_margins(mixed, models)
    assert again.select(KEY).equals(mixed)
    joined = again.join(frame, on=KEY, suffix="_first")
    assert np.array_equal(joined["margin_after"], joined["margin_after_first"])


@pytest.mark.realdata
def test_all_comparisons_of_46_policies_and_805_prompts(real_data: Path) -> None:
    """Of 46 x 45 / 2 pairs on 805 prompts: one answer is missing, and 22 are empty."""
    found = find_candidates(load_responses(real_data / "alpaca_eval" / "responses.parquet"), [])
    assert found.account["possible"] == 1035 * 805
    assert (found.account["missing"], found.account["blank"], found.frame.height) == (45, 990, 830_139)


def test_ids_that_no_table_shares_are_told_with_the_column_that_has_them() -> None:
    texts = responses(2)
    other = texts.frame.with_columns(id=pl.col("prompt_id"), prompt_id=pl.lit("hash-") + pl.col("prompt_id"))
    with pytest.raises(NoOverlap) as refused:
        find_candidates(Responses(other), [StudyModel("rm", scores(texts))])
    said = str(refused.value)
    assert (
        "not in rm: any of the responses' prompt ids ('hash-p000', 'hash-p001'), for it has 'p000', 'p001'"
        in said
    )
    assert "as the responses' column 'id' has: add --column responses.prompt_id=id" in said


def test_policies_that_a_model_calls_otherwise_are_named() -> None:
    texts = responses(2)
    table = scores(texts).frame.with_columns(pl.col("policy").replace({POLICIES[0]: "Ant v1"}))
    said = left_out_words(find_candidates(texts, [StudyModel("rm", Scores(table))]).account)
    assert f"not in rm: policy '{POLICIES[0]}', for it has 'Ant v1', which the responses do not have" in said
    assert find_candidates(texts, [StudyModel("rm", scores(texts))]).account["unmatched"] == []
