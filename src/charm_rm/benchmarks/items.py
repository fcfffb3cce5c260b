"""What a benchmark asks about: a prompt, responses to it, and how good people hold each to be.

Nothing here knows a model. What a model makes of an item is a :class:`~.scored.ScoredItem`; what that earns is said by a
rule (:mod:`.rules`), what rules add up to by a metric (:mod:`.metrics`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ..conversations import is_conversation
from ..errors import SchemaError
from ..preferences import prompt_key
from ..protocols import Prompt

_GOOD, _BAD = 1.0, 0.0
# Positions of two responses of an item: the better one, or simply the first, comes first.
Cell = tuple[int, int]


@dataclass(frozen=True)
class Item:
    """One prompt and any number of responses, each with a grade; higher is better.

    Args:
        item_id: its id in the benchmark.
        subset: the part of the benchmark that it belongs to.
        prompt: text, or a list of chat messages (``role``, ``content``): system messages and several turns are welcome.
        responses: the texts to compare.
        grades: one per response: 1 and 0 for good and bad, or numbers such as people's ratings.
        linked: items with the same name here belong together: they are sampled and drawn together, and a joint rule
            sees all of them at once.
    """

    item_id: str
    subset: str
    prompt: Prompt
    responses: tuple[str, ...]
    grades: tuple[float, ...]
    linked: str = ""

    def __post_init__(self) -> None:
        _check_prompt(self)
        if not self.responses or len(self.responses) != len(self.grades):
            raise self._wrong(
                f"{len(self.responses)} responses and {len(self.grades)} grades",
                "give every item at least one response, and one grade per response",
            )
        if not all(isinstance(r, str) for r in self.responses):
            raise self._wrong("a response is not text", "give every response as text")
        if not all(math.isfinite(grade) for grade in self.grades):
            raise self._wrong(f"grades {self.grades} are not all finite", "leave ungraded responses out")

    @cached_property
    def prompt_key(self) -> str:
        """One string per distinct prompt: text, and the same text as one user turn, are the same."""
        return prompt_key(self.prompt)

    @property
    def chosen(self) -> tuple[str, ...]:
        """The responses with the best grade."""
        return tuple(self.responses[i] for i in self.best)

    @property
    def rejected(self) -> tuple[str, ...]:
        """All other responses."""
        return tuple(self.responses[i] for i in self.others)

    @cached_property
    def best(self) -> tuple[int, ...]:
        """Positions of the responses with the best grade."""
        top = max(self.grades)
        return tuple(i for i, grade in enumerate(self.grades) if grade == top)

    @cached_property
    def others(self) -> tuple[int, ...]:
        """Positions of the responses without the best grade."""
        top = max(self.grades)
        return tuple(i for i, grade in enumerate(self.grades) if grade < top)

    def _wrong(self, what: str, fix: str) -> SchemaError:
        return SchemaError(what, where=f"item {self.subset}/{self.item_id}", fix=fix)


def good_and_bad(
    item_id: str,
    subset: str,
    prompt: Prompt,
    good: Sequence[str],
    bad: Sequence[str],
    *,
    linked: str = "",
) -> Item:
    """An item of which every ``good`` response is better than every ``bad`` one; at least one of each."""
    if not good or not bad:
        raise SchemaError(
            f"{len(good)} good and {len(bad)} bad responses: there is nothing to compare",
            where=f"item {subset}/{item_id}",
            fix="give at least one of each, or leave the item out",
        )
    grades = (_GOOD,) * len(good) + (_BAD,) * len(bad)
    return Item(item_id, subset, prompt, (*good, *bad), grades, linked)


def _check_prompt(item: Item) -> None:
    prompt = item.prompt
    if not isinstance(prompt, str) and not is_conversation(list(prompt)):
        raise item._wrong(
            f"the prompt is neither text nor chat messages: {prompt!r:.60}",
            "give text, or [{'role': ..., 'content': ...}, ...]",
        )
