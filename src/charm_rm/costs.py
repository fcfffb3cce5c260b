"""Calls, tokens and money: what asking a model took, and what it may take."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# English text has about four characters a token in current tokenizers; a chat template adds a few tokens a message.
_CHARACTERS_PER_TOKEN = 4.0
_TOKENS_PER_MESSAGE = 5


@dataclass(frozen=True)
class Prices:
    """Money per million tokens, whatever the currency."""

    per_million_in: float
    per_million_out: float

    def cost(self, tokens_in: int, tokens_out: int) -> float:
        """Money for so many tokens."""
        return (tokens_in * self.per_million_in + tokens_out * self.per_million_out) / 1e6


@dataclass(frozen=True)
class Usage:
    """Calls and their tokens; ``uncounted`` calls came back without token counts and are not in the sums."""

    calls: int
    tokens_in: int
    tokens_out: int
    uncounted: int

    @classmethod
    def of(cls, counts: Iterable[tuple[int | None, int | None]]) -> Usage:
        """The sum of calls, each with its tokens in and out."""
        every = list(counts)
        known = [(i, o) for i, o in every if i is not None and o is not None]
        return cls(len(every), sum(i for i, _ in known), sum(o for _, o in known), len(every) - len(known))

    def cost(self, prices: Prices | None) -> float | None:
        """Money, where prices are known and every call was counted."""
        return None if prices is None or self.uncounted else prices.cost(self.tokens_in, self.tokens_out)


def tokens_about(text: str) -> int:
    """About how many tokens a message of this text has."""
    return _TOKENS_PER_MESSAGE + round(len(text) / _CHARACTERS_PER_TOKEN)
