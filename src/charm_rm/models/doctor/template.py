"""The template: is there one, what does it write, what of the texts does it leave out?

Every question is put to the template itself, by rendering small conversations that differ in one thing.
"""

from __future__ import annotations

import contextlib
import datetime
import importlib
import itertools
import re
from collections.abc import Iterator
from typing import Any

from ...conversations import Messages
from ...errors import ModelError
from ..rendering import PINNED_DATE, render_chat, system_message
from ..scoring.encoding import ResponseEncoder
from ..scoring.reward import RewardModel
from .check import Check, common_start, shorten, show_tokens

HISTORY: Messages = [
    {"role": "user", "content": "What is two plus two?"},
    {"role": "assistant", "content": "Four."},
    {"role": "user", "content": "And three plus three?"},
]
_ANSWER = "Six."
_ANSWERED = [*HISTORY, {"role": "assistant", "content": _ANSWER}]
# Families whose scores are known to break without a BOS; of others both habits are met.
_NEEDS_BOS = ("gemma",)
_CLOCKS = (datetime.date(2001, 2, 3), datetime.date(2031, 10, 29))
_MARK = "Quartz."
_MARKER = "\ue000"  # stands for any special token
_PROBES = {
    "white space at both ends": "  Blue.\n\n",
    "a code block": "```python\nif x:\n    print('hi')\n```",
    "a <think> block": "<think>\nLight scatters.\n</think>\n\nBlue.",
    "an empty response": "",
    "markup characters": "a < b & \"c\" > 'd' {{ e }}",
}


def template_checks(model: RewardModel) -> list[Check]:
    """Template, BOS, date, default system prompt, texts dropped or changed."""
    first = _check_template(model)
    if first.status == "fail":
        return [first]
    rest = [_check_bos(model), _check_date(model.encoder)]
    return [first, *rest, _check_system_prompt(model.encoder), _check_content(model.encoder)]


def _check_template(model: RewardModel) -> Check:
    """Which layout is used, and the exact tokens of a conversation of two turns."""
    encoder = model.encoder
    try:
        ids = encoder.encode(HISTORY, _ANSWER).input_ids
    except ModelError as error:
        return Check(
            "template", "fail", error.what, fix="fix the template, or remove it to use a plain layout"
        )
    tokens = f"tokens of a conversation of two turns: {show_tokens(encoder.tokenizer, ids)}"
    data = {"layout": encoder.layout, "ids": ids, "tokens": encoder.tokenizer.convert_ids_to_tokens(ids)}
    if encoder.layout == "chat":
        size = len(encoder.tokenizer.get_chat_template())
        found = f"the tokenizer's own chat template ({size:,} characters) is used"
        return Check("template", "ok", found, details=[tokens], data=data)
    if encoder.layout == "pair":
        found = "an encoder without a template: prompt and response are its sentence pair"
        return Check("template", "ok", found, details=[tokens], data=data)
    return Check(
        "template",
        "warn",
        "no chat template: conversations are laid out as 'User: ...', 'Assistant: ...'",
        fix="if the model was trained with a template, save it as chat_template.jinja beside the weights; "
        "scores of a layout that a model never saw mean little",
        details=[tokens],
        data=data,
    )


def _check_bos(model: RewardModel) -> Check:
    """Exactly one BOS at the start, where the tokenizer has one."""
    encoder, tokenizer = model.encoder, model.encoder.tokenizer
    bos = tokenizer.bos_token_id
    if bos is None:
        return Check("bos", "ok", "the tokenizer has no BOS token", data={"bos": None})
    ids = encoder.encode(HISTORY, _ANSWER).input_ids
    count = _leading(ids, bos)
    added = _leading(tokenizer("a")["input_ids"], bos)
    data = {"bos": bos, "at_start": count, "added_by_tokenizer": added}
    name = show_tokens(tokenizer, [bos])
    if any(a == b == bos for a, b in itertools.pairwise(ids)):
        return Check(
            "bos",
            "fail",
            f"the BOS {name} is doubled (tokens {show_tokens(tokenizer, ids[:4])})",
            fix="let one side write it: take bos_token out of the template, or set add_bos_token to false",
            data=data,
        )
    if count == 0 and added:
        kind = str(getattr(model.model.config, "model_type", ""))
        return Check(
            "bos",
            "fail" if kind.startswith(_NEEDS_BOS) else "warn",
            f"the tokenizer puts the BOS {name} before plain text, the template writes none",
            fix="look at how the model was trained: if with a BOS, begin the template with {{ bos_token }}",
            data=data,
        )
    if count == 0:
        return Check("bos", "ok", f"this family writes no BOS (the tokenizer knows {name})", data=data)
    return Check("bos", "ok", f"one BOS, {name}", details=_naive(encoder, bos), data=data)


def _check_date(encoder: ResponseEncoder) -> Check:
    """Does what the model sees depend on the day it is scored?"""
    if encoder.layout != "chat":
        return Check("date", "ok", "no template, no date")
    seen, written = [], []
    for clock in _CLOCKS:
        with stopped_clock(clock):
            seen.append(encoder.encode(HISTORY, _ANSWER).input_ids)
            written.append(render_chat(encoder.tokenizer, _ANSWERED, date=clock))
    data = {"template_has_date": written[0] != written[1], "score_depends_on_date": seen[0] != seen[1]}
    if seen[0] != seen[1]:
        return Check(
            "date",
            "fail",
            "the template prints today's date, so a score depends on the day",
            fix="replace the date in the template by a fixed one",
            data=data,
        )
    if written[0] != written[1]:
        return Check(
            "date",
            "warn",
            f"the template prints a date; here it is always {PINNED_DATE:%d %B %Y}, elsewhere today's",
            fix="nothing for scores made here; to compare with scores made elsewhere, fix the date in the template",
            data=data,
        )
    return Check("date", "ok", "the text does not depend on the day", data=data)


