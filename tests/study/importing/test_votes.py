"""Votes that exist already become a study: whose they are, who won, what is dropped and said."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.errors import CharmWarning, ConfigError, ReadingNote, SchemaError
from charm_rm.study.importing.votes import import_votes
from charm_rm.study.nouns import Study, StudyModel
from charm_rm.tables import Responses, Scores
from charm_rm.text_hash import text_hashes

ROWS = {
    "prompt_id": ["p1", "p1", "p2", "p2"],
    "policy_a": ["x", "y", "x", "x"],
    "policy_b": ["y", "x", "y", "y"],
    "winner": ["a", "a", "tie", "both_bad"],
    "rater": ["ann", "bob", "ann", "bob"],
}


def _study(rows: dict[str, Any], **how: Any) -> Study:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReadingNote)
        return import_votes(pl.DataFrame(rows), where="votes.csv", name="votes", **how)


def _told(study: Study) -> list[tuple[str, str, str, str, str, bool]]:
    """prompt, a, b, rater, winner, repeat of every vote, sorted."""
    rows = study.votes.frame.join(study.comparisons.frame, on="comparison_id")
    return sorted(rows.select("prompt_id", "policy_a", "policy_b", "rater", "winner", "repeat").rows())


def test_sides_are_put_in_order_and_the_winner_goes_with_them() -> None:
    found = _study(ROWS)
    assert _told(found) == [
        ("p1", "x", "y", "ann", "a", False),
        ("p1", "x", "y", "bob", "b", False),
        ("p2", "x", "y", "ann", "tie", False),
        ("p2", "x", "y", "bob", "both_bad", False),
    ]
    assert len(found.comparisons) == 2
    assert found.comparisons.frame["inclusion"].to_list() == [1.0, 1.0]
    assert found.candidates is None
    assert found.provenance["target"] == "these comparisons"


@pytest.mark.parametrize(
    ("a", "b", "tie", "bad"),
    [
        ("a", "b", "tie", "both_bad"),
        ("model_a", "model_b", "tie", "tie (bothbad)"),
        ("A", "B", "C", "bothbad"),
        ("[[A]]", "[[B]]", "[[C]]", "both_bad"),
        ("A>>B", "B>A", "A=B", "tie (both bad)"),
        ("x", "y", "draw", "both_bad"),
        ("Model A", "Model B", "Tie", "BothBad"),
    ],
)
def test_every_known_way_to_say_who_won(a: str, b: str, tie: str, bad: str) -> None:
    rows = {
        "prompt": ["1", "2", "3", "4"],
        "model_a": ["x"] * 4,
        "model_b": ["y"] * 4,
        "winner": [a, b, tie, bad],
    }
    found = _study(rows | {"worker": [1, 2, 3, 4]})
    assert [row[4] for row in _told(found)] == ["a", "b", "tie", "both_bad"]
    assert [row[3] for row in _told(found)] == ["1", "2", "3", "4"]


@pytest.mark.parametrize(("first", "second", "tie"), [("1", "2", "0"), ("1", "-1", "0"), (1, 2, 0)])
def test_numbers_that_say_who_won(first: Any, second: Any, tie: Any) -> None:
    rows = {"prompt_id": ["1", "2", "3"], "model_a": ["x"] * 3, "model_b": ["y"] * 3, "voter": ["v"] * 3}
    found = _study(rows | {"preference": [first, second, tie]})
    assert [row[4] for row in _told(found)] == ["a", "b", "tie"]


def test_three_columns_of_flags() -> None:
    rows = {k: v for k, v in ROWS.items() if k not in ("winner", "policy_a", "policy_b")}
    rows |= {"model_a": ["x"] * 4, "model_b": ["y"] * 4}
    rows |= {"winner_model_a": [1, 0, 0, 1], "winner_model_b": [0, 1, 0, 0], "winner_tie": [0, 0, 1, 0]}
    assert [row[4] for row in _told(_study(rows))] == ["a", "b", "tie", "a"]


@given(st.lists(st.tuples(*[st.sampled_from(o) for o in (["p", "q"], ["x", "y"], ["a", "b", "tie"], ["r", "s"])]), min_size=1, max_size=30))  # fmt: skip
def test_whichever_side_a_row_has_first_the_study_is_the_same(rows: list[tuple[str, str, str, str]]) -> None:
    other = {"x": "y", "y": "x", "a": "b", "b": "a", "tie": "tie"}
    as_written = [(p, a, other[a], w, r) for p, a, w, r in rows]
    swapped = [(p, b, a, other[w], r) for p, a, b, w, r in as_written]
    names = ["prompt_id", "policy_a", "policy_b", "winner", "rater"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)
        one, two = (
            _told(_study(dict(zip(names, map(list, zip(*t, strict=True)), strict=True))))
            for t in (as_written, swapped)
        )
    assert one == two
    first = {(p, r): w if a == "x" else other[w] for p, a, _, w, r in reversed(as_written)}
    assert {(p, r): w for p, _, _, r, w, repeat in one if not repeat} == first


def test_a_second_vote_is_a_repeat_a_third_is_dropped_and_both_are_said() -> None:
    rows = {k: [*v, v[0], v[0], v[0]] for k, v in ROWS.items()}
    rows["winner"][4:] = ["b", "tie", "a"]
    with pytest.warns(CharmWarning) as caught:
        found = _study(rows)
    mine = [row for row in _told(found) if row[0] == "p1" and row[3] == "ann"]
    assert [(row[4], row[5]) for row in mine] == [("a", False), ("b", True)]
    said = " ".join(str(w.message) for w in caught)
    assert "2 (votes of one rater on one comparison beyond the second)" in said
    assert "1 vote on a comparison that the rater had voted on already" in said
    assert found.provenance["dropped"] == {"votes of one rater on one comparison beyond the second": 2}


def test_rows_without_a_verdict_and_of_a_policy_against_itself_are_dropped_and_counted() -> None:
    rows = {k: [*v, v[0], v[0]] for k, v in ROWS.items()}
    rows["winner"][4] = ""
    rows["policy_b"][5], rows["rater"][4:] = "x", ["cy", "cy"]
    with pytest.warns(CharmWarning, match=r"1 \(no verdict\), 1 \(a policy against itself\)"):
        found = _study(rows)
    assert _told(found) == _told(_study(ROWS))


# --- whose votes ----------------------------------------------------------------------------------

WITH_JUDGES = {
    "judge": ["crowd", "crowd", "gpt4", "gpt4", "gpt4"],
    "prompt": [1, 2, 1, 2, 3],
    "model_a": ["x", "x", "x", "y", "x"],
    "model_b": ["y", "y", "y", "x", "z"],
    "winner": ["model_a", "model_b", "model_a", "model_a", "model_b"],
    "worker": [7.0, 8.0, None, None, None],
}


def test_automatic_judges_become_models_and_people_stay_raters() -> None:
    with pytest.warns(ReadingNote, match="for people: 'crowd'; for automatic judges: 'gpt4'"):
        found = import_votes(pl.DataFrame(WITH_JUDGES), where="votes", name="v")
    assert [one.name for one in found.models] == ["gpt4"]
    assert sorted(found.votes.frame["rater"]) == ["7", "8"]
    margins = found.models[0].margins
    assert margins is not None
    signs = {(r["prompt_id"], r["policy"]): r["margin"] > 0 for r in margins.frame.to_dicts()}
    assert signs == {("1", "x"): True, ("2", "y"): True, ("3", "x"): False}


def test_a_judge_and_its_prompt_in_a_list_is_that_judge() -> None:
    """MT-Bench's file of human and GPT-4 judgements: lists of judge and prompt, and ties that two orders made."""
    who = [
        ["expert_1", ""],
        ["author_2", ""],
        ["gpt-4", "pair-v2"],
        ["gpt-4", "pair-v2"],
        ["gpt-4", "pair-v2"],
    ]
    rows = {k: v for k, v in WITH_JUDGES.items() if k != "worker"} | {"judge": who}
    found = _study(rows | {"winner": ["model_a", "tie", "tie (inconsistent)", "model_a", "model_b"]})
    assert sorted(found.votes.frame["rater"]) == ["author_2", "expert_1"]
    assert [one.name for one in found.models] == ["gpt-4"]


