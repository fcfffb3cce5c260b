"""Where an answer begins: no words of a system message are lost, whatever the chat template makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from charm_rm.errors import ModelError
from charm_rm.models.openings import joins_system, layout_words, opening_ids
from charm_rm.models.rendering import system_message

pytestmark = pytest.mark.models
SYSTEM, ASKED = {"role": "system", "content": "p1"}, {"role": "user", "content": "p2"}
KEEPS = "{% for m in messages %}<{{ m['role'] }}> {{ m['content'] }} {% endfor %}"
LOSES = "{% for m in messages if m['role'] != 'system' %}<{{ m['role'] }}> {{ m['content'] }} {% endfor %}"
REFUSES = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}" + KEEPS
SHOUTS = "{% for m in messages %}<{{ m['role'] }}> {{ m['content'] | upper }} {% endfor %}"


def tokens(template: str | None, *turns: dict[str, str], make: Any) -> str:
    tokenizer = make(template)
    return str(tokenizer.decode(opening_ids(tokenizer, list(turns), where="here")))


@pytest.mark.parametrize(
    ("template", "made", "opening"),
    [
        (KEEPS, "kept", "<system> p1 <user> p2"),
        (LOSES, "left out", "<user> p1 p2"),
        (REFUSES, "refused", "<user> p1 p2"),
    ],
)
def test_a_system_message_is_read_whatever_the_template_makes_of_it(
    make_tokenizer: Any, template: str, made: str, opening: str
) -> None:
    tokenizer = make_tokenizer(template)
    assert system_message(tokenizer) == made
    assert joins_system(tokenizer) == (made != "kept")
    assert bool(layout_words(tokenizer)) == (
        made == "left out"
    )  # other answers than before: another fingerprint
    assert tokens(template, SYSTEM, ASKED, make=make_tokenizer) == opening
    assert tokens(template, ASKED, make=make_tokenizer) == "<user> p2"


def test_what_a_template_rewrites_is_not_taken_for_lost(make_tokenizer: Any) -> None:
    shouted = {"role": "system", "content": "p1 p3"}
    assert tokens(SHOUTS, shouted, ASKED, make=make_tokenizer).count("<user>") == 1
    assert "<system>" in tokens(SHOUTS, shouted, ASKED, make=make_tokenizer)


def test_without_a_template_roles_are_written_out(make_tokenizer: Any) -> None:
    assert not joins_system(make_tokenizer(None))
    assert "System : p1" in tokens(None, SYSTEM, ASKED, make=make_tokenizer)


def test_a_template_that_refuses_more_than_the_system_message_is_an_error(make_tokenizer: Any) -> None:
    with pytest.raises(ModelError, match="refuses a conversation of user"):
        tokens("{{ raise_exception('nobody') }}", SYSTEM, ASKED, make=make_tokenizer)
