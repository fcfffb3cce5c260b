"""What votes are held against: each model, and which answer is longer."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from charm_rm.study.nouns import StudyModel
from charm_rm.study.raters.pairs import first_votes
from charm_rm.study.raters.yardsticks import yardsticks
from charm_rm.tables import Margins, Responses
from study.vote_worlds import votes_on


def test_votes_are_counted_against_models_and_lengths_by_hand() -> None:
    """A tie, a margin of 0, a comparison without a verdict and answers of one length are no vote for or against; others are all but one."""
    study = votes_on(
        {"c1": {"u": "a", "v": "b"}, "c2": {"u": "b"}, "c3": {"u": "tie", "v": "a"}, "c4": {"u": "a"}}
    )
    margins = [("prompt of c1", 2.0), ("prompt of c2", 0.0), ("prompt of c3", -1.0)]
    model = Margins(
        pl.DataFrame([{"prompt_id": p, "policy": "p", "reference": "q", "margin": m} for p, m in margins])
    )
    lengths = {"c1": ("xx", "x"), "c2": ("x", "xx"), "c3": ("x", "x"), "c4": ("x", "xxx")}
    texts = [
        {"prompt_id": f"prompt of {c}", "prompt": "?", "policy": policy, "response": text}
        for c, two in lengths.items()
        for policy, text in zip("pq", two, strict=True)
    ]
    told = replace(
        study, models=(StudyModel("judge", margins=model),), responses=Responses(pl.DataFrame(texts))
    )
    found = yardsticks(told, first_votes(told), ["u", "v", "nobody"])
    assert found.names == ("judge", "the longer answer")
    assert found.n.tolist() == [[1, 3], [2, 1], [0, 0]]
    assert found.hits.tolist() == [[1, 2], [0, 0], [0, 0]]
    assert found.others_n.tolist() == [[2, 1], [1, 3], [3, 4]]
    assert found.others[0].tolist() == [0, 0]
    assert yardsticks(study, first_votes(study), ["u"]).n.shape == (1, 0)
