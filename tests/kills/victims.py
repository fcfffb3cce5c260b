"""Run commands of charm again and again, end them by SIGKILL at random moments or exact file-system events, and report.

    python victims.py PLANS.json

One process imports everything and forks each run, so that a kill costs no minute of imports. Every round has a folder of its own
and goes on until a run ends by itself; then the next round begins, until there were as many kills as asked for. What lay in the
folder after each kill is noted as hashes, for the test to judge.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

# What changes a file system, as Python's auditing names it; opening counts where it is for writing.
_EVENTS = (
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.chmod",
    "os.truncate",
    "shutil.rmtree",
    "ctypes.dlopen",
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def main() -> None:
    """Carry out every plan, and print what happened as JSON."""
    plans = json.loads(Path(sys.argv[1]).read_text())
    for module in dict.fromkeys(module for plan in plans.values() for module in plan["preload"]):
        importlib.import_module(module)
    print(json.dumps({name: Victims(plan).report() for name, plan in plans.items()}))


class Victims:
    """The rounds of one plan."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.folder = Path(plan["folder"])
        self.folder.mkdir(parents=True)
        self.kills: list[dict[str, Any]] = []
        self.events: int | None = None

    def report(self) -> dict[str, Any]:
        """Undisturbed first, which also tells how long it takes; then the kills."""
        started = time.monotonic()
        self._run_to_the_end(self._round("undisturbed"))
        seconds = time.monotonic() - started
        rounds = self._at_events() if self.plan["events"] else self._at_moments(seconds)
        return {"seconds": seconds, "kills": self.kills, "rounds": rounds, "events": self.events}

    def _at_moments(self, seconds: float) -> list[str]:
        rng = random.Random(self.plan["seed"])
        names: list[str] = []
        while len(self.kills) < self.plan["kills"]:
            names.append(f"round-{len(names)}")
            work, begun = self._round(names[-1]), False
            while len(self.kills) < self.plan["kills"] and self._killed(
                work, again=begun, after=rng.uniform(0, seconds)
            ):
                begun = True
            self._run_to_the_end(work, again=begun)
        return names

    def _at_events(self) -> list[str]:
        """Every event once, each in a round of its own; where there are more than kills, evenly spread ones."""
        counted = self._round("counted")
        self._run_to_the_end(counted, count=True)
        self.events = events = int((counted.parent / "events.txt").read_text())
        wanted = min(events, self.plan["kills"])
        chosen = sorted({1 + i * events // wanted for i in range(wanted)} | {events})
        for event in chosen:
            work = self._round(f"event-{event}")
            self._killed(work, at_event=event)
            self._run_to_the_end(work, again=True)
        return [f"event-{event}" for event in chosen]

    # --- one run ------------------------------------------------------------------------------

    def _round(self, name: str) -> Path:
        """A new folder to work in: a copy of what the plan says lies there before."""
        work = self.folder / name / "work"
        if self.plan["before"]:
            shutil.copytree(self.plan["before"], work)
        else:
            work.mkdir(parents=True)
        return work

    def _killed(
        self, work: Path, *, again: bool = False, after: float | None = None, at_event: int | None = None
    ) -> bool:
        """Begin a run and kill it; False where it ended by itself before."""
        if self._is_done(work):
            return False
        child = self._fork(work, again=again, at_event=at_event)
        if after is not None:
            time.sleep(after)
            os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        if not os.WIFSIGNALED(status):
            if os.waitstatus_to_exitcode(status):
                self._give_up(work, status)
            return False
        what = after if at_event is None else (work.parent / "event.txt").read_text()
        kept = (work.parent / "cache").exists()
        self._copy(work)
        self.kills.append({"round": work.parent.name, "at": what, "left": tree(work), "kept": kept})
        return True

    def _copy(self, work: Path) -> None:
        """Keep files as this kill left them."""
        for name in self.plan["copied"]:
            if (work / name).exists():
                kept = self.folder / "left" / str(len(self.kills)) / name
                kept.parent.mkdir(parents=True)
                shutil.copyfile(work / name, kept)

    def _run_to_the_end(self, work: Path, *, again: bool = False, count: bool = False) -> None:
        if self._is_done(work):
            return
        status = os.waitpid(self._fork(work, again=again, count=count), 0)[1]
        if status:
            self._give_up(work, status)

    def _is_done(self, work: Path) -> bool:
        """Whether a killed run had come as far as its output; one that is there is refused without ``--force``."""
        return bool(self.plan["output"]) and (work / self.plan["output"]).exists()

    def _give_up(self, work: Path, status: int) -> None:
        said = (work.parent / "said.txt").read_text(errors="replace")
        raise SystemExit(
            f"{work}: a run ended with status {os.waitstatus_to_exitcode(status)}\n{said[-5000:]}"
        )

    def _fork(
        self, work: Path, *, again: bool = False, count: bool = False, at_event: int | None = None
    ) -> int:
        child = os.fork()
        if child:
            return child
        try:
            os._exit(self._be_the_command(work, again=again, count=count, at_event=at_event))
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(99)

    def _be_the_command(self, work: Path, *, again: bool, count: bool, at_event: int | None) -> int:
        with (work.parent / "said.txt").open("ab") as said:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
        os.chdir(work)
        os.environ |= {"CHARM_CACHE": str(work.parent / "cache"), "VICTIM": str(work.parent)}
        if self.plan["hook"]:
            module, _, name = self.plan["hook"].partition(":")
            getattr(importlib.import_module(module), name)()
        if count or at_event is not None:
            watch_events(work, at_event)
        from charm_rm.cli import main as charm

        command = self.plan["again"] if again else self.plan["command"]
        result = charm.main(command, standalone_mode=False)
        sys.stdout.flush()
        return int(result or 0)


def watch_events(work: Path, at_event: int | None) -> None:
    """Count the events in and beside ``work``, and at one of them die."""
    place = work.resolve()
    files = {
        name: os.open(work.parent / name, os.O_WRONLY | os.O_CREAT, 0o644)
        for name in ("events.txt", "event.txt")
    }
    counted = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal counted
        if not _changes(event, arguments, place):
            return
        counted += 1
        os.pwrite(files["events.txt"], b"%d" % counted, 0)
        if counted == at_event:
            os.pwrite(files["event.txt"], f"{event} {arguments[0]}".encode(), 0)
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def _changes(event: str, arguments: tuple[Any, ...], place: Path) -> bool:
    if event == "open":
        if not isinstance(arguments[2], int) or not arguments[2] & _WRITING:
            return False
    elif event not in _EVENTS:
        return False
    if event == "ctypes.dlopen":  # just before two names are exchanged
        return arguments[0] is None
    path = arguments[0]
    if isinstance(path, int) or path is None:
        return False
    with contextlib.suppress(OSError, ValueError):
        return Path(os.fsdecode(path)).absolute().is_relative_to(place)
    return False


def tree(folder: Path) -> dict[str, str]:
    """Every file with its hash, every empty folder with a blank."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        elif not any(path.iterdir()):
            found[f"{name}/"] = ""
    return found


if __name__ == "__main__":
    main()