def test_who_is_people_can_be_said() -> None:
    found = _study(WITH_JUDGES | {"judge": ["gpt4", "gpt4", "crowd", "crowd", "crowd"]}, people=["gpt4"])
    assert [one.name for one in found.models] == ["crowd"]
    with pytest.raises(ConfigError, match="do not say who voted"):
        _study(WITH_JUDGES, people=["all"])
    found = _study(WITH_JUDGES, people=["all"], anonymous=True)
    assert found.models == ()
    assert sorted(found.votes.frame["rater"]) == ["7", "8", "unnamed 2", "unnamed 3", "unnamed 4"]
    with pytest.raises(ConfigError, match="nobody is called 'crowed'"):
        _study(WITH_JUDGES, people=["crowed"])
    with pytest.raises(ConfigError, match="no column says who judged"):
        _study(ROWS, people=["crowd"])


def test_comparisons_that_a_model_did_not_judge_are_dropped_and_counted() -> None:
    scores = Scores(
        pl.DataFrame({"prompt_id": ["p1", "p1", "p2"], "policy": ["x", "y", "x"], "score": [1.0, 0.0, 1.0]})
    )
    with pytest.warns(CharmWarning, match=r"2 \(no verdict of a model\)"):
        found = _study(ROWS, models=[StudyModel("rm", scores=scores)])
    assert {row[0] for row in _told(found)} == {"p1"}
    far = Scores(scores.frame.with_columns(pl.format("q{}", "prompt_id").alias("prompt_id")))
    with pytest.raises(SchemaError, match="'rm' has no verdict on any comparison"):
        _study(ROWS, models=[StudyModel("rm", scores=far)])


