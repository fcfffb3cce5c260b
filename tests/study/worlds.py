"""Small studies for tests: votes on some comparisons of a few prompts, and models of any quality."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import strategies as st

from charm_rm.study.nouns import Counted


def small_study(
    seed: int = 0,
    *,
    prompts: int = 30,
    policies: int = 3,
    votes: int = 60,
    raters: int = 4,
    ties: float = 0.2,
    noise: tuple[float, ...] = (2.0, 0.5),
    census: bool = False,
) -> Counted:
    """Votes of raters on randomly chosen comparisons with unequal weights; with ``census`` one vote of weight 1 on every candidate."""
    rng = np.random.default_rng(seed)
    a, b = np.triu_indices(policies, 1)
    prompt = np.repeat(np.arange(prompts), len(a))
    liked = rng.normal(size=(prompts, policies))
    better = (liked[:, a] - liked[:, b]).ravel()
    everything = pl.DataFrame(
        {
            "prompt_id": [f"p{i:03}" for i in prompt],
            "policy_a": [f"m{k}" for k in np.tile(a, prompts)],
            "policy_b": [f"m{k}" for k in np.tile(b, prompts)],
            **{f"margin_rm{k}": better + sd * rng.normal(size=len(better)) for k, sd in enumerate(noise)},
        }
    )
    on = np.arange(len(better)) if census else rng.integers(0, len(better), votes)
    y = (rng.random(len(on)) < 1 / (1 + np.exp(-better[on]))).astype(float)
    tied = rng.random(len(on)) < ties
    frame = everything[on.tolist()].with_columns(
        comparison_id=pl.Series([f"c{j}" for j in on]),
        rater=pl.Series([f"r{r}" for r in rng.integers(0, raters, len(on))]),
        y=pl.Series(np.where(tied, 0.5, y)),
        decided=pl.Series(~tied),
        weight=pl.Series(np.ones(len(on)) if census else rng.choice([1.0, 4.0], len(on))),
    )
    return Counted(frame, everything, tuple(f"rm{k}" for k in range(len(noise))))


def liked_study(
    seed: int = 0,
    *,
    prompts: int = 80,
    policies: int = 6,
    share: float = 0.4,
    raters: int = 10,
    favoured: float = 0.0,
) -> Counted:
    """Policies of different strength; a model that scores what people like, with some noise, and favours the last by so many log-odds.

    One vote on about so large a ``share`` of all comparisons, each of weight 1.
    """
    rng = np.random.default_rng(seed)
    a, b = np.triu_indices(policies, 1)
    liking = np.linspace(1.0, -1.0, policies) + 0.8 * rng.standard_normal((prompts, policies))
    score = 1.5 * liking + 0.5 * rng.standard_normal((prompts, policies))
    score[:, -1] += favoured
    better = (liking[:, a] - liking[:, b]).ravel()
    everything = pl.DataFrame(
        {
            "prompt_id": [f"p{i:03}" for i in np.repeat(np.arange(prompts), len(a))],
            "policy_a": [f"m{k}" for k in np.tile(a, prompts)],
            "policy_b": [f"m{k}" for k in np.tile(b, prompts)],
            "margin_rm": (score[:, a] - score[:, b]).ravel(),
        }
    )
    on = np.flatnonzero(rng.random(len(better)) < share)
    frame = everything[on.tolist()].with_columns(
        comparison_id=pl.Series([f"c{j}" for j in on]),
        rater=pl.Series([f"r{r}" for r in rng.integers(0, raters, len(on))]),
        y=pl.Series((rng.random(len(on)) < 1 / (1 + np.exp(-better[on]))).astype(float)),
        decided=pl.Series(np.full(len(on), fill_value=True)),
        weight=pl.Series(np.ones(len(on))),
    )
    return Counted(frame, everything, ("rm",))


def small_studies() -> st.SearchStrategy[Counted]:
    """Studies of all shapes, thin ones among them."""
    return st.builds(
        small_study,
        st.integers(0, 2**32),
        prompts=st.integers(2, 20),
        policies=st.integers(2, 4),
        votes=st.integers(1, 50),
        raters=st.integers(1, 5),
        ties=st.sampled_from([0.0, 0.3, 0.9]),
        noise=st.sampled_from([(1.0,), (2.0, 0.5), (0.1, 3.0, 1.0)]),
    )
