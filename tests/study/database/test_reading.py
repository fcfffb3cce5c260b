"""What is written is what is read."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy", reason="needs the [study] extra")

from charm_rm.study.database import create_study, open_study
from charm_rm.study.exchange import Asked
from charm_rm.study.rules import Rules
from study_worlds import small_study


def test_a_study_comes_back_as_it_was(tmp_path: Path) -> None:
    study = small_study(4, checks=2)
    create_study(tmp_path / "study.db", study).close()
    with open_study(tmp_path / "study.db") as database:
        back = database.read()
    assert back.name == study.name
    assert back.provenance == study.provenance
    assert back.comparisons.frame.equals(study.comparisons.frame)
    assert back.responses is not None
    assert study.responses is not None
    assert back.responses.frame.equals(study.responses.frame)
    assert back.candidates is not None
    assert back.candidates.equals(study.candidates)
    for mine, theirs in zip(study.models, back.models, strict=True):
        assert mine.name == theirs.name
        assert mine.scores is not None
        assert theirs.scores is not None
        assert mine.scores.frame.equals(theirs.scores.frame)
    assert len(back.votes) == 0


def test_what_raters_are_asked_is_that_of_the_facts(tmp_path: Path) -> None:
    study = small_study(2, rules=Rules(question="Which is funnier?"))
    with create_study(tmp_path / "study.db", study) as database:
        assert database.asked() == Asked("Which is funnier?", False)
        database.pause(True)
        assert database.asked() == Asked("Which is funnier?", True)
        facts = database.facts()
        assert database.asked() == Asked(facts.question, facts.paused)
