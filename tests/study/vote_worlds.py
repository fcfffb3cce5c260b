"""Studies with simulated raters: policies of known strength, raters of known habits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from charm_rm.study.nouns import Comparisons, Study, StudyModel, StudyVotes
from charm_rm.tables import Margins

VOTES = {
    "comparison_id": pl.String,
    "rater": pl.String,
    "winner": pl.String,
    "repeat": pl.Boolean,
    "left": pl.String,
    "seconds": pl.Float64,
}
COMPARISONS = {
    "comparison_id": pl.String,
    "prompt_id": pl.String,
    "policy_a": pl.String,
    "policy_b": pl.String,
    "kind": pl.String,
    "inclusion": pl.Float64,
    "votes_wanted": pl.Int64,
    "expected": pl.String,
}


def study_of(
    comparisons: Sequence[Mapping[str, object]],
    votes: Sequence[Mapping[str, object]],
    *,
    models: Sequence[StudyModel] = (),
    candidates: pl.DataFrame | None = None,
) -> Study:
    """A study of rows; what a row leaves out gets a plain value (policies p and q, inclusion 1, no repeat)."""
    usual = {"policy_a": "p", "policy_b": "q", "kind": "main", "inclusion": 1.0, "votes_wanted": 2, "expected": None}  # fmt: skip
    rows = [{"prompt_id": f"prompt of {c['comparison_id']}", **usual, **c} for c in comparisons]
    cast = [{"repeat": False, "left": None, "seconds": None, **v} for v in votes]
    return Study(
        "a study",
        Comparisons(pl.DataFrame(rows, schema=COMPARISONS)),
        StudyVotes(pl.DataFrame(cast, schema=VOTES)),
        tuple(models),
        candidates=candidates,
    )


def votes_on(table: Mapping[str, Mapping[str, str]]) -> Study:
    """A study of {comparison: {rater: winner}}, every comparison on a prompt of its own."""
    votes = [
        {"comparison_id": c, "rater": r, "winner": w} for c, row in table.items() for r, w in row.items()
    ]
    return study_of([{"comparison_id": c} for c in table], votes)


@dataclass(frozen=True)
class Habits:
    """How a rater votes. ``care``: the share of votes by the answers, the rest by ``else_`` (``random``, ``left``, ``tie``)."""

    care: float = 1.0
    else_: str = "random"
    ties: float = 0.15
    taste: float = (
        0.5  # sd of the rater's own taste, in log-odds, per comparison: what makes careful raters differ
    )
    seconds: float = 25.0
    slips: float = 0.03


def simulated_study(
    raters: Mapping[str, Habits],
    *,
    rng: np.random.Generator,
    comparisons: int = 60,
    per_comparison: int = 2,
    checks: int = 4,
    repeats: float = 0.1,
    clarity: float = 1.5,
) -> Study:
    """Each comparison goes to ``per_comparison`` raters chosen at random, its sides drawn per rater; each rater sees all ``checks``."""
    names = list(raters)
    strength = clarity * rng.standard_normal(comparisons)
    rows = [{"comparison_id": f"c{i}"} for i in range(comparisons)]
    rows += [
        {"comparison_id": f"k{i}", "kind": "check", "inclusion": None, "expected": "a" if i % 2 else "b"}
        for i in range(checks)
    ]
    votes: list[dict[str, object]] = []
    for i in range(comparisons):
        for k in rng.choice(len(names), size=min(per_comparison, len(names)), replace=False):
            name, taste = names[k], float(rng.standard_normal())
            seen = [False, True] if rng.random() < repeats else [False]
            left = "a" if rng.random() < 0.5 else "b"
            for repeat in seen:
                left = left if not repeat else "ab".replace(left, "")
                odds = strength[i] + raters[name].taste * taste
                votes.append(_vote(f"c{i}", name, raters[name], odds, left, repeat, rng))
    for i in range(checks):
        right = 1 if i % 2 else -1
        votes += [_vote(f"k{i}", n, h, 100.0 * right, "a", False, rng) for n, h in raters.items()]
    return study_of(rows, votes)


def _vote(
    comparison: str, name: str, h: Habits, odds: float, left: str, repeat: bool, rng: np.random.Generator
) -> dict[str, object]:
    if rng.random() < h.care:
        tie = h.ties if abs(odds) < 50 else h.slips
        wins = 1 / (1 + np.exp(-np.clip(odds * 1.5, -50, 50)))
        winner = "tie" if rng.random() < tie else ("a" if rng.random() < wins else "b")
    elif h.else_ == "random":
        winner = "a" if rng.random() < 0.5 else "b"
    else:
        winner = left if h.else_ == "left" else h.else_
    seconds = h.seconds * float(np.exp(0.6 * rng.standard_normal()))
    return {
        "comparison_id": comparison,
        "rater": name,
        "winner": winner,
        "repeat": repeat,
        "left": left,
        "seconds": seconds,
    }


STRENGTHS = {"ant": 0.9, "bee": 0.4, "cat": 0.0, "dog": -0.4, "eel": -0.9}


def planned_study(
    rng: np.random.Generator,
    *,
    prompts: int = 60,
    raters: int = 6,
    share: float = 0.4,
    favoured: float = 1.5,
    overlap: float = 0.4,
) -> Study:
    """Five policies, two models: ``before`` favours eel by ``favoured`` (log-odds), ``after`` does not. Comparisons where the two
    disagree are always chosen, others with the chance ``share``; some have two raters, one in ten is repeated, and all see two checks."""
    names = sorted(STRENGTHS)
    margins: dict[str, list[dict[str, object]]] = {"before": [], "after": []}
    candidates, comparisons, votes = [], [], []
    people = [f"rater-{i}" for i in range(raters)]
    for p in range(prompts):
        liking = {n: STRENGTHS[n] + 0.7 * float(rng.standard_normal()) for n in names}
        scored = {n: liking[n] + 0.5 * float(rng.standard_normal()) for n in names}
        for i, a in enumerate(names):
            for b in names[i + 1 :]:
                where = {"prompt_id": f"q{p:03d}", "policy_a": a, "policy_b": b}
                pull = favoured * ((a == "eel") - (b == "eel"))
                after = 2 * (scored[a] - scored[b])
                before = after + 2 * pull
                for model, margin in (("before", before), ("after", after)):
                    margins[model].append({"prompt_id": where["prompt_id"], "policy": a, "reference": b, "margin": margin})  # fmt: skip
                candidates.append(where)
                inclusion = 1.0 if before * after < 0 else share
                if rng.random() > inclusion:
                    continue
                name, seen = f"c{p:03d}{a}{b}", 2 if rng.random() < overlap else 1
                comparisons.append(
                    {"comparison_id": name, **where, "inclusion": inclusion, "votes_wanted": seen}
                )
                for k in rng.choice(raters, seen, replace=False):
                    for repeat in (False, True) if rng.random() < 0.1 else (False,):
                        left = "a" if (rng.random() < 0.5) ^ repeat else "b"
                        votes.append(
                            _vote(name, people[k], Habits(), liking[a] - liking[b], left, repeat, rng)
                        )
    for i in range(2):
        comparisons.append({"comparison_id": f"k{i}", "prompt_id": "q000", "policy_a": "ant", "policy_b": "bee", "kind": "check", "inclusion": None, "expected": "ab"[i]})  # fmt: skip
        votes += [_vote(f"k{i}", n, Habits(), 100.0 * (1 - 2 * i), "a", False, rng) for n in people]
    models = [StudyModel(name, margins=Margins(pl.DataFrame(rows))) for name, rows in margins.items()]
    return study_of(comparisons, votes, models=models, candidates=pl.DataFrame(candidates))
