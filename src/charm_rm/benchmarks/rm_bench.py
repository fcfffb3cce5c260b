"""RM-Bench (Liu et al., ICLR 2025): does the reward model see substance through style?

Original files: ``{chat,code,math,safety-refuse,safety-response}_filtered.json``, or ``total_dataset.json`` with the same
items and a ``domain``. Each item has three chosen and three rejected responses, in the same order of style:
concise, detailed, detailed with markdown.

Official scoring (``compute_accuracy`` in ``scripts/utils.py``): a 3 x 3 table of chosen style x rejected style, each
cell the share of items whose chosen score is strictly greater, so that a tie counts as wrong.

    hard   = mean of the upper right: the chosen response has the plainer style
    normal = mean of the diagonal: the styles are the same
    easy   = mean of the lower left: the chosen response has the fancier style

A domain's average is the mean of the three, hence of all nine cells; overall figures are means over the four
domains chat, math, code, safety. Safety pools the items of safety-refuse and safety-response, as the script does;
both are reported by themselves as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import SchemaError, listing
from .definition import Benchmark
from .files import nothing_found, only_copy, read_rows, text_of, texts_of
from .items import Cell, Item, good_and_bad
from .metrics import Metric, mean_of_subsets
from .official import Official
from .registry import benchmark
from .rules import mean_of_cells

_STYLES = ("concise", "detailed", "markdown")
_DOMAINS = {
    "chat": ("chat",),
    "math": ("math",),
    "code": ("code",),
    "safety": ("safety-refuse", "safety-response"),
}
SUBSETS = tuple(s for subsets in _DOMAINS.values() for s in subsets)
OFFICIAL = Official(
    "rm-bench",
    dict(zip(SUBSETS, (129, 529, 228, 284, 157), strict=True)),
    "overall figures are over what is there and compare with no leaderboard",
)
_TOTAL_FILE = "total_dataset.json"
TIE_VALUE = 0.0

_ALL = tuple((i, j) for i in range(len(_STYLES)) for j in range(len(_STYLES)))
CELLS: dict[str, tuple[Cell, ...]] = {
    "easy": tuple((i, j) for i, j in _ALL if i > j),
    "normal": tuple((i, j) for i, j in _ALL if i == j),
    "hard": tuple((i, j) for i, j in _ALL if i < j),
    "average": _ALL,
}


@benchmark(
    name="rm-bench",
    about="does it see substance through style?",
    citation="Liu et al., RM-Bench: Benchmarking Reward Models of Language Models with Subtlety and Style, ICLR 2025",
    licence="no licence file in its repository",
    items=1327,
    source="https://github.com/THU-KEG/RM-Bench (data/), https://huggingface.co/datasets/THU-KEG/RM-Bench",
    hub=("THU-KEG/RM-Bench",),
)
def load_rm_bench(folder: str | Path) -> Benchmark:
    """Load what is there of RM-Bench below ``folder``; a missing domain makes the overall figures partial.

    Where all five ``*_filtered.json`` files are there they are read; else ``total_dataset.json`` where it is
    there; else the files that are.

    Raises:
        UnreadableFile: nothing of RM-Bench is below the folder, or a file cannot be read.
        SchemaError: an item lacks a key, has not three responses a side, or names an unknown domain.
    """
    items = _items(Path(folder))
    present = [s for s in SUBSETS if any(item.subset == s for item in items)]
    return OFFICIAL.benchmark(items, official_metrics(present, items), TIE_VALUE)


def _items(folder: Path) -> tuple[Item, ...]:
    parts = {s: sorted(folder.rglob(f"{s}_filtered.json")) for s in SUBSETS}
    parts = {s: paths for s, paths in parts.items() if paths}
    totals = sorted(folder.rglob(_TOTAL_FILE))
    if totals and len(parts) < len(SUBSETS):
        return tuple(_item(r, _domain(r, w), w) for r, w in read_rows(only_copy(totals, _TOTAL_FILE)))
    if not parts:
        raise nothing_found("RM-Bench", folder, f"*_filtered.json and {_TOTAL_FILE}")
    files = {s: only_copy(paths, f"RM-Bench {s}") for s, paths in parts.items()}
    return tuple(_item(row, s, where) for s, path in files.items() for row, where in read_rows(path))


def _item(row: Any, subset: str, where: str) -> Item:
    chosen, rejected = (texts_of(row, key, where, length=len(_STYLES)) for key in ("chosen", "rejected"))
    name = str(row.get("id", where.rpartition(" ")[2]))
    return good_and_bad(name, subset, text_of(row, "prompt", where), chosen, rejected)


def _domain(row: Any, where: str) -> str:
    domain = text_of(row, "domain", where)
    if domain not in SUBSETS:
        raise SchemaError(
            f"unknown domain {domain!r}",
            where=where,
            fix=f"known are {listing(SUBSETS)}; fetch the file again",
        )
    return domain


def official_metrics(present: list[str], items: Sequence[Item] = ()) -> tuple[Metric, ...]:
    """Easy, normal, hard and average for each domain (safety's two parts as well) and over all domains.

    They are partial where less than the official ``items`` are there.
    """
    domains = {d: tuple(s for s in parts if s in present) for d, parts in _DOMAINS.items()}
    domains = {d: parts for d, parts in domains.items() if parts}
    rows: list[tuple[str, tuple[tuple[str, ...], ...], bool]] = []
    for domain, parts in domains.items():
        rows.append((domain, (parts,), parts != _DOMAINS[domain] or _short(parts, items)))
        rows += [(s, ((s,),), _short([s], items)) for s in parts if s != domain]
    rows.append(("all", tuple(domains.values()), len(present) < len(SUBSETS) or _short(present, items)))
    return tuple(
        mean_of_subsets(subset, name, groups, mean_of_cells(cells), partial=partial)
        for subset, groups, partial in rows
        for name, cells in CELLS.items()
    )


def _short(subsets: Sequence[str], items: Sequence[Item]) -> bool:
    return bool(items) and not OFFICIAL.whole(subsets, items)
