"""Small studies for tests: made of words, with simulated votes where they are asked for."""

from __future__ import annotations

import numpy as np
import polars as pl

from charm_rm.study.nouns import Comparisons, Study, StudyModel, StudyVotes
from charm_rm.study.rules import Rules
from charm_rm.tables import Responses, Scores

POLICIES = ("alder", "birch", "cedar")


def small_study(
    n_prompts: int = 6,
    *,
    wanted: int = 2,
    checks: int = 0,
    rules: Rules | None = None,
    votes: StudyVotes | None = None,
    inclusion: float = 0.5,
) -> Study:
    """All pairs of three policies on each prompt; ``checks`` stand an answer to another prompt beside the right one."""
    rng = np.random.default_rng(7)
    pairs = [(a, b) for i, a in enumerate(POLICIES) for b in POLICIES[i + 1 :]]
    main = [
        {
            "comparison_id": f"c{p}-{a}-{b}",
            "prompt_id": f"p{p}",
            "policy_a": a,
            "policy_b": b,
            "kind": "main",
            "inclusion": inclusion,
            "votes_wanted": wanted,
            "expected": None,
            "answered_b": None,
        }
        for p in range(n_prompts)
        for a, b in pairs
    ]
    control = [
        {
            "comparison_id": f"check{i}",
            "prompt_id": f"p{i}",
            "policy_a": "alder",
            "policy_b": "birch",
            "kind": "check",
            "inclusion": None,
            "votes_wanted": 1,
            "expected": "a",
            "answered_b": f"p{(i + 1) % n_prompts}",
        }
        for i in range(checks)
    ]
    keys = [(f"p{p}", k) for p in range(n_prompts) for k in POLICIES]
    texts = {
        "prompt_id": [p for p, _ in keys],
        "prompt": [f"Say {p}." for p, _ in keys],
        "policy": [k for _, k in keys],
        "response": [
            f"The answer of {POLICIES.index(k)}{' indeed' * int(rng.integers(5))} to {p}" for p, k in keys
        ],
    }
    models = [
        StudyModel(
            name,
            scores=Scores(
                pl.DataFrame(
                    {
                        "prompt_id": texts["prompt_id"],
                        "policy": texts["policy"],
                        "score": rng.normal(size=len(keys)),
                    }
                )
            ),
        )
        for name in ("original", "calibrated")
    ]
    comparisons = pl.DataFrame(main + control, infer_schema_length=None)
    empty = pl.DataFrame(
        schema={"comparison_id": pl.String, "rater": pl.String, "winner": pl.String, "repeat": pl.Boolean}
    )
    candidates = pl.DataFrame(main).select(Study.CANDIDATE_COLUMNS)
    return Study(
        "A small study",
        Comparisons(comparisons),
        votes if votes is not None else StudyVotes(empty),
        models=tuple(models),
        responses=Responses(pl.DataFrame(texts)),
        candidates=candidates,
        provenance={"verb": "plan_study", **(rules or Rules(repeats=0.0, checks=0.0)).as_provenance()},
    )
