"""Time grows with the text and no faster, whatever the text: responses are untrusted."""

from __future__ import annotations

import time
from collections.abc import Sequence

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charm_rm.features import FEATURES, Feature
from charm_rm.features.measure import measure_raw
from charm_rm.features.texts import text_frame

# Each starts something that never ends, or ends at once and could have gone on.
UNITS = ["*", "a ", "a", "a'", "'", "`", "```\n", "```a\n", "```a\n~~~\n~~~\n", "|", "\n|a", "\n|-", "](", "](https://a ", "\n", " ", "\n ",
         ".'", 'a."', '"', "“", '“"a"', "**a ", "**a**", "*a*", "\n#", "\n- ", "\n1.", "e\u0301", "\u0301", "你", "👨\u200d", "🇩", "\U000e0020",
         "1\ufe0f\u20e3", "sorry ", "what a great ", "i hope this ", "it depends ", "\r", "\x00", "x \n"]  # fmt: skip
SMALL, TIMES = 40_000, 8
ALL = tuple(FEATURES.values())


def seconds(unit: str, size: int, features: Sequence[Feature]) -> float:
    """Processor time of the features of one text of so many bytes."""
    text = unit * (size // len(unit.encode()) + 1)
    frame = text_frame([text], [text])
    start = time.process_time()
    measure_raw(frame, features)
    return time.process_time() - start


def assert_linear(unit: str, features: Sequence[Feature] = ALL, size: int = SMALL) -> None:
    """Quadratic time would grow 64-fold; a start-up of some milliseconds is allowed for."""
    small = min(seconds(unit, size, features) for _ in range(2))
    large = min(seconds(unit, TIMES * size, features) for _ in range(2))
    assert large < 3 * TIMES * small + 0.1, f"{unit!r}: {small:.3f} s, then {large:.3f} s"


@pytest.mark.parametrize("unit", UNITS)
def test_worst_cases_of_patterns(unit: str) -> None:
    assert_linear(unit)


@settings(max_examples=15)
@given(st.text("`~*#-|>!.\"'“”([])_:/0 \n\ta\u0301", min_size=1, max_size=6))
def test_any_repeated_piece(unit: str) -> None:
    assert_linear(unit)


@pytest.mark.parametrize("text", ["*" * 1_000_000, "a " * 500_000, '"' * 1_000_000])
def test_a_megabyte_is_measured_in_a_second_or_two(text: str) -> None:
    start = time.process_time()
    measure_raw(text_frame([""], [text]), list(FEATURES.values()))
    assert time.process_time() - start < 5


def test_the_check_itself_sees_quadratic_time() -> None:
    """Each match of the second kind is sure only when the first kind has failed, at the end of the text."""
    careless = Feature(
        "quotes", "form", "", 1, False, False, lambda: pl.col("response").str.count_matches('“[^”]+”|"[^"]+"')
    )
    with pytest.raises(AssertionError):
        assert_linear('“"a"', [careless], size=8_000)
