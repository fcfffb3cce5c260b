"""Tables of separated text: comma, semicolon or tab, quoted as RFC 4180 says. What is not is refused with its row.

Polars reads the cells, all as text. Before it, quotes are checked, as it may take a stray one for the beginning of a
cell of many lines.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import warnings
from collections import Counter
from collections.abc import Collection
from pathlib import Path

import numpy as np
import polars as pl

from ..errors import ReadingNote, SchemaError, UnreadableFile, counted, first_line, listing
from .columns import TEXTS, typed, with_decimal_points
from .containers import Source
from .names import is_known
from .refusals import wrong_encoding

SEPARATORS = (",", ";", "\t", "|")
_QUOTE, _NEWLINE = 34, (10, 13)
_BEFORE = re.compile(rb"[ \t\r]*\n|#[^\n]*\n|(?i:sep=).\r?\n")  # a blank line, a comment, Excel's separator
_LONGEST_HEADER = 1_000_000


def read_separated(source: Source, texts: Collection[str] = ()) -> pl.DataFrame:
    """The frame; columns named in :data:`TEXTS`, and ``texts``, are text.

    Raises:
        UnreadableFile: another encoding, stray quotes, rows of different lengths; with the row.
        SchemaError: two columns of one name.
    """
    path = source.path
    data = _plain_lines(source.data().removeprefix(codecs.BOM_UTF8), path)
    separator, names = _dialect(data, path)
    if b'"' in data:
        _check_quotes(data, separator, path)
    try:
        frame = pl.read_csv(data, separator=separator, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        _check_lengths(data, separator, len(names), path)
        data.decode()  # its own error, where that is the reason
        raise UnreadableFile(
            f"cannot be read as csv: {first_line(error)}", where=str(path), fix="write the file again"
        ) from error
    if frame.width == len(names):  # Polars leaves doubled quotes in the header as they are
        frame = frame.rename({c: n for c, n in zip(frame.columns, names, strict=True) if '"' in n})
    if frame.width > 1 and frame.height and frame[:, -1].null_count():
        _check_lengths(data, separator, len(names), path)
    frame, texts = _without_spaces(_without_blank_lines(frame, path), path), TEXTS | set(texts)
    if separator != ",":
        spare = [c for c in frame.columns if c not in texts]
        numbers, commas = with_decimal_points(frame.select(spare))
        frame = frame.with_columns(numbers)
        if commas:
            warnings.warn(
                f"{path}: read decimal commas in column {listing(commas)}", ReadingNote, stacklevel=4
            )
    return typed(frame, texts)


def header(source: Source) -> list[str]:
    """The names of the columns."""
    return [n.strip() if i else n for i, n in enumerate(dialect(source)[1])]


def dialect(source: Source) -> tuple[str, list[str]]:
    """The separator, and the names in the header as they stand."""
    start = source.start(_LONGEST_HEADER).removeprefix(codecs.BOM_UTF8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReadingNote)  # who reads the table says it
        start = _plain_lines(start, source.path)
    return _dialect(start, source.path)


# --- details ------------------------------------------------------------------------------------


def _plain_lines(data: bytes, path: Path) -> bytes:
    """The bytes with lines that end in a line feed, without what stands before the table: comments (``# ...``), Excel's ``sep=;``."""
    if b"\r" in data and b"\n" not in data:
        if b'"' in data:
            raise UnreadableFile(
                "its lines end in carriage returns alone, and cells are quoted",
                where=str(path),
                fix="write it again with line feeds, for example with: tr '\\r' '\\n'",
            )
        data = data.replace(b"\r", b"\n")
    at = 0
    while (line := _BEFORE.match(data, at)) is not None and not _names_columns(line[0]):
        at = line.end()
    if data[:at].strip():
        lines = counted(data.count(b"\n", 0, at), "line")
        warnings.warn(f"{path}: left out {lines} before the table", ReadingNote, stacklevel=5)
    return data[at:]


def _names_columns(line: bytes) -> bool:
    """Whether a line that begins with ``#`` is a header all the same."""
    cells = re.split(rb"[,;|\t]", line.strip())
    return len(cells) > 1 and any(is_known(c.decode(errors="replace")) for c in cells)


def _dialect(data: bytes, path: Path) -> tuple[str, list[str]]:
    """The separator, and the header's names: the separator that gives most known names, then most names."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise wrong_encoding(path)
    try:
        first = _first_row(
            data[:_LONGEST_HEADER].decode(errors="strict" if len(data) < _LONGEST_HEADER else "ignore")
        )
    except UnicodeDecodeError as error:
        raise wrong_encoding(path) from error
    found = {s: next(csv.reader(io.StringIO(first), delimiter=s), [""]) for s in SEPARATORS}
    separator = max(SEPARATORS, key=lambda s: (_known(found[s]), len(found[s]), s == ","))
    twice = [name for name, n in Counter(found[separator]).items() if n > 1 and name]
    if twice:
        raise SchemaError(
            f"column {listing(twice)} is there twice",
            where=str(path),
            fix="rename or drop one of each (pandas: reset_index() before to_csv(), where there are several rows of header)",
        )
    return separator, found[separator]


def _known(names: list[str]) -> int:
    return sum(n in TEXTS or is_known(n) for n in names)


def _first_row(text: str) -> str:
    """Up to the first line end outside quotes."""
    ahead = 0
    for line in text.splitlines(keepends=True):
        ahead += len(line)
        if text.count('"', 0, ahead) % 2 == 0:
            return text[:ahead]
    return text


def _check_quotes(data: bytes, separator: str, path: Path) -> None:
    """Every opening quote begins a cell, every closing one ends it; inside, a quote is written twice."""
    text = np.frombuffer(data, dtype=np.uint8)
    quotes = np.flatnonzero(text == _QUOTE)
    edges = np.array([ord(separator), *_NEWLINE, _QUOTE], dtype=np.uint8)
    opening, closing = quotes[::2], quotes[1::2]
    good_before = np.isin(text[np.maximum(opening - 1, 0)], edges) | (opening == 0)
    good_after = np.isin(text[np.minimum(closing + 1, len(text) - 1)], edges) | (closing == len(text) - 1)
    stray = [*opening[~good_before], *closing[~good_after], *(opening[-1:] if len(quotes) % 2 else [])]
    if not stray:
        return
    at = min(stray)
    inside = quotes[quotes < at]
    lines = np.flatnonzero(text[:at] == _NEWLINE[0])
    row = int((np.searchsorted(inside, lines) % 2 == 0).sum()) - 1
    shown = data[max(0, at - 20) : at + 20].decode(errors="replace")
    escaped = at > 0 and data[at - 1 : at] == b"\\"
    raise UnreadableFile(
        f"a quote inside a cell is {'escaped by a backslash' if escaped else 'not written twice'}: ...{shown!r}...",
        where=f"{path}, {'the header' if row < 0 else f'row {row}'}",
        fix='write the file again with quotes doubled ("say ""hi""", every writer\'s default), or as Parquet or JSONL',
    )


