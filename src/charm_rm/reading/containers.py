"""Which kind of table a file holds, by its suffix, else by how it begins; and its bytes, unpacked, from disk or standard input."""

from __future__ import annotations

import io
import itertools
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TextIO

import polars as pl

from ..errors import UnreadableFile
from .files import check_plain_file, reading_file
from .unpacking import MOST_UNPACKED, packing_of, unpacked
from .unpacking import SUFFIXES as PACKED

Kind = Literal["parquet", "csv", "jsonl", "json", "arrow"]
SUFFIXES: dict[str, Kind] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}
STANDARD_INPUT = "-"
_START = 1 << 16
_TO_PARQUET = 'in Python: pandas.{}("{}").to_parquet("table.parquet")'
# What is never opened: kinds that would run code, or that need a library; and how to turn them into one that is read.
_REFUSED = {
    **dict.fromkeys((".pkl", ".pickle", ".p"), ("a pickle can run any code when it is opened", "read_pickle")),
    **dict.fromkeys((".xlsx", ".xls", ".ods"), ("spreadsheets are not read", "read_excel")),
    **dict.fromkeys((".h5", ".hdf5", ".hdf"), ("HDF5 is not read", "read_hdf")),
    ".dta": ("Stata's files are not read", "read_stata"),
}  # fmt: skip
_ARROW_STREAM = b"\xff\xff\xff\xff"


@dataclass(frozen=True)
class Source:
    """One file that holds a table: as it was named, what kind it is, how it is packed; ``given`` are bytes of standard input."""

    path: Path
    kind: Kind
    packing: str | None = None
    given: bytes | None = None

    @property
    def on_disk(self) -> bool:
        """Whether the file can be read where it is."""
        return self.packing is None and self.given is None

    def data(self) -> bytes:
        """Its bytes, unpacked."""
        data = self.path.read_bytes() if self.given is None else self.given
        return data if self.packing is None else unpacked(data, self.packing, self.path)

    def start(self, size: int) -> bytes:
        """Its first bytes, unpacked."""
        if self.on_disk:
            with self.path.open("rb") as file:
                return file.read(size)
        return self.data()[:size]

    def lines(self) -> TextIO:
        """Its text, to be read line by line and closed."""
        if self.on_disk:
            return self.path.open(encoding="utf-8-sig", newline="\n")
        return io.TextIOWrapper(io.BytesIO(self.data()), encoding="utf-8-sig", newline="\n")

    def text(self) -> str:
        """Its text, UTF-8 with or without a byte order mark."""
        return self.data().decode("utf-8-sig")

    def file(self) -> Any:
        """What Polars reads: the open file, or its bytes. (By its name Polars would take ``[`` and ``*`` for patterns.)"""
        return self.path.open("rb") if self.on_disk else io.BytesIO(self.data())


def source_of(path: Path) -> Source:
    """The table file at ``path``; ``-`` is standard input.

    Raises:
        UnreadableFile: missing, no plain file, empty, or of a kind that is not read.
    """
    if str(path) == STANDARD_INPUT:
        return _found(Path("standard input"), _standard_input())
    check_plain_file(path)
    suffixes = [s.lower() for s in path.suffixes]
    packing = PACKED.get(suffixes[-1]) if suffixes else None
    suffix = (suffixes[-2] if len(suffixes) > 1 else "") if packing else (suffixes[-1] if suffixes else "")
    if suffix in _REFUSED:
        raise _refused(path, suffix)
    if packing == "zstd" and SUFFIXES.get(suffix) in ("parquet", "arrow"):
        raise UnreadableFile(
            f"packed {'Parquet' if SUFFIXES[suffix] == 'parquet' else 'Arrow'} is not read (Parquet and Arrow pack their columns themselves)",
            where=str(path),
            fix=f"unpack it first: zstd -d {path.name}",
        )
    if suffix in SUFFIXES:
        named = Source(path, SUFFIXES[suffix], packing)
        return replace(named, kind="jsonl") if suffix == ".json" and _has_lines(named) else named
    return _found(path, None)


