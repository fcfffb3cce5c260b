"""Conversations through a chat template: the day stands still, and a template that refuses says why."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from charm_rm.errors import ModelError
from charm_rm.models.rendering import PINNED_DATE, pin_clock, render_chat

pytestmark = pytest.mark.models
TURNS = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]
WRITES = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def test_a_template_without_a_clock_is_left_alone() -> None:
    assert pin_clock(WRITES) == WRITES


def test_the_answers_turn_is_opened_on_request(make_tokenizer: Any) -> None:
    tokenizer = make_tokenizer(WRITES)
    assert render_chat(tokenizer, TURNS) == "<user>hi<assistant>yo"
    assert render_chat(tokenizer, TURNS[:1], open_turn=True) == "<user>hi<assistant>"


@pytest.mark.parametrize("clock", ["strftime_now('%d.%m.%Y')", "date_string"])
def test_the_day_stands_still(make_tokenizer: Any, clock: str) -> None:
    tokenizer = make_tokenizer("{{ " + clock + " }}")
    assert render_chat(tokenizer, TURNS) in ("26.07.2024", "26 Jul 2024")
    assert datetime.date(2024, 7, 26) == PINNED_DATE


def test_another_day_is_told_as_a_string(make_tokenizer: Any) -> None:
    day = datetime.date(2001, 2, 3)
    assert render_chat(make_tokenizer("{{ date_string }}"), TURNS, date=day) == "03 Feb 2001"


def test_a_template_that_refuses_names_roles_model_and_reason(make_tokenizer: Any) -> None:
    with pytest.raises(ModelError, match="conversation of user, assistant: no turns today") as caught:
        render_chat(make_tokenizer("{{ raise_exception('no turns today') }}"), TURNS, where="my-model")
    assert caught.value.where == "my-model"