def test_nobody_is_taken_for_somebody_who_is_called_like_nobody() -> None:
    rows = [
        {"prompt_id": "p", "policy_a": "x", "policy_b": "y", "winner": "a", "rater": r}
        for r in (None, "unnamed 0")
    ]
    found = import_votes(pl.DataFrame(rows), where="votes.csv", name="votes", anonymous=True)
    assert sorted(found.votes.frame["rater"]) == ["further unnamed 0", "unnamed 0"]


def test_the_original_is_the_first_model() -> None:
    rows = {k: [*v, *v[2:]] for k, v in WITH_JUDGES.items()}
    rows["judge"][5:] = ["gpt3"] * 3
    assert [one.name for one in _study(rows).models] == ["gpt3", "gpt4"]
    assert [one.name for one in _study(rows, original="gpt4").models] == ["gpt4", "gpt3"]
    with pytest.raises(ConfigError, match="no model is called 'gpt5'"):
        _study(rows, original="gpt5")


# --- what else a row says -------------------------------------------------------------------------


def test_left_seconds_and_comments_come_along() -> None:
    rows = ROWS | {"left": ["x", "b", "y", None], "seconds": [3, 4, 5, 6], "comment": ["", "meh", None, "x"]}
    votes = _study(rows).votes.frame
    assert votes["left"].to_list() == ["a", "a", "b", None]
    assert votes["seconds"].to_list() == [3.0, 4.0, 5.0, 6.0]
    assert _study(ROWS, first_left=True).votes.frame["left"].to_list() == ["a", "b", "a", "a"]
    with pytest.raises(SchemaError, match="left 'up' is neither"):
        _study(ROWS | {"left": ["up", "a", "a", "a"]})


def test_responses_have_to_hold_every_answer_compared() -> None:
    texts = [(p, "?", y, "!") for p in ("p1", "p2") for y in ("x", "y")]
    responses = Responses(
        pl.DataFrame(texts, schema=["prompt_id", "prompt", "policy", "response"], orient="row")
    )
    assert _study(ROWS, responses=responses).responses is responses
    short = Responses(responses.frame.head(3))
    with pytest.raises(SchemaError, match="no answer of 'y' to prompt 'p2'"):
        _study(ROWS, responses=short)


