"""A benchmark: items with the figures to report on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from ..errors import SchemaError, counted, listing
from ..protocols import Prompt
from .items import Cell, Item
from .metrics import Metric


@dataclass(frozen=True)
class Benchmark:
    """Items with the metrics to report on them.

    ``tie_value`` is what a comparison of responses that a model holds equal counts in the official scoring (0 or a half);
    ``judge_tie_value`` the same for judges, where it is another one.
    ``notes`` say what is not official about this copy: missing subsets, a sample in place of the whole. ``remarks`` say what
    else a reader should know of the items, such as equal texts on both sides.
    """

    name: str
    items: tuple[Item, ...]
    metrics: tuple[Metric, ...]
    tie_value: float
    notes: tuple[str, ...] = ()
    judge_tie_value: float | None = None
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.items:
            raise SchemaError(f"benchmark {self.name}: it has no items", fix="check the data folder")
        for value in (self.tie_value, self.tie_value_of_judges):
            if not 0 <= value <= 1:
                raise SchemaError(
                    f"benchmark {self.name}: a tie cannot count {value}", fix="give 0, 0.5 or 1"
                )
        wanted = {s for metric in self.metrics for part in metric.parts for s in part.subsets}
        if missing := sorted(wanted - set(self.subsets)):
            raise SchemaError(
                f"benchmark {self.name}: no items of {listing(missing)}, which a metric is about",
                fix="report metrics of the subsets that are there, and mark averages partial",
            )

        try:
            self._check_rules()
        except SchemaError as error:
            error.where = f"benchmark {self.name}: {error.where}"
            raise

    @property
    def tie_value_of_judges(self) -> float:
        """What a judge's tie counts, or a verdict that turns with the order."""
        return self.tie_value if self.judge_tie_value is None else self.judge_tie_value

    @property
    def subsets(self) -> dict[str, int]:
        """Item count per subset, in order of appearance."""
        counts: dict[str, int] = {}
        for item in self.items:
            counts[item.subset] = counts.get(item.subset, 0) + 1
        return counts

    @property
    def partial(self) -> bool:
        """Whether this is less than the official benchmark."""
        return bool(self.notes)

    def texts(self) -> dict[tuple[str, str], tuple[Prompt, str]]:
        """Each distinct (prompt, response) once, by (prompt's key, response): what a reward model has to score."""
        return dict(self._texts)

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """(responses of all items, one after the other) which of :meth:`texts` each is."""
        place = {key: k for k, key in enumerate(self._texts)}
        return np.array([place[i.prompt_key, r] for i in self.items for r in i.responses], dtype=np.int64)

    @cached_property
    def _texts(self) -> dict[tuple[str, str], tuple[Prompt, str]]:
        found: dict[tuple[str, str], tuple[Prompt, str]] = {}
        for item in self.items:
            for response in item.responses:
                found.setdefault((item.prompt_key, response), (item.prompt, response))
        return found

    def comparisons(self) -> list[tuple[Cell, ...]]:
        """Per item the pairs of responses that the metrics' rules read, each once: what a judge has to be asked."""
        reads = self._reads()
        return [_union([pairs(item) for pairs in reads[item.subset]]) for item in self.items]

    def _reads(self) -> dict[str, list[Callable[[Item], Sequence[Cell]]]]:
        """By subset what its rules read of an item."""
        reads: dict[str, dict[Callable[[Item], Sequence[Cell]], None]] = {s: {} for s in self.subsets}
        for part in (part for metric in self.metrics for part in metric.parts):
            for subset in part.subsets:
                reads[subset].setdefault(part.rule.pairs)
        return {subset: list(pairs) for subset, pairs in reads.items()}

    def _check_rules(self) -> None:
        """Refuse an item that does not fit a rule, before any model is asked."""
        reads = self._reads()
        for item in self.items:
            for pairs in reads[item.subset]:
                pairs(item)

    def sample(self, n: int, *, seed: int = 0) -> Benchmark:
        """Return a seeded sample of about ``n`` items: the same share of every subset, at least one each.

        Linked items stay together. Every metric of the sample is marked partial, and a note says so.
        """
        if n < 1:
            raise SchemaError(f"cannot sample {counted(n, 'item')}", fix="ask for at least 1")
        if n >= len(self.items):
            return self
        kept = _sampled(self.items, n, np.random.default_rng(seed))
        note = f"a seeded sample of {len(kept)} of {len(self.items)} items (seed {seed})"
        return replace(
            self,
            items=tuple(self.items[i] for i in kept),
            metrics=tuple(replace(m, partial=True) for m in self.metrics),
            notes=(*self.notes, note),
            remarks=tuple(f"of the whole: {remark}" for remark in self.remarks),
        )


def _union(cells: Iterable[Sequence[Cell]]) -> tuple[Cell, ...]:
    """Each pair once, however it is turned."""
    found: dict[Cell, Cell] = {}
    for cell in chain.from_iterable(cells):
        i, j = cell
        found.setdefault((i, j) if i < j else (j, i), cell)
    return tuple(found.values())


def _sampled(items: Sequence[Item], n: int, rng: np.random.Generator) -> list[int]:
    """Positions of about ``n`` items, in order; of linked items the first is drawn and takes the others along."""
    families: dict[str, list[int]] = {}
    for i, item in enumerate(items):
        families.setdefault(item.linked or f"\x00{i}", []).append(i)
    by_subset: dict[str, list[list[int]]] = {}
    for family in families.values():
        by_subset.setdefault(items[family[0]].subset, []).append(family)
    kept: list[int] = []
    for drawn in by_subset.values():
        size = max(1, round(n * len(drawn) / len(items)))
        kept += [i for k in rng.choice(len(drawn), size=size, replace=False) for i in drawn[k]]
    return sorted(kept)
