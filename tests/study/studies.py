"""Made-up studies for the tests of what is shown while people vote."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl

from charm_rm.study.nouns import Comparisons, Study, StudyModel, StudyVotes
from charm_rm.tables import Responses, Scores

POLICIES = ("alpha", "beta", "gamma")
_COMPARISONS = (
    "comparison_id",
    "prompt_id",
    "policy_a",
    "policy_b",
    "kind",
    "inclusion",
    "votes_wanted",
    "expected",
)
_VOTES = ("comparison_id", "rater", "winner", "repeat", "left", "seconds", "comment", "voted_at")


def comparisons(rows: list[tuple]) -> Comparisons:
    return Comparisons(pl.DataFrame(rows, schema=_COMPARISONS, orient="row", infer_schema_length=None))


def votes(rows: list[tuple]) -> StudyVotes:
    schema = [pl.String, pl.String, pl.String, pl.Boolean, pl.String, pl.Float64, pl.String, pl.String]
    return StudyVotes(pl.DataFrame(rows, schema=dict(zip(_VOTES, schema, strict=True)), orient="row"))


def main(name: str, a: str, b: str, *, wanted: int = 2, inclusion: float = 1.0) -> tuple:
    return (name, f"prompt-{name}", a, b, "main", inclusion, wanted, None)


def check(name: str, a: str, b: str, expected: str = "a") -> tuple:
    return (name, f"prompt-{name}", a, b, "check", None, 3, expected)


def vote(
    comparison: str,
    rater: str,
    winner: str,
    *,
    repeat: bool = False,
    left: str | None = "a",
    seconds: float | None = 10.0,
    comment: str | None = None,
    at: str | None = "2026-11-02T09:00:00+00:00",
) -> tuple:
    return (comparison, rater, winner, repeat, left, seconds, comment, at)


def simulated(
    *,
    prompts: int = 60,
    raters: int = 4,
    votes_each: int = 40,
    models: int = 2,
    checks: int = 3,
    seed: int = 0,
) -> Study:
    """Raters prefer gamma to beta to alpha; each model sees the same with its own noise. Checks and repeats are among the votes."""
    rng = np.random.default_rng(seed)
    pairs = [("alpha", "beta"), ("alpha", "gamma"), ("beta", "gamma")]
    rows = [main(f"c{p}", *pairs[p % 3], wanted=2, inclusion=0.5 if p % 2 else 1.0) for p in range(prompts)]
    rows += [check(f"k{i}", "alpha", "gamma", "b") for i in range(checks)]
    said = []
    for r in range(raters):
        seen = rng.choice(prompts, size=min(votes_each, prompts), replace=False)
        for i, p in enumerate(seen.tolist()):
            at = datetime.fromtimestamp(1.79e9 + 900 * i + 60 * r, UTC).isoformat()
            left = "ab"[int(rng.integers(2))]
            winner = "tie" if rng.random() < 0.1 else "a" if rng.random() < 0.3 else "b"
            said.append(vote(f"c{p}", f"rater {r}", winner, left=left, seconds=float(rng.gamma(4, 5)), at=at))
            if i % 10 == 9:
                said.append(vote(f"c{p}", f"rater {r}", winner if rng.random() < 0.8 else "a", repeat=True))
        said += [vote(f"k{i}", f"rater {r}", "b" if rng.random() < 0.9 else "a") for i in range(checks)]
    strength = dict(zip(POLICIES, (0.0, 0.5, 1.0), strict=True))
    scored = [
        StudyModel(
            f"model-{m}",
            scores=Scores(
                pl.DataFrame(
                    [
                        (f"prompt-c{p}", policy, strength[policy] + float(rng.normal(0, 0.5 + m)))
                        for p in range(prompts)
                        for policy in POLICIES
                    ],
                    schema=["prompt_id", "policy", "score"],
                    orient="row",
                )
            ),
        )
        for m in range(models)
    ]
    told = comparisons(rows)
    return Study("a made-up study", told, votes(said), models=tuple(scored), responses=responses_to(told))


def responses_to(told: Comparisons) -> Responses:
    """Every policy's answer to every prompt; no text names its policy."""
    prompts = told.frame["prompt_id"].unique(maintain_order=True).to_list()
    rows = [
        (p, f"Question {i}?", policy, f"Answer number {i * len(POLICIES) + k}.")
        for i, p in enumerate(prompts)
        for k, policy in enumerate(POLICIES)
    ]
    return Responses(pl.DataFrame(rows, schema=["prompt_id", "prompt", "policy", "response"], orient="row"))
