"""Run ``charm score`` again and again, kill it by SIGKILL at random moments, and report what came of it.

    python kill_scoring.py RM RESPONSES FOLDER KILLS

One process imports everything and forks a run each time, so that a kill costs no minute of imports. Every batch takes
a little longer than it needs and is noted in a file, so that kills fall on all moments and doubled work shows.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import torch  # noqa: F401  (imported before the forks)
import transformers.models.llama.modeling_llama  # noqa: F401

from charm_rm import cli
from charm_rm.models.scoring import reward

PAUSE = 0.01


def main() -> None:
    """Print what happened as JSON."""
    rm, responses, folder, kills = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
    rng = random.Random(0)
    slow_down()
    folder.mkdir()
    started = time.monotonic()
    reference = Round(rm, responses, folder / "undisturbed")
    reference.run_to_the_end()
    seconds = time.monotonic() - started
    report: dict[str, Any] = {"kills": 0, "rounds": 0, "same_bytes": True, "same_batches": True, "again": 0}
    while report["kills"] < kills:
        killed = Round(rm, responses, folder / f"round-{report['rounds']}")
        while report["kills"] < kills and killed.run_until(rng.uniform(0, 0.7 * seconds)):
            report["kills"] += 1
        killed.run_to_the_end()
        report["rounds"] += 1
        report["same_bytes"] &= killed.output.read_bytes() == reference.output.read_bytes()
        report["same_batches"] &= set(killed.batches()) == set(reference.batches())
        report["again"] += len(killed.batches()) - len(set(killed.batches()))
    print(json.dumps(report))


def slow_down() -> None:
    """Make each batch take a while, and note it."""
    whole = reward.RewardModel.launch

    def launch(model: Any, batch: Any) -> Any:
        digest = hashlib.sha256(str([row.input_ids for row in batch]).encode()).hexdigest()
        with Path(os.environ["BATCHES"]).open("a") as noted:
            noted.write(digest + "\n")
        time.sleep(PAUSE)
        return whole(model, batch)

    reward.RewardModel.launch = launch  # type: ignore[method-assign]


class Round:
    """One output, and a store of its own."""

    def __init__(self, rm: str, responses: str, folder: Path) -> None:
        folder.mkdir()
        self.output, self.noted = folder / "scores.parquet", folder / "batches.txt"
        self.command = [
            "score",
            responses,
            "--rm",
            rm,
            "-o",
            str(self.output),
            "--token-budget",
            "64",
            "--unchecked",
        ]
        self.command += ["--cache", str(folder / "store.sqlite"), "--device", "cpu"]

    def run_until(self, seconds: float) -> bool:
        """Kill a run after so many seconds; False where it had ended by itself."""
        child = self._fork()
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        return os.WIFSIGNALED(status) and not self.output.exists()

    def run_to_the_end(self) -> None:
        """Run undisturbed, unless it is done."""
        if not self.output.exists():
            status = os.waitpid(self._fork(), 0)[1]
            if status != 0:
                raise SystemExit(f"a run ended with status {status}")

    def batches(self) -> list[str]:
        """A digest of every batch that was begun."""
        return self.noted.read_text().split()

    def _fork(self) -> int:
        child = os.fork()
        if child:
            return child
        os.environ["BATCHES"] = str(self.noted)
        try:
            os.dup2(2, 1)
            os._exit(cli.main(self.command, standalone_mode=False) or 0)
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)


if __name__ == "__main__":
    main()
