"""Studies whose raters are known: careful ones of several tastes, and careless ones of several kinds, with checks and repeats or without.

A comparison has h (what everybody likes, by a standard deviation of 3) and x (the difference of a feature, length, by 1). A rater reads, and
prefers a to b by ``clear`` h + taste · x + own, in log-odds; own (2) is this rater's of this comparison, and the same on a second look. Or the
rater does not read, and clicks. A model's margin is h + noise. Two raters then agree in about 67 % of comparisons, and one with
themself in about 71 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
import polars as pl

from charm_rm.statistics import FloatArray, sigmoid
from charm_rm.study.nouns import Comparisons, Study, StudyModel, StudyVotes
from charm_rm.tables import Margins, Responses

_TIES, _SLIP, _SURE = 0.15, 0.03, 100.0
_SPREAD, _OWN, _SECONDS, _HASTY = 3.0, 2.0, 25.0, 4.0


@dataclass(frozen=True)
class Rater:
    """``clear`` and ``taste`` of what is read, the share ``care``; the rest is a click: on a side at random, on the left, or on a tie."""

    clear: float = 1.0
    taste: float = 0.0
    care: float = 1.0
    click: Literal["random", "left", "tie"] = "random"
    ties: float = _TIES
    seconds: float = _SECONDS


# What the odd rater is, among careful ones.
ODD = {
    "none": Rater(),
    "opposite": Rater(clear=-1.0),  # prefers what the others do not
    "own taste": Rater(
        clear=0.0, taste=2.0
    ),  # goes by what the others hardly mind: agrees as often as a coin
    "shorter": Rater(clear=0.4, taste=-2.0),  # where the others prefer longer answers a little
    "clicker": Rater(care=0.0),
    "half clicker": Rater(care=0.5),
    "left": Rater(care=0.2, click="left"),
    "ties": Rater(care=0.2, click="tie"),
    "hasty": Rater(care=0.5, seconds=_HASTY),
}


def careful(rng: np.random.Generator, n: int, *, tastes: float) -> list[Rater]:
    """People who differ in clarity, ties and speed, and in taste by a standard deviation of ``tastes``."""
    return [
        Rater(
            rng.uniform(0.8, 1.2), 0.5 + tastes * rng.standard_normal(), 1.0, "random", rng.uniform(0.05, 0.3), rng.uniform(15, 45)
        )
        for _ in range(n)
    ]  # fmt: skip


def draw_study(
    rng: np.random.Generator, raters: list[Rater], *, votes: int, shared: float, told: float, model: bool
) -> Study:
    """Each rater gives about ``votes`` votes; the share ``shared`` of them is on comparisons of two raters. Of what a rater sees, the share
    ``told`` is attention checks, and as much are repeats. ``model``: a model and the lengths of answers are known."""
    n = len(raters)
    both, alone = round(votes * shared), votes - round(votes * shared)
    common = round(both * n / 2)
    size = common + n * alone
    h, x = _SPREAD * rng.standard_normal(size), rng.standard_normal(size)
    checks = round(votes * told)
    rows: list[pl.DataFrame] = []
    on = _dealt(rng, n, common)
    for k, rater in enumerate(raters):
        mine = np.concatenate([on[k], common + k * alone + np.arange(alone)])
        again = rng.choice(mine, round(votes * told), replace=False)
        left = rng.random(size) < 0.5
        odds = rater.clear * h + rater.taste * x + _OWN * rng.standard_normal(size)
        rows.append(_votes(rng, k, rater, mine, odds[mine], left[mine], kind="c"))
        rows.append(_votes(rng, k, rater, again, odds[again], ~left[again], kind="c", repeat=True))
        sure = np.where(np.arange(checks) % 2, _SURE, -_SURE)
        rows.append(_votes(rng, k, rater, np.arange(checks), sure, rng.random(checks) < 0.5, kind="k"))
    study = Study("simulated", _comparisons(size, checks), StudyVotes(pl.concat(rows)))
    return _with_yardsticks(rng, study, h, x) if model else study


def _dealt(rng: np.random.Generator, n: int, common: int) -> list[np.ndarray]:
    """Which of the common comparisons each rater sees: every comparison has two, every two raters share about as many."""
    pairs = np.array(list(combinations(range(n), 2)))
    seats = pairs[
        np.concatenate([rng.permutation(len(pairs)) for _ in range(-(-common // len(pairs)))])[:common]
    ]
    return [np.flatnonzero((seats == k).any(axis=1)) for k in range(n)]


def _votes(
    rng: np.random.Generator, k: int, rater: Rater, on: np.ndarray, odds: FloatArray, left: np.ndarray,
    *, kind: str, repeat: bool = False,
) -> pl.DataFrame:  # fmt: skip
    n = len(on)
    tied = rng.random(n) < (
        _SLIP if kind == "k" else np.minimum(1.0, 4 * rater.ties * sigmoid(-np.abs(odds)))
    )
    read = np.where(tied, "tie", np.where(rng.random(n) < sigmoid(odds), "a", "b"))
    side = left if rater.click == "left" else rng.random(n) < 0.5
    clicked = np.full(n, "tie") if rater.click == "tie" else np.where(side, "a", "b")
    return pl.DataFrame(
        {
            "comparison_id": [f"{kind}{i}" for i in on],
            "rater": f"r{k}",
            "winner": np.where(rng.random(n) < rater.care, read, clicked),
            "repeat": repeat,
            "left": np.where(left, "a", "b"),
            "seconds": rater.seconds * np.exp(0.6 * rng.standard_normal(n)),
        },
        schema={"comparison_id": pl.String, "rater": pl.String, "winner": pl.String, "repeat": pl.Boolean, "left": pl.String, "seconds": pl.Float64},
    )  # fmt: skip


def _comparisons(size: int, checks: int) -> Comparisons:
    kinds = ["main"] * size + ["check"] * checks
    return Comparisons(
        pl.DataFrame(
            {
                "comparison_id": [*(f"c{i}" for i in range(size)), *(f"k{i}" for i in range(checks))],
                "prompt_id": [f"p{i}" for i in range(size + checks)],
                "policy_a": "one",
                "policy_b": "other",
                "kind": kinds,
                "inclusion": [1.0] * size + [None] * checks,
                "votes_wanted": 2,
                "expected": [None] * size + ["ba"[i % 2] for i in range(checks)],
            },
            schema_overrides={"inclusion": pl.Float64, "expected": pl.String, "votes_wanted": pl.Int64},
        )
    )


def _with_yardsticks(rng: np.random.Generator, study: Study, h: FloatArray, x: FloatArray) -> Study:
    """The study with a model, and with answers as long as x says."""
    prompts = [f"p{i}" for i in range(len(h))]
    margin = h + _SPREAD * rng.standard_normal(len(h))
    told = Margins(
        pl.DataFrame({"prompt_id": prompts, "policy": "one", "reference": "other", "margin": margin})
    )
    long = np.rint(200 + 40 * x).astype(int)
    texts = [
        pl.DataFrame(
            {"prompt_id": prompts, "prompt": "?", "policy": policy, "response": ["x" * int(k) for k in size]}
        )
        for policy, size in (("one", long), ("other", np.full(len(h), 200)))
    ]
    responses = Responses(pl.concat(texts))
    return Study(study.name, study.comparisons, study.votes, (StudyModel("model", margins=told),), responses)
