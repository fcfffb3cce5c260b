"""Rows brought together by prompt, on disk: each goes to the bucket of its prompt's hash, and a bucket fits memory.

The files have no names (they are deleted as they are made), so that nothing stays behind when a run fails or is killed.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import ConfigError, WriteFailed, counted
from ..statistics import FloatArray, IntArray
from ..store import writing_to
from .memory import say_bytes

# Two hashes of the prompt, the number of the policy, the score.
RECORD = np.dtype([("prompt", "<u8"), ("check", "<u8"), ("policy", "<u2"), ("score", "<f8")])
_WORKING = 100  # bytes of memory a row while a bucket is sorted
_SHARE = 8  # a bucket's part of the memory
_MOST_BUCKETS, _MOST_POLICIES = 512, 1 << 16
_PROMPTS = 8160  # whose scores are laid out at once


class DuplicateKey(Exception):
    """A policy has two scores on the prompt of this hash."""

    def __init__(self, prompt: int, policy: int) -> None:
        super().__init__(prompt, policy)
        self.prompt, self.policy = prompt, policy


class Spill:
    """Buckets of scores on disk. Write all rows, then read them by prompt as often as needed; closed, it is gone."""

    def __init__(self, folder: Path, rows: int, *, memory: int) -> None:
        """``folder``: where there is room; ``rows`` that are to come; ``memory`` in bytes that all of this process may take.

        Raises:
            WriteFailed: the disk has no room for them.
            ConfigError: that many rows do not go with so little memory.
        """
        self._folder = folder
        needed = rows * _WORKING * _SHARE / memory
        buckets = 1 << max(0, int(np.ceil(np.log2(max(needed, 1)))))
        if buckets > _MOST_BUCKETS:
            least = rows * _WORKING * _SHARE // _MOST_BUCKETS
            raise ConfigError(
                f"{counted(rows, 'score')} cannot be streamed in {say_bytes(memory)}",
                where="--memory",
                fix=f"allow at least --memory {say_bytes(least)}",
            )
        free, wanted = shutil.disk_usage(folder).free, rows * RECORD.itemsize
        if wanted > free:
            raise WriteFailed(
                f"{counted(rows, 'score')} take {say_bytes(wanted)} on disk while they are brought together by prompt, and {say_bytes(free)} are free",
                where=str(folder),
                fix="free disk space, or set TMPDIR (with --output: write to another disk)",
            )
        self._shift = np.uint64(64 - int(np.log2(buckets)))
        self._stack = ExitStack()
        with writing_to(folder):
            self._files: list[IO[Any]] = [
                self._stack.enter_context(tempfile.TemporaryFile(dir=folder, buffering=0))  # noqa: SIM115 (closed by the stack)
                for _ in range(buckets)
            ]

    def close(self) -> None:
        """Let the disk have its room back."""
        self._stack.close()

    def write(self, frame: pl.DataFrame, policies: IntArray) -> None:
        """Add rows (prompt_id, score) and the numbers of their policies."""
        records = np.empty(frame.height, dtype=RECORD)
        records["prompt"], records["check"] = prompt_hashes(frame["prompt_id"])
        records["policy"], records["score"] = policies, frame["score"].to_numpy()
        with writing_to(self._folder):
            if len(self._files) == 1:
                _write(self._files[0], records)
                return
            bucket = (records["prompt"] >> self._shift).astype(np.uint16)
            order = np.argsort(bucket, kind="stable")
            ends = np.searchsorted(bucket[order], np.arange(len(self._files) + 1))
            records = records[order]
            for i, file in enumerate(self._files):
                _write(file, records[ends[i] : ends[i + 1]])

    def blocks(self, policies: int) -> Iterator[FloatArray]:
        """(policies, prompts) scores of some prompts at a time, NaN where there is none, prompts in the order of their hashes.

        Raises:
            DuplicateKey: a policy has two scores on a prompt.
        """
        for file in self._files:
            file.seek(0)
            rows = _by_prompt(np.fromfile(file, dtype=RECORD))
            new = np.r_[True, _differs(rows)] if len(rows) else np.zeros(0, dtype=bool)
            place = np.cumsum(new) - 1
            starts = np.flatnonzero(new)
            for first in range(0, len(starts), _PROMPTS):
                last = min(first + _PROMPTS, len(starts))
                some = slice(starts[first], starts[last] if last < len(starts) else len(rows))
                yield _laid_out(rows[some], place[some] - first, (policies, last - first))


def prompt_hashes(ids: pl.Series) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Two 64-bit hashes of each prompt id; the second tells apart what the first does not."""
    return ids.hash(1).to_numpy(), ids.hash(2).to_numpy()


def check_policies(known: int) -> None:
    """Raise :class:`ConfigError` for more policies than a record can number."""
    if known > _MOST_POLICIES:
        raise ConfigError(
            f"more than {_MOST_POLICIES:,} policies; is the column of policies one of prompts?",
            fix="say which column it is: --column policy=...",
        )


def _write(file: IO[Any], records: NDArray[Any]) -> None:
    data = records.view(np.uint8).data
    while data:
        data = data[file.write(data) :]


def _by_prompt(rows: NDArray[Any]) -> NDArray[Any]:
    """Sorted by prompt; two prompts that share the first hash are told apart by the second."""
    rows = rows[np.argsort(rows["prompt"], kind="stable")]
    same = rows["prompt"][1:] == rows["prompt"][:-1]
    if (same & (rows["check"][1:] != rows["check"][:-1])).any():
        rows = rows[np.lexsort((rows["check"], rows["prompt"]))]
    return rows


def _differs(rows: NDArray[Any]) -> NDArray[np.bool_]:
    """Where a row is of another prompt than the one before."""
    return np.asarray((rows["prompt"][1:] != rows["prompt"][:-1]) | (rows["check"][1:] != rows["check"][:-1]))


def _laid_out(rows: NDArray[Any], place: IntArray, shape: tuple[int, int]) -> FloatArray:
    values = np.full(shape, np.nan)
    values[rows["policy"], place] = rows["score"]
    if values.size - np.count_nonzero(np.isnan(values)) != len(rows):
        cells = rows["policy"].astype(np.int64) * shape[1] + place
        order = np.argsort(cells, kind="stable")
        again = order[1:][cells[order][1:] == cells[order][:-1]][0]
        raise DuplicateKey(int(rows["prompt"][again]), int(rows["policy"][again]))
    return values
