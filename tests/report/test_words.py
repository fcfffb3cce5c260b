"""Numbers and text as shown."""

from __future__ import annotations

import math
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from charm_rm.report.words import chance, clean, elo, flatten, interval, number, snippet


def test_numbers_by_hand() -> None:
    assert number(-0.1234) == "\u22120.123"
    assert number(1234.5, 1) == "1,234.5"
    assert number(-0.0001, signed=True) == "0.000"
    assert number(None) == number(math.nan) == "–"
    assert elo(262.4) == "+262"
    assert interval(-1, 2, 0, signed=True) == "[\u22121, +2]"
    assert interval(None, 2, 0) == "(open, 2]"
    assert interval(None, None) == ""


def test_snippets_of_text_and_of_messages() -> None:
    assert snippet([{"role": "user", "content": "one"}, {"role": "user", "content": "two"}]) == "one\ntwo"
    assert snippet("x" * 400) == "x" * 319 + "…"
    assert snippet(None) == ""


def test_flatten_keeps_order_and_paths() -> None:
    assert flatten({"a": {"b": 1, "c": [1, 2]}, "d": [{"e": None}]}) == [
        ("a › b", "1"),
        ("a › c", "1, 2"),
        ("d › 1 › e", "–"),
    ]


@given(st.text())
def test_clean_text_is_always_valid_xml(text: str) -> None:
    element = ElementTree.Element("a", {"b": clean(text)})
    back = ElementTree.fromstring(ElementTree.tostring(element, encoding="unicode"))
    assert back.get("b") == clean(text)


@given(st.floats(-1e6, 1e6), st.integers(0, 4))
def test_a_shown_number_reads_back(value: float, digits: int) -> None:
    shown = number(value, digits, signed=True)
    back = float(shown.replace("\u2212", "-").replace(",", ""))
    assert abs(back - value) <= 0.5000001 * 10**-digits


def test_no_chance_is_shown_as_nothing() -> None:
    assert [chance(p) for p in (0.0, 9e-5, 1e-4, 0.25, None)] == [
        "<0.0001",
        "<0.0001",
        "0.0001",
        "0.2500",
        "–",
    ]
