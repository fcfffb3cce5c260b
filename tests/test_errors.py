"""Typed errors, and the warnings that a result carries along."""

from __future__ import annotations

import warnings

import pytest

from charm_rm.errors import CharmWarning, noting_warnings


def say(*texts: str) -> list[str]:
    with noting_warnings() as notes:
        for text in texts:
            warnings.warn(text, CharmWarning, stacklevel=1)
    return notes


def test_warnings_are_noted_once_and_still_said() -> None:
    with pytest.warns(CharmWarning) as said:
        notes = say("few prompts", "few prompts", "no intervals")
    assert notes == ["few prompts", "no intervals"]
    assert [str(w.message) for w in said] == notes


def test_other_warnings_pass_and_are_no_notes() -> None:
    with pytest.warns(RuntimeWarning, match="overflow"), noting_warnings() as notes:
        warnings.warn("overflow", RuntimeWarning, stacklevel=1)
    assert notes == []


def test_an_error_inside_comes_through() -> None:
    with pytest.raises(KeyError), noting_warnings():
        raise KeyError("x")
