"""A small anchor: policies that say ``good`` more or less often, and ratings that may say otherwise."""

from __future__ import annotations

import numpy as np
import polars as pl

from charm_rm.models.training.anchors import Anchor
from charm_rm.tables import Ratings, Responses

POLICIES = ("ash", "elm", "fir", "oak")


def some_responses(n: int = 12, *, policies: tuple[str, ...] = POLICIES, seed: int = 0) -> Responses:
    """``n`` prompts, each answered by every policy in words of its own."""
    rng = np.random.default_rng(seed)
    words = np.array(["good", "bad", "fine", "poor", "long", "short"])
    marks = ("alpha", "beta", "gamma", "delta", "why")
    rows = [
        {
            "prompt_id": f"a{i}",
            "prompt": f"how {'alpha ' * (i % 5)}{'beta ' * (i // 5)}",
            "policy": policy,
            "response": f"{marks[k]} {' '.join(rng.choice(words, 2 + (i + k) % 4))}",
        }
        for i in range(n)
        for k, policy in enumerate(policies)
    ]
    return Responses(pl.DataFrame(rows))


def some_ratings(policies: tuple[str, ...] = POLICIES, *, gap: float = 150.0) -> Ratings:
    """Ratings that rise by ``gap`` from one policy to the next."""
    rating = [1000 + gap * i for i in range(len(policies))]
    return Ratings(pl.DataFrame({"policy": policies, "rating": rating}))


def an_anchor(n: int = 12, *, seed: int = 0) -> Anchor:
    """Both matched."""
    return Anchor.of(some_responses(n, seed=seed), some_ratings())
