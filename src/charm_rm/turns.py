"""A preference pair in one form, whatever way it was written: the turns of the prompt, and two responses.

No pair leaves here with two turns of one speaker in a row, or with a prompt that ends in the assistant's turn: chat
templates would write two headers for it, or refuse it. The rules are those of docs/data-formats.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from .conversations import Messages, as_conversation
from .errors import SchemaError

# What was changed, in the words that counts are given in.
EMPTY_END = "empty closing assistant turn left out"
REPEATED = "prompt repeated in the conversations, read once"
REPEATED_LOOSELY = "prompt repeated in the conversations but for white space, read once"
SPACES = "prompts of chosen and rejected differ in white space, chosen's taken"
JOINED = "turns of one speaker in a row joined"
TWICE = "repeated turn, read once"
CONTINUED = "response continues the assistant's turn that ends the prompt"

_TURN = re.compile(r"(?:^|\n\n)(Human|Assistant):")
_SPEAKERS = {"Human": "user", "Assistant": "assistant"}


@dataclass(frozen=True)
class Pair:
    """One prompt, two responses, and what was changed to bring them to this form."""

    prompt: Messages
    chosen: Messages
    rejected: Messages
    changes: tuple[str, ...]


def canonical_pair(prompt: Any, chosen: Any, rejected: Any) -> Pair | None:
    """The pair in one form; None where the two conversations part after their first turn, before their last.

    ``prompt`` may be None, where the conversations hold it.

    Raises:
        SchemaError: no prompt, no messages, a last turn that is not the assistant's, or two different prompts.
    """
    changes: list[str] = []
    asked = [] if prompt is None else _messages(prompt, "user")
    said = [_messages(side, "assistant") for side in (chosen, rejected)]
    context = _context(asked, said[0][:-1], said[1][:-1], changes)
    if context is None:
        return None
    whole = _one_speaker_a_turn(_join(_without_empty_end(asked, changes), context, changes), changes)
    whole = _without_empty_end(whole, changes)
    if not whole:
        raise SchemaError(
            "the pair has no prompt",
            fix="add a prompt column, or give chosen and rejected as whole conversations",
        )
    if any(side[-1]["role"] != "assistant" for side in said):
        raise SchemaError(
            "the last turn is not the assistant's",
            fix="end chosen and rejected with a turn of the assistant",
        )
    responses = [side[-1]["content"] for side in said]
    if (
        isinstance(prompt, str) and EMPTY_END in changes
    ):  # a transcript: the space after "Assistant:" is its own
        responses = [text.strip() for text in responses]
    if all(m["role"] != "user" for m in whole) and whole[-1]["role"] == "assistant":
        raise SchemaError("the prompt holds no turn of the user", fix="add it, or drop the row")
    if whole[-1]["role"] == "assistant":
        changes.append(CONTINUED)
        responses = [_continued(whole[-1]["content"], text) for text in responses]
        whole = whole[:-1]
    answers = [[{"role": "assistant", "content": text}] for text in responses]
    return Pair(whole, answers[0], answers[1], tuple(dict.fromkeys(changes)))


def canonical_prompt(asked: Any) -> Messages:
    """What is asked, without any answer: text, messages or a whole conversation or transcript, up to its last turn of the user.

    Turns of one speaker in a row are joined, as :func:`canonical_pair` joins them.

    Raises:
        SchemaError: neither text nor messages, or no turn of the user.
    """
    turns = _one_speaker_a_turn(_messages(asked, "user"), [])
    while turns and turns[-1]["role"] == "assistant":
        turns = turns[:-1]
    if not any(m["role"] == "user" for m in turns):
        raise SchemaError("the prompt holds no turn of the user", fix="add it, or drop the row")
    return turns


# --- one prompt -----------------------------------------------------------------------------------


def _context(asked: Messages, chosen: Messages, rejected: Messages, changes: list[str]) -> Messages | None:
    """The turns before the last: those of both sides, or of one, where the other gives the response alone."""
    if asked and bool(chosen) != bool(rejected):
        return chosen or rejected
    if not _same(chosen, rejected):
        if chosen and rejected and not _same(chosen[:1], rejected[:1]):
            shown = [f"{m['role']}: {m['content']!r:.40}" for m in (chosen[0], rejected[0])]
            raise SchemaError(
                f"chosen and rejected answer different prompts ({shown[0]}; {shown[1]})",
                fix="give both sides the same turns before the last, or drop the row",
            )
        return None
    if chosen != rejected:
        changes.append(SPACES)
    return chosen


def _join(asked: Messages, context: Messages, changes: list[str]) -> Messages:
    """The whole prompt; the conversations may hold the prompt column's turns, or go on from its last ones."""
    if not asked or not context:
        return asked + context
    n = len(asked)
    for at in range(len(context) - n + 1):
        if _same(context[at : at + n], asked):
            changes.append(REPEATED if context[at : at + n] == asked else REPEATED_LOOSELY)
            return context
    for k in range(min(n, len(context)), 0, -1):
        if _same(asked[-k:], context[:k]):
            changes.append(REPEATED if asked[-k:] == context[:k] else REPEATED_LOOSELY)
            return asked[:-k] + context
    if context[0]["role"] in (asked[-1]["role"], "system"):
        raise SchemaError(
            f"the prompt column ends with {asked[-1]['content']!r:.40}, the conversations begin with "
            f"{context[0]['content']!r:.40}: no one prompt",
            fix="keep the prompt in one place, or the same in both",
        )
    return asked + context


