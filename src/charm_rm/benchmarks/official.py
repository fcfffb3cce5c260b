"""What the official copy of a benchmark holds, and how far a copy at hand is from it.

How many items each subset has, and short hashes of the items' texts. Only counts and hashes are kept, never a text. Hashes are
there for the subsets whose official files the project has seen (``data/benchmark_hashes.json``); of others the counts alone are
checked.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from ..errors import SchemaError, counted, listing
from ..tables import as_messages
from .definition import Benchmark
from .items import Item
from .metrics import Metric

_WHOLE = "all:"
_DIGITS = 8  # hexadecimal: another text passes for one of a subset's 500 with a chance of 1 in 8 million


@dataclass(frozen=True)
class Official:
    """The official copy of a benchmark.

    Args:
        name: of the benchmark.
        counts: how many items each subset has; None where the project has not seen it.
        averages: what is said of averages where subsets are missing.
    """

    name: str
    counts: Mapping[str, int | None]
    averages: str = "averages are over what is there"

    def benchmark(
        self,
        items: Sequence[Item],
        metrics: Sequence[Metric],
        tie_value: float,
        *,
        judge_tie_value: float | None = None,
        notes: Sequence[str] = (),
        remarks: Sequence[str] = (),
    ) -> Benchmark:
        """The benchmark of these items, with notes on what is not official about them.

        Raises:
            SchemaError: an id names two items of a subset.
        """
        refuse_repeated_ids(self.name, items)
        return Benchmark(
            self.name,
            tuple(items),
            tuple(metrics),
            tie_value,
            (*self.lacking(items), *notes),
            judge_tie_value,
            (*self._changed(items), *equal_texts(items), *remarks),
        )

    def lacking(self, items: Sequence[Item]) -> tuple[str, ...]:
        """Notes on subsets that are missing, or have another number of items than officially."""
        there = Counter(item.subset for item in items)
        missing = [subset for subset in self.counts if not there[subset]]
        known = [(s, n) for s, n in self.counts.items() if n is not None and there[s] not in (0, n)]
        other = [
            f"{s}: {there[s]:,} of {n:,} items"
            if there[s] < n
            else f"{s}: {there[s]:,} items, officially {n:,}"
            for s, n in known
        ]
        notes = [f"{_some(missing)} missing: {self.averages}"] if missing else []
        return (*notes, *([_some(other, "; ")] if other else []))

    def whole(self, subsets: Iterable[str], items: Sequence[Item]) -> bool:
        """Whether each of these subsets has its official number of items, or any where that is not known."""
        there = Counter(item.subset for item in items)
        return all(there[s] == self.counts[s] or (self.counts[s] is None and there[s]) for s in subsets)

    def _changed(self, items: Sequence[Item]) -> list[str]:
        known = official_hashes().get(self.name, {})
        told, whole = [], []
        for subset, hashes in known.items():
            mine = [item for item in items if item.subset == subset]
            if isinstance(hashes, str):
                # One hash of all says nothing of a part.
                whole += [subset] if len(mine) == self.counts[subset] and subset_hash(mine) != hashes else []
            elif changed := [item.item_id for item in mine if item_hash(item) not in hashes]:
                told.append(
                    f"{subset}: {counted(len(changed), 'item')} of {len(mine):,} differ in text from the official ones: "
                    f"{listing(changed)}"
                )
        return [*told, *([f"items differ in text from the official ones in {_some(whole)}"] if whole else [])]


_SHOWN = 12


def _some(names: Sequence[str], between: str = ", ") -> str:
    """The names, the tail of a long list counted."""
    if len(names) <= _SHOWN + 2:
        return between.join(names)
    return f"{between.join(names[:_SHOWN])} and {len(names) - _SHOWN} more"


_STAND_TWICE = "look whether items stand twice in the files, and fetch them again"


def refuse_repeated_ids(name: str, items: Sequence[Item], *, fix: str = _STAND_TWICE) -> None:
    """Refuse items of one subset that share an id; ``fix`` is what to do about it.

    Raises:
        SchemaError: an id stands more than once.
    """
    times = Counter((item.subset, item.item_id) for item in items)
    if repeated := [f"{subset}/{one}" for (subset, one), n in times.items() if n > 1]:
        raise SchemaError(
            f"{counted(len(repeated), 'id')} more than once: {listing(repeated)}",
            where=f"benchmark {name}",
            fix=fix,
        )


def equal_texts(items: Sequence[Item]) -> list[str]:
    """A remark on items in which a good and a bad response have the same text."""
    same = [f"{i.subset}/{i.item_id}" for i in items if set(i.chosen) & set(i.rejected)]
    if not same:
        return []
    verb = "has" if len(same) == 1 else "have"
    return [
        f"{counted(len(same), 'item')} {verb} the same text on both sides, a tie for every model: {listing(same)}"
    ]


def repeated_items(items: Sequence[Item]) -> list[str]:
    """A remark on items that are word for word the same as another, with the same grades; none is left out."""
    again = len(items) - len({(item.subset, item_hash(item)) for item in items})
    if not again:
        return []
    verb = "is" if again == 1 else "are"
    return [f"{counted(again, 'item')} {verb} word for word the same as another (drawn as one prompt)"]


def item_hash(item: Item) -> str:
    """A short hash of an item's prompt, and of its responses with their grades in whatever order."""
    responses = sorted(zip(item.grades, item.responses, strict=True))
    text = json.dumps([as_messages(item.prompt), responses], ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]


def joined_hashes(items: Iterable[Item]) -> dict[str, str]:
    """By subset the hashes of its items, sorted and joined: what the file of official hashes holds."""
    found: dict[str, list[str]] = {}
    for item in items:
        found.setdefault(item.subset, []).append(item_hash(item))
    return {subset: "".join(sorted(hashes)) for subset, hashes in found.items()}


def subset_hash(items: Iterable[Item]) -> str:
    """One hash of all items of a subset, in whatever order: of subsets too large to keep a hash of every item."""
    joined = "".join(sorted(map(item_hash, items)))
    return _WHOLE + hashlib.sha256(joined.encode()).hexdigest()[: 2 * _DIGITS]


@cache
def official_hashes() -> dict[str, dict[str, frozenset[str] | str]]:
    """The official items' hashes by benchmark and subset; one text where a subset has one hash for all."""
    text = files("charm_rm").joinpath("data", "benchmark_hashes.json").read_text("utf-8")
    return {
        name: {
            subset: joined
            if joined.startswith(_WHOLE)
            else frozenset(joined[i : i + _DIGITS] for i in range(0, len(joined), _DIGITS))
            for subset, joined in subsets.items()
        }
        for name, subsets in json.loads(text).items()
    }
