"""Reading a benchmark's original files, strictly: what is not as it should be is an error with file and item."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..conversations import is_conversation
from ..errors import CharmError, NothingThere, SchemaError, UnreadableFile, did_you_mean, listing
from ..protocols import Prompt
from ..store import column_names, read_frame, read_json, read_json_lines
from .items import Item

Row = Mapping[str, Any]
_SHARD = re.compile(r"(?P<table>.+)-\d{5}-of-(?P<of>\d{5})(?P<end>\.\w+)")
_FETCH_AGAIN = "fetch the file again from the benchmark's repository"


def read_items(paths: Path | Sequence[Path], make: Callable[[Row, str], Item]) -> Iterator[Item]:
    """Make an item of each row of a file or of several; an error about the item names file and row."""
    files = [paths] if isinstance(paths, Path) else paths
    for row, where in (found for path in files for found in read_rows(path)):
        try:
            yield make(row, where)
        except CharmError as error:
            if where not in str(error.where):
                error.where = f"{where}: {error.where}" if error.where else where
            raise


def read_rows(path: Path, *, texts: Collection[str] = ()) -> Iterator[tuple[Row, str]]:
    """Yield each object of a JSON list, a JSONL file, or a Parquet or CSV table, with the words that locate it.

    ``texts`` are columns of text in a CSV file; others have the type that all their cells have.

    Raises:
        UnreadableFile: missing, empty, cut short or of another kind.
        SchemaError: not a list of objects, or an empty one.
    """
    rows = _rows(path, texts)
    if not isinstance(rows, list) or not rows:
        raise SchemaError("expected a JSON list with at least one item", where=str(path), fix=_FETCH_AGAIN)
    for number, row in enumerate(rows, start=1):
        where = f"{path}: item {number}"
        if not isinstance(row, dict):
            raise SchemaError(
                f"expected an object, found {type(row).__name__}", where=where, fix=_FETCH_AGAIN
            )
        yield row, where


def text_of(row: Row, key: str, where: str) -> str:
    """Return ``row[key]`` as text."""
    value = _value(row, key, where)
    if not isinstance(value, str):
        raise SchemaError(f"{key!r} should be text, found {value!r:.60}", where=where, fix=_FETCH_AGAIN)
    return value


def texts_of(row: Row, key: str, where: str, *, length: int | None = None) -> tuple[str, ...]:
    """Return ``row[key]`` as a tuple of ``length`` texts, or of any number above none."""
    value = _value(row, key, where)
    right = isinstance(value, list) and (len(value) == length if length is not None else len(value) > 0)
    if not right or not all(isinstance(v, str) for v in value):
        count = "" if length is None else f"{length} "
        raise SchemaError(
            f"{key!r} should be a list of {count}texts, found {value!r:.60}", where=where, fix=_FETCH_AGAIN
        )
    return tuple(value)


def prompt_of(row: Row, key: str, where: str) -> Prompt:
    """Return ``row[key]`` as a prompt: text, or chat messages, of which only role and content are kept."""
    value = _value(row, key, where)
    if isinstance(value, str):
        return value
    if not is_conversation(value):
        raise SchemaError(
            f"{key!r} should be text or chat messages, found {value!r:.60}", where=where, fix=_FETCH_AGAIN
        )
    return [{"role": m["role"], "content": m["content"]} for m in value]


def numbers_of(row: Row, key: str, where: str, *, length: int) -> tuple[float, ...]:
    """Return ``row[key]`` as a tuple of ``length`` numbers."""
    value = _value(row, key, where)
    right = isinstance(value, list) and len(value) == length
    if not right or not all(_is_number(v) for v in value):
        raise SchemaError(
            f"{key!r} should be a list of {length} numbers, found {value!r:.60}",
            where=where,
            fix=_FETCH_AGAIN,
        )
    return tuple(float(v) for v in value)


def number_of(row: Row, key: str, where: str) -> float:
    """Return ``row[key]`` as a finite number."""
    value = _value(row, key, where)
    if not _is_number(value):
        raise SchemaError(f"{key!r} should be a number, found {value!r:.60}", where=where, fix=_FETCH_AGAIN)
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def one_of(row: Row, key: str, choices: Collection[str], where: str) -> str:
    """Return ``row[key]``, which is one of ``choices``."""
    value = text_of(row, key, where)
    if value not in choices:
        raise SchemaError(
            f"unknown {key} {value!r}.{did_you_mean(value, choices)}",
            where=where,
            fix=f"known are {listing(choices, limit=30)}; {_FETCH_AGAIN}",
        )
    return value


def find(folder: Path, *patterns: str) -> list[Path]:
    """The files below ``folder`` whose path ends as a pattern says, in order; ``folder`` itself where it is a file."""
    if folder.is_file():
        return [folder]
    found = {path for pattern in patterns for path in folder.rglob(pattern) if path.is_file()}
    return sorted(found)


def with_columns(paths: Sequence[Path], marks: Collection[str]) -> list[Path]:
    """The tables that have one of these columns at least: of files whose names are anybody's (``test.jsonl``)."""
    return [path for path in paths if not set(marks).isdisjoint(column_names(path))]


