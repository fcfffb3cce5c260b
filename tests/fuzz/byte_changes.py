"""What happens to files on their way: cut short, bits turned, another container, another encoding."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable
from random import Random

Change = Callable[[bytes, Random], bytes]


def empty(_data: bytes, _rng: Random) -> bytes:
    return b""


def cut_short(data: bytes, rng: Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def cut_by_a_little(data: bytes, rng: Random) -> bytes:
    return data[: -rng.randint(1, 16)]


def beginning_lost(data: bytes, rng: Random) -> bytes:
    return data[rng.randint(1, 64) :]


def bits_turned(data: bytes, rng: Random) -> bytes:
    return _turned(data, rng, 0, len(data), rng.randint(1, 12))


def bits_turned_at_the_end(data: bytes, rng: Random) -> bytes:
    """Where Parquet keeps its metadata."""
    return _turned(data, rng, max(0, len(data) - 3000), len(data), rng.randint(1, 6))


def bytes_put_in(data: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.randbytes(rng.randint(1, 40)) + data[at:]


def zeros(data: bytes, rng: Random) -> bytes:
    at, n = rng.randrange(len(data) + 1), rng.randint(1, 400)
    return data[:at] + bytes(len(data[at : at + n])) + data[at + n :]


def nul(data: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + b"\0" + data[at:]


def a_piece_twice(data: bytes, rng: Random) -> bytes:
    start = rng.randrange(len(data) + 1)
    end = min(len(data), start + rng.randint(1, 3000))
    return data[:end] + data[start:end] + data[end:]


def a_piece_lost(data: bytes, rng: Random) -> bytes:
    start = rng.randrange(len(data) + 1)
    return data[:start] + data[start + rng.randint(1, 3000) :]


def twice(data: bytes, _rng: Random) -> bytes:
    return data + data


def packed(data: bytes, rng: Random) -> bytes:
    return gzip.compress(gzip.compress(data) if rng.random() < 0.3 else data)


def in_a_zip(data: bytes, _rng: Random) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("data", data)
    return buffer.getvalue()


def something_else(_data: bytes, rng: Random) -> bytes:
    kinds = (
        b"\x89PNG\r\n\x1a\n" + rng.randbytes(200),
        b"PAR1" + rng.randbytes(300) + b"\x10\x00\x00\x00PAR1",
        b"PAR1\x15\x00PAR1",
        b"SQLite format 3\0" + rng.randbytes(200),
        b"ARROW1\0\0" + rng.randbytes(200),
        b"\x80\x04\x95" + rng.randbytes(50),
        b"<!DOCTYPE html><html><body>404: not found</body></html>",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
        rng.randbytes(rng.randint(1, 2000)),
        b" " * 1000,
        b"\n" * 1000,
        b"null",
        b"[]",
        b"{}",
        b"0",
    )
    return rng.choice(kinds)


def utf8_mark(data: bytes, _rng: Random) -> bytes:
    return b"\xef\xbb\xbf" + data


def utf16(data: bytes, rng: Random) -> bytes:
    mark = rng.choice([b"\xff\xfe", b""])
    return mark + data.decode("utf-8", "replace").encode("utf-16-le", "replace")


def latin1(data: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + "né".encode("latin-1") + data[at:]


def other_line_ends(data: bytes, rng: Random) -> bytes:
    return data.replace(b"\n", rng.choice([b"\r\n", b"\r", b"\n\n", b"\x0b", b"\xe2\x80\xa8", b""]))


ANY: tuple[Change, ...] = (
    *(empty, cut_short, cut_by_a_little, beginning_lost, bits_turned, bits_turned, bits_turned_at_the_end, bytes_put_in),
    *(zeros, nul, a_piece_twice, a_piece_lost, twice, packed, in_a_zip, something_else, utf8_mark, utf16, latin1, other_line_ends),
)  # fmt: skip
PARQUET: tuple[Change, ...] = (cut_short, bits_turned, *[bits_turned_at_the_end] * 6, zeros, a_piece_lost)


def _turned(data: bytes, rng: Random, start: int, end: int, n: int) -> bytes:
    changed = bytearray(data)
    for _ in range(n if end > start else 0):
        changed[rng.randrange(start, end)] ^= 1 << rng.randrange(8)
    return bytes(changed)
