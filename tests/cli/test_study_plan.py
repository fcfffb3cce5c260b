"""``charm study plan`` from the outside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from click.testing import Result

from charm_rm import save
from charm_rm.study.nouns import MAIN
from charm_rm.tables import Responses
from study.small import before_and_after, judge, responses

Charm = Callable[..., Result]
POLICIES = [f"m{i}" for i in range(6)]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with responses and the scores of two models."""
    texts = responses(30, POLICIES)
    one, other = before_and_after(texts)
    save(texts, tmp_path / "responses.parquet")
    for model in (one, other):
        assert model.scores is not None
        save(model.scores, tmp_path / f"{model.name}.parquet")
    return tmp_path


def _plan(charm: Charm, files: Path, *more: object) -> Result:
    tables = [
        files / "responses.parquet",
        "--scores",
        files / "before.parquet",
        "--scores",
        f"new={files / 'after.parquet'}",
    ]
    return charm("study", "plan", *tables, "--comparisons", 60, "--checks", 0, *more)


def test_without_an_output_the_plan_is_shown_and_nothing_written(charm: Charm, files: Path) -> None:
    before = sorted(files.iterdir())
    result = _plan(charm, files)
    assert result.exit_code == 0, result.output
    assert "study: 60 comparisons of 6 policies" in result.stdout
    assert "chosen from 450 comparisons that every model has a verdict on" in result.stdout
    assert "the two models disagree on" in result.stdout
    assert "72 votes wanted, 14 of each of 5 raters" in result.stdout
    assert "difference: new" in result.stdout
    assert "nothing was written: give -o study.db" in result.stderr
    assert sorted(files.iterdir()) == before


def test_the_study_is_written_and_says_what_comes_next(charm: Charm, files: Path) -> None:
    pytest.importorskip("sqlalchemy")
    from charm_rm.study.database import open_study
    from charm_rm.study.frame import counted

    place = files / "kind study.db"
    result = _plan(charm, files, "-o", place, "--seed", 3, "--question", "Which is kinder?")
    assert result.exit_code == 0, result.output
    assert (
        f"next: charm study invite '{place}' --count 5 --quota 16, then charm study serve '{place}'"
        in result.stderr
    )
    with open_study(place) as database:
        study = database.read()
        assert (study.name, database.facts().question) == ("kind study", "Which is kinder?")
    assert study.comparisons.frame.filter(pl.col("kind") == MAIN).height == 60
    assert [model.name for model in study.models] == ["before", "new"]
    assert study.provenance["plan"]["comparisons"] == 60
    assert str(files) not in json.dumps(dict(study.provenance))
    assert counted(study).all.height == 450
    again = _plan(charm, files, "-o", place)
    assert again.exit_code == 2
    assert "kind study.db" in again.stderr
    assert _plan(charm, files, "-o", place, "--force").exit_code == 0


def test_json_has_the_plan_and_every_policy(charm: Charm, files: Path) -> None:
    found = json.loads(_plan(charm, files, "--json").stdout)
    assert found["comparisons"] == 60
    assert [row["policy"] for row in found["policies"]] == POLICIES
    assert {row["figure"] for row in found["shows"]} == {"agreement", "difference"}
    assert found["settings"]["random_share"] == 0.3


def test_a_judge_is_taken_beside_scores(charm: Charm, files: Path) -> None:
    texts = responses(30, POLICIES).frame
    rows = [(p, "m0", "m1", 1.0) for p in texts["prompt_id"].unique(maintain_order=True)]
    margins = judge(rows).margins
    assert margins is not None
    save(margins, files / "judged.parquet")
    result = charm(
        "study", "plan", files / "responses.parquet", "--scores", files / "before.parquet", "--judgements", files / "judged.parquet",
        "--comparisons", 10, "--checks", 0,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "chosen from 30 comparisons" in result.stdout
    assert "420 (a model has no verdict: judged 420)" in result.stderr


def test_one_model_is_planned_at_random(charm: Charm, files: Path) -> None:
    result = charm(
        "study", "plan", files / "responses.parquet", "--scores", files / "before.parquet", "--checks", 0
    )
    assert result.exit_code == 0, result.output
    assert "all at random: there are no two models to disagree" in result.stdout


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--votes", 10), "--comparisons and --votes say the same thing"),
        (("--random-share", 2), "2 is no share"),
        (("--policy", "m9"), "no responses of policy 'm9'"),
        (("--scores", "before=nowhere.parquet"), "2 models are called 'before'"),
        (("--scores", "nowhere.parquet"), "nowhere.parquet: no such file"),
    ],
)
def test_what_cannot_be_planned_is_refused(
    charm: Charm, files: Path, more: tuple[object, ...], said: str
) -> None:
    result = _plan(charm, files, *more)
    assert result.exit_code == 2
    assert said in result.stderr.replace("\n", " ")


def test_no_output_replaces_what_is_read(charm: Charm, files: Path) -> None:
    pytest.importorskip("sqlalchemy")
    result = _plan(charm, files, "-o", files / "after.parquet", "--force")
    assert result.exit_code == 2
    assert Responses(pl.read_parquet(files / "responses.parquet")).frame.height == 180
    assert pl.read_parquet(files / "after.parquet").height == 180


@pytest.mark.parametrize("name", ["study.parquet", "study.CSV", "study.jsonl"])
def test_a_study_is_not_called_like_a_table(charm: Charm, files: Path, name: str) -> None:
    pytest.importorskip("sqlalchemy")
    result = _plan(charm, files, "-o", files / name)
    assert result.exit_code == 2
    assert "a study is a database" in result.stderr
    assert "study.db" in result.stderr
    assert not (files / name).exists()
