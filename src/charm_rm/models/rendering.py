"""A conversation through a tokenizer's own chat template, on a day that is always the same.

Everything that renders goes through here: reward models, DPO policies, judges, the doctor. Templates that print
today's date get :data:`PINNED_DATE`, so that neither a score nor a verdict depends on the day.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ..errors import ModelError
from .template_limits import TemplateLimit, limited_templates

# The date that Llama's own template falls back to.
PINNED_DATE = datetime.date(2024, 7, 26)
SystemMessage = Literal["kept", "left out", "refused"]
_OTHERS = ("Quartz.", "Feldspar.")
# What templates ask strftime_now for.
_CODES = ("%-d", "%-m", *(f"%{c}" for c in "aAbBdmyYjHIpMSFDxXc"))


def render_chat(
    tokenizer: Any,
    turns: Sequence[Mapping[str, str]],
    *,
    open_turn: bool = False,
    date: datetime.date = PINNED_DATE,
    where: str | None = None,
) -> str:
    """The conversation as text.

    Args:
        tokenizer: one with a chat template.
        turns: its messages.
        open_turn: end where the assistant's answer would begin.
        date: what a template that asks for it as ``date_string`` is told. Of any other day than :data:`PINNED_DATE` the clock
            (``strftime_now``) is left running: the doctor looks at what it does.
        where: what the model is called in the message.

    Raises:
        ModelError: the template refuses the conversation, or computes without end (:mod:`.template_limits`).
    """
    try:
        template = tokenizer.get_chat_template()
        with limited_templates():
            return str(
                tokenizer.apply_chat_template(
                    turns,
                    chat_template=pin_clock(template) if date == PINNED_DATE else template,
                    date_string=date.strftime("%d %b %Y"),
                    add_generation_prompt=open_turn,
                    tokenize=False,
                )
            )
    except TemplateLimit as error:
        raise ModelError(
            f"the chat template is no template of a conversation: {error}",
            where=where,
            fix="take chat_template.jinja, or tokenizer_config.json, from where the model came from",
        ) from error
    except Exception as error:  # a template is a program of the model's author: anything may come
        raise ModelError(
            f"the chat template refuses a conversation of {', '.join(m['role'] for m in turns)}: {error}",
            where=where,
            fix="check the roles and their order",
        ) from error


def system_message(tokenizer: Any) -> SystemMessage:
    """What the chat template makes of a system message: it is written, left out without a word (what it says changes nothing), or refused."""
    asked = {"role": "user", "content": "What is two plus two?"}
    try:
        texts = {render_chat(tokenizer, [{"role": "system", "content": words}, asked]) for words in _OTHERS}
    except ModelError:
        return "refused"
    return "kept" if len(texts) > 1 else "left out"


def pin_clock(template: str) -> str:
    """The template with the clock that it may ask for the date, ``strftime_now``, stopped at PINNED_DATE.

    Transformers passes no functions into templates, so a macro of that name goes before the template.
    """
    if "strftime_now" not in template:
        return template
    filled = "".join(f" | replace('{code}', '{PINNED_DATE.strftime(code)}')" for code in _CODES)
    return f"{{%- macro strftime_now(form) -%}}{{{{ form{filled} }}}}{{%- endmacro %}}\n{template}"
