"""Pairs in one form: one prompt, one header a turn, whatever way they were written."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charm_rm.errors import CharmWarning, SchemaError
from charm_rm.preferences import as_preferences, load_preferences
from charm_rm.turns import (
    CONTINUED,
    EMPTY_END,
    JOINED,
    REPEATED,
    REPEATED_LOOSELY,
    SPACES,
    TWICE,
    canonical_pair,
)


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def model(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


SYSTEM = {"role": "system", "content": "Be brief."}
Q, GOOD, BAD = user("q"), model("good"), model("bad")


def read(prompt: Any, chosen: Any, rejected: Any) -> tuple[list, str, str, tuple[str, ...]]:
    pair = canonical_pair(prompt, chosen, rejected)
    assert pair is not None
    assert len(pair.chosen) == len(pair.rejected) == 1
    return pair.prompt, pair.chosen[0]["content"], pair.rejected[0]["content"], pair.changes


@pytest.mark.parametrize(
    ("prompt", "chosen", "rejected", "right", "changes"),
    [
        ("\n\nHuman: q\n\nAssistant:", " good", " bad", [Q], (EMPTY_END,)),
        ("\n\nHuman: q\n\nAssistant: ", "good ", "bad", [Q], (EMPTY_END,)),
        ("Human: q\n\nAssistant:", "good", "bad", [Q], (EMPTY_END,)),
        ("\n\nHuman: q", "\n\nAssistant: good", "\n\nAssistant: bad", [Q], ()),
        ([Q, model("")], [GOOD], [BAD], [Q], (EMPTY_END,)),
        ([Q, model(" \n"), model("")], "good", "bad", [Q], (EMPTY_END,)),
        ("\n\nHuman: q\n\nAssistant:", "\n\nHuman: q\n\nAssistant: good", "\n\nHuman: q\n\nAssistant: bad", [Q], (EMPTY_END, REPEATED)),
        ("q", [Q, GOOD], [Q, BAD], [Q], (REPEATED,)),
        ("q\n", [Q, GOOD], [Q, BAD], [Q], (REPEATED_LOOSELY,)),
        ("q", [SYSTEM, Q, GOOD], [SYSTEM, Q, BAD], [SYSTEM, Q], (REPEATED,)),
        (" q", [SYSTEM, Q, GOOD], [SYSTEM, Q, BAD], [SYSTEM, Q], (REPEATED_LOOSELY,)),
        ([SYSTEM, Q], [Q, GOOD], [Q, BAD], [SYSTEM, Q], (REPEATED,)),
        ([SYSTEM, Q], [user("q "), model("x"), user("r"), GOOD], [user("q "), model("x"), user("r"), BAD], [SYSTEM, user("q "), model("x"), user("r")], (REPEATED_LOOSELY,)),
        ("q", [user("p"), model("x"), Q, GOOD], [user("p"), model("x"), Q, BAD], [user("p"), model("x"), Q], (REPEATED,)),
        ("p", [SYSTEM, user("p"), model("x"), Q, GOOD], [SYSTEM, user("p"), model("x"), Q, BAD], [SYSTEM, user("p"), model("x"), Q], (REPEATED,)),
        (None, [user("q \n"), GOOD], [Q, BAD], [user("q \n")], (SPACES,)),
        (None, [Q, Q, GOOD], [Q, Q, BAD], [Q], (TWICE,)),
        (None, [user("one"), user("two"), GOOD], [user("one"), user("two"), BAD], [user("one\n\ntwo")], (JOINED,)),
        ("q", [Q, GOOD], "bad", [Q], (REPEATED,)),
        ("q", "good", [Q, BAD], [Q], (REPEATED,)),
        ("q", GOOD, {"from": "gpt", "value": "bad"}, [Q], ()),
        ("q", [{"from": "gpt", "value": "good"}], [{"from": "gpt", "value": "bad"}], [Q], ()),
        (None, [{"from": "human", "value": "q"}, {"from": "gpt", "value": "good"}], [{"role": "User", "content": "q"}, {"role": "Bot", "content": "bad"}], [Q], ()),
    ],
)  # fmt: skip
def test_the_same_pair(
    prompt: Any, chosen: Any, rejected: Any, right: list, changes: tuple[str, ...]
) -> None:
    assert read(prompt, chosen, rejected) == (right, "good", "bad", changes)


@pytest.mark.parametrize(
    ("end", "response", "whole"),
    [
        ("Sure,", " here", "Sure, here"),
        ("Sure,\n", "here", "Sure,\nhere"),
        ("Sure,", "here", "Sure, here"),
        ("Sure", "", "Sure"),
    ],
)
def test_a_prompt_that_ends_with_an_assistant_turn_begins_the_response(
    end: str, response: str, whole: str
) -> None:
    assert read([Q, model(end)], response, "bad")[:2] == ([Q], whole)
    assert read([Q, model(end)], [model(response)], "bad")[3] == (CONTINUED,)


@pytest.mark.parametrize(
    ("prompt", "chosen", "rejected", "message"),
    [
        (None, [Q, GOOD], [user("other"), BAD], "answer different prompts"),
        (None, [SYSTEM, Q, GOOD], [Q, BAD], "answer different prompts"),
        ("q", [SYSTEM, Q, GOOD], [Q, BAD], "answer different prompts"),
        (None, "\n\nHuman: a\n\nAssistant: x", "\n\nHuman: b\n\nAssistant: y", "answer different prompts"),
        ("other", [Q, GOOD], [Q, BAD], "no one prompt"),
        ([SYSTEM | {"content": "Other."}, Q], [SYSTEM, Q, GOOD], [SYSTEM, Q, BAD], "no one prompt"),
        ([model("hello")], "good", "bad", "no turn of the user"),
        ("", [Q], [Q], "not the assistant's"),
        (None, "good", "bad", "no prompt"),
        ([Q | {"content": [{"type": "image", "url": "x"}]}], "good", "bad", "part of type 'image'"),
        ([{"role": "user", "content": None}], "good", "bad", "expected text or a list of messages"),
    ],
)
def test_what_is_no_one_pair_is_refused_with_its_row(
    prompt: Any, chosen: Any, rejected: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(SchemaError, match=message):
        canonical_pair(prompt, chosen, rejected)
    path = tmp_path / "pairs.jsonl"
    rows = [
        {"prompt": "q", "chosen": "a", "rejected": "b"},
        {"prompt": prompt, "chosen": chosen, "rejected": rejected},
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(SchemaError, match=f"(row 1|line 2).*{message}"):
        load_preferences(path)


def test_what_was_changed_is_counted_and_said() -> None:
    frame = pl.DataFrame(
        {"prompt": ["q\n", "q", "q "], "chosen": [[Q, GOOD]] * 3, "rejected": [[Q, BAD]] * 3}
    )
    with pytest.warns(CharmWarning, match=f"3 pairs: 2 times {REPEATED_LOOSELY}$"):
        pairs = as_preferences(frame)
    assert pairs.provenance["canonicalised"] == {REPEATED_LOOSELY: 2, REPEATED: 1}


TEXTS = st.sampled_from(["", " ", "q", "q ", "Sure", "x\n\ny"])
TURNS = st.lists(
    st.builds(
        lambda r, c: {"role": r, "content": c}, st.sampled_from(["system", "user", "assistant"]), TEXTS
    ),
    max_size=4,
)


@given(prompt=TURNS, context=TURNS, chosen=TEXTS, rejected=TEXTS)
@settings(max_examples=300, deadline=None)
def test_no_speaker_has_two_turns_in_a_row(prompt: list, context: list, chosen: str, rejected: str) -> None:
    try:
        pair = canonical_pair(prompt or None, [*context, model(chosen)], [*context, model(rejected)])
    except SchemaError:
        return
    assert pair is not None
    turns = [m["role"] for m in [*pair.prompt, *pair.chosen]]
    assert all(one != after or one == "system" for one, after in itertools.pairwise(turns))
    again = canonical_pair(pair.prompt, pair.chosen, pair.rejected)
    assert again is not None
    assert (again.prompt, again.chosen, again.rejected, again.changes) == (
        pair.prompt,
        pair.chosen,
        pair.rejected,
        (),
    )