def _check_system_prompt(encoder: ResponseEncoder) -> Check:
    """Words that the template puts before a conversation that brings no system message."""
    if encoder.layout != "chat":
        return Check("system_prompt", "ok", "no template, no system prompt")
    words = own_words(encoder.tokenizer)
    given = system_message(encoder.tokenizer)
    data = {"text": words, "system_message": given}
    if words:
        return Check(
            "system_prompt",
            "warn",
            f"the template begins every conversation with {shorten(words, 100)}",
            fix="right if the model was trained so; if not, take it out of the template",
            details=[f"a system message of one's own is {given}"],
            data=data,
        )
    found = f"the template adds no words of its own; a system message is {given}"
    return Check("system_prompt", "ok", found, data=data)


def _check_content(encoder: ResponseEncoder) -> Check:
    """Does a response reach the model as it is?"""
    if encoder.layout != "chat":
        return Check("content", "ok", "the layout changes no text")
    frame = _with_response(encoder.tokenizer, _MARK)
    if frame is None or frame.count(_MARK) != 1:
        times = 0 if frame is None else frame.count(_MARK)
        return Check(
            "content",
            "fail",
            f"the response is in the rendered text {times} times, not once",
            fix="fix the template: the last assistant turn must be written as it is",
        )
    changed = [
        name
        for name, text in _PROBES.items()
        if _with_response(encoder.tokenizer, text) != frame.replace(_MARK, text)
    ]
    if changed:
        return Check(
            "content",
            "warn",
            f"the template does not keep: {', '.join(changed)}",
            fix="responses that differ in this alone get one score; clean responses of it, or fix the template",
            data={"changed": changed},
        )
    return Check("content", "ok", f"responses are kept as they are ({len(_PROBES)} kinds tried)")


# --- rendering ----------------------------------------------------------------------------------


def render(tokenizer: Any, turns: Messages, *, date: datetime.date = PINNED_DATE) -> str:
    """The conversation as the encoder renders it, its clock stopped at ``date``."""
    with stopped_clock(date):
        return render_chat(tokenizer, turns, date=date)


@contextlib.contextmanager
def stopped_clock(date: datetime.date) -> Iterator[None]:
    """Let templates that ask transformers for the time be told ``date``."""
    module: Any = importlib.import_module("transformers.utils.chat_template_utils")
    real: Any = module.datetime

    class Stopped(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Stopped:
            return cls(date.year, date.month, date.day, tzinfo=tz)

    module.datetime = Stopped
    try:
        yield
    finally:
        module.datetime = real


def own_words(tokenizer: Any) -> str:
    """What stands before the first user turn and not before the second, less markers, roles and dates.

    Empty where the template takes no second turn: there is nothing then to tell words from markers by.
    """
    try:
        texts = [
            _before_first_turn(tokenizer, render(tokenizer, HISTORY, date=date))
            for date in (PINNED_DATE, _CLOCKS[0])
        ]
    except ModelError:  # the template takes no second turn
        return ""
    lasting = set(texts[1].splitlines())
    text = "\n".join(line for line in texts[0].splitlines() if line in lasting)
    text = re.sub(rf"{_MARKER}|<[^<>\s]*>|\[/?[A-Z_]+\]", " ", text).strip()
    return re.sub(r"^(system|user|human)\b\W*", "", text, flags=re.IGNORECASE)


def _before_first_turn(tokenizer: Any, text: str) -> str:
    """What the first user turn has before it and the second has not, every special token as one sign."""
    for name in sorted(map(str, tokenizer.get_added_vocab()), key=len, reverse=True):
        text = text.replace(name, _MARKER)
    first, reply, second = (m["content"] for m in HISTORY)
    start, after, end = text.find(first), text.find(reply), text.find(second)
    if min(start, after, end) < 0:
        return ""
    before, between = text[:start], text[after + len(reply) : end]
    return before[: len(before) - common_start(before[::-1], between[::-1])]


def _with_response(tokenizer: Any, response: str) -> str | None:
    """The text of one turn with this response; None where the template refuses it."""
    try:
        return render(tokenizer, [HISTORY[0], {"role": "assistant", "content": response}])
    except ModelError:
        return None


def _naive(encoder: ResponseEncoder, bos: int) -> list[str]:
    """What tokenising the rendered text with special tokens added would do, where that doubles the BOS."""
    if encoder.layout != "chat":
        return []
    count = _leading(encoder.tokenizer(render(encoder.tokenizer, _ANSWERED))["input_ids"], bos)
    if count < 2:
        return []
    return [
        f"template and tokenizer both write it: tokenizer(rendered text) would give {count}; here, as with "
        "add_special_tokens=False, it is one"
    ]


def _leading(ids: list[int], token: int) -> int:
    return next((i for i, other in enumerate(ids) if other != token), len(ids))
