"""Typed errors, and the warnings that a result carries along."""

from __future__ import annotations

import ast
import warnings
from pathlib import Path

import pytest

from charm_rm import errors
from charm_rm.errors import CharmError, CharmWarning, counted, first_line, noting_warnings, verb
from charm_rm.estimates import signed
from source_trees import nodes


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


def fails_after(text: str, kind: type[Warning]) -> None:
    """Work that warns twice and then fails: its own error comes through."""
    with pytest.raises(KeyError), noting_warnings():
        warnings.warn(text, kind, stacklevel=1)
        warnings.warn(text, kind, stacklevel=1)
        raise KeyError("x")


def test_what_was_warned_of_is_said_where_the_work_fails() -> None:
    with pytest.warns(CharmWarning, match="few prompts") as said:
        fails_after("few prompts", CharmWarning)
    assert [str(w.message) for w in said] == ["few prompts"]


def test_other_warnings_are_said_where_the_work_fails() -> None:
    with pytest.warns(RuntimeWarning, match="overflow"):
        fails_after("overflow", RuntimeWarning)


def test_a_warning_that_is_an_error_does_not_hide_what_failed() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", CharmWarning)
        fails_after("few prompts", CharmWarning)


def test_a_count_has_its_noun_in_the_right_number() -> None:
    assert [counted(n, "prompt") for n in (0, 1, 2, 1000)] == [
        "0 prompts",
        "1 prompt",
        "2 prompts",
        "1,000 prompts",
    ]
    assert counted(2, "policy", "policies") == "2 policies"
    assert [verb(n, "says", "say") for n in (0, 1, 2)] == ["say", "says", "say"]


def test_what_rounds_to_nothing_has_no_sign() -> None:
    assert [signed(v) for v in (0.3, -0.3, 0.0, -0.0, 0.6, -12.4)] == ["0", "0", "0", "0", "+1", "-12"]
    assert [signed(v, 1) for v in (0.04, -0.04, -0.06)] == ["0.0", "0.0", "-0.1"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("it is so", "it is so"),
        ("it is so\nand a long report", "it is so"),
        ("  \nit is so", "it is so"),
        ("Error(s) in loading state_dict for X:\n\tsize mismatch for a.b: (1, 2)\n\tsize", "Error(s) in loading state_dict for X: size mismatch for a.b: (1, 2)"),
        ("Class validation error for validator 'v':\n    ValueError: no such head", "Class validation error for validator 'v': ValueError: no such head"),
        ("1 validation error for Config\nname\n  Field required [type=missing]", "1 validation error for Config name Field required [type=missing]"),
        ("404 Client Error. (Request ID: abc)\n\nRepository Not Found for url: x.", "404 Client Error. (Request ID: abc) Repository Not Found for url: x."),
        ("For details look above:", "For details look above"),
        ("a:\nb:\nc", "a: b: c"),
    ],
)  # fmt: skip
def test_the_cause_is_not_cut_off(text: str, line: str) -> None:
    assert first_line(ValueError(text)) == line


def test_an_error_without_words_is_its_kind() -> None:
    assert first_line(ValueError("")) == "ValueError"
    assert first_line(KeyError("model_type")) == "KeyError: 'model_type'"


def test_every_error_says_what_to_do() -> None:
    """By reading the source: an error that is raised without ``fix`` leaves its reader alone."""
    kinds = {
        name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, CharmError)
    }
    silent = []
    for path in Path(errors.__file__).parent.rglob("*.py"):
        for node in nodes(path):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in kinds:
                given = {keyword.arg for keyword in node.keywords}
                if not given & {"fix", "extra", None}:
                    silent.append(f"{path.name}:{node.lineno}")
    assert silent == []