def one_table(paths: Sequence[Path], what: str) -> list[Path]:
    """The files of one table: a single one, or all of its shards (``train-00000-of-00002.parquet``), in order.

    Raises:
        CharmError: several tables, which are never chosen from in silence.
        UnreadableFile: a shard is missing.
    """
    shards = [_SHARD.fullmatch(path.name) for path in paths]
    tables = {(p.parent, m["table"], m["of"], m["end"]) for p, m in zip(paths, shards, strict=True) if m}
    if not all(shards) or len(tables) != 1:
        return [only_copy(paths, what)]
    ((folder, table, of, end),) = tables
    if missing := [n for n in range(int(of)) if folder / f"{table}-{n:05d}-of-{of}{end}" not in paths]:
        raise UnreadableFile(
            f"{len(missing)} of {int(of)} files of {table!r} are missing, first number {missing[0]}",
            where=str(folder),
            fix="fetch the whole table",
        )
    return sorted(paths)


def read_table(paths: Sequence[Path], what: str, *, texts: Collection[str] = ()) -> Iterator[tuple[Row, str]]:
    """:func:`read_rows` of all files of one table."""
    for path in one_table(paths, what):
        yield from read_rows(path, texts=texts)


@contextmanager
def mended_by(fix: str) -> Iterator[None]:
    """Put ``fix`` in place of the advice to fetch a file again: of tables that no repository has."""
    try:
        yield
    except CharmError as error:
        if error.fix == _FETCH_AGAIN:
            error.fix = fix
        raise


def only_copy(paths: Sequence[Path], what: str) -> Path:
    """Return the one path; several copies of the same file are an error, never a silent choice."""
    if len(paths) > 1:
        raise CharmError(
            f"{what} is there {len(paths)} times: {listing(paths)}", fix="name the one folder you mean"
        )
    return paths[0]


def nothing_found(benchmark: str, folder: Path, wanted: str) -> NothingThere:
    """The error for a data folder that holds nothing of a benchmark."""
    return NothingThere(
        f"no {benchmark} files below this folder",
        where=str(folder),
        fix=f"give --data the benchmark's own repository folder or a parent of it; looked for {wanted}",
    )


def refuse_split(benchmark: str, folder: Path, *, wanted: str, others: Sequence[str]) -> None:
    """Refuse a folder that holds another split than the one that is scored, and so nothing of the benchmark.

    Raises:
        NothingThere: files of the splits ``others`` are there, perhaps of this benchmark.
    """
    if wrong := find(folder, *(f"{split}{end}" for split in others for end in (".parquet", "-*.parquet"))):
        raise NothingThere(
            f"{benchmark} is scored on its split {wanted!r}, and here is another: {listing(p.name for p in wrong)}",
            where=str(folder),
            fix=f"fetch the split {wanted!r}",
        )


def _rows(path: Path, texts: Collection[str]) -> Any:
    kinds = path.suffixes[-2:]  # .jsonl.gz is packed lines
    if {".parquet", ".csv", ".tsv"} & set(kinds):
        return read_frame(path, texts=texts).to_dicts()
    return read_json_lines(path) if ".jsonl" in kinds else read_json(path)


def _value(row: Row, key: str, where: str) -> Any:
    if key not in row:
        raise SchemaError(
            f"key {key!r} is missing; found {listing(row)}.{did_you_mean(key, row)}",
            where=where,
            fix=_FETCH_AGAIN,
        )
    return row[key]
