"""A generative judge: something that chats, and a template -> preferences between pairs of responses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from ..memo import content_key
from ..protocols import Prompt
from .chat import Chat
from .fitting import fit_conversation
from .templates import Template
from .verdicts import Verdict, read_verdict

# Part of every judge's fingerprint: raise it when the reading of answers changes.
_READING = 2


@dataclass(frozen=True, eq=False)
class ChatJudge:
    """A :class:`~charm_rm.protocols.PairwisePreference`. Calling it asks in the order given, once.

    :func:`~.run.judge_responses` asks in both orders and keeps every answer as it comes.
    """

    chat: Chat
    template: Template

    @property
    def source(self) -> str:
        """What people call the judge; its template goes by its own name."""
        return self.chat.source

    @property
    def fingerprint(self) -> str:
        """Hash of the chat's fingerprint, the template's words and how answers are read."""
        return content_key("judge", _READING, self.chat.fingerprint, self.template.fingerprint)

    @property
    def streams(self) -> bool:
        """True where answers come one by one and cost money; a local model answers in batches instead."""
        return bool(getattr(self.chat, "streams", True))

    def __call__(
        self, prompts: Sequence[Prompt], first: Sequence[str], second: Sequence[str]
    ) -> NDArray[np.float64]:
        """(n,) P(first is better), NaN where the answer held no verdict."""
        preferences = np.full(len(prompts), np.nan)
        for index, verdict in self.iterate(prompts, first, second):
            preferences[index] = verdict.p_first
        return preferences

    def iterate(
        self, prompts: Sequence[Prompt], first: Sequence[str], second: Sequence[str]
    ) -> Iterator[tuple[int, Verdict]]:
        """Yield (row, verdict) as the answers come, in any order."""
        asked = _Conversations(self, prompts, first, second)
        replies = self.chat.replies(
            asked, max_tokens=self.template.max_tokens, top_logprobs=self.template.top_logprobs
        )
        for index, reply in replies:
            yield index, read_verdict(reply, self.template, truncated=index in asked.truncated)


class _Conversations(Sequence[list[dict[str, str]]]):
    """Conversations made when they are asked for: the filled templates of a large run are never all held."""

    def __init__(
        self, judge: ChatJudge, prompts: Sequence[Prompt], first: Sequence[str], second: Sequence[str]
    ) -> None:
        self._judge = judge
        self._rows = list(zip(prompts, first, second, strict=True))
        self.truncated: set[int] = set()

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> list[dict[str, str]]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[list[dict[str, str]]]: ...
    def __getitem__(self, index: int | slice) -> list[dict[str, str]] | Sequence[list[dict[str, str]]]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        messages, truncated = fit_conversation(self._judge.template, self._judge.chat, *self._rows[index])
        if truncated:
            self.truncated.add(range(len(self))[index])
        return messages
