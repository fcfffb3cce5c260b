"""Best of n: the response with the highest score, by the calibrated score where there is a calibrator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrator_fakes import CountingScorer, a_calibrator
from charm_rm.errors import SchemaError
from charm_rm.models.selection import best_of_n

groups = st.lists(st.lists(st.text(alphabet="ab* \n-", max_size=20), min_size=1, max_size=5), max_size=6)


@given(groups)
def test_each_prompts_best_is_the_argmax_of_the_calibrated_scores(responses: list[list[str]]) -> None:
    scorer = CountingScorer()
    known = a_calibrator(scorer)
    prompts = [f"Why {i}?" for i in range(len(responses))]
    found = best_of_n(scorer, prompts, responses, calibrator=known)
    for i, texts in enumerate(responses):
        asked = [prompts[i]] * len(texts)
        scores = scorer(asked, texts) + known.adjust_texts(asked, texts)
        assert found.scores[i] == pytest.approx(scores, abs=1e-12)
        assert found.responses[i] == texts[int(np.argmax(scores))]
    assert len(found.index) == len(responses)


def test_of_equal_responses_the_first_is_chosen() -> None:
    found = best_of_n(CountingScorer(), ["Why?", "How?"], [["b", "b", "a"], ["c", "c"]])
    assert found.index.tolist() == [0, 0]
    assert found.responses == ("b", "c")


def test_a_distaste_changes_the_choice_by_hand() -> None:
    """The model gives "z" 0.84 and "**z**" 3.52: it likes bold, and the calibrator takes more than that away."""
    scorer, texts = CountingScorer(), [["z", "**z**"]]
    assert best_of_n(scorer, ["?"], texts).responses == ("**z**",)
    known = a_calibrator(scorer, weights={"bold": -9.0})
    assert best_of_n(scorer, ["?"], texts, calibrator=known).responses == ("z",)


def test_another_calibrator_scores_nothing_anew(tmp_path: Path) -> None:
    scorer, texts = CountingScorer(), [["a", "b"], ["c"]]
    for weight in (0.0, 1.0, -1.0):
        known = a_calibrator(scorer, weights={"bold": weight})
        best_of_n(scorer, ["x", "y"], texts, calibrator=known, memo=tmp_path / "memo.sqlite")
    assert sum(scorer.asked) == 3


@pytest.mark.parametrize(
    ("prompts", "responses"),
    [(["a"], []), (["a"], [[]]), (["a", "b"], [["c"], "d"]), (["a"], [[None]]), (["a", "b"], [["c"]])],
)
def test_a_prompt_without_responses_is_refused(prompts: list[str], responses: Any) -> None:
    with pytest.raises(SchemaError):
        best_of_n(CountingScorer(), prompts, responses)
