"""The verb: planted biases found, figures that saw nothing of what they are of, and everything that can be wrong with the input."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from charm_rm.errors import (
    CharmError,
    CharmWarning,
    ConfigError,
    NoOverlap,
    NotIdentifiable,
    SchemaError,
    UnknownPolicy,
)
from charm_rm.style import Calibrator, load_calibrator, save_calibrator, solve_style_offsets
from charm_rm.style.cross_validation import cross_fit, deal_folds, held_out_margins
from charm_rm.style.fitting import Bounds
from charm_rm.style.inputs import _refuse_twins
from charm_rm.style.temperature import people_temperature
from charm_rm.tables import Responses
from reference import slow_style

from .worlds import World, world

pytestmark = pytest.mark.filterwarnings("ignore:some policies win or lose every comparison")


def solve(one: World, source: Any = None, **how: Any) -> Calibrator:
    how = {"features": (), "own": one.own, "draws": 0} | how
    return solve_style_offsets(source or one.scores(), one.responses(), one.ratings(), **how)


def test_planted_biases_are_found_and_held_out_policies_gain() -> None:
    one = world(0, policies=16, prompts=120)
    found = solve(one, draws=100)
    planted = np.array([0.6, -0.4, 0.0])
    sd = np.array([f.scale for f in found.features])
    for feature, truth in zip(found.features, -planted * sd, strict=True):
        assert feature.ci_low < truth < feature.ci_high
        assert feature.std_err < 0.15
    np.testing.assert_allclose(found.weights, -planted * sd, atol=0.15)
    rows = {row["metric"]: row for row in found.held_out}
    assert rows["spearman"]["after"] > rows["spearman"]["before"] + 0.05
    fitted = rows["sharpness_fitted_mismatch"]
    assert fitted["after"] < 0.6 * fitted["before"]
    assert fitted["diff_ci_high"] < 0
    assert found.unit == "score"
    assert found.solved_on["policies"] == one.policies


def test_judgements_give_the_same_weights_in_log_odds() -> None:
    one = world(1)
    scores, judged = solve(one), solve(one, one.margins())
    np.testing.assert_allclose(judged.weights, scores.weights, atol=1e-6)
    assert (judged.unit, scores.unit) == ("log-odds", "score")
    assert judged.temperature == pytest.approx(scores.temperature, rel=1e-5)


def test_weights_are_in_the_unit_of_the_scores() -> None:
    one = world(2)
    plain, large = solve(one), solve(replace(one, score=10 * one.score))
    np.testing.assert_allclose(large.weights, 10 * plain.weights, rtol=1e-4)
    assert large.temperature == pytest.approx(10 * plain.temperature, rel=1e-4)
    assert large.kept == pytest.approx(plain.kept, abs=1e-6)


def test_missing_scores_are_left_out_and_nothing_else() -> None:
    one = world(3, policies=10, prompts=100, missing=0.2)
    found = solve(one)
    np.testing.assert_allclose(found.weights[:2], [-0.6, 0.4], atol=0.3)
    there = ~np.isnan(one.score)
    assert [f.centre for f in found.features] == pytest.approx(one.phi[there].mean(axis=0).tolist())


def test_fixed_and_non_negative_weights_are_kept_to() -> None:
    one = world(4)
    found = solve(one, fixed={"column:x1": 0.25}, non_negative=["column:x0"])
    assert found.weights[1] == pytest.approx(0.25, rel=1e-12)
    assert found.weights[0] == 0.0  # free it is below
    assert solve(one).weights[0] < -0.2
    assert found.features[0].std_err is None
    assert found.features[1].std_err == 0.0
    assert found.features[2].std_err > 0


def test_a_stricter_keep_takes_a_larger_penalty() -> None:
    one = world(5, favour=0.4)
    loose, tight = solve(one, keep=0.0, penalty=1e-4), solve(one, keep=0.0, penalty=1e-2)
    assert loose.kept < tight.kept < 1
    bar = (loose.kept + tight.kept) / 2
    assert solve(one, keep=bar).kept > bar - 0.01
    with pytest.warns(CharmWarning, match="no penalty tried keeps 100%"):
        solve(one, keep=1.0)


# --- held out is held out -----------------------------------------------------------------------------


def test_no_policy_and_no_prompt_is_seen_by_the_weights_behind_its_figures() -> None:
    """Whatever a held-out policy's scores and rating are, and whatever the prompts of the half hold, the weights do not move."""
    one = world(6, policies=8, prompts=60)
    problem = one.problem()
    folds = deal_folds(problem, folds=4, seed=0)
    bounds = Bounds.none(3)
    fits = cross_fit(problem, folds, bounds=bounds)
    rng = np.random.default_rng(0)
    for fold, half in ((0, 0), (3, 1)):
        out = folds.policy == fold
        score, expected = one.score.copy(), problem.part.expected.copy()
        score[out] += rng.standard_normal((int(out.sum()), 60))
        score[:, folds.prompt == half] = rng.standard_normal((8, int((folds.prompt == half).sum())))
        expected[out[problem.paired.pairs].any(axis=1)] = 0.9
        spoilt = replace(one, score=score).problem()
        spoilt = replace(
            spoilt,
            spread=problem.spread,
            part=replace(spoilt.part, features=problem.part.features, expected=expected),
        )
        again = cross_fit(spoilt, folds, bounds=bounds)
        np.testing.assert_allclose(again.weights[:, fold, half], fits.weights[:, fold, half], atol=1e-8)
        others = [f for f in range(4) if f != fold]
        assert np.abs(again.weights[:, others] - fits.weights[:, others]).max() > 1e-2


