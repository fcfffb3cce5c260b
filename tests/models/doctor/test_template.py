"""What a template says of its own accord, told from its markers, in the shapes that families of models use."""

from __future__ import annotations

import datetime

import pytest

from charm_rm.models.doctor.template import HISTORY, own_words, render, stopped_clock
from charm_rm.models.scoring.encoding import ResponseEncoder

from .patients import DATED, tokenizer

pytestmark = pytest.mark.models
pytest.importorskip("transformers", reason="needs the [hf] extra")

CHATML = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
DEFAULT = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nBe kind.<|im_end|>\n{% endif %}" + CHATML
)
INST = (
    "{% for m in messages %}{% if m['role'] == 'user' %}{{ bos_token }}[INST] {{ m['content'] }} [/INST]"
    "{% else %} {{ m['content'] }} {{ eos_token }}{% endif %}{% endfor %}"
)
HEADERS = "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n\n{{ m['content'] | trim }}<|eot_id|>{% endfor %}"
DATED_HEADERS = (
    "{{ bos_token }}<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\n"
    "Today Date: {{ date_string }}\n\n<|eot_id|>" + HEADERS.removeprefix("{{ bos_token }}")
)
TURNS = "{{ bos_token }}{% for m in messages %}<start_of_turn>{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n{{ m['content'] }}<end_of_turn>\n{% endfor %}"
SPOKEN = "A curious person talks to Ada. {% for m in messages %}{{ m['role'] | upper }}: {{ m['content'] }} {% endfor %}"
ONE_TURN = "{% if messages | length > 2 %}{{ raise_exception('one turn') }}{% endif %}" + CHATML


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (CHATML, ""),
        (DEFAULT, "Be kind."),
        (INST, ""),
        (HEADERS, ""),
        (DATED_HEADERS, "Cutting Knowledge Date: December 2023"),
        (TURNS, ""),
        (SPOKEN, "A curious person talks to Ada."),
        (DATED, ""),
        (ONE_TURN, ""),
    ],
)
def test_own_words(template: str, words: str) -> None:
    assert own_words(tokenizer(template)) == words


def test_rendering_is_what_the_encoder_sees() -> None:
    for template in (CHATML, HEADERS, DATED, DATED_HEADERS):
        words = tokenizer(template)
        text = render(words, [*HISTORY, {"role": "assistant", "content": "Six."}])
        ids = words(text, add_special_tokens=False)["input_ids"]
        assert ids == list(ResponseEncoder(words, 4096).encode(HISTORY, "Six.").input_ids)


def test_the_clock_is_stopped_and_goes_on() -> None:
    words = tokenizer("{{ strftime_now('%Y') }}" + CHATML)
    with stopped_clock(datetime.date(1999, 1, 1)):
        assert words.apply_chat_template(HISTORY, tokenize=False).startswith("1999<|im")
    assert not words.apply_chat_template(HISTORY, tokenize=False).startswith("1999")
