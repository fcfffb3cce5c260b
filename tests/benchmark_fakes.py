"""Rewards and judges for tests of benchmarks: numbers out of the texts, the same everywhere and always."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

# How often each was asked, in texts or pairs; tests set it back.
CALLS = {"reward": 0, "judge": 0}


def reward(prompts: Sequence[Any], responses: Sequence[str]) -> np.ndarray:
    """A score of 0 to 12 from a hash of the texts, so that some are equal; longer responses do a little better."""
    CALLS["reward"] += len(responses)
    return np.array([_score(p, r, "a") for p, r in zip(prompts, responses, strict=True)])


def other_reward(prompts: Sequence[Any], responses: Sequence[str]) -> np.ndarray:
    """Another one."""
    return np.array([_score(p, r, "b") for p, r in zip(prompts, responses, strict=True)])


def judge(prompts: Sequence[Any], first: Sequence[str], second: Sequence[str]) -> np.ndarray:
    """A judge that prefers what :func:`reward` scores higher, without any doubt."""
    CALLS["judge"] += len(first)
    pairs = zip(prompts, first, second, strict=True)
    return np.array([np.heaviside(_score(p, a, "a") - _score(p, b, "a"), 0.5) for p, a, b in pairs])


def _score(prompt: Any, response: str, salt: str) -> float:
    text = json.dumps([salt, prompt, response])
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % 10 + min(len(response) // 400, 3)


def first_judge(prompts: Sequence[Any], _first: Sequence[str], _second: Sequence[str]) -> np.ndarray:
    """A judge that looks at the position alone."""
    return np.ones(len(prompts))


def moody_judge(prompts: Sequence[Any], first: Sequence[str], second: Sequence[str]) -> np.ndarray:
    """Better, worse or equal, by a hash of the question in its order: often it contradicts itself."""
    CALLS["judge"] += len(first)
    pairs = zip(prompts, first, second, strict=True)
    return np.array([int(_score(p, a + "|" + b, "c")) % 3 / 2 for p, a, b in pairs])


def silent_judge(prompts: Sequence[Any], first: Sequence[str], second: Sequence[str]) -> np.ndarray:
    """The :func:`judge`, which says nothing about texts that hold `?` and does not see the other order of `!`."""
    verdicts = judge(prompts, first, second)
    silent = [("?" in a + b) or "!" in a for a, b in zip(first, second, strict=True)]
    return np.where(silent, np.nan, verdicts)


def stopping_reward(prompts: Sequence[Any], responses: Sequence[str]) -> np.ndarray:
    """The :func:`reward`, which is stopped once 100 texts were scored, while the file $CHARM_TEST_STOP is there."""
    if CALLS["reward"] >= 100 and Path(os.environ.get("CHARM_TEST_STOP", "/no such file")).exists():
        raise KeyboardInterrupt
    return reward(prompts, responses)