def test_a_feature_that_names_the_policy_looks_good_in_sample_alone() -> None:
    """A planted leak: features that tell policies apart undo every favour of those they were fitted on, and nothing of others."""
    one = world(7, policies=12, prompts=80, planted=(0.0,), favour=0.6)
    phi = np.repeat(np.eye(12)[:, None, :-1], 80, axis=1)
    leaky = World(one.score, phi + 1e-3 * np.random.default_rng(0).standard_normal(phi.shape), one.rating)
    problem = leaky.problem()
    folds = deal_folds(problem, folds=4, seed=0)
    bounds = Bounds.none(11)
    fits = cross_fit(problem, folds, bounds=bounds, penalties=[1e-5])
    margins = held_out_margins(problem, fits, folds, keep=0.0)
    for k, r in problem.paired.pairs[::7]:
        row = margins.rows(np.flatnonzero((problem.paired.pairs == (k, r)).all(axis=1)))[0]
        left_out = [folds.policy[k], folds.policy[r]]
        weights = [[fits.weights[0, f, folds.prompt[i]] for i in range(80)] for f in left_out]
        gap = problem.part.features[k] - problem.part.features[r]
        slow = [
            one.score[k, i] - one.score[r, i] + problem.spread * gap[i] @ weights[i % 2][i] for i in range(80)
        ]
        np.testing.assert_allclose(row, slow, atol=1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)
        found = solve(leaky, penalty=1e-5, keep=0.0)
    rows = {row["metric"]: row for row in found.held_out}
    gain = rows["sharpness_fitted_mismatch"]["before"] - rows["sharpness_fitted_mismatch"]["after"]
    assert found.provenance["loss"] < 1e-3  # in sample all but perfect
    assert gain < 0.02


def test_a_search_takes_some_of_many_prompts_and_finds_about_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    problem = world(6, policies=8, prompts=300).problem()
    folds = deal_folds(problem, folds=4, seed=0)
    whole = cross_fit(problem, folds, bounds=Bounds.none(3))
    monkeypatch.setattr("charm_rm.style.cross_validation._PROMPTS", 150)
    some = cross_fit(problem, folds, bounds=Bounds.none(3))
    assert 0 < np.abs(some.weights - whole.weights).mean() < 0.1


def test_families_are_left_out_whole() -> None:
    one = world(8)
    families = {p: "AB"[k % 2] for k, p in enumerate(one.policies)}
    folds = deal_folds(one.problem(), folds=5, seed=0, families=families)
    assert folds.policy.tolist() == [k % 2 for k in range(8)]
    assert solve(one, families=families).provenance["folds"] == "families"
    with pytest.raises(ConfigError, match="'m01' has no family"):
        solve(one, families={p: f for p, f in families.items() if p != "m01"})
    with pytest.raises(ConfigError, match="all policies are of one family"):
        solve(one, families=dict.fromkeys(one.policies, "A"))


def test_the_same_seed_gives_the_same_calibrator() -> None:
    one = world(9)
    first, again, other = solve(one, draws=100), solve(one, draws=100), solve(one, draws=100, seed=1)
    assert first.fingerprint == again.fingerprint
    assert first.held_out == again.held_out
    assert first.held_out != other.held_out


# --- the temperature of people ------------------------------------------------------------------------


def test_the_temperature_of_people_is_that_of_a_plain_search() -> None:
    one = world(10, policies=5, prompts=20, planted=(0.0,))
    problem = one.problem()
    found = people_temperature(problem.paired, problem.part.expected, problem.spread)
    grid = np.geomspace(found / 1.3, found * 1.3, 41)
    at = slow_style.people_scale(one.score, one.expected(), grid)
    assert at == pytest.approx(found, rel=0.01)


def test_scores_upside_down_have_no_temperature() -> None:
    one = world(11, planted=(0.0,), favour=0.0)
    problem = replace(one, score=-one.score).problem()
    with pytest.raises(NotIdentifiable, match="no scale"):
        people_temperature(problem.paired, problem.part.expected, problem.spread)


# --- bad input ----------------------------------------------------------------------------------------


def test_two_policies_are_refused_and_three_cannot_be_left_out() -> None:
    one = world(12, policies=2)
    with pytest.raises(NoOverlap, match="2 rated policies"):
        solve(one)
    with pytest.raises(NotIdentifiable, match="cannot be left out"):
        solve(world(12, policies=3))


