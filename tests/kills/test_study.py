"""Commands of a study killed outright: there is no file or a whole one, nothing else is left, and the command can be given again.

A study's file holds a secret and names drawn anew, so its tables are compared without these (:mod:`study_tables`). SQLite writes below
Python, where no file-system event is seen; so what makes a study dies at random moments, too.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import study_tables
from charm_rm import store
from charm_rm.tables import Scores
from kills.plans import Outcome, Plan, judge, kill
from kills.test_kills import CORE, KILLS, Tell, words

pytestmark = pytest.mark.slow
_STUDY = (
    "charm_rm.study.database.study_database",
    "charm_rm.study.planning.plan",
    "charm_rm.study.importing.votes",
)
_ANALYSIS = (
    "charm_rm.study.analysis",
    "charm_rm.report.study",
    "charm_rm.report.figures.study",
    "nltk.metrics.agreement",
)
# How many kills each gets; figures take seconds to draw.
AT_MOMENTS = {
    "study plan": KILLS,
    "study plan --force": KILLS,
    "study import": KILLS,
    "study analyse": KILLS // 2,
}
AT_EVENTS = {
    "study plan": 12,
    "study plan --force": 12,
    "study import": 12,
    "study analyse --force": 5,
    "study export": 10,
}


@pytest.fixture(scope="module")
def study(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with votes of six raters, and two models; beside it the tables that it is made of."""
    pytest.importorskip("sqlalchemy", reason="needs the [study] extra")
    pytest.importorskip("nltk", reason="needs the [study] extra")
    folder = tmp_path_factory.mktemp("study")
    scores = store.load(Scores, inputs / "scores.parquet")
    length = store.read_frame(inputs / "responses.parquet")["response"].str.len_chars()
    store.save(
        Scores(scores.frame.with_columns(score=pl.col("score") - length / 50)), folder / "after.parquet"
    )
    votes = store.read_frame(inputs / "battles.parquet").head(300).with_row_index()
    votes.select(
        "prompt_id", "policy_a", "policy_b", "winner", rater=pl.format("rater {}", pl.col("index") % 6)
    ).write_csv(folder / "votes.csv")
    _charm(*_imported(inputs, folder), "-o", folder / "study.db")
    shutil.copyfile(folder / "study.db", folder / "as-it-was.db")
    return folder / "study.db"


def _imported(inputs: Path, folder: Path) -> tuple[object, ...]:
    return (
        *("study", "import", folder / "votes.csv", "--responses", inputs / "responses.parquet"),
        *("--scores", f"before={inputs / 'scores.parquet'}", "--scores", f"after={folder / 'after.parquet'}"),
    )


@pytest.fixture(scope="module")
def plans(inputs: Path, study: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Plan]:
    """Each command as it is killed; those with ``--force`` replace an older output."""
    planned = (
        *("study", "plan", inputs / "responses.parquet", "--comparisons", 60),
        *(
            "--scores",
            f"before={inputs / 'scores.parquet'}",
            "--scores",
            f"after={study.parent / 'after.parquet'}",
        ),
    )
    analysed = ("study", "analyse", study)
    old = {name: tmp_path_factory.mktemp("old") for name in ("plan", "analyse")}
    _charm(*planned, "--seed", 5, "-o", old["plan"] / "study.db")
    _charm(*analysed, "--without", "rater 0", "-o", old["analyse"] / "analysis")
    one_study: dict[str, Any] = {
        "whole": ("study.db",), "differs": {"study.db": study_tables.same}, "preload": (*CORE, *_STUDY),
        "hook": "kills.hooks:slow_tables",
    }  # fmt: skip
    read: dict[str, Any] = {"preload": (*CORE, *_STUDY, *_ANALYSIS)}
    return {
        "study plan": Plan((*planned, "-o", "study.db"), "study.db", **one_study),
        "study plan --force": Plan(
            (*planned, "-o", "study.db", "--force"), None, before=old["plan"], **one_study
        ),
        "study import": Plan((*_imported(inputs, study.parent), "-o", "study.db"), "study.db", **one_study),
        "study analyse": Plan((*analysed, "-o", "analysis"), "analysis", whole=("analysis",), **read),
        "study analyse --force": Plan(
            (*analysed, "-o", "analysis", "--force"), None, before=old["analyse"], whole=("analysis",), **read
        ),
        "study export": Plan(
            ("study", "export", study, "-o", "battles.parquet"), "battles.parquet", whole=("battles.parquet",), **read
        ),
    }  # fmt: skip


def _charm(*arguments: object) -> None:
    from charm_rm.cli import main

    main([str(a) for a in arguments], standalone_mode=False)


@pytest.fixture(scope="module")
def killed_at_events(plans: dict[str, Plan], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    at_events = {name: replace(plans[name], events=True, kills=kills) for name, kills in AT_EVENTS.items()}
    return kill(at_events, tmp_path_factory.mktemp("events"))


@pytest.fixture(scope="module")
def killed_at_moments(plans: dict[str, Plan], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    at_moments = {name: replace(plans[name], kills=kills) for name, kills in AT_MOMENTS.items()}
    return kill(at_moments, tmp_path_factory.mktemp("moments"))


@pytest.mark.parametrize("name", AT_EVENTS)
def test_at_file_system_events(
    plans: dict[str, Plan], killed_at_events: dict[str, Outcome], tell: Tell, name: str
) -> None:
    outcome = killed_at_events[name]
    judge(plans[name], outcome)
    assert len(outcome.kills) >= min(AT_EVENTS[name], outcome.events or 0) > 0
    tell(words(name, outcome))


@pytest.mark.parametrize("name", AT_MOMENTS)
def test_at_random_moments(
    plans: dict[str, Plan], killed_at_moments: dict[str, Outcome], tell: Tell, name: str
) -> None:
    outcome = killed_at_moments[name]
    assert len(outcome.kills) == AT_MOMENTS[name]
    assert outcome.late >= len(outcome.kills) / 5, "most kills came before the work"
    judge(plans[name], outcome)
    tell(words(name, outcome))


@pytest.mark.usefixtures("killed_at_events", "killed_at_moments")
def test_the_study_that_is_read_is_unharmed(study: Path) -> None:
    """Whoever was killed while reading it may have left SQLite's files beside it; who opens it next clears them away."""
    from charm_rm.study.database import open_study

    with open_study(study) as database:
        database.read()
    was = study.with_name("as-it-was.db")
    assert study_tables.tables(study.read_bytes()) == study_tables.tables(was.read_bytes())
    assert sorted(p.name for p in study.parent.glob("study.db*")) == ["study.db"]
