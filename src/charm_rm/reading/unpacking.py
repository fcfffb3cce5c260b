"""Packed files (gzip, bzip2, xz, Zstandard) unpacked, never further than a limit: a few kilobytes can hold gigabytes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import polars as pl

from ..errors import UnreadableFile, first_line

# Text of tables packs 3 to 30 times smaller; gzip cannot do more than a thousand.
MOST_UNPACKED = 8 << 30
_MOST_RATIO, _ALWAYS = 300, 64 << 20
_PART = 1 << 20

SUFFIXES = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd", ".zstd": "zstd"}
MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}


def packing_of(start: bytes) -> str | None:
    """How a file that begins so is packed; None where it is not."""
    return next((name for magic, name in MAGIC.items() if start.startswith(magic)), None)


def unpacked(data: bytes, packing: str, path: Path) -> bytes:
    """All that is packed in ``data``.

    Raises:
        UnreadableFile: broken, cut short, or more than a table holds (:data:`MOST_UNPACKED`, 300 times the file).
    """
    most = min(MOST_UNPACKED, max(_ALWAYS, _MOST_RATIO * len(data)))
    try:
        if packing == "zstd":
            return _of_zstd(data, most, path)
        readers: dict[str, Callable[[io.BytesIO], BinaryIO]] = {
            "gzip": lambda file: gzip.GzipFile(fileobj=file),  # type: ignore[dict-item, return-value]
            "bzip2": bz2.BZ2File,  # type: ignore[dict-item]
            "xz": lzma.LZMAFile,  # type: ignore[dict-item]
        }
        with readers[packing](io.BytesIO(data)) as file:
            return _all(file, most, path)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, pl.exceptions.PolarsError, IndexError) as error:
        raise UnreadableFile(
            f"cannot be unpacked as {packing}: {first_line(error)}",
            where=str(path),
            fix="the file may be cut short; write or download it again",
        ) from error


def _all(file: BinaryIO, most: int, path: Path) -> bytes:
    parts, size = [], 0
    while part := file.read(_PART):
        size += len(part)
        if size > most:
            raise _too_long(most, path)
        parts.append(part)
    return b"".join(parts)


def _too_long(most: int, path: Path) -> UnreadableFile:
    return UnreadableFile(
        f"holds more than {most >> 20:,} MiB unpacked",
        where=str(path),
        fix="unpack it yourself where that is right, and give the unpacked file",
    )


# --- Zstandard ------------------------------------------------------------------------------------
# Python has no reader for it before 3.14; Polars unpacks what it reads as CSV. A cell of a table that has neither separators nor
# line ends is the whole text. Polars unpacks without a limit: before it, the headers of blocks say how much there can be.

_FRAME, _LARGEST_BLOCK = b"\x28\xb5\x2f\xfd", 128 << 10
_SKIPPED = range(0x184D2A50, 0x184D2A60)


def _of_zstd(data: bytes, most: int, path: Path) -> bytes:
    if zstd_bound(data) > most:
        raise _too_long(most, path)
    frame = pl.read_csv(
        data, has_header=False, separator="\x01", eol_char="\x00", quote_char=None, infer_schema=False
    )
    if frame.shape != (1, 1):
        raise UnreadableFile(
            "holds no text: of files packed as Zstandard only CSV and JSON are read",
            where=str(path),
            fix=f"unpack it first: zstd -d {path.name}",
        )
    return str(frame.item()).encode()


def zstd_bound(data: bytes) -> int:
    """The most bytes that Zstandard frames can unpack to, from the headers of their blocks (RFC 8878, 3.1.1).

    Raises:
        IndexError: it is cut short, or no such frame.
    """
    at, bound = 0, 0
    while at < len(data):
        if int.from_bytes(data[at : at + 4], "little") in _SKIPPED:
            at += 8 + int.from_bytes(data[at + 4 : at + 8], "little")
            continue
        if data[at : at + 4] != _FRAME:
            raise IndexError("no frame where one should begin")
        descriptor = data[at + 4]
        single = descriptor >> 5 & 1
        at += 5 + (not single) + (0, 1, 2, 4)[descriptor & 3] + (single, 2, 4, 8)[descriptor >> 6]
        last = 0
        while not last:
            header = data[at] | data[at + 1] << 8 | data[at + 2] << 16
            last, kind, size = header & 1, header >> 1 & 3, header >> 3
            bound += size if kind < 2 else _LARGEST_BLOCK
            at += 3 + (1 if kind == 1 else size)
        at += 4 * (descriptor >> 2 & 1)
    return bound