def _same(one: Messages, other: Messages) -> bool:
    """The same turns, white space around them aside."""
    return len(one) == len(other) and all(
        a["role"] == b["role"] and a["content"].strip() == b["content"].strip()
        for a, b in zip(one, other, strict=True)
    )


def _without_empty_end(messages: Messages, changes: list[str]) -> Messages:
    while messages and messages[-1]["role"] == "assistant" and not messages[-1]["content"].strip():
        messages = messages[:-1]
        changes.append(EMPTY_END)
    return messages


def _one_speaker_a_turn(messages: Messages, changes: list[str]) -> Messages:
    """Turns of the user, or of the assistant, in a row as one, a blank line between; what says the same, once."""
    turns: Messages = []
    for message in messages:
        last = turns[-1] if turns else None
        if last is None or last["role"] != message["role"] or message["role"] not in ("user", "assistant"):
            turns.append(message)
            continue
        texts = [last["content"], message["content"]]
        twice = texts[0].strip() == texts[1].strip()
        changes.append(TWICE if twice else JOINED)
        content = texts[1] if twice else "\n\n".join(text for text in texts if text.strip())
        turns[-1] = {"role": message["role"], "content": content}
    return turns


def _continued(beginning: str, text: str) -> str:
    """A response after the beginning that its prompt gave it; glued only where white space or nothing is lost."""
    loose = beginning[-1:].isspace() or text[:1].isspace() or not text
    return beginning + text if loose else f"{beginning} {text}"


# --- one side -------------------------------------------------------------------------------------


def _messages(value: Any, role: str) -> Messages:
    """Text, a one-element list of text, a transcript, one message, or messages -> messages."""
    if isinstance(value, dict):
        value = [value]
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        value = value[0]
    if isinstance(value, str):
        return _transcript(value) or [{"role": role, "content": value}]
    messages = as_conversation(value) if isinstance(value, list) else None
    if messages is None:
        raise SchemaError(
            f"expected text or a list of messages with role and content, found {str(value)[:80]!r}",
            fix="give text, or [{'role': ..., 'content': ...}, ...]",
        )
    return messages


def _transcript(text: str) -> Messages | None:
    """Split an HH-RLHF transcript into messages; None where the text is no transcript."""
    whole = text.startswith("Human:") and "\n\nAssistant:" in text
    if not whole and not text.startswith(("\n\nHuman:", "\n\nAssistant:")):
        return None
    parts = _TURN.split(text)[1:]
    return [
        {"role": _SPEAKERS[who], "content": said.strip()}
        for who, said in zip(parts[::2], parts[1::2], strict=True)
    ]