def _standard_input() -> bytes:
    """All of standard input, read once: a command may look at a table's columns before it reads it."""
    stream = sys.stdin.buffer
    if _kept.get("stream") is not stream:
        _kept.clear()
        data = stream.read(MOST_UNPACKED + 1)
        if len(data) > MOST_UNPACKED:
            raise UnreadableFile(
                f"holds more than {MOST_UNPACKED >> 20:,} MiB",
                where="standard input",
                fix="write it into a file",
            )
        _kept.update(stream=stream, data=data)
    return bytes(_kept["data"])


_kept: dict[str, Any] = {}


# --- by its beginning -----------------------------------------------------------------------------


def _found(path: Path, given: bytes | None) -> Source:
    start = _beginning(path) if given is None else given[:_START]
    packing = packing_of(start)
    whole = Source(path, "csv", packing, given)
    kind = _kind_of(whole.start(_START) if packing else start, path)
    return Source(path, kind, packing, given)


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_START)


def _kind_of(start: bytes, path: Path) -> Kind:
    """The kind of a table that begins so."""
    if start.startswith(b"PAR1"):
        return "parquet"
    if start.startswith((b"ARROW1", _ARROW_STREAM)):
        return "arrow"
    if start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        raise _refused(path, ".pkl")
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "csv"  # UTF-16: its reader says so
    text = start.decode("utf-8-sig", errors="replace")
    if not text.strip():
        raise UnreadableFile("the file is empty", where=str(path), fix="write it again")
    if "\x00" not in text and "\ufffd" not in text[:-1]:
        if text.lstrip().startswith("["):
            return "json"
        if text.lstrip().startswith("{"):
            return "jsonl" if _is_an_object_a_line(text) else "json"
        if any(s in text.splitlines()[0] for s in ",;\t"):
            return "csv"
    raise _unknown(path)


def _has_lines(source: Source) -> bool:
    """Whether a .json file holds an object a line, as pandas and `datasets` write with ``lines=True``."""
    with reading_file(source.path, source.kind):
        text = source.start(_START).decode("utf-8-sig", errors="replace")
    return text.lstrip().startswith("{") and _is_an_object_a_line(text)


def _is_an_object_a_line(text: str) -> bool:
    """Whether the first line is a whole object, and a second one begins in the next."""
    lines = [line for line in itertools.islice(text.splitlines(), 1000) if line.strip()]
    try:
        json.loads(lines[0])
    except ValueError:
        return False
    return len(lines) > 1 and lines[1].lstrip().startswith("{")


def _refused(path: Path, suffix: str) -> UnreadableFile:
    why, reader = _REFUSED[suffix]
    return UnreadableFile(
        f"{why}; unknown table format {suffix!r}",
        where=str(path),
        fix=f"if you trust the file, convert it {_TO_PARQUET.format(reader, path.name)}",
    )


def _unknown(path: Path) -> UnreadableFile:
    return UnreadableFile(
        f"unknown table format {path.suffix or '(no suffix)'!r}, and it begins like none that is known",
        where=str(path),
        fix=f"use one of {', '.join(SUFFIXES)}; each may be packed ({', '.join(PACKED)})",
    )


# --- tables with types of their own ---------------------------------------------------------------


def read_typed(source: Source) -> pl.DataFrame:
    """A Parquet or Arrow table (feather, IPC file or stream)."""
    if source.kind == "parquet":
        with source.file() as file:
            return pl.read_parquet(file)
    file = io.BytesIO(source.data())  # a packed one cannot be read where it is
    return pl.read_ipc_stream(file) if _is_stream(source) else pl.read_ipc(file)


def typed_names(source: Source) -> list[str]:
    """The columns of such a table; of Parquet without reading it."""
    with source.file() as file:
        if source.kind == "parquet":
            return list(pl.read_parquet_schema(file))
        return read_typed(source).columns if _is_stream(source) else list(pl.read_ipc_schema(file))


def _is_stream(source: Source) -> bool:
    return not source.start(6).startswith(b"ARROW1")
