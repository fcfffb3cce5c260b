"""Prompts with checkable answers: each task asks two or three small things whose answers are known.

Four kinds (sums, sorting, counts and names in a made-up table), all drawn from a generator, so that any
number of distinct prompts can be had and none of them comes from a data set.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from zlib import crc32

import numpy as np

THINGS = (
    *("lamps", "mugs", "kites", "ropes", "ferns", "bells", "crates", "drums", "flutes", "gloves"),
    *("hats", "jars", "keys", "ladders", "maps", "nets", "oars", "pails", "quilts", "rugs"),
)
FIELDS = ("river", "king", "coin", "capital", "bird", "flower", "hero", "bread", "harbour", "feast")
_HEADS = ("Bal", "Cor", "Dro", "Eln", "Fir", "Gal", "Hest", "Ill", "Jor", "Kel", "Lum", "Mor", "Nev", "Or")
_TAILS = ("ada", "een", "ista", "omar", "uth", "avel", "inor", "osk", "yra", "eth")
ORDINALS = ("first", "second", "third")
PARTS = 3


@dataclass(frozen=True)
class Task:
    """A prompt, what it asks for, the right answers, and one wrong but plausible answer for each."""

    prompt: str
    asks: tuple[str, ...]
    answers: tuple[str, ...]
    slips: tuple[str, ...]


def draw_tasks(n: int, *, rng: np.random.Generator, part: int | None = None) -> list[Task]:
    """Draw ``n`` tasks with distinct prompts, the four kinds in turn.

    ``part`` (0, 1 or 2) keeps to that third of all possible prompts, told by a checksum of their text: draws of
    different parts never share a prompt, whatever their seeds.
    """
    kinds: tuple[Callable[[np.random.Generator], Task], ...] = (_sums, _sorting, _counts, _names)
    tasks: dict[str, Task] = {}
    while len(tasks) < n:
        task = kinds[len(tasks) % len(kinds)](rng)
        if part is None or crc32(task.prompt.encode()) % PARTS == part:
            tasks.setdefault(task.prompt, task)
    return list(tasks.values())


def _sums(rng: np.random.Generator) -> Task:
    pairs = [(int(a), int(b)) for a, b in rng.integers(2, 40, size=(_size(rng), 2))]
    asks = tuple(f"{a} + {b}" for a, b in pairs)
    right = tuple(str(a + b) for a, b in pairs)
    wrong = tuple(str(a + b + int(rng.choice([-10, -2, -1, 1, 2, 10]))) for a, b in pairs)
    return Task(f"Work out {_and(asks)}.", asks, right, wrong)


def _sorting(rng: np.random.Generator) -> Task:
    numbers = [int(x) for x in rng.choice(np.arange(2, 99), size=_size(rng), replace=False)]
    right = tuple(str(x) for x in sorted(numbers))
    asks = ORDINALS[: len(numbers)]
    wrong = tuple(right[(i + 1) % len(right)] for i in range(len(right)))
    return Task(f"Sort from small to large: {', '.join(map(str, numbers))}.", asks, right, wrong)


def _counts(rng: np.random.Generator) -> Task:
    things = [str(x) for x in rng.choice(THINGS, size=4, replace=False)]
    counts = [str(x) for x in rng.choice(np.arange(2, 99), size=4, replace=False)]
    table = ", ".join(f"{t} {c}" for t, c in zip(things, counts, strict=True))
    return _lookup(rng, f"In stock: {table}. How many", things, counts)


def _names(rng: np.random.Generator) -> Task:
    fields = [str(x) for x in rng.choice(FIELDS, size=4, replace=False)]
    names = [h + str(rng.choice(_TAILS)) for h in rng.choice(_HEADS, size=4, replace=False)]
    table = ", ".join(f"{f} {x}" for f, x in zip(fields, names, strict=True))
    return _lookup(rng, f"Of a made-up land: {table}. Name the", fields, names)


def _lookup(rng: np.random.Generator, opening: str, labels: list[str], values: list[str]) -> Task:
    """Ask for some of the table's cells; the slip is the cell beside."""
    rows = [int(x) for x in rng.choice(len(labels), size=_size(rng), replace=False)]
    asks = tuple(labels[i] for i in rows)
    right = tuple(values[i] for i in rows)
    wrong = tuple(values[(i + 1) % len(values)] for i in rows)
    return Task(f"{opening} {_and(asks)}?", asks, right, wrong)


def _size(rng: np.random.Generator) -> int:
    return int(rng.integers(2, 4))


def _and(parts: tuple[str, ...]) -> str:
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
