"""The option ``reward``: how it is read, and what it makes of several outputs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.errors import ConfigError, ModelError
from charm_rm.models.loading.reduction import parse_reward, reduce

LABELS = {0: "helpful", 1: "honest", 2: "short"}


def made(text: str | None, n: int = 3) -> tuple[list[float], str]:
    weights, words = reduce((text and parse_reward(text)) or None, n, LABELS if n == 3 else None, where="m")
    return list(weights), words


def test_each_form() -> None:
    assert made("output:1") == ([0, 1, 0], "output 1 of 3 (honest)")
    assert made("Honest") == made("output:1")
    assert made("mean") == ([1 / 3] * 3, "the mean of the 3 outputs")
    assert made("weights:1,0,-0.5") == ([1, 0, -0.5], "the sum of the 3 outputs weighted 1,0,-0.5")
    assert made(None, 1) == ([1], "the one output of the head")
    assert made("output:0", 1)[0] == made("mean", 1)[0] == [1]


@given(st.lists(st.floats(-10, 10).filter(lambda w: w != 0), min_size=1, max_size=6))
def test_weights_come_back_as_written(weights: list[float]) -> None:
    choice = parse_reward("weights:" + ",".join(map(repr, weights)))
    np.testing.assert_array_equal(reduce(choice, len(weights), where="m")[0], weights)
    assert parse_reward(str(choice)) == choice


@pytest.mark.parametrize(
    "text",
    ["output:", "output:x", "output:-1", "weights:", "weights:a,b", "weights:0,0", "weights:nan", "head:"],
)
def test_what_cannot_be_read(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_reward(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"3 outputs.*'helpful', 'honest', 'short'"),
        ("output:3", "no output 3"),
        ("honesty", r"Did you mean 'honest'"),
        ("weights:1,2", "2 weights for 3 outputs"),
    ],
)
def test_what_does_not_fit_the_model(text: str | None, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        made(text)


def test_where_the_head_is_said_elsewhere() -> None:
    for text in ("head:v_head", "token:0", "like:ultrarm"):
        assert not parse_reward(text).reduces
