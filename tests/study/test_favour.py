"""Whom models favour against a study's own ratings: the audit's figures, what is left out, and intervals that hold on shared prompts."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import polars as pl
import pytest

from charm_rm import audit
from charm_rm.errors import CharmWarning
from charm_rm.study.favour import SCHEMA, favour_table
from charm_rm.study.frame import counted
from charm_rm.study.nouns import Study, StudyModel
from charm_rm.study.rating_estimates import study_ratings
from charm_rm.tables import Margins, Scores
from study.vote_worlds import planned_study, study_of

_warned = pytest.mark.filterwarnings("ignore::charm_rm.errors.CharmWarning")


@_warned
def test_favour_is_the_audit_of_all_candidates() -> None:
    study = planned_study(np.random.default_rng(0))
    votes = counted(study)
    ratings = study_ratings(votes)
    table, sharpness = favour_table(study, votes, ratings, draws=0)
    assert dict(table.schema) == SCHEMA
    for model in study.models:
        wanted = audit(model.margins, ratings, draws=0)  # type: ignore[arg-type]
        assert wanted.favouritism is not None
        ours = table.filter(model=model.name).sort("policy")["favour"]
        assert ours.to_list() == pytest.approx(wanted.favouritism.frame.sort("policy")["favour"].to_list())
        assert sharpness[model.name] == pytest.approx(wanted.sharpness.value)  # type: ignore[union-attr]


def test_without_ratings_there_is_no_favour() -> None:
    study = planned_study(np.random.default_rng(0), prompts=8)
    table, sharpness = favour_table(study, counted(study), None)
    assert table.height == 0
    assert dict(table.schema) == SCHEMA
    assert sharpness == {}


def test_a_model_that_ties_everything_is_left_out_and_named() -> None:
    study = planned_study(np.random.default_rng(0))
    flat = Margins(study.models[0].margins.frame.with_columns(margin=pl.lit(0.0)))  # type: ignore[union-attr]
    study = replace(study, models=(StudyModel("flat", margins=flat), study.models[1]))
    votes = counted(study)
    with pytest.warns(CharmWarning) as caught:
        table, _ = favour_table(study, votes, study_ratings(votes), draws=0)
    assert any("whom flat favours is not known: all margins are equal to 0" in str(w.message) for w in caught)
    assert table["model"].unique().to_list() == ["after"]


@pytest.mark.slow
@_warned
def test_intervals_hold_where_people_and_model_judge_the_same_prompts() -> None:
    """A sharp model that favours nobody: hardly ever is a policy called favoured, and the intervals cover 0."""
    covered = total = called = 0
    for seed in range(25):
        study = _fair(np.random.default_rng(seed))
        votes = counted(study)
        table, _ = favour_table(study, votes, study_ratings(votes), draws=0)
        low = table["ci_low"].fill_null(-np.inf).to_numpy()
        high = table["ci_high"].fill_null(np.inf).to_numpy()
        covered += int(((low <= 0) & (high >= 0)).sum())
        total += table.height
        called += int((table["q_value"] <= 0.05).sum())
    assert covered / total >= 0.95
    assert called <= 3


def _fair(rng: np.random.Generator, *, prompts: int = 80) -> Study:
    """Six policies; the model scores what people like, with noise of its own; one vote on 40 % of comparisons."""
    names = [f"p{i}" for i in range(6)]
    liking = np.linspace(1.0, -1.0, 6) + 0.8 * rng.standard_normal((prompts, 6))
    scores = 1.5 * liking + 0.5 * rng.standard_normal((prompts, 6))
    comparisons, votes, candidates = [], [], []
    for p in range(prompts):
        for a, b in combinations(range(6), 2):
            where = {"prompt_id": f"q{p}", "policy_a": names[a], "policy_b": names[b]}
            candidates.append(where)
            if rng.random() < 0.4:
                wins = rng.random() < 1 / (1 + np.exp(liking[p, b] - liking[p, a]))
                comparisons.append({"comparison_id": f"{p}-{a}-{b}", **where, "inclusion": 0.4})
                votes.append({"comparison_id": f"{p}-{a}-{b}", "rater": f"r{rng.integers(10)}", "winner": "ab"[not wins]})  # fmt: skip
    rows = [(f"q{p}", names[k], float(scores[p, k])) for p in range(prompts) for k in range(6)]
    model = StudyModel("rm", scores=Scores(pl.DataFrame(rows, schema=["prompt_id", "policy", "score"], orient="row")))  # fmt: skip
    return study_of(comparisons, votes, models=[model], candidates=pl.DataFrame(candidates))
