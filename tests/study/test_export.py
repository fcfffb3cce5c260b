"""Votes of a study as battles: the weights of the analysis, and texts that `charm ratings fit` counts styles in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import Result

from charm_rm import fit_ratings
from charm_rm.errors import ConfigError, SchemaError
from charm_rm.study.export import as_battles, flat, left_out
from charm_rm.study.frame import counted
from charm_rm.study.nouns import Comparisons, Study, StudyVotes
from charm_rm.tables import Responses
from study_worlds import small_study

Charm = Callable[..., Result]


@pytest.fixture
def study() -> Study:
    """Ten prompts, chosen with different probabilities; three raters, repeats, and a check that one of them fails."""
    rng = np.random.default_rng(3)
    planned = small_study(10, checks=1)
    frame = planned.comparisons.frame
    inclusion = [
        None if kind == "check" else float(p)
        for kind, p in zip(frame["kind"], rng.uniform(0.1, 1, len(frame)), strict=True)
    ]
    frame = frame.with_columns(pl.Series("inclusion", inclusion, dtype=pl.Float64))
    rows = []
    for row in frame.filter(pl.col("kind") == "main").iter_rows(named=True):
        for rater in ("Ann", "Bob", "Cid")[: int(rng.integers(1, 4))]:
            winner = ("a", "b", "tie", "both_bad")[int(rng.choice(4, p=[0.4, 0.3, 0.2, 0.1]))]
            rows.append((row["comparison_id"], rater, winner, False, "a", 4.0, 'because, "so"'))
    rows += [
        ("c0-alder-birch", "Ann", "b", True, "b", 3.0, None),
        ("check0", "Ann", "b", False, "b", 3.0, None),
    ]
    names = ("comparison_id", "rater", "winner", "repeat", "left", "seconds", "comment")
    votes = StudyVotes(pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None))
    return replace(planned, comparisons=Comparisons(frame), votes=votes)


def test_battles_are_the_votes_that_count_with_the_weights_of_the_analysis(study: Study) -> None:
    battles, used = as_battles(study).frame, counted(study).frame
    keys = ["comparison_id", "rater"]
    beside = battles.join(used, on=keys, suffix="_used")
    assert len(battles) == len(beside) == len(used) == len(study.votes) - 2
    ratio = (beside["weight"] / beside["weight_used"]).to_numpy()
    np.testing.assert_allclose(ratio, ratio[0])
    assert battles["weight"].mean() == pytest.approx(1.0)


def test_each_comparison_counts_for_as_many_as_it_stands_for(study: Study) -> None:
    chosen = study.comparisons.frame.select("comparison_id", "inclusion")
    sums = (
        as_battles(study)
        .frame.group_by("comparison_id")
        .agg(pl.sum("weight"))
        .join(chosen, on="comparison_id")
    )
    stands_for = (sums["weight"] * sums["inclusion"]).to_numpy()
    np.testing.assert_allclose(stands_for, stands_for[0])


def test_a_rater_left_out_takes_no_weight_along(study: Study) -> None:
    without = as_battles(study, without=["Bob"])
    assert set(without.frame["rater"]) == {"Ann", "Cid"}
    kept = replace(study, votes=StudyVotes(study.votes.frame.filter(pl.col("rater") != "Bob")))
    assert without.frame.equals(as_battles(kept).frame)
    assert "Bob" in left_out(study, ["Bob"])
    assert left_out(study) == "1 repeat, 1 attention check"


def test_a_name_that_nobody_has_is_refused(study: Study) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'Bob'"):
        as_battles(study, without=["Bop"])


def test_no_votes_is_an_error_not_an_empty_table() -> None:
    with pytest.raises(SchemaError, match="no votes"):
        as_battles(small_study(2))


def test_comments_come_along_only_when_asked_for(study: Study) -> None:
    assert "comment" not in as_battles(study).frame.columns
    assert as_battles(study, comments=True).frame["comment"].drop_nulls()[0] == 'because, "so"'


def test_texts_are_those_of_the_two_policies(study: Study) -> None:
    for row in as_battles(study).frame.iter_rows(named=True):
        assert row["response_a"].startswith("The answer of")
        assert row["response_a"].endswith(row["prompt_id"])
        assert row["prompt"] == f"Say {row['prompt_id']}."
        assert row["response_a"] != row["response_b"]


def test_prompts_in_messages_and_texts_become_messages_and_in_csv_json(study: Study) -> None:
    assert study.responses is not None
    given = study.responses.frame
    talk = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    mixed = [
        talk if prompt == "p0" else text
        for prompt, text in zip(given["prompt_id"], given["prompt"], strict=True)
    ]
    responses = Responses(given.with_columns(pl.Series("prompt", mixed, dtype=pl.Object)))
    battles = as_battles(replace(study, responses=responses))
    asked = dict(zip(battles.frame["prompt_id"], battles.frame["prompt"].to_list(), strict=True))
    assert asked["p0"] == talk
    assert asked["p1"] == [{"role": "user", "content": "Say p1."}]
    assert flat(battles.frame)["prompt"].dtype == pl.String


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_what_is_exported_is_what_ratings_fit_reads(
    study: Study, suffix: str, charm: Charm, tmp_path: Path
) -> None:
    pytest.importorskip("sqlalchemy", reason="needs the [study] extra")
    from charm_rm.study.database import create_study

    create_study(tmp_path / "study.db", study).close()
    out = tmp_path / f"battles{suffix}"
    result = charm("study", "export", tmp_path / "study.db", "-o", out)
    assert result.exit_code == 0, result.output
    assert "1 repeat, 1 attention check" in result.stderr
    for cluster in ("rater", "prompt_id"):
        fitted = charm("ratings", "fit", out, "--style", "words", "--cluster", cluster, "--json")
        assert fitted.exit_code == 0, fitted.output
    plain = charm("ratings", "fit", out, "-o", tmp_path / "ratings.parquet")
    assert plain.exit_code == 0, plain.output
    ours = dict(fit_ratings(as_battles(study), cluster=None).frame.select("policy", "rating").iter_rows())
    theirs = dict(pl.read_parquet(tmp_path / "ratings.parquet").select("policy", "rating").iter_rows())
    assert theirs == pytest.approx(ours)


@pytest.mark.filterwarnings("ignore::charm_rm.errors.CharmWarning")  # it is a small study
def test_ratings_of_the_battles_are_those_of_the_analysis(study: Study) -> None:
    pytest.importorskip("nltk", reason="the analysis needs the [study] extra")
    from charm_rm.study.analysis import analyse_study
    from charm_rm.study.results import CLASSICAL

    told = analyse_study(study).ratings.filter(estimator=CLASSICAL)
    fitted = fit_ratings(as_battles(study), cluster=None).frame
    ours, theirs = (dict(frame.select("policy", "rating").iter_rows()) for frame in (fitted, told))
    assert ours == pytest.approx(theirs, abs=1e-6)


def test_an_export_does_not_go_over_the_study(study: Study, charm: Charm, tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy", reason="needs the [study] extra")
    from charm_rm.study.database import create_study

    path = tmp_path / "study.parquet"  # whatever its name
    create_study(path, study).close()
    before = path.read_bytes()
    assert charm("study", "export", path, "-o", path, "--force").exit_code == 2
    assert path.read_bytes() == before
