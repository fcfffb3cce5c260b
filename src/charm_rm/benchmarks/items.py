"""The nouns every benchmark is made of: items, metrics, and the benchmark that holds both.

An :class:`Item` is a prompt with C chosen and R rejected responses, each chosen one better than each
rejected one. A reward model turns it into a (C, R) table of outcomes; a :class:`Metric` says which cells
of that table, of which items, are averaged and how. Nothing here knows a model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CharmError, SchemaError, UnreadableFile, did_you_mean, listing
from ..store import read_json

Cell = tuple[int, int]


@dataclass(frozen=True)
class Item:
    """One prompt: every response in ``chosen`` is better than every response in ``rejected``."""

    item_id: str
    subset: str
    prompt: str
    chosen: tuple[str, ...]
    rejected: tuple[str, ...]


@dataclass(frozen=True)
class Metric:
    """An accuracy: the mean over ``groups`` of the mean over their items of the mean over ``cells``.

    Args:
        subset: what it is called in the table: one of the benchmark's subsets, a family of them, or ``all``.
        name: ``accuracy``, ``hard``, ...
        groups: tuples of item subsets. Items of one group are pooled; groups weigh the same.
        cells: (chosen, rejected) positions in the outcome table of an item.
        partial: some of the subsets that officially belong in are not there.
    """

    subset: str
    name: str
    groups: tuple[tuple[str, ...], ...]
    cells: tuple[Cell, ...]
    partial: bool = False


@dataclass(frozen=True)
class Benchmark:
    """Items with the metrics to report on them.

    ``tie_value`` is what a comparison with equal scores counts in the official scoring (0 or a half).
    ``notes`` say what is not official about this copy: missing subsets, a sample in place of the whole.
    """

    name: str
    items: tuple[Item, ...]
    metrics: tuple[Metric, ...]
    tie_value: float
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.items:
            raise SchemaError(f"benchmark {self.name}: it has no items", mend="check the data folder")
        for item in self.items:
            if (len(item.chosen), len(item.rejected)) != self.shape:
                raise SchemaError(
                    f"has {len(item.chosen)} chosen and {len(item.rejected)} rejected responses, the items "
                    f"before it {self.shape[0]} and {self.shape[1]}",
                    where=f"benchmark {self.name}: item {item.subset}/{item.item_id}",
                    mend="give every item the same number of responses",
                )

    @property
    def shape(self) -> tuple[int, int]:
        """How many chosen and rejected responses each item has."""
        return len(self.items[0].chosen), len(self.items[0].rejected)

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

    def sample(self, n: int, *, seed: int = 0) -> Benchmark:
        """Return a seeded sample of about ``n`` items: the same share of every subset, at least one each.

        Every metric of the sample is marked partial, and a note says so.
        """
        if n < 1:
            raise SchemaError(f"cannot sample {n} items", mend="ask for at least 1")
        if n >= len(self.items):
            return self
        rng = np.random.default_rng(seed)
        kept: list[int] = []
        for subset, size in self.subsets.items():
            positions = [i for i, item in enumerate(self.items) if item.subset == subset]
            kept += list(rng.choice(positions, size=max(1, round(n * size / len(self.items))), replace=False))
        note = f"a seeded sample of {len(kept)} of {len(self.items)} items (seed {seed})"
        return replace(
            self,
            items=tuple(self.items[i] for i in sorted(kept)),
            metrics=tuple(replace(m, partial=True) for m in self.metrics),
            notes=(*self.notes, note),
        )


# --- reading original files, strictly -----------------------------------------------------------


def read_rows(path: Path) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield each object of a JSON list with the words that locate it in an error message.

    Raises:
        UnreadableFile: missing, empty, cut short or not JSON.
        SchemaError: not a list of objects, or an empty one.
    """
    rows = read_json(path)
    if not isinstance(rows, list) or not rows:
        raise SchemaError("expected a JSON list with at least one item", where=str(path), mend=_FETCH_AGAIN)
    for number, row in enumerate(rows, start=1):
        where = f"{path}: item {number}"
        if not isinstance(row, dict):
            raise SchemaError(
                f"expected an object, found {type(row).__name__}", where=where, mend=_FETCH_AGAIN
            )
        yield row, where


def text_of(row: Mapping[str, Any], key: str, where: str) -> str:
    """Return ``row[key]`` as text."""
    value = _value(row, key, where)
    if not isinstance(value, str):
        raise SchemaError(f"{key!r} should be text, found {value!r:.60}", where=where, mend=_FETCH_AGAIN)
    return value


def texts_of(row: Mapping[str, Any], key: str, where: str, *, length: int) -> tuple[str, ...]:
    """Return ``row[key]`` as a tuple of ``length`` texts."""
    value = _value(row, key, where)
    if not isinstance(value, list) or len(value) != length or not all(isinstance(v, str) for v in value):
        raise SchemaError(
            f"{key!r} should be a list of {length} texts, found {value!r:.60}", where=where, mend=_FETCH_AGAIN
        )
    return tuple(value)


def _value(row: Mapping[str, Any], key: str, where: str) -> Any:
    if key not in row:
        raise SchemaError(
            f"key {key!r} is missing; found {listing(row)}.{did_you_mean(key, row)}",
            where=where,
            mend=_FETCH_AGAIN,
        )
    return row[key]


def only_copy(paths: Sequence[Path], what: str) -> Path:
    """Return the one path; several copies of the same file are an error, never a silent choice."""
    if len(paths) > 1:
        raise CharmError(
            f"{what} is there {len(paths)} times: {listing(paths)}", mend="name the one folder you mean"
        )
    return paths[0]


def nothing_found(benchmark: str, folder: Path, wanted: str) -> UnreadableFile:
    """The error for a data folder that holds nothing of a benchmark."""
    return UnreadableFile(
        f"no {benchmark} files below this folder",
        where=str(folder),
        mend=f"give --data the benchmark's own repository folder or a parent of it; looked for {wanted}",
    )


_FETCH_AGAIN = "fetch the file again from the benchmark's repository"
