"""What sets a policy apart: by hand, and what cannot be told."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from charm_rm.features import StyleFeatures, summarise_style


def features(rows: list[tuple[str, str, float]], name: str = "bold") -> StyleFeatures:
    """Rows of prompt, policy, value."""
    return StyleFeatures(pl.DataFrame(rows, schema=["prompt_id", "policy", name], orient="row"))


def test_by_hand() -> None:
    rows = [
        ("p", "a", 3.0),
        ("p", "b", 1.0),
        ("p", "c", 0.0),
        ("q", "a", 1.0),
        ("q", "b", 1.0),
        ("r", "a", 5.0),
    ]
    found = summarise_style(features(rows)).row(0, named=True)
    spread = np.std([3.0, 1, 0, 1, 1, 5])
    assert (found["policy"], found["feature"], found["responses"], found["shared"]) == ("a", "bold", 3, 2)
    assert found["mean"] == pytest.approx(3)
    assert found["others"] == pytest.approx((0.5 + 1) / 2)
    assert found["difference"] == pytest.approx(((3 - 0.5) + (1 - 1)) / 2 / spread)
    assert found["typical"] == pytest.approx(math.exp(3) - 1)
    assert found["typical_others"] == pytest.approx(math.exp(0.75) - 1)


def test_what_is_no_logarithm_is_typical_as_it_is() -> None:
    found = summarise_style(features([("p", "a", 4.0), ("p", "b", 5.0)], "word_length"))
    assert found["typical"].to_list() == [4, 5]


def test_one_policy_and_a_constant_feature_have_no_difference() -> None:
    assert summarise_style(features([("p", "a", 1.0), ("q", "a", 2.0)]))["difference"].to_list() == [None]
    constant = summarise_style(features([("p", "a", 1.0), ("p", "b", 1.0)]))
    assert constant["difference"].to_list() == [None, None]
    assert constant["others"].to_list() == [1, 1]


def test_policies_are_sorted_and_features_stay_in_order() -> None:
    table = pl.DataFrame(
        {"prompt_id": ["p", "p"], "policy": ["z", "a"], "words": [1.0, 2.0], "bold": [0.0, 1.0]}
    )
    found = summarise_style(StyleFeatures(table))
    assert found.select("policy", "feature").rows() == [
        ("a", "words"),
        ("a", "bold"),
        ("z", "words"),
        ("z", "bold"),
    ]
