"""A command to be killed, what is looked at after each kill, and what is compared in the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kills.victims import tree

TESTS = Path(__file__).resolve().parents[1]
# Bytes of a file -> what of it has to be the same.
Same = Callable[[bytes], Any]


@dataclass(frozen=True)
class Plan:
    """One command under fire.

    Args:
        command: of ``charm``, in an empty folder; inputs by absolute paths, outputs by relative ones.
        output: file or folder that is there once the command is done; a run is not repeated where it is. None: ``command`` may
            always be given again.
        again: the command after a kill, where it is another one.
        preload: modules to import before the forks.
        hook: ``module:function`` called in every run before the command.
        before: folder whose content lies there before (an older output).
        whole: names at the top of the folder that must be as before or as in the end, whenever a kill comes.
        again_later: files under such a name that a later step of the command writes again; any state of them will do.
        differs: files in which bytes may differ, with what must not; those under ``whole`` are held to it after every kill, too.
        kills: how many, at random moments within the time that an undisturbed run takes; or
        events: at so many of its file-system events, evenly spread.
    """

    command: Sequence[object]
    output: str | None
    again: Sequence[object] | None = None
    preload: Sequence[str] = ()
    hook: str | None = None
    before: Path | None = None
    whole: Sequence[str] = ()
    again_later: Sequence[str] = ()
    differs: Mapping[str, Same] = field(default_factory=dict)
    kills: int = 20
    events: bool = False

    @property
    def copied(self) -> list[str]:
        """Files that are kept as each kill left them, as a hash says too little of them."""
        return [file for file in self.differs if any(_is_under(file, name) for name in self.whole)]


@dataclass(frozen=True)
class Outcome:
    """What came of a plan: ``folder`` has the rounds, ``kills`` what lay there after each, ``events`` how many there are."""

    folder: Path
    seconds: float
    kills: list[dict[str, Any]]
    rounds: list[str]
    events: int | None = None

    @property
    def late(self) -> int:
        """Kills that came after the command had begun to write, or to keep what it had: more lay there than the lock."""
        return sum(kill["kept"] or any(not n.endswith(".lock") for n in kill["left"]) for kill in self.kills)

    def left(self, number: int) -> Path:
        """The folder with what the kill of this number left of files that are kept."""
        return self.folder / "left" / str(number)

    def work(self, name: str) -> Path:
        """The folder in which a round's command ran."""
        return self.folder / name / "work"


def kill(plans: Mapping[str, Plan], folder: Path, *, seed: int = 0) -> dict[str, Outcome]:
    """Carry plans out in one process of their own; every round of each has ended well."""
    folder.mkdir(parents=True, exist_ok=True)
    spec = {name: _spec(plan, folder / name, seed) for name, plan in plans.items()}
    (folder / "plans.json").write_text(json.dumps(spec))
    paths = [str(TESTS.parent / "src"), str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        [sys.executable, TESTS / "kills" / "victims.py", folder / "plans.json"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    reports = json.loads(done.stdout.splitlines()[-1])
    return {name: Outcome(folder / name, **report) for name, report in reports.items()}


def _spec(plan: Plan, folder: Path, seed: int) -> dict[str, Any]:
    command = [str(part) for part in plan.command]
    return {
        "command": command,
        "again": command if plan.again is None else [str(part) for part in plan.again],
        "output": plan.output,
        "preload": list(plan.preload),
        "hook": plan.hook,
        "before": plan.before and str(plan.before),
        "folder": str(folder),
        "kills": plan.kills,
        "events": plan.events,
        "copied": plan.copied,
        "seed": seed,
    }


def judge(plan: Plan, outcome: Outcome) -> None:
    """Every round ended with the files of an undisturbed run and no others, and nothing was ever half there."""
    right = outcome.work("undisturbed")
    wanted = tree(right)
    before = tree(plan.before) if plan.before else {}
    for number, kill in enumerate(outcome.kills):
        for name in plan.whole:
            left, *ends = (
                {
                    file: digest
                    for file, digest in _under(found, name).items()
                    if file not in (*plan.again_later, *plan.copied)
                }
                for found in (kill["left"], before, wanted)
            )
            assert left in ends, f"{kill}: {name} is half there"
        for file in plan.copied:
            _judge_copy(plan, file, outcome.left(number), right, told=str(kill))
    last = {kill["round"]: kill["left"] for kill in outcome.kills}
    for name in outcome.rounds:
        found = tree(outcome.work(name))
        if found == last.get(name):
            # No run came after this kill, for it left the whole output: its lock is stale, and in nobody's way.
            found = {file: digest for file, digest in found.items() if not file.endswith(".lock")}
        assert found.keys() == wanted.keys(), f"{name}: {sorted(found.keys() ^ wanted.keys())}"
        for file, digest in found.items():
            same = plan.differs.get(file)
            if same is None:
                assert digest == wanted[file], f"{name}: {file} has other bytes than an undisturbed run's"
            else:
                one, other = ((work / file).read_bytes() for work in (outcome.work(name), right))
                assert same(one) == same(other), (
                    f"{name}: {file} holds other things than an undisturbed run's"
                )


def _judge_copy(plan: Plan, file: str, left: Path, right: Path, *, told: str) -> None:
    """What a kill left of a file says what it said before, or says in the end; where there was none before, it may be missing."""
    places = [folder / file for folder in (left, *([plan.before] if plan.before else []), right)]
    said, *ends = (plan.differs[file](path.read_bytes()) if path.exists() else None for path in places)
    assert said in ends or (said is None and not plan.before), f"{told}: {file} is half there"


def _under(found: Mapping[str, str], name: str) -> dict[str, str]:
    return {file: digest for file, digest in found.items() if _is_under(file, name)}


def _is_under(file: str, name: str) -> bool:
    return file == name or file.startswith(f"{name}/")
