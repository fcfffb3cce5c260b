"""Small studies for tests: answers, scores, comparisons and votes by rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from charm_rm.study.nouns import MAIN, Comparisons, StudyModel, StudyVotes
from charm_rm.tables import Margins, Responses, Scores

POLICIES = ("ant", "bee", "cow", "dog")


def responses(
    n_prompts: int = 5, policies: Sequence[str] = POLICIES, *, without: Iterable[tuple[str, str]] = ()
) -> Responses:
    """An answer of each policy to each prompt, but for ``without`` (prompt_id, policy)."""
    gone = set(without)
    rows = [
        (f"p{i:03d}", policy)
        for i in range(n_prompts)
        for policy in policies
        if (f"p{i:03d}", policy) not in gone
    ]
    return Responses(
        pl.DataFrame(
            {
                "prompt_id": [p for p, _ in rows],
                "prompt": [f"Question {p}?" for p, _ in rows],
                "policy": [name for _, name in rows],
                "response": [f"Answer of {hash_of(p, name)} to {p}." for p, name in rows],
            }
        )
    )


def hash_of(prompt: str, policy: str) -> int:
    """A number that is another one for every answer."""
    return int(prompt[1:]) * 100 + sum(map(ord, policy))


def scores(given: Responses, *, seed: int = 0, noise: float = 0.0, of: Scores | None = None) -> Scores:
    """Normal scores of the responses; ``of`` and ``noise``: those of another table, and so much noise."""
    rng = np.random.default_rng(seed)
    drawn = rng.normal(size=len(given))
    values = drawn if of is None else of.frame["score"].to_numpy() + noise * drawn
    return Scores(given.frame.select("prompt_id", "policy").with_columns(score=pl.Series(values)))


def before_and_after(given: Responses, *, noise: float = 0.5, seed: int = 0) -> tuple[StudyModel, StudyModel]:
    """Two models that agree on most comparisons."""
    first = scores(given, seed=seed)
    return StudyModel("before", first), StudyModel(
        "after", scores(given, seed=seed + 1, noise=noise, of=first)
    )


def judge(rows: Sequence[tuple[str, str, str, float]], name: str = "judge") -> StudyModel:
    """A judge by rows (prompt_id, policy, reference, margin)."""
    frame = pl.DataFrame(rows, schema=["prompt_id", "policy", "reference", "margin"], orient="row")
    return StudyModel(name, margins=Margins(frame))


def comparisons(
    rows: Sequence[tuple[str, str, str, str, float | None]], *, kinds: Sequence[str] = ()
) -> Comparisons:
    """Comparisons by rows (comparison_id, prompt_id, policy_a, policy_b, inclusion)."""
    columns = ["comparison_id", "prompt_id", "policy_a", "policy_b", "inclusion"]
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    kind = pl.Series(list(kinds) or [MAIN] * len(rows))
    return Comparisons(
        frame.with_columns(kind=kind, votes_wanted=pl.lit(1), inclusion=pl.col("inclusion").cast(pl.Float64))
    )


def votes(rows: Sequence[tuple[str, str, str, bool]]) -> StudyVotes:
    """Votes by rows (comparison_id, rater, winner, repeat)."""
    schema = {"comparison_id": pl.String, "rater": pl.String, "winner": pl.String, "repeat": pl.Boolean}
    return StudyVotes(pl.DataFrame(rows, schema=schema, orient="row"))
