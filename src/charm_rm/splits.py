"""Prompts in parts: train and test sides, folds, and lists of prompt ids. The only place that says which prompt is where.

A side is chosen by a hash of seed and prompt id alone, so that a prompt is on the same side in every file, whatever
else the file holds and in whatever order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
import polars as pl

from .errors import ConfigError, NoOverlap, SchemaError
from .reading.files import read_text
from .statistics import IntArray
from .store import read_columns
from .tables import TEXT, Table

T = TypeVar("T", bound=Table)
Side = Literal["train", "test"]
_LONGEST_LIST = 2**30
SIDES: tuple[Side, ...] = ("train", "test")


@dataclass(frozen=True)
class Split:
    """One side of a split of prompts by hash: ``fraction`` of all prompts there can be are on the test side.

    Raises:
        ConfigError: no such side, or a fraction that leaves one empty.
    """

    side: Side
    fraction: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.side not in SIDES:
            raise ConfigError(f"split {self.side!r} is not known", fix="use train or test")
        if not 0 < self.fraction < 1:
            raise ConfigError(
                f"split fraction {self.fraction!r} leaves one side empty",
                fix="give the share of test prompts, between 0 and 1",
            )

    def of(self, prompt_ids: Iterable[str]) -> list[str]:
        """Those of the prompts that are on this side."""
        wanted = self.side == "test"
        return [p for p in prompt_ids if (_share(p, self.seed) < self.fraction) == wanted]

    def __str__(self) -> str:
        return f"{self.side} side (test fraction {self.fraction:g}, seed {self.seed})"


def fold_of(prompt_ids: Sequence[str], folds: int, *, seed: int) -> IntArray:
    """The fold (0 to ``folds`` - 1) of each prompt: ranked by hash and dealt out, so that folds are of equal size."""
    order = sorted(range(len(prompt_ids)), key=lambda i: _hash(prompt_ids[i], seed))
    fold = np.empty(len(prompt_ids), dtype=np.int64)
    fold[order] = np.arange(len(prompt_ids)) % folds
    return fold


def read_prompt_ids(path: str | Path, *, side: str | None = None) -> list[str]:
    """Prompt ids from a table with a column ``prompt_id`` (``side``: those whose ``split`` says so), or a text file, one a line.

    Raises:
        SchemaError: the table has no column ``prompt_id`` (or ``split``, where a side is asked for).
        NoOverlap: no prompt is left.
        UnreadableFile: the file cannot be read.
    """
    path = Path(path)
    if path.suffix in (".txt", ""):
        ids = _read_lines(path)
        if side is not None:
            raise ConfigError(
                f"a text file of prompt ids has no column 'split' to find {side!r} in",
                where=str(path),
                fix="give a table with columns prompt_id and split, or leave out --split",
            )
    else:
        ids = _read_table(path, side)
    if not ids:
        raise NoOverlap("no prompt id is left", where=str(path), fix="check the file and --split")
    return list(dict.fromkeys(ids))


def only_prompts(table: T, prompt_ids: Collection[str]) -> T:
    """The rows of a table that are about these prompts.

    Raises:
        SchemaError: the table names no prompts.
        NoOverlap: none of its rows is.
    """
    if "prompt_id" not in table.frame.columns:
        raise SchemaError(
            f"{table.noun} name no prompts, so that some cannot be chosen",
            fix="start from scores or judgements by prompt, or leave out --prompts and --split",
        )
    frame = table.frame.filter(pl.col("prompt_id").is_in(list(prompt_ids)))
    if frame.is_empty():
        raise NoOverlap(
            f"none of the {len(prompt_ids)} chosen prompts is among those of the {table.noun}",
            fix="check the prompt ids",
        )
    return replace(table, frame=frame)


def on_side(table: T, split: Split) -> T:
    """The rows of a table whose prompts are on one side of a split, which its provenance then names.

    Raises:
        NoOverlap: there are none.
    """
    if "prompt_id" not in table.frame.columns:
        return only_prompts(table, ())
    chosen = only_prompts(table, split.of(table.frame["prompt_id"].unique().to_list()))
    return replace(chosen, provenance={**table.provenance, "split": asdict(split)})


def _hash(prompt_id: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:{prompt_id}".encode()).digest()


def _share(prompt_id: str, seed: int) -> float:
    """A number in [0, 1) that a prompt id and a seed give, as if drawn evenly."""
    return int.from_bytes(_hash(prompt_id, seed)[:8], "big") / 2**64


def _read_lines(path: Path) -> list[str]:
    lines = read_text(path, most=_LONGEST_LIST).splitlines()
    return [line.strip() for line in lines if line.strip()]


def _read_table(path: Path, side: str | None) -> list[str]:
    kinds = {"prompt_id": TEXT} | ({} if side is None else {"split": TEXT})
    frame = read_columns(path, kinds, noun="lists of prompts")
    if side is not None:
        frame = frame.filter(pl.col("split") == side)
    return frame["prompt_id"].drop_nulls().to_list()