def test_fewer_policies_than_features_have_weights_without_intervals() -> None:
    one = world(13, policies=5, planted=(0.3, 0.1, 0.0, 0.0, 0.0, 0.2))
    with pytest.warns(CharmWarning, match="6 weights from 5 policies"):
        found = solve(one)
    assert all(f.std_err is None and f.ci_low is None and f.estimate is None for f in found.features)
    assert np.isfinite(found.weights).all()


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda x: {"x1": x["x0"] * 2 + 1}, ConfigError, "'column:x0' and 'column:x1' are the same"),
        (lambda x: {"x1": pl.Series([float("nan")] * len(x))}, SchemaError, "x1"),
        (lambda x: {"x1": pl.Series([None] * len(x), dtype=pl.Float64)}, SchemaError, "x1"),
        (lambda x: {"x1": pl.Series(["a"] * len(x))}, SchemaError, "x1"),
    ],
)
def test_a_feature_that_is_another_or_no_number_is_refused(
    spoil: Callable[[pl.DataFrame], dict[str, pl.Series]], error: type[CharmError], message: str
) -> None:
    one = world(14)
    frame = one.responses().frame
    responses = Responses(frame.with_columns(**spoil(frame)))
    with pytest.raises(error, match=message):
        solve_style_offsets(one.scores(), responses, one.ratings(), features=(), own=one.own, draws=0)


def test_a_constant_feature_is_named_and_left_out_and_all_constant_refused() -> None:
    one = world(15)
    phi = one.phi.copy()
    phi[:, :, 1] = 3.0
    with pytest.warns(CharmWarning, match="'?column:x1'? is the same in every response"):
        found = solve(replace(one, phi=phi))
    assert found.names == ("column:x0", "column:x2")
    with pytest.raises(NotIdentifiable, match="no feature differs"):
        solve(replace(one, phi=np.ones_like(phi)))


def test_scores_without_a_response_are_counted_and_policies_without_any_named() -> None:
    one = world(16)
    frame = one.responses().frame
    some = Responses(
        frame.filter(
            ~((pl.col("policy") == "m03") | (pl.col("prompt_id") < "p0002") & (pl.col("policy") == "m00"))
        )
    )
    with pytest.warns(CharmWarning, match=r"62 of 480 scores have no response .*m03"):
        found = solve_style_offsets(one.scores(), some, one.ratings(), features=(), own=one.own, draws=0)
    assert "m03" not in found.solved_on["policies"]
    other = Responses(frame.with_columns(prompt_id=pl.lit("q") + pl.col("prompt_id")))
    with pytest.raises(NoOverlap, match="no response belongs"):
        solve_style_offsets(one.scores(), other, one.ratings(), features=(), own=one.own, draws=0)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"keep": 1.5}, "keep 1.5 is no share"),
        ({"temperature": 0.0}, "temperature 0.0 is not above 0"),
        ({"penalty": float("nan")}, "penalty nan is not above 0"),
        ({"folds": 1}, "1 folds"),
        ({"fixed": {"column:x9": 1.0}}, "'column:x9' is not among those fitted"),
        ({"non_negative": ["words"]}, "'words' is not among those fitted"),
        ({"own": ["column:x0", "column:x0"]}, "x0"),
    ],
)
def test_settings_that_mean_nothing_are_refused(how: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        solve(world(17), **how)


def test_unrated_policies_are_refused_or_left_out() -> None:
    one = world(18)
    few = replace(one, rating=one.rating[:6])
    with pytest.raises(UnknownPolicy, match="m06"):
        solve_style_offsets(one.scores(), one.responses(), few.ratings(), features=(), own=one.own)
    with pytest.warns(CharmWarning, match="m06"):
        found = solve_style_offsets(
            one.scores(), one.responses(), few.ratings(), features=(), own=one.own, draws=0, unrated="skip"
        )
    assert found.solved_on["policies"] == one.policies[:6]


def test_constant_scores_are_refused() -> None:
    one = world(19)
    with pytest.raises(NotIdentifiable, match="all scores of a prompt are equal"):
        solve(replace(one, score=np.ones_like(one.score)))


def test_it_is_saved_and_read_back(tmp_path: Path) -> None:
    found = solve(world(20))
    again = load_calibrator(save_calibrator(found, tmp_path / "c.json"))
    assert again.fingerprint == found.fingerprint
    assert again.features == found.features
    assert list(again.held_out) == [dict(row) for row in found.held_out]


def test_features_that_are_one_come_with_the_line_that_leaves_one_out() -> None:
    names = ("words", "column:a", "language[de]", "language[en]", "column:b")
    values = np.random.default_rng(0).normal(size=(20, 5))
    values[:, 4] = 3 * values[:, 1]
    with pytest.raises(ConfigError, match="'column:a' and 'column:b'") as told:
        _refuse_twins(values, names)
    assert str(told.value.fix).endswith("--feature words --own column:a --feature language")
