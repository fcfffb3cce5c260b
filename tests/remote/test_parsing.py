"""JSON of servers: what it says once, within limits."""

from __future__ import annotations

import json
import math
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.remote.parsing import MOST_VALUES, parse_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_it_is_what_was_written(value: object) -> None:
    assert parse_json(json.dumps(value).encode()) == value


def test_nan_and_infinities_pass() -> None:
    nan, low = parse_json(b"[NaN, -Infinity]")
    assert math.isnan(nan)
    assert low == -math.inf


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"score": 1, "score": 2}', "twice"),
        (b'[{"a": {"b": 1, "b": 1}}]', "twice"),
        (b'{"a": 1, "\\u0061": 2}', "twice"),
        (b"[" * 100_000, "nested|recursion"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested|recursion"),
        (b"9" * 5000, "digits"),
        (b"[" + b"[]," * MOST_VALUES + b"0]", "4,000,000 values"),
        (b"", "Expecting value"),
        (b"{'a': 1}", "quotes"),
        (b"\xff\xfe\x00", "decode"),
    ],
)
def test_what_it_cannot_be(body: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_json(body)


def test_what_is_small_on_the_wire_is_not_unfolded() -> None:
    body = b"[" + b"{}," * 20_000_000 + b"0]"
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="values"):
            parse_json(body)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
