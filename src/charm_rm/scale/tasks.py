"""Tasks done by actors of Ray Data: each actor opens its model once, a task that is lost with its actor is done again by another.

What goes through Ray is small: records in, summaries out. Texts and scores lie in files, so memory is what the tasks at work take.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import errors
from ..errors import CharmError, StageFailed, counted, first_line
from ..settings import EngineSettings
from .cluster import joined_cluster

# How often an actor is started again, and a task tried again, where the process dies: more often it is the task that kills.
RETRIES = 4
# Of a run with more tasks, several go to an actor at once: Ray keeps a record of each block.
MOST_BLOCKS = 2000
Task = Mapping[str, Any]
Open = Callable[[Mapping[str, Any]], Any]
Do = Callable[[Any, Task], Mapping[str, Any]]


@dataclass(frozen=True)
class Work:
    """What actors do: ``open`` what ``opening`` describes, once, and ``do`` each task with it. Both are functions of a module."""

    open: Open
    opening: Mapping[str, Any]
    do: Do


@dataclass(frozen=True)
class Lost:
    """A task that ended with an error: the file or part it is about, and the error."""

    name: str
    error: CharmError


def run_tasks(
    work: Work,
    tasks: Sequence[Task],
    settings: EngineSettings,
    *,
    tell: Callable[[int], None] = lambda _n: None,
) -> tuple[dict[int, Mapping[str, Any]], list[Lost]]:
    """Do the tasks: what each gave, by its ``number``, and those that were lost; the others are done all the same.

    Args:
        work: what to do.
        tasks: records that JSON can hold, with ``number`` and ``name``.
        settings: how many actors, with what, where.
        tell: called with 1 for each task that has ended.

    Raises:
        CharmError: what ``open`` raised: no task can be done.
        StageFailed: Ray gave up: actors died again and again.
    """
    if not tasks:
        return {}, []
    done: dict[int, Mapping[str, Any]] = {}
    lost: list[Lost] = []
    names = {task["number"]: task["name"] for task in tasks}
    with joined_cluster(settings) as ray, contextlib.closing(_results(ray, work, tasks, settings)) as results:
        for number, result in results:
            if "opening" in result:
                raise _restored(result["opening"])
            if "error" in result:
                lost.append(Lost(names[number], _restored(result["error"])))
            else:
                done[number] = result
            tell(1)
    missing = [names[number] for number in names if number not in done]
    if len(done) + len(lost) != len(tasks):
        raise StageFailed(
            f"Ray gave {counted(len(done) + len(lost), 'result')} of {counted(len(tasks), 'task')}",
            where=missing[0] if missing else None,
            fix="run the same command again: what is finished is kept",
        )
    return done, sorted(lost, key=lambda one: one.name)


def _results(
    ray: Any, work: Work, tasks: Sequence[Task], settings: EngineSettings
) -> Generator[tuple[int, Mapping[str, Any]]]:
    rows = [{"number": task["number"], "task": json.dumps(task)} for task in tasks]
    actors = min(settings.ray_workers, len(tasks))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = ray.data.from_items(rows, override_num_blocks=min(len(rows), MOST_BLOCKS)).map(
                _Actor,
                fn_constructor_args=(work, str(Path.cwd()), list(sys.path)),
                compute=ray.data.ActorPoolStrategy(size=actors, max_tasks_in_flight_per_actor=1),
                num_cpus=1,
                num_gpus=settings.ray_gpus_per_worker,
                max_restarts=RETRIES,
                max_task_retries=RETRIES,
            )
            for row in data.iter_rows():
                yield int(row["number"]), json.loads(row["result"])
    except ray.exceptions.RayError as error:
        raise StageFailed(
            f"Ray gave up after {counted(RETRIES, 'retry', 'retries')}: {first_line(error)}",
            where="--engine ray",
            fix="an actor that dies again and again is out of memory, as a rule: fewer --ray-workers or --ray-rows; what is finished is kept",
        ) from error


class _Actor:
    """One process of Ray's: opens its model when it is made, then takes tasks."""

    def __init__(self, work: Work, folder: str, path: list[str]) -> None:
        self.work, self.opened, self.refused = work, None, None
        with contextlib.suppress(OSError):  # on another machine there may be no such folder
            os.chdir(folder)
        sys.path[:] = list(dict.fromkeys([*sys.path, *path]))
        try:
            self.opened = work.open(work.opening)
        except Exception as error:  # told by every task; raised here it would be tried again and again
            self.refused = _record(error)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        return {"number": row["number"], "result": json.dumps(self._result(json.loads(row["task"])))}

    def _result(self, task: Task) -> Mapping[str, Any]:
        if self.refused is not None:
            return {"opening": self.refused}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what they are about is in the summaries, and said once
                return self.work.do(self.opened, task)
        except Exception as error:  # another process is to know of it
            return {"error": _record(error)}


def _record(error: Exception) -> dict[str, Any]:
    """An error as plain values."""
    if isinstance(error, CharmError):
        told = {"what": error.what, "where": error.where, "fix": error.fix}
        more = {k: v for k, v in vars(error).items() if k not in told and isinstance(v, str | int)}
        return {"type": type(error).__name__, **told, "more": more}
    what = f"{type(error).__name__}: {first_line(error)}"
    return {
        "type": "StageFailed",
        "what": what,
        "where": None,
        "fix": "run without --engine ray to see where",
    }


def _restored(record: Mapping[str, Any]) -> CharmError:
    """The error of a record: of its class, where that is made of words and its own attributes."""
    kind = getattr(errors, str(record["type"]), StageFailed)
    words = {"where": record["where"], "fix": record["fix"]}
    try:
        found = kind(record["what"], **words, **record.get("more", {}))
    except TypeError:
        found = StageFailed(record["what"], **words)
    return found if isinstance(found, CharmError) else StageFailed(record["what"], **words)
