"""Small battles that determine their ratings, and helpers, shared by the ratings tests."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
from hypothesis import strategies as st

from charm_rm.tables import Battles, Ratings

OUTCOME = {"a": 1.0, "b": 0.0, "tie": 0.5, "both_bad": 0.5}


def battles_of(rows: list[tuple[str, str, str]], **columns: list[float]) -> Battles:
    """Battles from (policy_a, policy_b, winner) rows."""
    frame = pl.DataFrame(rows, schema=["policy_a", "policy_b", "winner"], orient="row")
    return Battles(frame.with_columns(**{name: pl.Series(values) for name, values in columns.items()}))


@st.composite
def connected_rows(draw: st.DrawFn, *, max_policies: int = 6) -> list[tuple[str, str, str]]:
    """Battle rows whose win graph is strongly connected: a cycle of wins, then anything."""
    k = draw(st.integers(2, max_policies))
    names = [f"p{i}" for i in range(k)]
    cycle = [(names[i], names[(i + 1) % k], "a") for i in range(k)]
    pair = st.tuples(st.sampled_from(names), st.sampled_from(names)).filter(lambda p: p[0] != p[1])
    more = draw(st.lists(st.tuples(pair, st.sampled_from(list(OUTCOME))), max_size=30))
    return cycle + [(a, b, w) for (a, b), w in more]


def log_strengths(ratings: Ratings) -> dict[str, float]:
    """Ratings back in log-odds, mean 0."""
    values = ratings.frame["rating"].to_numpy() * math.log(10) / 400
    return dict(zip(ratings.frame["policy"], values - values.mean(), strict=True))


def simulated(rng: np.random.Generator, theta: np.ndarray, n: int) -> Battles:
    """n battles between random pairs, won by Bradley-Terry odds."""
    k = theta.size
    first = rng.integers(k, size=n)
    second = (first + rng.integers(1, k, size=n)) % k
    won = rng.random(n) < 1 / (1 + np.exp(theta[second] - theta[first]))
    names = np.array([f"p{i:02d}" for i in range(k)])
    return Battles(
        pl.DataFrame({"policy_a": names[first], "policy_b": names[second], "winner": np.where(won, "a", "b")})
    )
