"""Studies with people whose mind is known: prompts, policies, raters with tastes of their own, two models, and votes on some comparisons.

What people like about answer k to prompt i is h_ik = quality_k + luck_ik, and x_ik is a feature of it (its length, say). Rater r prefers a to b
by h_a − h_b + taste_r (x_a − x_b), taste_r ~ N(0, ``taste``²), in log-odds of a vote for a; a share of votes, more where the two are close, is a
tie. A model's margin is ``sharp`` (h_a − h_b + its own liking of x) + noise. The truth is the mean over many prompts of what people at large
do, by quadrature over tastes; studies see some prompts, and votes on some comparisons of these.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations

import numpy as np
import polars as pl

from charm_rm.statistics import FloatArray, sigmoid
from charm_rm.study.nouns import Counted

POLICIES = 4
MODELS = ("original", "calibrated")
_MANY = 40_000
_NODES, _NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(9)

# By kind of pair: (liking of x, standard deviation of noise) of the original and of the calibrated model.
KINDS = {
    "alike": ((0.0, 1.5), (0.0, 1.5)),
    "better": ((1.0, 1.5), (0.0, 1.0)),
    "useless": ((0.0, 50.0), (0.0, 50.0)),
    "excellent": ((0.5, 0.4), (0.0, 0.2)),
    "partly wrong": ((2.5, 0.5), (0.5, 0.5)),
}


class Prompts:
    """Prompts as drawn: all comparisons of their answers, what people at large do, and both models' margins. Rows are comparisons."""

    def __init__(self, rng: np.random.Generator, n: int, *, ties: float, models: str) -> None:
        pairs = np.array(list(combinations(range(POLICIES), 2)))
        # Prompts differ in how much their answers do: on some everybody agrees.
        spread = rng.lognormal(0.0, 0.5, (n, 1))
        good = np.linspace(-0.5, 0.5, POLICIES) + spread * rng.normal(size=(n, POLICIES))
        x = rng.normal(size=(n, POLICIES))
        one, other = pairs.T
        self.prompt = np.repeat(np.arange(n), len(pairs))
        self.a, self.b = np.tile(one, n), np.tile(other, n)
        self.h = (good[:, one] - good[:, other]).ravel()
        self.x = (x[:, one] - x[:, other]).ravel()
        self.tie = np.minimum(1.0, 2 * ties * sigmoid(-np.abs(self.h)) * 1.6)
        self.margins = []
        for liking, noise in KINDS[models]:
            told = good + liking * x + noise * rng.normal(size=(n, POLICIES))
            self.margins.append((told[:, one] - told[:, other]).ravel())

    def side(self, taste: FloatArray | float) -> FloatArray:
        """P(a | a side is taken) by a rater of that taste."""
        return sigmoid(self.h + taste * self.x)

    def people(self, taste: float) -> FloatArray:
        """P(a | a side is taken) by people at large."""
        return np.average([self.side(taste * node) for node in _NODES], axis=0, weights=_NODE_WEIGHTS)

    def verdict(self, model: int) -> FloatArray:
        """1 where the model prefers a, else 0."""
        return 0.5 * (1 + np.sign(self.margins[model]))


@lru_cache(maxsize=64)
def truth(ties: float, models: str, taste: float) -> dict[str, float]:
    """Agreement of the two models with people at large, and differences, of all votes and of decided ones."""
    world = Prompts(np.random.default_rng(20260), _MANY, ties=ties, models=models)
    p, sided = world.people(taste), 1 - world.tie
    found = {}
    for k in range(2):
        s = world.verdict(k)
        agree = s * p + (1 - s) * (1 - p)
        found[f"all {k}"] = float((sided * agree + 0.5 * world.tie).mean())
        found[f"decided {k}"] = float((sided * agree).mean() / sided.mean())
    for used in ("all", "decided"):
        found[f"{used} difference"] = found[f"{used} 1"] - found[f"{used} 0"]
    if models == "alike":  # exactly, by symmetry
        found["all difference"] = found["decided difference"] = 0.0
    return found


def draw_study(
    rng: np.random.Generator,
    *,
    prompts: int,
    comparisons: int,
    votes: int,
    raters: int,
    taste: float,
    ties: float,
    models: str,
    targeted: bool,
) -> Counted:
    """One study: so many comparisons by Poisson-like choice (four times as likely where the models disagree), each voted on by ``votes`` raters."""
    world = Prompts(rng, prompts, ties=ties, models=models)
    n_all = len(world.prompt)
    apart = world.verdict(0) != world.verdict(1)
    size = np.where(apart & targeted, 4.0, 1.0)
    inclusion = _inclusion(size, min(comparisons, n_all))
    chosen = _systematic(rng, inclusion)
    on = np.repeat(chosen, votes)
    who = np.concatenate([rng.choice(raters, votes, replace=False) for _ in chosen])
    tastes = taste * rng.normal(size=raters)
    side = sigmoid(world.h[on] + tastes[who] * world.x[on])
    tied = rng.random(len(on)) < world.tie[on]
    y = np.where(tied, 0.5, (rng.random(len(on)) < side).astype(float))
    everything = pl.DataFrame(
        {
            "prompt_id": [f"p{i}" for i in world.prompt],
            "policy_a": [f"m{k}" for k in world.a],
            "policy_b": [f"m{k}" for k in world.b],
            **{f"margin_{name}": m for name, m in zip(MODELS, world.margins, strict=True)},
        }
    )
    frame = everything[on.tolist()].with_columns(
        comparison_id=pl.Series([f"c{j}" for j in on]),
        rater=pl.Series([f"r{r}" for r in who]),
        y=pl.Series(y),
        decided=pl.Series(~tied),
        weight=pl.Series(1 / (inclusion[on] * votes)),
    )
    return Counted(frame, everything, MODELS)


def _inclusion(size: FloatArray, n: int) -> FloatArray:
    """Inclusion probabilities proportional to size, at most 1, that add up to n."""
    p = n * size / size.sum()
    while (p > 1 + 1e-12).any():
        sure = p >= 1
        rest = ~sure
        p = np.where(sure, 1.0, 0.0)
        p[rest] = (n - sure.sum()) * size[rest] / size[rest].sum()
    return p


def _systematic(rng: np.random.Generator, inclusion: FloatArray) -> np.ndarray:
    """Systematic sampling in random order: a fixed number, each with its own probability."""
    order = rng.permutation(len(inclusion))
    ends = np.cumsum(inclusion[order])
    ticks = rng.random() + np.arange(round(ends[-1]))
    return order[np.minimum(np.searchsorted(ends, ticks), len(order) - 1)]