def _check_lengths(data: bytes, separator: str, width: int, path: Path) -> None:
    """Refuse the first row with another number of cells than the header; blank lines are none."""
    rows = csv.reader(io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline=""), delimiter=separator)
    csv.field_size_limit(max(csv.field_size_limit(), len(data)))
    row = -1
    for cells in rows:
        if len(cells) not in (0, width):
            raise UnreadableFile(
                f"it has {len(cells)} cells, the header {width}: {separator.join(cells)[:80]!r}",
                where=f"{path}, row {row}",
                fix="quote cells that hold the separator or a line end; give every row all cells",
            )
        row += 1


def _without_blank_lines(frame: pl.DataFrame, path: Path) -> pl.DataFrame:
    """Without the rows that blank lines make; those at the end are no news. In a table of one column an empty line is an empty cell."""
    height = frame.height
    while height and all(cell is None for cell in frame.row(height - 1)):
        height -= 1
    frame = frame.head(height)
    if frame.width < 2 or not frame[:, 0].null_count():
        return frame
    blank = frame.select(pl.all_horizontal(pl.all().is_null()).alias("blank"))["blank"]
    if blank.any():
        warnings.warn(
            f"{path}: left out {counted(int(blank.sum()), 'blank line')}", ReadingNote, stacklevel=5
        )
    return frame.filter(~blank)


def _without_spaces(frame: pl.DataFrame, path: Path) -> pl.DataFrame:
    """Without the space after every separator (``a, b``), where it stands after each one in the header and in the first rows."""
    later = frame.columns[1:]
    if not later or not all(c.startswith(" ") for c in later):
        return frame
    spaced = [c for c in later if frame[c].drop_nulls().str.starts_with(" ").all()]
    if spaced != later:
        return frame
    warnings.warn(f"{path}: left out the space after each separator", ReadingNote, stacklevel=5)
    return frame.with_columns(pl.col(later).str.strip_prefix(" ")).rename({c: c[1:] for c in later})
