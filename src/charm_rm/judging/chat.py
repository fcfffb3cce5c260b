"""What a generative judge speaks through: anything that answers conversations, near (a local model) or far (a server)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

Messages = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Reply:
    """An answer to one conversation.

    ``top_logprobs`` holds the likeliest candidates for the first token of the answer, by their text, with natural
    log-probabilities; None where the model's server does not tell them. ``finish`` is why the answer ended, in the
    server's words (``stop``, ``length``, ``refusal`` ...). Token counts are None where unknown. ``model`` is what a server calls the
    model that answered.
    """

    text: str
    top_logprobs: Mapping[str, float] | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    finish: str = "stop"
    model: str | None = None


class Chat(Protocol):
    """Answers conversations at temperature 0."""

    @property
    def source(self) -> str:
        """What people call it: a path, a model's name at an address. Never holds a key."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hash of all that decides an answer besides the conversation and the limits. Never depends on a key."""
        ...

    def replies(
        self, conversations: Sequence[Messages], *, max_tokens: int, top_logprobs: int
    ) -> Iterator[tuple[int, Reply]]:
        """Yield (index of the conversation, its answer) as the answers come, in any order.

        ``top_logprobs`` asks for so many candidates for the first token (0: none).
        """
        ...
