"""Preference pairs of the simulated arena: from annotators who fall for style, and from the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from scipy.special import expit

from ..tables import Preferences
from .arena import answer_tasks
from .policies import POLICIES, Policy
from .tasks import draw_tasks

QUALITY_SLOPE = 8.0  # log-odds of an annotator's choice per unit of quality: they read closely
STYLE_SLOPE = 1.5  # and per unit of style: but they fall for it
BENCHMARK_SUBSETS = ("style-with-truth", "style-even", "style-against-truth")


def biased_preferences(
    *,
    seed: int,
    n_pairs: int = 600,
    style_slope: float = STYLE_SLOPE,
    policies: Sequence[Policy] = POLICIES,
) -> Preferences:
    """Pairs judged by simulated annotators who like style as well as quality.

    P(a chosen) = sigmoid(QUALITY_SLOPE * (quality_a - quality_b) + style_slope * (style_a - style_b)). Prompts are
    never the arena's: a reward model trained on these pairs has seen none of them.
    """
    rng = np.random.default_rng([seed, 1])
    a, b = _contestants(n_pairs, policies, rng=rng, prefix=f"annotated-{seed}", part=1)
    log_odds = QUALITY_SLOPE * (a["quality"] - b["quality"]) + style_slope * (a["style"] - b["style"])
    takes_a = rng.random(n_pairs) < expit(log_odds.to_numpy())
    return as_preferences(a, b, takes_a, {"simulated": True, "seed": seed, "style_slope": style_slope})


def true_preferences(
    *, seed: int, n_pairs: int = 240, policies: Sequence[Policy] = POLICIES, gap: float = 0.3
) -> Preferences:
    """A benchmark with known truth: the chosen response is better by at least ``gap`` in quality.

    ``subset`` says what style does: it goes with the truth, is even (within a tenth), or goes against it. The three
    have equally many pairs. Prompts are never the arena's or the annotators'.
    """
    rng = np.random.default_rng([seed, 2])
    a, b = _contestants(40 * n_pairs // 3, policies, rng=rng, prefix=f"benchmark-{seed}", part=2)
    quality = (a["quality"] - b["quality"]).to_numpy()
    style = np.where(quality > 0, 1, -1) * (a["style"] - b["style"]).to_numpy()
    kind = np.select([style > 0.1, style < -0.1], [0, 2], default=1)
    clear = np.abs(quality) >= gap
    share = n_pairs // 3
    rows = np.concatenate([np.flatnonzero(clear & (kind == k))[:share] for k in range(3)])
    subset = pl.Series("subset", [BENCHMARK_SUBSETS[k] for k in kind[rows]])
    pairs = as_preferences(a[rows], b[rows], quality[rows] > 0, {"simulated": True, "seed": seed})
    return Preferences(pairs.frame.with_columns(subset), pairs.provenance)


def _contestants(
    n: int, policies: Sequence[Policy], *, rng: np.random.Generator, prefix: str, part: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Two different policies' responses to each of ``n`` new tasks."""
    tasks = draw_tasks(n, rng=rng, part=part)
    first = rng.integers(len(policies), size=n)
    second = (first + rng.integers(1, len(policies), size=n)) % len(policies)
    ids = [f"{prefix}-{i:05d}" for i in range(n)]
    a, b = (
        answer_tasks(
            [(id_, task, policies[k]) for id_, task, k in zip(ids, tasks, side, strict=True)], rng=rng
        )
        for side in (first, second)
    )
    return a, b


def as_preferences(
    a: pl.DataFrame, b: pl.DataFrame, takes_a: np.ndarray, provenance: dict[str, Any]
) -> Preferences:
    """Pairs of rows (prompt_id, prompt as text, policy, response) of which the first is chosen where ``takes_a``; equal responses are left out."""

    def pick(name: str, *, chosen: bool) -> list[str]:
        return [x if t == chosen else y for x, y, t in zip(a[name], b[name], takes_a, strict=True)]

    def message(role: str, texts: list[str]) -> list[list[dict[str, str]]]:
        return [[{"role": role, "content": text}] for text in texts]

    frame = pl.DataFrame(
        {
            "prompt_id": a["prompt_id"],
            "prompt": message("user", a["prompt"].to_list()),
            "chosen": message("assistant", pick("response", chosen=True)),
            "rejected": message("assistant", pick("response", chosen=False)),
            "chosen_policy": pick("policy", chosen=True),
            "rejected_policy": pick("policy", chosen=False),
        }
    )
    same = frame["chosen"] == frame["rejected"]
    return Preferences(frame.filter(~same), provenance)
