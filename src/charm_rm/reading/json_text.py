"""JSON and JSONL: read by one strict reader into one kind of frame, with line or item number in every error."""

from __future__ import annotations

import itertools
import json
import re
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np
import polars as pl

from ..errors import ReadingNote, UnreadableFile, first_line
from ..tables.schema import Table
from .containers import Source
from .json_columns import json_series
from .json_shapes import kind, rows_of
from .refusals import wrong_encoding

# Only an escape can bring half a surrogate pair: the file itself is UTF-8.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_FIRST = 100
# Far more than any table or document of charm's has; libraries overflow their stack long after.
_DEEPEST = 64
_SPACE = " \t\n\r"  # white space to JSON, and no other
_CUT = "the file may be cut short; write it again"


class Items(NamedTuple):
    """The values of a file, and where each stands: ``line 3`` or ``item 3``."""

    values: list[Any]
    places: Sequence[int]
    kind: str
    note: str = ""

    def place(self, index: int) -> str:
        return f"{self.kind} {self.places[index]}"


def read_json(source: Source) -> Any:
    """A JSON document.

    Raises:
        UnreadableFile: not UTF-8, not JSON, a key twice in one object, nested too deep, half a surrogate pair.
    """
    text = _text(source)
    try:
        value = _parse(text)
    except _Refused as error:
        raise _refusal(_item_of_error(text) or "the document", error, source.path) from error
    return value


def read_json_lines(source: Source) -> list[Any]:
    """One JSON value per line, of whatever shapes; empty lines are passed over. Errors as :func:`read_json`."""
    return _lines(source).values


def names(source: Source) -> list[str]:
    """The columns of a table; of JSONL, those of its first rows."""
    return list(dict.fromkeys(name for row in items(source, most=_FIRST).values for name in row))


def items(source: Source, *, most: int | None = None) -> Items:
    """The rows of a JSON list or of JSONL, wherever they stand; ``most``: no more lines than these.

    Raises:
        UnreadableFile: as :func:`read_json`; a row that is no object.
    """
    return _objects(_lines(source, most) if source.kind == "jsonl" else _list(source), source)


def _objects(found: Items, source: Source) -> Items:
    """The rows, each of which must be an object."""
    for index, value in enumerate(found.values):
        if not isinstance(value, dict):
            raise UnreadableFile(
                f"{found.place(index)} holds {kind(value)}, a table has an object a row",
                where=str(source.path),
                fix="write one object a line (.jsonl), or one list of objects (.json)",
            )
    return found


def read_json_table(
    source: Source, texts: Collection[str] = (), noun: type[Table] | None = None, *, unread: bool = False
) -> pl.DataFrame:
    """The rows as a frame; columns of names and ids are text, as :func:`~.json_columns.json_series` says (``unread``, too)."""
    rows = items(source)
    if rows.note:
        warnings.warn(f"{source.path}: {rows.note}", ReadingNote, stacklevel=4)
    return frame_of(rows, source, texts, noun, unread=unread)


def json_line_batches(source: Source, lines: TextIO, size: int) -> Iterator[Items]:
    """The rows of JSONL, ``size`` lines at a time; errors as :func:`items`."""
    number = 0
    while True:
        values: list[Any] = []
        places: list[int] = []
        begun = number
        try:
            for line in itertools.islice(lines, size):
                number += 1
                if line.strip():
                    values.append(_parse(line))
                    places.append(number)
        except UnicodeDecodeError as error:
            raise wrong_encoding(source.path) from error
        except _Refused as error:
            raise _refusal(f"line {number}", error, source.path) from error
        if number == begun:
            return
        yield _objects(Items(values, places, "line"), source)


def frame_of(
    rows: Items,
    source: Source,
    texts: Collection[str] = (),
    noun: type[Table] | None = None,
    *,
    unread: bool = False,
) -> pl.DataFrame:
    """Rows that were read as a frame."""
    columns = dict.fromkeys(name for row in rows.values for name in row)
    declared = {} if noun is None else {c.name: c for c in noun.columns}
    return pl.DataFrame(
        [
            json_series(
                name,
                [row.get(name) for row in rows.values],
                lambda index: f"{source.path}: {rows.place(index)}",
                declared=declared.get(name),
                as_text=name in texts,
                unread=unread,
            )
            for name in columns
        ]
    )


# --- details ------------------------------------------------------------------------------------


class _Refused(ValueError):
    """Why one JSON text is not taken."""


def _text(source: Source) -> str:
    try:
        return source.text()
    except UnicodeDecodeError as error:
        raise wrong_encoding(source.path) from error


