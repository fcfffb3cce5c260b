"""Answers unpacked as they stream, never further than the limit: a few kilobytes can hold gigabytes."""

from __future__ import annotations

import zlib

from .problems import Malformed

_PLAIN = ("", "identity")
# Both headers, told apart by zlib itself.
_GZIP_OR_ZLIB, _BARE = 32 + zlib.MAX_WBITS, -zlib.MAX_WBITS


class TooLong(Exception):
    """The answer is longer than it may be, unpacked."""


class Unpacker:
    """Takes the parts of one answer in turn, and gives them unpacked; at most ``most`` bytes in all.

    Raises:
        Malformed: it is packed in another way than one of gzip and deflate, or twice.
    """

    def __init__(self, encoding: str, *, most: int) -> None:
        self._room = most
        name = encoding.strip().lower()
        if name not in (*_PLAIN, "gzip", "x-gzip", "deflate"):
            raise Malformed("the answer is packed in a way that was not asked for")
        self._unzip = None if name in _PLAIN else zlib.decompressobj(_GZIP_OR_ZLIB)
        # Of deflate, whether there is a header shows in two bytes; some servers leave it out.
        self._held: bytes | None = b"" if name == "deflate" else None
        self._begun = False

    def take(self, part: bytes) -> bytes:
        """The part unpacked.

        Raises:
            TooLong: it does not fit.
            Malformed: it is broken.
        """
        found = part if self._unzip is None else self._unpacked(part)
        self._room -= len(found)
        if self._room < 0:
            raise TooLong
        return found

    def end(self) -> None:
        """Raise Malformed where a packed answer breaks off."""
        if self._unzip is not None and self._begun and not self._unzip.eof:
            raise Malformed("the answer's compression is broken")

    def _unpacked(self, part: bytes) -> bytes:
        if self._held is not None:
            self._held += part
            if len(self._held) < 2:
                return b""
            part, self._held = self._held, None
            if part[0] & 15 != 8 or int.from_bytes(part[:2]) % 31:
                self._unzip = zlib.decompressobj(_BARE)
        if self._unzip is None or self._unzip.eof:
            return b""
        self._begun = self._begun or bool(part)
        try:
            # One byte more than there is room for shows that it is too long.
            return self._unzip.decompress(part, self._room + 1)
        except zlib.error:
            raise Malformed("the answer's compression is broken") from None
