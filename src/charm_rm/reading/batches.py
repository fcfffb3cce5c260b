"""Tables read a batch of rows at a time: sources that are larger than memory, in one file or many."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import polars as pl

from ..errors import ReadingNote, SchemaError, UnreadableFile
from .containers import Source, read_typed, source_of
from .files import reading_file
from .json_text import frame_of, json_line_batches, read_json_table
from .parts import is_several, said_by_folders, sources_of
from .separated import dialect, read_separated
from .stringified import with_messages

# Separated text up to this size is read at once, with every check; beyond it, in batches.
WHOLE_TEXT = 256 << 20
_OPENERS: dict[str | None, Callable[[Path], Any]] = {
    "gzip": gzip.GzipFile,
    "bzip2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
}


@dataclass(frozen=True)
class Batch:
    """Rows of one file, in order; ``first`` is the number of the first, from 0, in its file."""

    path: Path
    first: int
    frame: pl.DataFrame


def batches_of(
    path: Path, *, size: int, texts: Collection[str] = (), unread: bool = False
) -> Iterator[Batch]:
    """The rows of a file, folder or pattern, about ``size`` at a time, files in the order of their names.

    Parquet, JSONL (packed or not) and large separated text are never in memory as a whole; JSON documents and Arrow files are. What folders
    say (``lang=en/``) is a column. Files need not have the same columns.

    Args:
        path: where they are.
        size: rows at once.
        texts: columns that were told to hold prompts and the like, whatever they are called.
        unread: conversations that cannot be read (a part is an image) stay as they are, so that one row does not end the reading; without
            it they are refused in JSON and separated text.

    Raises:
        UnreadableFile: a file that is missing, damaged or of an unknown kind; it is named.
    """
    as_told: Mapping[str, Any] = {"texts": texts, "unread": unread}
    several = is_several(path)
    for source in sources_of(path) if several else [source_of(path)]:
        said = said_by_folders(source.path, path) if several else {}
        first = 0
        for frame in _frames(source, size, as_told):
            if twice := [c for c in said if c in frame.columns]:
                raise SchemaError(
                    f"column {twice[0]!r} is in the file, and in the name of its folder",
                    where=str(source.path),
                    fix="rename the folder or drop the column",
                )
            yield Batch(source.path, first, frame.with_columns([pl.lit(v).alias(k) for k, v in said.items()]))
            first += frame.height


def _frames(source: Source, size: int, as_told: Mapping[str, Any]) -> Iterator[pl.DataFrame]:
    frames = _BY_KIND[source.kind](source, size, as_told)
    while True:
        with reading_file(source.path, source.kind):
            frame = next(frames, None)
        if frame is None:
            return
        if source.kind == "csv":
            frame = with_messages(frame, untyped=True, **as_told)
        yield frame


def _parquet(source: Source, size: int, _as_told: Mapping[str, Any]) -> Iterator[pl.DataFrame]:
    if not source.on_disk:
        yield from read_typed(source).iter_slices(size)
        return
    scan = pl.scan_parquet(source.path, glob=False, hive_partitioning=False)
    yield from _at_most(size, scan, source)


def _arrow(source: Source, size: int, _as_told: Mapping[str, Any]) -> Iterator[pl.DataFrame]:
    yield from read_typed(source).iter_slices(size)


def _json(source: Source, size: int, as_told: Mapping[str, Any]) -> Iterator[pl.DataFrame]:
    yield from read_json_table(source, **as_told).iter_slices(size)


def _jsonl(source: Source, size: int, as_told: Mapping[str, Any]) -> Iterator[pl.DataFrame]:
    with _lines(source) as lines:
        try:
            for rows in json_line_batches(source, lines, size):
                if rows.values:
                    yield frame_of(rows, source, **as_told)
        except (EOFError, lzma.LZMAError) as error:
            raise UnreadableFile(
                f"cannot be unpacked as {source.packing}: {error}",
                where=str(source.path),
                fix="the file may be cut short; write or download it again",
            ) from error


def _lines(source: Source) -> TextIO:
    if source.given is None and source.packing in _OPENERS:
        return io.TextIOWrapper(_OPENERS[source.packing](source.path), encoding="utf-8-sig", newline="\n")
    return source.lines()


def _csv(source: Source, size: int, _as_told: Mapping[str, Any]) -> Iterator[pl.DataFrame]:
    if not source.on_disk or source.path.stat().st_size <= WHOLE_TEXT:
        yield from read_separated(source).iter_slices(size)
        return
    warnings.warn(
        f"{source.path}: read in batches, so stray quotes are not looked for; Parquet and JSONL have none",
        ReadingNote,
        stacklevel=6,
    )
    scan = pl.scan_csv(source.path, separator=dialect(source)[0], infer_schema=False, glob=False)
    yield from _at_most(size, scan, source)


def _at_most(size: int, scan: pl.LazyFrame, source: Source) -> Iterator[pl.DataFrame]:
    """Batches of no more than ``size`` rows; where Polars cuts them is its own affair.

    The rows are counted first and again: Polars 1.36 ends the batches of a damaged file as if it were whole.
    """
    there, read = scan.select(pl.len()).collect().item(), 0
    for frame in scan.collect_batches(chunk_size=size, maintain_order=True):
        read += frame.height
        yield from frame.iter_slices(size)
    if read != there:
        raise UnreadableFile(
            f"cannot be read as {source.kind}: {read} of {there} rows came out",
            where=str(source.path),
            fix="the file may be damaged; write or download it again",
        )


_BY_KIND: dict[str, Callable[[Source, int, Mapping[str, Any]], Iterator[pl.DataFrame]]] = {
    "parquet": _parquet,
    "arrow": _arrow,
    "json": _json,
    "jsonl": _jsonl,
    "csv": _csv,
}
