"""Prompts that benchmarks hold, too, by runs of words that both have."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

_WORD = re.compile(r"\w+")


def runs_of_words(text: str, n: int) -> frozenset[str]:
    """Every ``n`` words in a row, in small letters and without punctuation; a text of fewer words is one run of them all."""
    words = _WORD.findall(text.casefold())
    if len(words) <= n:
        return frozenset([" ".join(words)] if words else [])
    return frozenset(" ".join(words[i : i + n]) for i in range(len(words) - n + 1))


def shared(one: frozenset[str], other: frozenset[str]) -> float:
    """The share of the shorter text's runs that the other has."""
    return len(one & other) / min(len(one), len(other)) if one and other else 0.0


@dataclass(frozen=True)
class Match:
    """The benchmark prompt that a prompt shares most with: where it stands, and how much (:func:`shared`)."""

    where: str
    overlap: float


class Benchmarks:
    """Prompts of benchmarks, by the runs of words in them.

    Args:
        prompts: where each stands (``file, row 3``), and its text.
        n: words in a run.
    """

    def __init__(self, prompts: Iterable[tuple[str, str]], *, n: int) -> None:
        self.n = n
        self._where: list[str] = []
        self._sizes: list[int] = []
        self._holders: defaultdict[str, list[int]] = defaultdict(list)
        for where, text in prompts:
            runs = runs_of_words(text, n)
            for run in runs:
                self._holders[run].append(len(self._where))
            self._where.append(where)
            self._sizes.append(len(runs))

    def __len__(self) -> int:
        return len(self._where)

    def most_shared(self, text: str) -> Match | None:
        """The benchmark prompt with the largest overlap, the first of several; None where no run is shared."""
        runs = runs_of_words(text, self.n)
        counts: Counter[int] = Counter()
        for run in runs:
            counts.update(self._holders.get(run, ()))
        if not counts:
            return None
        overlaps = {k: count / min(len(runs), self._sizes[k]) for k, count in counts.items()}
        best = min(overlaps, key=lambda k: (-overlaps[k], k))
        return Match(self._where[best], overlaps[best])
