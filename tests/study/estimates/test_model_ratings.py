"""Ratings by models' verdicts on all candidates."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from charm_rm.errors import CharmWarning
from charm_rm.study.estimates.model_ratings import model_rating_table
from charm_rm.study.nouns import Counted

PAIRS = (("ant", "bee"), ("ant", "cat"), ("bee", "cat"))


def _counted(margins: list[list[float]], name: str = "judge") -> Counted:
    rows = [(f"p{i}", *pair, m) for i, row in enumerate(margins) for pair, m in zip(PAIRS, row, strict=True)]
    columns = ["prompt_id", "policy_a", "policy_b", f"margin_{name}"]
    return Counted(pl.DataFrame(), pl.DataFrame(rows, schema=columns, orient="row"), (name,))


def test_two_policies_of_three_win_as_often_as_their_ratings_say() -> None:
    """A round robin in which ant wins 6 of 8 against each of the others, who tie: 2 log 3 / 3 and −log 3 / 3 in log-odds."""
    margins = [[1.0, 2.0, 0.0]] * 6 + [[-1.0, -3.0, 0.0]] * 2
    table = model_rating_table(_counted(margins))
    assert table["policy"][0] == "ant"
    unit = 400 / np.log(10) * np.log(3)
    told = dict(table.select("policy", "rating").iter_rows())
    assert told["ant"] == pytest.approx(1000 + 2 / 3 * unit, abs=1e-4)
    assert told["bee"] == pytest.approx(told["cat"], abs=1e-4)
    assert table["comparisons"].to_list() == [16, 16, 16]
    assert (table["ci_low"] < table["rating"]).all()


def test_a_policy_that_a_model_never_prefers_is_told_and_has_ratings_with_a_prior() -> None:
    counted = _counted([[1.0, 1.0, 1.0], [1.0, 1.0, -1.0]])
    with pytest.warns(CharmWarning, match="no ratings by judge"):
        assert model_rating_table(counted).is_empty()
    assert model_rating_table(counted, prior=1.0)["policy"][0] == "ant"
