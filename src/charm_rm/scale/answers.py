"""What actors were asked: stores of answers, put into one; counts added up; the tables that they were given, removed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..costs import Usage
from ..memo import Memo
from ..settings import EngineSettings
from .parts import Aside
from .tasks import Task

_USAGE = ("calls", "tokens_in", "tokens_out", "uncounted")


def store_of_task(aside: Aside, key: str, memo: Path, engine: EngineSettings) -> dict[str, Any]:
    """Where a task keeps answers: in the store of all; on a cluster in one of its own, as SQLite is made for one machine."""
    apart = engine.ray_address is not None
    return {
        "memo": str(aside.file(key, ".sqlite")) if apart else str(memo.absolute()),
        "memo_goes": apart,
    }


def take_over(task: Task, known: Memo, done: Mapping[str, Any] | None, *, run: str) -> None:
    """Put the answers of a task's own store into that of all. It stays until the output is there: a run that fails goes on with it."""
    if done is None or not task["memo_goes"]:
        return
    with Memo.open(task["memo"]) as own:
        known.add({key: entry.value for key, entry in own.lookup(done["keys"]).items()}, run=run)


def remove_inputs(tasks: Sequence[Task], names: Sequence[str]) -> None:
    """Remove the tables that tasks were given: each run writes its own."""
    for task in tasks:
        for name in names:
            Path(task[name]).unlink(missing_ok=True)


def added_usage(done: Iterable[Mapping[str, Any]]) -> Usage:
    """What all tasks have ``spent``."""
    spent = [one["spent"] for one in done]
    return Usage(**{name: sum(int(one[name]) for one in spent) for name in _USAGE})
