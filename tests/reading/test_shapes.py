"""A JSON document of another shape is refused with the place in it."""

from __future__ import annotations

from typing import Any

import pytest

from charm_rm.errors import UnreadableFile
from charm_rm.reading.shapes import NUMBER, Maybe, check_shape

SHAPE = {"name": str, "rows": Maybe([{"value": NUMBER, "low": Maybe(NUMBER)}]), "more": Maybe(dict)}


@pytest.mark.parametrize(
    "value",
    [
        {"name": "a"},
        {"name": "a", "rows": None, "other": [1]},
        {"name": "a", "rows": [], "more": {}},
        {"name": "a", "rows": [{"value": 1}, {"value": 0.5, "low": None}]},
    ],
)
def test_what_fits(value: Any) -> None:
    check_shape(value, SHAPE, where="f.json")


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ([], "the document should be an object"),
        ({}, "name should be text, found 'None'"),
        ({"name": 3}, "name should be text, found '3'"),
        ({"name": "a", "rows": {}}, "rows should be a list"),
        ({"name": "a", "rows": [3]}, r"rows\[0\] should be an object"),
        ({"name": "a", "rows": [{"value": 1}, {"value": True}]}, r"rows\[1\].value should be a whole number or a number"),
        ({"name": "a", "rows": [{"value": 1, "low": "x"}]}, r"rows\[0\].low"),
        ({"name": "a", "more": 1}, "more should be an object"),
    ],
)  # fmt: skip
def test_what_does_not_is_named(value: Any, place: str) -> None:
    with pytest.raises(UnreadableFile, match=place) as caught:
        check_shape(value, SHAPE, where="f.json")
    assert caught.value.where == "f.json"
