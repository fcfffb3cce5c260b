"""Answers and what models say of them -> a study to be voted on: chosen comparisons, checks, and what the votes will show."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from ...errors import CharmWarning, ConfigError
from ...errors import counted as count_of
from ...responses import ResponsesLike, as_responses
from ...settings import StudyPlanSettings
from ...tables import Responses
from ..frame import KEY, SELF_NAMING, Candidates, find_candidates, left_out_words, margin_column, with_margins
from ..nouns import MAIN, Comparisons, Study, StudyModel, StudyVotes
from ..rules import Rules
from .checks import attention_checks
from .design import Design, codes_of, discordant, draw_design, inclusion_chances
from .precision import Assumed, Population, Shown, comparisons_for_width
from .self_naming import self_naming

DEFAULT_COMPARISONS = 400
AGREEMENT, DIFFERENCE = "agreement", "difference"
_FEWEST_CHECKS, _MOST_CHECKS = 3, 40


def plan_study(
    responses: ResponsesLike, models: Sequence[StudyModel] = (), *, name: str = "study", **settings: Any
) -> Study:
    """Choose comparisons of two answers for people to vote on; a study without votes.

    Where the models disagree, votes tell their difference; a random share tells the rest without bias, as every comparison has a known
    chance (``inclusion``) of being chosen. What was chosen from, what was left out and why, the share of disagreement and what the votes will
    show is in the provenance under ``plan``; what raters are asked under ``rules``.

    Args:
        responses: one answer of each policy to each prompt.
        models: reward models (scores) and judges (margins), the original first. Of one model, or none, all is chosen at random.
        name: of the study.
        settings: those of :class:`charm_rm.settings.StudyPlanSettings`.

    Raises:
        BadSetting: a setting is out of bounds.
        NoOverlap: there is nothing that all models have a verdict on.
        SchemaError: scores are of other texts than the responses.
        ConfigError: more comparisons are asked for than there are, or two models have one name.
        NotIdentifiable: no number of votes gives an interval as narrow as asked for.
    """
    how = StudyPlanSettings(**settings)
    texts = as_responses(responses)
    naming = {} if how.keep_self_naming else {SELF_NAMING: self_naming(texts)}
    found = find_candidates(texts, models, policies=how.policies or None, unfit=naming)
    pool = _Pool.of(found, models, how)
    n = _how_many(pool, how)
    design = draw_design(found.frame, pool.pair, pool.differs, pool.chances(n), seed=how.seed)
    checks = _checks(texts, naming, how, pool.assumed.votes(n))
    comparisons = Comparisons(pl.concat([_rows(found.frame, design, how), checks]), provenance={})
    plan = _account(found, design, pool, checks.height)
    _say(plan, len(models))
    rules = Rules(
        question=how.question, seed=how.seed, repeats=how.repeats, checks=how.checks if checks.height else 0.0
    )
    about = {
        "verb": "plan_study",
        "settings": how.values(),
        **rules.as_provenance(),
        "plan": plan,
        "inputs": _inputs(texts, models),
    }
    votes = StudyVotes(pl.DataFrame(schema=StudyVotes.dtypes()))
    return Study(name, comparisons, votes, tuple(models), texts, found.frame.select(KEY), about)


def policy_table(study: Study) -> pl.DataFrame:
    """How often each policy is compared: policy, comparisons, share (of all comparisons), discordant (those on which the models disagree)."""
    main = study.comparisons.main
    told = with_margins(main, study.models)
    told = told.with_columns(apart=pl.Series(discordant(told, [m.name for m in study.models])))
    sides = pl.concat([told.select("apart", policy=side) for side in ("policy_a", "policy_b")])
    counts = sides.group_by("policy").agg(comparisons=pl.len(), discordant=pl.col("apart").sum())
    counts = counts.with_columns(share=pl.col("comparisons") / main.height)
    return counts.select("policy", "comparisons", "share", "discordant").sort("policy")


# --- details ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Pool(Population):
    """The candidates with what the design needs of them."""

    pair: np.ndarray
    differs: np.ndarray

    @classmethod
    def of(cls, found: Candidates, models: Sequence[StudyModel], how: StudyPlanSettings) -> _Pool:
        names = [model.name for model in models]
        differs = discordant(found.frame, names)
        pair = codes_of(found.frame.select("policy_a", "policy_b"))
        signs = {name: np.sign(found.frame[margin_column(name)].to_numpy()) for name in names}
        gaps = {name: np.abs(signs[name] - signs[names[0]]) / 2 for name in names[1:]}
        chances = partial(_chances, pair, differs, random_share=how.random_share, balance=how.balance)
        assumed = Assumed(
            raters=how.raters,
            votes_per_comparison=how.votes_per_comparison,
            overlap=how.overlap,
            agreement=how.expected_agreement,
            ties=how.ties,
            rater_agreement=how.rater_agreement,
            prompt_icc=how.prompt_icc,
            rater_icc=how.rater_icc,
        )
        prompt = codes_of(found.frame.select("prompt_id"))
        return cls(prompt, gaps, chances, assumed, pair, differs)


def _chances(
    pair: np.ndarray, differs: np.ndarray, n: int, *, random_share: float, balance: float
) -> np.ndarray:
    return inclusion_chances(pair, differs, n=n, random_share=random_share, balance=balance)


def _how_many(pool: _Pool, how: StudyPlanSettings) -> int:
    """The comparisons to choose."""
    if how.width is not None:
        return comparisons_for_width(pool, how.width)
    if how.votes is None:
        asked = how.comparisons or min(DEFAULT_COMPARISONS, pool.size)
    else:
        asked = pool.assumed.comparisons(how.votes)
    if asked > pool.size:
        raise ConfigError(
            f"{asked:,} comparisons to choose of {pool.size:,}",
            fix=f"ask for up to {pool.size:,} (--comparisons), or for more votes on each (--votes-per-comparison)",
        )
    return asked


def _rows(candidates: pl.DataFrame, design: Design, how: StudyPlanSettings) -> pl.DataFrame:
    """The chosen comparisons as rows of the noun, in the order of the candidates; some, at random, get one vote more."""
    n = len(design.chosen)
    rng = np.random.default_rng([how.seed, 2])
    twice = np.zeros(n, dtype=np.int64)
    twice[rng.permutation(n)[: round(how.overlap * n)]] = 1
    digits = len(str(n))
    chosen: pl.DataFrame = candidates[design.chosen.tolist()]
    return chosen.select(
        pl.Series("comparison_id", [f"c{i:0{digits}d}" for i in range(1, n + 1)]),
        *KEY,
        kind=pl.lit(MAIN),
        inclusion=pl.Series(design.inclusion[design.chosen]),
        votes_wanted=pl.Series(how.votes_per_comparison + twice),
        expected=pl.lit(None, dtype=pl.String),
        answered_a=pl.lit(None, dtype=pl.String),
        answered_b=pl.lit(None, dtype=pl.String),
    )


def _checks(
    texts: Responses, naming: dict[str, pl.DataFrame], how: StudyPlanSettings, votes: int
) -> pl.DataFrame:
    """As many checks as each rater is to see; none twice."""
    wanted = math.ceil(how.checks * votes / how.raters) if how.checks else 0
    wanted = min(max(wanted, _FEWEST_CHECKS), _MOST_CHECKS) if wanted else 0
    frame: pl.DataFrame = texts.frame
    for answers in naming.values():
        frame = frame.join(answers, on=["prompt_id", "policy"], how="anti")
    if how.policies:
        frame = frame.filter(pl.col("policy").is_in(list(how.policies)))
    if not wanted or frame.is_empty():
        return attention_checks(texts, n=0, votes_wanted=1, seed=how.seed)
    found = attention_checks(Responses(frame), n=wanted, votes_wanted=how.raters, seed=how.seed)
    if found.height < wanted:
        warnings.warn(
            f"{count_of(found.height, 'attention check')} of {wanted} wanted: few answers can be told to be wrong by their words alone",
            CharmWarning,
            stacklevel=3,
        )
    return found


def _account(found: Candidates, design: Design, pool: _Pool, checks: int) -> dict[str, Any]:
    """What was planned, as JSON-able values."""
    n = len(design.chosen)
    per_prompt = np.bincount(pool.prompt[design.chosen])
    return {
        "left_out": dict(found.account),
        "candidates": found.frame.height,
        "discordant": int(design.discordant.sum()),
        "discordant_share": design.discordant_share,
        "comparisons": n,
        "discordant_comparisons": int(design.discordant[design.chosen].sum()),
        "prompts": int((per_prompt > 0).sum()),
        "most_per_prompt": int(per_prompt.max()),
        "checks": checks,
        "votes": pool.assumed.votes(n),
        "assumed": asdict(pool.assumed),
        "shows": [row for size in _sizes(n, pool.size) for row in _shows(pool, size)],
    }


def _sizes(n: int, most: int) -> list[int]:
    """Numbers of comparisons to tell about: the planned one, and others around it."""
    return sorted({size for size in (n // 4, n // 2, n, 2 * n, 4 * n) if 2 <= size <= most})


def _shows(pool: _Pool, n: int) -> list[dict[str, Any]]:
    figures: list[tuple[str, str | None, Shown]] = [(AGREEMENT, None, pool.agreement(n))]
    figures += [(DIFFERENCE, model, pool.difference(n, model)) for model in pool.gaps]
    return [_row(pool, n, figure, model, shown) for figure, model, shown in figures]


def _row(pool: _Pool, n: int, figure: str, model: str | None, shown: Shown) -> dict[str, Any]:
    width = shown.half_width if math.isfinite(shown.half_width) else None
    worth = shown.per_vote if math.isfinite(shown.per_vote) else None
    votes = pool.assumed.votes(n)
    return {
        "comparisons": n,
        "votes": votes,
        "figure": figure,
        "model": model,
        "half_width": width,
        "per_vote": worth,
    }


def _say(plan: dict[str, Any], n_models: int) -> None:
    if words := left_out_words(plan["left_out"]):
        warnings.warn(words, CharmWarning, stacklevel=3)
    if n_models > 1 and not plan["discordant"]:
        warnings.warn(
            "the models agree on every comparison: no vote can tell them apart, and all comparisons are chosen at random",
            CharmWarning,
            stacklevel=3,
        )


def _inputs(texts: Responses, models: Sequence[StudyModel]) -> dict[str, Any]:
    of_models = {model.name: dict(model.table.provenance) for model in models}
    return {"responses": dict(texts.provenance), **of_models}
