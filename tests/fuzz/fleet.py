"""Many cases in a few processes, each case under limits of time and memory: one that hangs or dies is a fault like any other."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from . import library
from .case import Case, Verdict, clear, judge, prepare

# Of the processor, for a case; by the clock, where other work shares it, or a case waits for something that never comes.
SECONDS, WAITING, MEGABYTES = 20.0, 90.0, 1500.0
# A process may not ask for more, whatever a case makes it do.
_CEILING = 6 * 2**30
_STARTING = 180.0


@dataclass
class Tally:
    """What came of all cases."""

    exits: Counter[int] = field(default_factory=Counter)
    commands: Counter[str] = field(default_factory=Counter)
    faults: list[Verdict] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def cases(self) -> int:
        return sum(self.exits.values())

    def __str__(self) -> str:
        codes = ", ".join(f"{n:,} exited with {c}" for c, n in sorted(self.exits.items()))
        return f"{self.cases:,} cases of {len(self.commands)} commands in {self.seconds:.0f} s: {codes}; {len(self.faults)} faults"


def run_cases(
    seed: int,
    numbers: Iterable[int],
    *,
    processes: int = 2,
    tell: Callable[[Verdict], None] = lambda _v: None,
) -> Tally:
    """Run the cases; every verdict is told as it comes."""
    tally = Tally()
    started = time.monotonic()
    pending = iter(numbers)
    lock = threading.Lock()
    with _made_inputs() as made:
        threads = [
            threading.Thread(target=_serve, args=(seed, made, pending, lock, tally, tell))
            for _ in range(processes)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    tally.seconds = time.monotonic() - started
    tally.faults.sort(key=lambda v: v.number)
    return tally


class _made_inputs:
    """A folder with what commands make of valid inputs."""

    def __enter__(self) -> Path:
        self._folder = tempfile.mkdtemp(prefix="charm-fuzz-")
        library.make(Path(self._folder))
        return Path(self._folder)

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def _serve(
    seed: int,
    made: Path,
    pending: Iterator[int],
    lock: threading.Lock,
    tally: Tally,
    tell: Callable[[Verdict], None],
) -> None:
    """Feed one process after the other with cases until there are no more."""
    worker: _Worker | None = None
    while True:
        with lock:
            number = next(pending, None)
        if number is None:
            break
        worker = worker or _Worker(made)
        verdict = worker.ask(Case(seed, number, library.has_models()))
        if worker.gone:
            worker = None
        with lock:
            tally.exits[verdict.exit_code] += 1
            tally.commands[" ".join(verdict.line.split()[1:2])] += 1
            if verdict.fault:
                tally.faults.append(verdict)
            tell(verdict)
    if worker is not None:
        worker.stop()


class _Worker:
    """A process that runs cases, one at a time."""

    def __init__(self, made: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, str(made)), daemon=True)
        self.process.start()
        theirs.close()
        self.gone = False
        self._wait(_STARTING)

    def _wait(self, seconds: float) -> Any:
        if not self._ours.poll(seconds):
            raise TimeoutError
        return self._ours.recv()

    def ask(self, case: Case) -> Verdict:
        self._ours.send(case)
        line, changes = "", []
        try:
            line, changes = self._wait(WAITING)
            return self._wait(WAITING)  # type: ignore[no-any-return]
        except TimeoutError:
            fault = f"no end after {WAITING:g} s"
        except (EOFError, ConnectionResetError):
            self.process.join()
            fault = f"the process died ({self.process.exitcode})"
        self.gone = True
        self.process.kill()
        self.process.join()
        return Verdict(case.number, line, changes, fault=fault)

    def stop(self) -> None:
        self._ours.close()
        self.process.join(5)
        self.process.kill()


def work(asked: Connection, made: str) -> None:
    """The life of a process: cases come, verdicts go."""
    folder = Path(tempfile.mkdtemp(prefix="charm-case-"))
    os.environ |= {
        "CHARM_CACHE": str(folder / "cache"),
        "HF_HUB_OFFLINE": "1",
        "HOME": str(folder / "home"),
        "OMP_NUM_THREADS": "1",
    }
    sys.path.insert(0, made)
    resource.setrlimit(resource.RLIMIT_DATA, (_CEILING, _CEILING))
    _quiet(folder / "native.log")
    here = folder / "work"
    here.mkdir()
    try:
        asked.send("ready")
        for case in _all(asked):
            os.chdir(here)
            try:
                arguments, changes = prepare(case, Path(made), here)
                asked.send(("charm " + " ".join(arguments), changes))
                asked.send(_measured(case, arguments, changes, here))
                clear(here)
            except Exception:  # of the fuzzer, not of charm
                asked.send(("", []))
                asked.send(
                    Verdict(case.number, "", [], fault="the fuzzer failed", trace=traceback.format_exc())
                )
    finally:
        os.chdir("/")
        shutil.rmtree(folder, ignore_errors=True)


def _all(asked: Connection) -> Iterator[Case]:
    while True:
        try:
            yield asked.recv()
        except EOFError:
            return


def _measured(case: Case, arguments: list[str], changes: list[str], folder: Path) -> Verdict:
    _reset_peak()
    before, started = _megabytes("VmRSS"), time.process_time()
    verdict = judge(case, arguments, changes, folder)
    verdict.seconds = time.process_time() - started
    if verdict.seconds > SECONDS and not verdict.fault:
        verdict.fault = f"{verdict.seconds:.0f} s"
    verdict.megabytes = _megabytes("VmHWM") - before
    if verdict.megabytes > MEGABYTES and not verdict.fault:
        verdict.fault = f"{verdict.megabytes:.0f} MB of memory"
    return verdict


def _reset_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _megabytes(name: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _quiet(log: Path) -> None:
    """What native code prints goes to a file, not into the results."""
    number = os.open(log, os.O_WRONLY | os.O_CREAT)
    os.dup2(number, 1)
    os.dup2(number, 2)
    os.close(number)


def numbers(count: int, start: int = 0) -> Iterator[int]:
    return itertools.islice(itertools.count(start), count)
