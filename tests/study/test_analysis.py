"""The analysis as a whole: what it says of a simulated study, what it warns of, saved and loaded, and on real votes."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import charm_rm
from charm_rm.errors import CharmWarning, ConfigError, NotIdentifiable, SchemaError, UnreadableFile
from charm_rm.study.analysis import analyse_study, load_analysis, save_analysis
from charm_rm.study.importing.votes import import_votes
from charm_rm.study.nouns import Comparisons, Study, StudyVotes
from charm_rm.study.results import StudyAnalysis
from study.vote_worlds import planned_study, study_of, votes_on

pytest.importorskip("nltk", reason="needs the [study] extra")
_warned = pytest.mark.filterwarnings("ignore::charm_rm.errors.CharmWarning")


@pytest.fixture(scope="module")
def study() -> Study:
    return planned_study(np.random.default_rng(0))


@pytest.fixture(scope="module")
def found(study: Study) -> StudyAnalysis:
    with pytest.warns(CharmWarning):
        return analyse_study(study)


def test_the_whole_of_a_study(found: StudyAnalysis) -> None:
    (row,) = found.differences.filter(votes_used="all", estimator="classical").to_dicts()
    assert (row["model"], row["baseline"], row["reading"]) == ("after", "before", "better")
    assert found.agreement.height == 8
    assert found.people["value"].null_count() == 0
    assert found.raters["rater"].to_list() == [f"rater-{i}" for i in range(6)]
    assert found.ratings["estimator"].unique().sort().to_list() == ["classical", "prediction-powered"]
    assert found.ratings["policy"][0] == "ant"
    assert found.model_ratings["model"].unique().sort().to_list() == ["after", "before"]
    assert set(found.model_ratings["policy"]) == set(found.ratings["policy"])
    assert found.human_ratings is not None
    assert found.human_ratings.covariance is not None
    favoured = found.favour.filter(model="before", policy="eel")["favour"].item()
    assert favoured > 100  # 1.5 in log-odds is 260 Elo points, before what the line takes
    assert found.summary["votes"] == found.raters["votes"].sum() == 424
    assert found.summary["candidates"] == 600
    assert found.warnings


def test_the_same_again(study: Study, found: StudyAnalysis) -> None:
    with pytest.warns(CharmWarning):
        again = charm_rm.analyse_study(study)
    assert again.to_json() == found.to_json()


def test_saved_and_loaded_it_is_the_same(found: StudyAnalysis, tmp_path: Path) -> None:
    save_analysis(found, tmp_path)
    back = load_analysis(tmp_path)
    assert back.to_json() == found.to_json()
    for name, frame in found.tables().items():
        assert back.tables()[name].equals(frame)
        assert back.tables()[name].schema == frame.schema
    assert back.human_ratings is not None
    assert found.human_ratings is not None
    assert back.human_ratings.frame.equals(found.human_ratings.frame)
    np.testing.assert_array_equal(back.human_ratings.covariance, found.human_ratings.covariance)


def test_a_folder_that_is_damaged_is_refused(found: StudyAnalysis, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile):
        load_analysis(tmp_path)
    save_analysis(found, tmp_path)
    (tmp_path / "study.json").write_text('{"name": 3}')
    with pytest.raises(UnreadableFile, match="name should be text"):
        load_analysis(tmp_path)


def test_what_people_at_a_prompt_see(found: StudyAnalysis) -> None:
    assert "424 votes of 6 raters" in repr(found)
    assert "after" in found.summary()
    assert "<table>" in found._repr_html_()
    assert found.to_pandas is not None


@_warned
def test_leaving_a_rater_out(study: Study, found: StudyAnalysis) -> None:
    less = analyse_study(study, without=("rater-3",))
    assert less.raters["rater"].to_list() == [f"rater-{i}" for i in (0, 1, 2, 4, 5)]
    assert less.summary["votes"] == found.summary["votes"] - found.raters.filter(rater="rater-3")["votes"].item()  # fmt: skip
    assert less.summary["without"] == ["rater-3"]
    assert not any("not there yet" in words for words in less.warnings)  # they are there, and left out
    with pytest.raises(ConfigError, match="'rater-33'"):
        analyse_study(study, without=("rater-33",))


@_warned
def test_order_of_rows_and_names_of_raters_change_nothing(study: Study, found: StudyAnalysis) -> None:
    votes = study.votes.frame.with_columns(rater=pl.lit("x ") + pl.col("rater")).sample(fraction=1, shuffle=True, seed=1)  # fmt: skip
    turned = replace(study, votes=StudyVotes(votes), comparisons=Comparisons(study.comparisons.frame.reverse()))  # fmt: skip
    again = analyse_study(turned)
    for name, columns in {"agreement": ["value", "std_err"], "differences": ["difference", "p_value"], "people": ["value"], "ratings": ["rating", "std_err"]}.items():  # fmt: skip
        ours, theirs = getattr(again, name), getattr(found, name)
        if (
            name == "people"
        ):  # the jackknife's groups go by votes alone, too; its ends are compared by eye of the other figures
            ours, theirs = ours.tail(2), theirs.tail(2)
        np.testing.assert_allclose(ours.select(columns).to_numpy(), theirs.select(columns).to_numpy(), rtol=1e-6, atol=1e-8)  # fmt: skip


# --- what is warned of ----------------------------------------------------------------------------


def test_a_small_study_says_what_it_lacks() -> None:
    small = votes_on({f"c{i}": {"u": "a" if i % 3 else "b"} for i in range(9)})
    with pytest.warns(CharmWarning) as caught:
        found = analyse_study(small)
    said = "\n".join(str(w.message) for w in caught)
    assert found.warnings == tuple(dict.fromkeys(str(w.message) for w in caught))
    assert "9 of 18 votes that the plan wants are not there yet" in said
    assert "no comparison has votes of two raters" in said
    assert "The plan has second votes on 9 comparisons, and they come last" in said
    assert "there is one rater" in said
    assert found.people["value"].to_list() == [None] * 4
    assert found.agreement.height == found.favour.height == 0
    assert "no rows" not in repr(found)


def test_an_undefeated_policy_leaves_the_rest_standing() -> None:
    with pytest.warns(CharmWarning) as caught:
        found = analyse_study(votes_on({f"c{i}": {"u": "a", "v": "a"} for i in range(5)}))
    (said,) = [str(w.message) for w in caught if "no ratings by people" in str(w.message)]
    assert "'p' never lost" in said
    assert "prior" in said
    assert found.ratings.height == 0
    assert found.human_ratings is None
    assert found.people.height == 4


def test_skewed_weights_sides_and_flags_are_told() -> None:
    rng = np.random.default_rng(1)
    comparisons = [{"comparison_id": f"c{i}", "inclusion": 0.01 if i < 3 else 1.0, "votes_wanted": 1} for i in range(80)]  # fmt: skip
    votes = []
    for i in range(80):
        for rater in ("u", "v"):
            left = "ab"[int(rng.integers(2))]
            winner = left if rater == "u" or rng.random() < 0.6 else "ab".replace(left, "")
            votes.append({"comparison_id": f"c{i}", "rater": rater, "winner": winner, "left": left})
    with pytest.warns(CharmWarning) as caught:
        analyse_study(study_of(comparisons, votes))
    said = "\n".join(str(w.message) for w in caught)
    assert "weights are skewed" in said
    assert "raters chose the answer on the left" in said
    assert "1 rater looks careless: 'u'. Their votes count all the same; without=('u',)" in said


def test_what_people_could_not_be_asked_is_told(study: Study) -> None:
    account = {"possible": 640, "prompts": 64, "policies": 5, "self_naming": 40, "no_verdict_of": {}, "candidates": 600, "candidate_prompts": 64}  # fmt: skip
    with pytest.warns(CharmWarning) as caught:
        analyse_study(replace(study, provenance={"plan": {"left_out": account}}))
    said = [str(w.message) for w in caught]
    assert any(
        "40 (an answer names its policy or maker): figures are about the other 600" in one for one in said
    )


def test_no_votes_and_foreign_votes_are_refused() -> None:
    with pytest.raises(NotIdentifiable, match="no votes that count"):
        analyse_study(study_of([{"comparison_id": "c"}], []))
    with pytest.raises(SchemaError, match="does not have: 'd'"):
        analyse_study(study_of([{"comparison_id": "c"}, {"comparison_id": "c2"}], [{"comparison_id": "c", "rater": "u", "winner": "a"}, {"comparison_id": "d", "rater": "u", "winner": "a"}]))  # fmt: skip


@_warned
def test_a_study_in_a_file(study: Study, found: StudyAnalysis, tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy", reason="needs the [study] extra")
    from charm_rm.study.database import create_study
    from charm_rm.tables import Responses

    pairs = study.comparisons.frame.select("prompt_id", "policy_a", "policy_b")
    rows = pl.concat([pairs.select("prompt_id", pl.col(side).alias("policy")) for side in ("policy_a", "policy_b")])  # fmt: skip
    texts = rows.unique().with_columns(prompt=pl.lit("Say."), response=pl.col("policy"))
    create_study(tmp_path / "study.db", replace(study, responses=Responses(texts))).close()
    again = analyse_study(tmp_path / "study.db")
    for name, frame in found.tables().items():
        assert again.tables()[name].equals(frame), name


@pytest.mark.realdata
@_warned
@pytest.mark.filterwarnings("ignore::charm_rm.errors.ReadingNote")
def test_votes_of_a_crowd(real_data: Path) -> None:
    """llmfao: 124 raters, 8,931 votes, two judges; the whole analysis in seconds, nobody's vote is dropped, and all is told."""
    path = real_data / "llmfao" / "comparisons.parquet"
    study = import_votes(pl.read_parquet(path), where=str(path), name="llmfao")
    start = time.process_time()
    found = analyse_study(study)
    assert time.process_time() - start < 15
    assert found.summary["raters"] == 124
    assert set(found.agreement["model"]) == {"gpt3", "gpt4"}
    assert found.people["value"].null_count() == 0
    assert found.ratings.height
    assert found.raters.filter(pl.col("verdict") != "").height < 20