def test_scores_of_other_texts_are_refused_and_of_texts_in_the_rows_told() -> None:
    keys = [(p, y) for p in ("p1", "p2") for y in ("x", "y")]
    texts = pl.DataFrame([(p, "?", y, "!") for p, y in keys], schema=["prompt_id", "prompt", "policy", "response"], orient="row")  # fmt: skip
    hashed = text_hashes(Responses(texts))
    rm = StudyModel(
        "rm", scores=Scores(texts.select("prompt_id", "policy", pl.lit(1.0).alias("score"), hashed))
    )
    _study(ROWS, models=[rm], responses=Responses(texts))
    with pytest.raises(SchemaError, match="are other texts than those that were scored"):
        _study(ROWS, models=[rm], responses=Responses(texts.with_columns(response=pl.lit("no"))))
    brought = ROWS | {"prompt": ["?"] * 4, "response_a": ["no"] * 4, "response_b": ["no"] * 4}
    with pytest.warns(CharmWarning, match="'rm': 4 responses of 4 are other texts"):
        _study(brought, models=[rm])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"winner": ["a", "c d", "a", "b"]}, "'c d' is neither of the two models' names, nor a known label"),
        ({"winner": [1, 0, 1, 0]}, "may mean several things"),
        ({"winner": [b"\xff"] * 4}, "'winner' should hold labels, found Binary"),
        ({"winner": None}, "no column is 'winner'"),
        ({"policy_b": None}, "no column is 'policy_b'"),
        ({"prompt_id": None}, "no column says which prompt was judged"),
        ({"prompt_id": ["p", None, "p", "p"]}, "prompt_id None is missing"),
        ({"prompt_id": None, "prompt": [[1], [2], [1], [2]]}, "prompt .* is neither text nor messages"),
        (
            {"prompt_id": None, "prompt": [True, False, True, False]},
            "prompt True is neither text nor messages",
        ),
        ({"rater": ["ann", None, "ann", "bob"]}, "1 of 4 votes do not say who voted"),
        ({"rater": None}, "4 of 4 votes do not say who voted"),
        ({"rater": [1.5, 2.0, 2.5, 3.0]}, "should hold a text"),
        ({"winner": ["error"] * 4}, "no vote of people is left"),
        ({"seconds": [-1, 0, 1, 2]}, "seconds"),
        (
            {"rater": None, "worker": ["a"] * 4, "voter": ["b", "a", "a", "a"]},
            "rater may be any of the columns",
        ),
    ],
)
def test_what_is_malformed_is_refused(change: dict[str, Any], says: str) -> None:
    rows = {k: v for k, v in (ROWS | change).items() if v is not None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)
        with pytest.raises((SchemaError, ConfigError), match=says):
            _study(rows)


@pytest.mark.parametrize(("field", "value"), [("prompt_id", ""), ("prompt_id", " "), ("prompt", " ")])
def test_rows_that_say_nothing_of_their_prompt_are_no_votes_on_one(field: str, value: str) -> None:
    rows = [{"policy_a": "x", "policy_b": "y", "winner": "a", "rater": "ann", field: f} for f in ("p", value)]
    with pytest.raises(SchemaError, match=f"{field} '{value}' is empty"):
        import_votes(pl.DataFrame(rows), where="votes.csv", name="votes")


def test_columns_can_be_told() -> None:
    rows = {"task": ["p1"], "left_model": ["y"], "right_model": ["x"], "best": ["y"], "who": ["ann"]}
    told = {
        "prompt_id": "task",
        "policy_a": "left_model",
        "policy_b": "right_model",
        "winner": "best",
        "rater": "who",
    }
    assert _told(_study(rows, columns=told)) == [("p1", "x", "y", "ann", "b", False)]
    with pytest.raises(ConfigError, match="no field 'ratr'"):
        _study(rows, columns=told | {"ratr": "who"})
    with pytest.raises(ConfigError, match="no column 'whom'"):
        _study(rows, columns=told | {"rater": "whom"})


@pytest.mark.realdata
def test_llmfao_is_read_as_people_and_two_judges(real_data: Path) -> None:
    path = real_data / "llmfao" / "comparisons.parquet"
    with pytest.warns(ReadingNote):
        found = import_votes(pl.read_parquet(path), where=str(path), name="llmfao")
    assert (len(found.votes), len(found.comparisons)) == (8931, 2139)
    assert found.votes.frame["rater"].n_unique() == 124
    assert [one.name for one in found.models] == ["gpt3", "gpt4"]
    # Recounted from the file: votes for the policy whose name comes first.
    raw = pl.read_parquet(path).filter(pl.col("judge") == "human-crowd")
    first = ((raw["winner"] == "model_a") & (raw["model_a"] < raw["model_b"])) | (
        (raw["winner"] == "model_b") & (raw["model_b"] < raw["model_a"])
    )
    assert (found.votes.frame["winner"] == "a").sum() == int(first.sum())
