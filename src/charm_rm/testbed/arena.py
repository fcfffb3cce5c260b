"""A simulated arena whose truth is known: prompts, responses, their quality, votes, and the ratings behind them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy.special import expit

from ..ratings import fit_ratings
from ..tables import Battles, Ratings, Responses
from .policies import POLICIES, Policy, respond
from .tasks import Task, draw_tasks

VOTE_SLOPE = 4.0  # log-odds of a vote per unit of quality


@dataclass(frozen=True)
class Arena:
    """What :func:`simulate_arena` gives.

    ``quality`` has prompt_id, policy, quality (share of asked things answered rightly) and style (0 to 1).
    ``true_ratings`` are the Bradley-Terry ratings of infinitely many votes on these responses.
    """

    prompts: pl.DataFrame
    responses: Responses
    battles: Battles
    true_ratings: Ratings
    quality: pl.DataFrame
    policies: tuple[Policy, ...]
    seed: int


def simulate_arena(
    *,
    seed: int,
    n_prompts: int = 200,
    n_votes: int = 20_000,
    policies: Sequence[Policy] = POLICIES,
) -> Arena:
    """Simulate prompts, responses, and a public that votes by quality with Bradley-Terry noise.

    P(a beats b on a prompt) = sigmoid(VOTE_SLOPE * (quality_a - quality_b)). Where the two are equally good,
    half of the votes are ties (``both_bad`` where neither has anything right), which leaves the expected
    result as it was. Style plays no part in the votes.
    """
    rng = np.random.default_rng(seed)
    tasks = draw_tasks(n_prompts, rng=rng, part=0)
    ids = [f"arena-{seed}-{i:05d}" for i in range(n_prompts)]
    rows = answer_tasks(
        [(id_, task, policy) for id_, task in zip(ids, tasks, strict=True) for policy in policies], rng=rng
    )
    quality = rows.select("prompt_id", "policy", "quality", "style")
    matrix = rows["quality"].to_numpy().reshape(n_prompts, len(policies))
    provenance: dict[str, Any] = {"simulated": True, "seed": seed}
    return Arena(
        prompts=rows.select("prompt_id", "prompt").unique(maintain_order=True),
        responses=Responses(rows.select("prompt_id", "prompt", "policy", "response"), provenance),
        battles=Battles(draw_votes(ids, [p.name for p in policies], matrix, n=n_votes, rng=rng), provenance),
        true_ratings=_true_ratings(matrix, policies, provenance),
        quality=quality,
        policies=tuple(policies),
        seed=seed,
    )


def answer_tasks(
    assignments: Iterable[tuple[str, Task, Policy]], *, rng: np.random.Generator
) -> pl.DataFrame:
    """Let each policy answer its task: prompt_id, prompt, policy, response, quality, style, in order."""
    rows = [
        (prompt_id, task.prompt, policy.name, answer.text, answer.quality, answer.style)
        for prompt_id, task, policy in assignments
        for answer in [respond(policy, task, rng=rng)]
    ]
    return pl.DataFrame(
        rows, schema=["prompt_id", "prompt", "policy", "response", "quality", "style"], orient="row"
    )


def vote_probability(quality_a: np.ndarray | float, quality_b: np.ndarray | float) -> np.ndarray:
    """P(a beats b) = sigmoid(VOTE_SLOPE * (quality_a - quality_b))."""
    return np.asarray(expit(VOTE_SLOPE * (np.asarray(quality_a) - np.asarray(quality_b))))


def draw_votes(
    prompt_ids: Sequence[str],
    policies: Sequence[str],
    quality: np.ndarray,
    *,
    n: int,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Draw ``n`` votes between random pairs of policies on random prompts, by :func:`vote_probability`.

    Args:
        prompt_ids: of the rows of ``quality``.
        policies: of its columns.
        quality: (prompts, policies), in [0, 1].
        n: votes.
        rng: draws them.

    Returns:
        prompt_id, policy_a, policy_b, winner; of equally good responses half of the votes are ties, ``both_bad`` where both have quality 0.
    """
    n_prompts, k = quality.shape
    prompt = rng.integers(n_prompts, size=n)
    a = rng.integers(k, size=n)
    b = (a + rng.integers(1, k, size=n)) % k
    quality_a, quality_b = quality[prompt, a], quality[prompt, b]
    winner = np.where(rng.random(n) < vote_probability(quality_a, quality_b), "a", "b").astype(object)
    tied = (quality_a == quality_b) & (rng.random(n) < 0.5)
    winner[tied] = np.where(quality_a[tied] == 0, "both_bad", "tie")
    names, ids = (np.array(list(one), dtype=object) for one in (policies, prompt_ids))
    return pl.DataFrame(
        {
            "prompt_id": ids[prompt].tolist(),
            "policy_a": names[a].tolist(),
            "policy_b": names[b].tolist(),
            "winner": winner.tolist(),
        }
    )


def _true_ratings(quality: np.ndarray, policies: Sequence[Policy], provenance: dict[str, Any]) -> Ratings:
    """Bradley-Terry ratings of the expected votes: every pair once, its weight split by the win probability."""
    pairs = [(i, j) for i in range(len(policies)) for j in range(i)]
    share = np.array([float(vote_probability(quality[:, i], quality[:, j]).mean()) for i, j in pairs])
    expected = pl.DataFrame(
        {
            "policy_a": [policies[i].name for i, _ in pairs] * 2,
            "policy_b": [policies[j].name for _, j in pairs] * 2,
            "winner": ["a"] * len(pairs) + ["b"] * len(pairs),
            "weight": [*share, *(1 - share)],
        }
    )
    fitted = fit_ratings(Battles(expected))
    return Ratings(fitted.frame.select("policy", "rating"), provenance)