def _lines(source: Source, most: int | None = None) -> Items:
    values: list[Any] = []
    places: list[int] = []
    try:
        with source.lines() as lines:
            for number, line in enumerate(itertools.islice(lines, most), start=1):
                if line.strip():
                    values.append(_parse(line))
                    places.append(number)
    except UnicodeDecodeError as error:
        raise wrong_encoding(source.path) from error
    except _Refused as error:
        raise _refusal(f"line {number}", error, source.path) from error
    return Items(values, places, "line")


def _list(source: Source) -> Items:
    """The rows of a document, in whatever shape (:mod:`.json_shapes`)."""
    rows, note = rows_of(read_json(source), source.path)
    return Items(rows, range(1, len(rows) + 1), "item", note)


def _parse(text: str) -> Any:
    try:
        value = _decoded(text)
    except _Refused:
        raise
    except RecursionError as error:
        raise _Refused("is nested too deep") from error
    except ValueError as error:
        raise _Refused(f"is not valid JSON: {first_line(error)}") from error
    if _may_be_deep(text) and _is_deep(value):
        raise _Refused(f"is nested more than {_DEEPEST} deep")
    if "\\u" in text and _SURROGATE.search(text) and (place := _half_pair(value)):
        raise _Refused(f"{place} holds half a surrogate pair, which is no character")
    return value


def _decoded(text: str) -> Any:
    """The one value of a text. Of short texts, as lines are, most of the decoder's time is around the scan; its errors are the decoder's."""
    bare = text.strip(_SPACE)
    try:
        value, end = _SCAN(bare, 0)
    except StopIteration:
        end = -1
    return value if end == len(bare) else _DECODER.decode(text)


def _may_be_deep(text: str) -> bool:
    """False where the brackets, those within texts among them, never stand so deep."""
    if len(text) <= 2 * _DEEPEST or text.count("[") + text.count("{") <= _DEEPEST:
        return False
    step = np.zeros(256, dtype=np.int64)
    step[[ord("["), ord("{")]], step[[ord("]"), ord("}")]] = 1, -1
    steps = step[np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8)].cumsum()
    return bool((steps - np.minimum(np.minimum.accumulate(steps), 0)).max() > _DEEPEST)


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            part
            for outer in level
            if isinstance(outer, list | dict)
            for part in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return any(isinstance(part, list | dict) for part in level)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise _Refused(f"has the key {next(n for n in names if names.count(n) > 1)!r} twice in one object")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_once)
_SCAN: Callable[[str, int], tuple[Any, int]] = _DECODER.scan_once  # type: ignore[attr-defined]


def _half_pair(value: Any, name: str = "") -> str | None:
    """Where the first lone surrogate is, in words."""
    if isinstance(value, str):
        at = next((i for i, c in enumerate(value) if "\ud800" <= c <= "\udfff"), None)
        return None if at is None else f"{name or 'the text'}, character {at},"
    inner: Iterator[tuple[str, Any]] = iter(())
    if isinstance(value, dict):
        inner = ((f"{name}.{k}" if name else k, part) for k, v in value.items() for part in (k, v))
    elif isinstance(value, list):
        inner = ((f"{name}[{i}]" if name else "", v) for i, v in enumerate(value))
    return next((place for n, v in inner if (place := _half_pair(v, n))), None)


def _item_of_error(text: str) -> str | None:
    """``item 3``, where a list breaks in its third item; None for what is no list."""
    at = len(text) - len(text.lstrip())
    if not text.startswith("[", at):
        return None
    number = 1
    try:
        while True:
            at += 1
            at += len(text[at:]) - len(text[at:].lstrip()) if text[at : at + 1].isspace() else 0
            start = at
            _, at = _DECODER.raw_decode(text, at)
            _parse(text[start:at])
            at += len(text[at:]) - len(text[at:].lstrip()) if text[at : at + 1].isspace() else 0
            if text[at : at + 1] != ",":
                return f"item {number}"
            number += 1
    except (ValueError, RecursionError):
        return f"item {number}"


def _refusal(place: str, error: _Refused, path: Path) -> UnreadableFile:
    if "surrogate" in str(error):
        fix = "write the whole character, or U+FFFD in its place"
    elif "twice" in str(error):
        fix = "keep one of them"
    elif "Extra data" in str(error):
        fix = "a file with one object a line has the suffix .jsonl"
    else:
        fix = _CUT
    return UnreadableFile(
        f"{place} {error}" if "holds" not in str(error) else f"{place}: {error}", where=str(path), fix=fix
    )
