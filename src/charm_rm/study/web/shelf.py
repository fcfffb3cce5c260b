"""What was made lately, kept within a bound on its size."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock


class Shelf:
    """Texts and what was made of them; what was not asked for longest goes first. Threads may share it.

    ``characters`` bounds keys and values together; a pair that is larger than an eighth of it is not kept at all.
    """

    def __init__(self, *, characters: int) -> None:
        self._room = characters
        self._used = 0
        self._kept: OrderedDict[str, str] = OrderedDict()
        self._lock = Lock()

    def get(self, key: str) -> str | None:
        with self._lock:
            value = self._kept.get(key)
            if value is not None:
                self._kept.move_to_end(key)
            return value

    def put(self, key: str, value: str) -> None:
        size = len(key) + len(value)
        if size > self._room // 8:
            return
        with self._lock:
            if key in self._kept:
                return
            self._kept[key] = value
            self._used += size
            while self._used > self._room:
                old, made = self._kept.popitem(last=False)
                self._used -= len(old) + len(made)
