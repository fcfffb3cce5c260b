"""Judging texts that are too long for the judge: shortened in the open, both responses alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from ..conversations import prompt_text
from ..errors import ConfigError
from ..protocols import Prompt
from .chat import Messages
from .templates import Template


@runtime_checkable
class Measures(Protocol):
    """A chat that knows its own limit, in tokens."""

    def excess(self, conversation: Messages, *, max_tokens: int) -> int:
        """By how many tokens the conversation and an answer of ``max_tokens`` exceed the limit; 0 or less: it fits."""
        ...

    def count(self, text: str) -> int:
        """Tokens of a text."""
        ...

    def head(self, text: str, n: int) -> str:
        """The text's first ``n`` tokens."""
        ...


def fit_conversation(
    template: Template, chat: object, prompt: Prompt, first: str, second: str
) -> tuple[list[dict[str, str]], bool]:
    """The conversation, and whether its texts had to be shortened to fit.

    The template's own words all stay. Of prompt and responses the longest give way first and lose their end
    (:func:`shares`), so two responses are treated alike in whichever order they are shown. A chat that knows no limit gets all.

    Raises:
        ConfigError: the template alone leaves no room.
    """
    messages = template.fill(prompt, first, second)
    if not isinstance(chat, Measures):
        return messages, False
    over = chat.excess(messages, max_tokens=template.max_tokens)
    if over <= 0:
        return messages, False
    texts = [prompt_text(prompt), first, second]
    sizes = [chat.count(text) for text in texts]
    room = sum(sizes)
    while over > 0:
        room -= over
        if room < len(texts):
            raise ConfigError(
                f"the judge prompt {template.name!r} leaves no room for texts within the judge's limit",
                fix="raise --max-length, or use a shorter prompt (--prompt)",
            )
        cut = [chat.head(text, n) for text, n in zip(texts, shares(sizes, room), strict=True)]
        messages = template.fill(*cut)
        over = chat.excess(messages, max_tokens=template.max_tokens)
    return messages, True


def shares(sizes: Sequence[int], room: int) -> list[int]:
    """Of each size as much as ``room`` allows under one common cap: min(size, cap), the cap as high as it can be."""
    left, kept = room, [0] * len(sizes)
    for rank, i in enumerate(sorted(range(len(sizes)), key=lambda i: sizes[i])):
        kept[i] = min(sizes[i], left // (len(sizes) - rank))
        left -= kept[i]
    # Where the cap is no whole number, the later of two equals would get the token left over.
    cap = min((k for k, size in zip(kept, sizes, strict=True) if k < size), default=max(sizes, default=0))
    return [min(size, cap) for size in sizes]
