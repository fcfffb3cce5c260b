"""A hand-made calibrator, a scorer and a judge that count what they are asked, for the tests of calibrated models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from charm_rm.features import FEATURES
from charm_rm.protocols import Prompt
from charm_rm.statistics import FloatArray
from charm_rm.style import Calibrator, FeatureWeight

WEIGHTS = {"words": -0.4, "bold": -0.7, "bullets": 0.3}


def a_calibrator(
    model: Any = None,
    *,
    weights: Mapping[str, float] = WEIGHTS,
    unit: Any = "score",
    versions: Mapping[str, int | str] | None = None,
    **more: Any,
) -> Calibrator:
    """A calibrator of these weights, solved on ``model`` (None: it does not say)."""
    features = tuple(
        FeatureWeight(name, (versions or {}).get(name, _version(name)), 0.5, 0.8, weight)
        for name, weight in weights.items()
    )
    kind = "rm" if unit == "score" else "judge"
    told = {} if model is None else {kind: model.source, f"{kind}_fingerprint": model.fingerprint}
    given: dict[str, Any] = {
        "spread": 1.0,
        "temperature": 1.3,
        "fit_temperature": 1.0,
        "penalty": 0.01,
        "kept": 0.8,
    }
    return Calibrator(unit, features, **given | {"provenance": {"model": told}} | more)


def _version(name: str) -> int | str:
    return FEATURES[name].version if name in FEATURES else "column"


@dataclass
class CountingScorer:
    """Scores a response by its letters, and keeps how many texts it was asked about."""

    source: str = "counting"
    fingerprint: str = "counting-1"
    asked: list[int] = field(default_factory=list)

    def __call__(self, prompts: Sequence[Prompt], responses: Sequence[str]) -> FloatArray:
        self.asked.append(len(responses))
        return np.array([(sum(map(ord, r)) % 101) / 25 for r in responses])


@dataclass
class CountingJudge:
    """Prefers by the same rule, with a liking for the first."""

    source: str = "counting-judge"
    fingerprint: str = "counting-judge-1"
    asked: list[int] = field(default_factory=list)

    def __call__(self, prompts: Sequence[Prompt], first: Sequence[str], second: Sequence[str]) -> FloatArray:
        self.asked.append(len(first))
        score = CountingScorer()
        return np.asarray(1 / (1 + np.exp(-(score(prompts, first) - score(prompts, second) + 0.3))))


def lengths(_prompts: Sequence[Prompt], responses: Sequence[str]) -> list[float]:
    """A reward function of one's own."""
    return [float(len(r)) for r in responses]


def preferences(_prompts: Sequence[Prompt], first: Sequence[str], second: Sequence[str]) -> list[float]:
    """A judge of one's own."""
    return [
        0.5 + 0.4 * (len(a) > len(b)) - 0.4 * (len(a) < len(b)) for a, b in zip(first, second, strict=True)
    ]
