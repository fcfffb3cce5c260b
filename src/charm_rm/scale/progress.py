"""A bar of the tasks of a run."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def task_bar(word: str, total: int, *, done: int, show: bool) -> Iterator[Callable[[int], None]]:
    """A bar on standard error that counts tasks; yields the function that advances it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(f"{word} (parts)"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(file=sys.stderr), disable=not show or done == total)
    with bar:
        task = bar.add_task(word, total=total, completed=done)
        yield lambda n: bar.advance(task, n)
