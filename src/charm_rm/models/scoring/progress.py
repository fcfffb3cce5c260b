"""How far scoring is: a line that is rewritten on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

from ...errors import counted

# Seconds between two lines, on a terminal and elsewhere.
_ON_TERMINAL, _ELSEWHERE = 0.2, 30.0


class Progress:
    """Says rows, tokens per second, time left and how many scores came from the store, on standard error.

    Args:
        rows: how many there are to score, each text as often as it stands there.
        texts: how many different texts these are, each of which is scored once; None: all of them.
        size: their size in any unit; time left is reckoned by it.
        from_store: how many scores were known.
        show: False: say nothing.
    """

    def __init__(
        self,
        *,
        rows: int,
        size: int,
        texts: int | None = None,
        from_store: int = 0,
        show: bool = True,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rows, self._size, self._from_store, self._show = rows, size, from_store, show
        self._texts = rows if texts is None else texts
        self._stream = stream or sys.stderr
        self._clock = clock
        self._terminal = self._stream.isatty()
        self._started = self._said = clock()
        self._done = self._done_size = self._tokens = 0

    def advance(self, rows: int, size: int, *, tokens: int = 0) -> None:
        """Count what was scored."""
        self._done, self._done_size, self._tokens = (
            self._done + rows,
            self._done_size + size,
            self._tokens + tokens,
        )
        now = self._clock()
        if now - self._said >= (_ON_TERMINAL if self._terminal else _ELSEWHERE):
            self._said = now
            self._write()

    def line(self) -> str:
        """What is said at this moment."""
        if not self._rows and self._from_store:
            return f"all {self._from_store:,} responses came from the store"
        seconds = max(self._clock() - self._started, 1e-9)
        known = f"; {self._from_store:,} from the store" if self._from_store else ""
        speed = f", {self._tokens / seconds:,.0f} tokens/s" if self._tokens else ""
        left = ""
        if 0 < self._done_size < self._size:
            left = f", {duration(seconds / self._done_size * (self._size - self._done_size))} left"
        apart = f" ({counted(self._texts, 'different text')})" if self._texts < self._rows else ""
        return f"scored {self._done:,} of {self._rows:,} responses{apart}{speed}{left}{known}"

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write(last=True)

    def _write(self, *, last: bool = False) -> None:
        if not self._show:
            return
        end = "\n" if last or not self._terminal else ""
        self._stream.write(f"\r\x1b[K{self.line()}{end}" if self._terminal else f"{self.line()}\n")
        self._stream.flush()


def duration(seconds: float) -> str:
    """``45 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
