"""Conversations that are too long: which of their text stays, so that the layout stays whole.

The rule is in :mod:`.encoding`'s docstring. Many conversations are shortened together, so that the tokenizer
is called with many texts at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ...conversations import Messages
from ...errors import ConfigError

T = TypeVar("T")
# A conversation up to the response, and the response.
Turns = tuple[Messages, str]

# Share of the room for contents that the prompt keeps when both prompt and response are long.
PROMPT_SHARE = 0.25


@dataclass(frozen=True)
class Encoded:
    """Token ids of one (prompt, response), special tokens included; ``truncated``: text was left out."""

    input_ids: list[int]
    token_type_ids: list[int] | None = None
    truncated: bool = False

    def __len__(self) -> int:
        return len(self.input_ids)


def in_chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items in their order, at most ``size`` at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


class Shortener:
    """Shortens conversations for one layout; ``lay_out`` encodes many whole ones."""

    def __init__(
        self,
        lay_out: Callable[[Sequence[Turns]], list[Encoded]],
        texts: TokenizedTexts,
        max_length: int,
        layout: str,
    ) -> None:
        self._lay_out = lay_out
        self._texts = texts
        self._max_length = max_length
        self._layout = layout
        self._frames: dict[tuple[str, ...], int] = {}

    def shorten(self, rows: Sequence[Turns]) -> list[Encoded]:
        """Lay out less and less text until each fits (cut text may tokenise a little longer than its share)."""
        self._texts.read(text for messages, response in rows for text in (*contents(messages), response))
        kept = [(self._without_lost_turns(messages, response), response) for messages, response in rows]
        limits = [self._max_length] * len(rows)
        done: dict[int, Encoded] = {}
        while todo := [i for i in range(len(rows)) if i not in done]:
            for i, encoded in zip(
                todo, self._lay_out([self._cut(kept[i], limits[i]) for i in todo]), strict=True
            ):
                if len(encoded) <= self._max_length:
                    done[i] = encoded
                limits[i] -= len(encoded) - self._max_length
        return [done[i] for i in range(len(rows))]

    def _cut(self, row: Turns, limit: int) -> Turns:
        messages, response = row
        keep_prompt, keep_response = self._shares(messages, response, limit)
        return self._newest(messages, keep_prompt), self._texts.head(response, keep_response)

    def _without_lost_turns(self, messages: Messages, response: str) -> Messages:
        """Drop the oldest turns of which nothing could stay; what is left begins with a user turn."""
        while rest := _after_oldest_turn(messages):
            kept = self._frame(messages) + self._content(rest) + self._texts.count(response)
            if kept < self._max_length:
                break
            messages = rest
        return messages

    def _shares(self, messages: Messages, response: str, limit: int) -> tuple[int, int]:
        """Tokens that prompt and response may keep, so that the whole stays within ``limit``."""
        room = limit - self._frame(messages)
        if room < 2:
            raise ConfigError(
                f"max_length {self._max_length} leaves no room for text: "
                f"the {self._layout} layout alone takes {self._frame(messages)} tokens",
                fix="raise --max-length (max_length= in Python)",
            )
        in_prompt, in_response = self._content(messages), self._texts.count(response)
        keep_response = min(in_response, max(room - in_prompt, room - int(PROMPT_SHARE * room)))
        return min(in_prompt, room - keep_response), keep_response

    def _newest(self, messages: Messages, n: int) -> Messages:
        """The messages with only the last ``n`` tokens of their contents; their roles all stay."""
        kept: Messages = []
        for message in reversed(messages):
            kept.append({**message, "content": self._texts.tail(message["content"], n)})
            n = max(0, n - self._texts.count(message["content"]))
        return kept[::-1]

    def _frame(self, messages: Messages) -> int:
        """Tokens of the layout alone: special tokens, turn markers, role names."""
        roles = tuple(m["role"] for m in messages)
        if roles not in self._frames:
            empty: Turns = ([{**m, "content": ""} for m in messages], "")
            self._frames[roles] = len(self._lay_out([empty])[0])
        return self._frames[roles]

    def _content(self, messages: Messages) -> int:
        return sum(self._texts.count(text) for text in contents(messages))


class TokenizedTexts:
    """Texts by themselves, without special tokens: how many tokens each has, its first and its last ones."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._ids: dict[str, list[int]] = {"": []}
        self._offsets: dict[str, list[tuple[int, int]]] = {}

    def read(self, texts: Iterable[str]) -> None:
        """Tokenise those of ``texts`` that are new, all at once."""
        fresh = [text for text in dict.fromkeys(texts) if text not in self._ids]
        if not fresh:
            return
        # Slow tokenizers cannot say where a token lies in the text; there it is decoded instead.
        places = {"return_offsets_mapping": True} if getattr(self._tokenizer, "is_fast", False) else {}
        tokens = self._tokenizer(fresh, add_special_tokens=False, verbose=False, **places)
        self._ids |= zip(fresh, tokens["input_ids"], strict=True)
        if places:
            self._offsets |= zip(fresh, tokens["offset_mapping"], strict=True)

    def count(self, text: str) -> int:
        """How many tokens the text has."""
        self.read([text])
        return len(self._ids[text])

    def head(self, text: str, n: int) -> str:
        """The text's first ``n`` tokens."""
        if self.count(text) <= n:
            return text
        if text not in self._offsets:
            return str(self._tokenizer.decode(self._ids[text][:n]))
        return text[: self._offsets[text][n - 1][1]] if n else ""

    def tail(self, text: str, n: int) -> str:
        """The text's last ``n`` tokens."""
        if self.count(text) <= n:
            return text
        if n == 0:
            return ""
        if text not in self._offsets:
            return str(self._tokenizer.decode(self._ids[text][-n:]))
        return text[self._offsets[text][-n][0] :]


def contents(messages: Messages) -> list[str]:
    """What the messages say, without who says it."""
    return [m["content"] for m in messages]


def _after_oldest_turn(messages: Messages) -> Messages:
    """The messages from the second user turn on; empty where there is none."""
    later = [i for i, m in enumerate(messages) if i > 0 and m["role"] == "user"]
    return messages[later[0] :] if later else []
