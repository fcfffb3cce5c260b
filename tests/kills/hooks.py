"""What victims do besides their command: note what they work on, and take a little longer over it."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PAUSE = 0.01


def noted(what: object) -> None:
    """Note a piece of work where the test finds it."""
    with Path(os.environ["VICTIM"], "noted.txt").open("a") as file:
        file.write(hashlib.sha256(str(what).encode()).hexdigest() + "\n")


def slow_batches() -> None:
    """Every batch that a reward model scores is noted, and takes a while."""
    from charm_rm.models.scoring import reward

    whole = reward.RewardModel.launch

    def launch(model: Any, batch: Any) -> Any:
        noted([row.input_ids for row in batch])
        time.sleep(PAUSE)
        return whole(model, batch)

    reward.RewardModel.launch = launch  # type: ignore[method-assign]


def slow_tables() -> None:
    """Every table that is written to a study's file takes a while, so that many a kill comes while it is half written."""
    from charm_rm.study.database import rows

    whole = rows._write

    def write(connection: Any, table: Any, written: Any) -> None:
        whole(connection, table, written)
        time.sleep(20 * PAUSE)

    rows._write = write


def slow_reward(prompts: Sequence[Any], responses: Sequence[str]) -> list[float]:
    """A reward by a hash of the texts; every text that it is asked for is noted, and takes a while."""
    for text in zip(prompts, responses, strict=True):
        noted(text)
        time.sleep(PAUSE / 10)
    return [
        int(hashlib.sha256(f"{p}{r}".encode()).hexdigest()[:8], 16) / 2**32
        for p, r in zip(prompts, responses, strict=True)
    ]


def slow_answer(prompts: Sequence[Any], seeds: Sequence[int]) -> list[str]:
    """Answers by prompt and seed; what is asked is noted, and takes a while."""
    noted((prompts, seeds))
    time.sleep(PAUSE)
    return [f"{prompt} [{seed}]" for prompt, seed in zip(prompts, seeds, strict=True)]


def slow_verdict(prompts: Sequence[Any], first: Sequence[str], second: Sequence[str]) -> list[float]:
    """P(first is better) by a hash of the texts; what it is asked is noted, and takes a while."""
    noted((prompts, first, second))
    time.sleep(PAUSE)
    return [
        0.2 + 0.6 * int(hashlib.sha256(f"{p}{a}{b}".encode()).hexdigest()[:8], 16) / 2**32
        for p, a, b in zip(prompts, first, second, strict=True)
    ]
