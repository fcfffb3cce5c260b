"""Rewards and judges for tests of benchmarks: numbers out of the texts, the same everywhere and always."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
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
