"""What a simulated study is about: the arena's answers, two reward models by a stated rule, attention checks, and the plan. The truth is known.

Everything in it is simulated, and says so.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from ..errors import CharmWarning
from ..study.frame import verdicts, with_margins
from ..study.nouns import Comparisons, Study, StudyModel
from ..study.planning.checks import check_row, checks_table, form_of
from ..study.planning.plan import plan_study
from ..tables import Responses, Scores
from ..testbed import Arena, simulate_arena, vote_probability
from .simulated_raters import RATERS, RULE

N_PROMPTS, N_COMPARISONS = 60, 230
# Shares of what a rater sees; a study of people needs fewer, but so each of its few raters has several.
REPEATS, CHECKS = 0.1, 0.1
N_CHECKS = 8
# score = QUALITY quality + STYLE[model] style + noise: the first model falls for style, in the second that is nearly taken out.
QUALITY, STYLE, NOISE = 5.0, {"before": 4.0, "after": 0.4}, 1.0
MODELS = "score = 5 quality + 4 style + noise (before), 5 quality + 0.4 style + noise (after)"
CHECK_RULE = "an answer that has all right, beside one of another policy to a prompt of another kind, of the same form and about as long"
_LENGTHS = 1.3  # the longer of the two is at most so many times as long


@dataclass(frozen=True)
class World:
    """The answers, the two models, and the quality of every answer by prompt and text."""

    responses: Responses
    models: tuple[StudyModel, ...]
    arena: Arena
    quality: Mapping[tuple[str, str], float]


def simulate_world(*, seed: int, n_prompts: int = N_PROMPTS) -> World:
    """Answers of twelve simulated policies, and two reward models' scores of them by a stated rule."""
    arena = simulate_arena(seed=seed, n_prompts=n_prompts, n_votes=1)
    noise = np.random.default_rng([seed, 7]).normal(0.0, NOISE, arena.quality.height)
    told = arena.responses.frame.join(arena.quality, on=["prompt_id", "policy"], maintain_order="left")
    quality = {(row["prompt"], row["response"]): row["quality"] for row in told.iter_rows(named=True)}
    models = tuple(StudyModel(name, scores=_scores(arena, name, noise, seed)) for name in STYLE)
    return World(arena.responses, models, arena, quality)


def _scores(arena: Arena, name: str, noise: np.ndarray, seed: int) -> Scores:
    score = QUALITY * arena.quality["quality"] + STYLE[name] * arena.quality["style"] + pl.Series(noise)
    frame = arena.quality.select("prompt_id", "policy", score.alias("score"))
    return Scores(frame, {"simulated": True, "rule": MODELS, "model": name, "seed": seed})


def true_agreement(world: World, candidates: pl.DataFrame) -> dict[str, float]:
    """Per model the share of all candidates on which the simulated public agrees with it: mean of s p + (1 - s)(1 - p), p its chance to prefer a."""
    quality = world.arena.quality.select("prompt_id", "policy", "quality")
    frame = candidates.select("prompt_id", "policy_a", "policy_b")
    sides = [
        frame.join(
            quality,
            left_on=["prompt_id", side],
            right_on=["prompt_id", "policy"],
            how="left",
            maintain_order="left",
        )["quality"].to_numpy()
        for side in ("policy_a", "policy_b")
    ]
    p = vote_probability(*sides)
    told = with_margins(frame, world.models)
    found = {}
    for model in world.models:
        s = verdicts(told, model.name)
        found[model.name] = float(np.mean(s * p + (1 - s) * (1 - p)))
    return found


# --- the plan -------------------------------------------------------------------------------------


def planned_study(
    world: World, *, seed: int, comparisons: int = N_COMPARISONS, checks: int = N_CHECKS
) -> Study:
    """The study as `charm study plan` plans it, marked as simulated, with the arena's own attention checks."""
    with warnings.catch_warnings():
        # The arena's answers are too short to tell a wrong one by its words, as the plan would.
        warnings.filterwarnings("ignore", "0 attention checks", CharmWarning)
        study = plan_study(
            world.responses,
            world.models,
            name="demo",
            comparisons=comparisons,
            votes_per_comparison=2,
            random_share=0.5,
            raters=len(RATERS),
            repeats=REPEATS,
            checks=CHECKS,
            seed=seed,
        )
    main = study.comparisons.main
    found = arena_checks(world.arena, n=checks, votes_wanted=len(RATERS), seed=seed)
    record: dict[str, Any] = {
        "simulated": True,
        "rule": RULE,
        "reward_models": MODELS,
        "attention_checks": CHECK_RULE,
        "plan": {**study.provenance["plan"], "checks": found.height},
        # A plan that found no checks promises none.
        "rules": {**study.provenance["rules"], "checks": CHECKS if found.height else 0.0},
    }
    return replace(
        study,
        comparisons=Comparisons(pl.concat([main, found]), study.comparisons.provenance),
        provenance={**study.provenance, **record},
    )


def arena_checks(arena: Arena, *, n: int, votes_wanted: int, seed: int) -> pl.DataFrame:
    """``n`` attention checks as rows of :class:`..study.nouns.Comparisons`, each on another prompt, by :data:`CHECK_RULE`; fewer where there are fewer.

    Of four kinds of prompts (sums, sorting, counts, names) each has answers of its own, so that whoever reads the prompt sees which is one.
    """
    rng = np.random.default_rng([seed, 13])
    told = arena.responses.frame.join(arena.quality, on=["prompt_id", "policy"], maintain_order="left")
    answers = told.to_dicts()
    order = rng.permutation(len(answers))
    rows: list[dict[str, object]] = []
    prompts: set[str] = set()
    for right in (answers[i] for i in order):
        if len(rows) == n:
            break
        if right["quality"] < 1 or right["prompt_id"] in prompts:
            continue
        wrong = next((one for i in rng.permutation(order) if _is_wrong(one := answers[i], right)), None)
        if wrong is not None:
            one, other = ((answer["prompt_id"], answer["policy"]) for answer in (right, wrong))
            rows.append(check_row(one, other, number=len(rows) + 1, votes_wanted=votes_wanted))
            prompts.add(right["prompt_id"])
    return checks_table(rows)


def _is_wrong(answer: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    """Whether it answers a prompt of another kind than ``right`` does, and looks no different."""
    short, long = sorted(len(one["response"]) for one in (answer, right))
    return (
        _kind(answer["prompt"]) != _kind(right["prompt"])
        and answer["policy"] != right["policy"]
        and form_of(answer["response"]) == form_of(right["response"])
        and long <= _LENGTHS * short
    )


def _kind(prompt: str) -> str:
    """How it begins: Work (out), Sort, In (stock), Of (a made-up land)."""
    return prompt.split()[0]
