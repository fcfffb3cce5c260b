"""What style explains of favour: it adds up, planted causes are found, nothing is found where there is none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from charm_rm import audit
from charm_rm.errors import ConfigError, NoOverlap, NotIdentifiable, UnknownPolicy
from charm_rm.solved_on import solved_on
from charm_rm.statistics import spearman
from charm_rm.style import Calibrator, Explanation, FeatureWeight, apply_calibrator, explain_favour
from charm_rm.tables import Margins, Responses, Scores
from style.styled import FAST, OWN, Styled, styled

WORLD = styled(slope=(1.2, 0.0))


def explained(world: Styled = WORLD, calibrator: Calibrator | None = None, **settings: Any) -> Explanation:
    how = {"features": (), "own": OWN, **FAST, **settings}
    return explain_favour(world.scores, world.responses, world.ratings, calibrator, **how)


def values(found: Explanation, kind: str, part: str | None = None) -> np.ndarray:
    rows = found.frame.filter(pl.col("kind") == kind)
    rows = rows if part is None else rows.filter(pl.col("part") == part)
    return rows.sort("policy")["elo"].to_numpy()


def calibrator_of(world: Styled, weight: float = -0.6, *, policies: list[str] | None = None) -> Calibrator:
    features = [
        FeatureWeight(n, "column", 0.0, 1.0, w, 0.1, None, None)
        for n, w in zip(OWN, (weight, 0.0), strict=True)
    ]
    solved = solved_on(world.scores, world.scores.policies if policies is None else policies)
    return Calibrator("score", tuple(features), 1.2, 1.5, 1.4, 1e-3, 0.9, solved_on=solved)


@pytest.fixture(scope="module")
def found() -> Explanation:
    return explained()


def test_features_sum_to_groups_and_style_and_with_the_rest_to_the_audits_favour(found: Explanation) -> None:
    style, left = values(found, "style"), values(found, "unexplained")
    assert np.allclose(values(found, "favour"), style + left)
    assert np.allclose(values(found, "feature", OWN[0]) + values(found, "feature", OWN[1]), style)
    assert np.allclose(values(found, "group", "own"), style)
    audited = audit(WORLD.scores, WORLD.ratings, draws=0).favouritism
    assert audited is not None
    assert np.allclose(values(found, "favour"), audited.frame.sort("policy")["favour"].to_numpy())
    whole = found.frame.filter(pl.col("kind") == "favour").sort("policy")
    assert whole.select("ci_low", "ci_high").equals(audited.frame.sort("policy").select("ci_low", "ci_high"))


def test_the_one_feature_that_is_over_valued_carries_the_favour(found: Explanation) -> None:
    favour, part, other = (
        values(found, "favour"),
        values(found, "feature", OWN[0]),
        values(found, "feature", OWN[1]),
    )
    assert spearman(part, favour) > 0.9
    assert np.abs(other).mean() < 0.35 * np.abs(part).mean()
    assert np.abs(values(found, "unexplained")).mean() < 0.5 * np.abs(favour).mean()
    held_out = next(r for r in found.summary["r_squared"] if r["held_out"])
    assert held_out["value"] > 0.6
    assert held_out["ci_low"] < held_out["value"] < held_out["ci_high"]
    rows = found.frame.filter(pl.col("part") == OWN[0]).sort("policy")
    assert (rows["weight"] < 0).all()  # what is over-valued is taken away
    assert spearman(rows["difference"].to_numpy(), WORLD.mean[:, 0]) > 0.9


def test_where_style_is_worth_what_it_costs_nothing_is_explained() -> None:
    fair = explained(styled(slope=(0.0, 0.0), seed=3))
    parts = fair.frame.filter(pl.col("kind").is_in(["feature", "style"]))
    covered = (parts["ci_low"] <= 0) & (parts["ci_high"] >= 0)
    assert covered.mean() > 0.9
    assert parts["elo"].abs().mean() < 30
    assert max(r["value"] for r in fair.summary["r_squared"] if r["held_out"]) < 0.4


def test_the_order_of_rows_and_the_names_of_policies_do_not_matter() -> None:
    given = calibrator_of(WORLD)
    plain = explained(calibrator=given)
    turned = {name: f"z{99 - int(name[1:]):02d}" for name in WORLD.scores.policies}

    def renamed(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(pl.col("policy").replace(turned)).sample(fraction=1, shuffle=True, seed=1)

    other = Styled(
        Scores(renamed(WORLD.scores.frame)),
        Responses(renamed(WORLD.responses.frame)),
        type(WORLD.ratings)(renamed(WORLD.ratings.frame)),
        WORLD.mean,
    )
    again = explained(other, calibrator=given)
    for kind in ("favour", "style", "unexplained"):
        left = dict(plain.frame.filter(pl.col("kind") == kind).select("policy", "elo").iter_rows())
        right = dict(again.frame.filter(pl.col("kind") == kind).select("policy", "elo").iter_rows())
        assert all(right[turned[p]] == pytest.approx(v, abs=1e-6) for p, v in left.items())


def test_more_of_a_weight_explains_more_and_none_explains_nothing() -> None:
    parts = [values(explained(calibrator=calibrator_of(WORLD, w)), "style") for w in (0.0, -0.3, -0.6)]
    assert np.allclose(parts[0], 0)
    assert np.abs(parts[2]).mean() > 1.5 * np.abs(parts[1]).mean()


def test_a_calibrators_policies_are_in_sample_and_others_held_out() -> None:
    names = WORLD.scores.policies
    found = explained(calibrator=calibrator_of(WORLD, policies=names[:6]))
    flags = dict(found.frame.select("policy", "held_out").unique().iter_rows())
    assert flags == {n: i >= 6 for i, n in enumerate(names)}
    assert [r["held_out"] for r in found.summary["r_squared"]] == [True, False]
    assert [r["policies"] for r in found.summary["r_squared"]] == [10, 6]


def test_the_same_seed_gives_the_same_and_no_draws_no_intervals(found: Explanation) -> None:
    assert explained().frame.equals(found.frame)
    bare = explained(draws=0)
    assert np.allclose(values(bare, "style"), values(found, "style"))
    assert bare.frame.filter(pl.col("kind") != "favour")["ci_low"].null_count() == bare.frame.height - 16


def test_own_groups_of_features() -> None:
    found = explained(join={"mine": ["column:x1"]})
    assert np.allclose(values(found, "group", "mine"), values(found, "feature", "column:x1"))
    assert np.allclose(values(found, "group", "own"), values(found, "feature", "column:x0"))
    with pytest.raises(ConfigError, match="not among those explained by"):
        explained(join={"mine": ["column:x9"]})
    with pytest.raises(ConfigError, match="is in two groups"):
        explained(join={"mine": ["column:x1"], "yours": ["column:x1"]})


def test_scope_these_asks_of_these_policies_alone(found: Explanation) -> None:
    these = explained(scope="these")
    assert np.allclose(values(these, "style"), values(found, "style"))

    def widths(one: Explanation) -> float:
        rows = one.frame.filter(pl.col("kind") == "unexplained")
        return float((rows["ci_high"] - rows["ci_low"]).mean())  # type: ignore[arg-type]

    assert widths(these) < widths(found)


# --- groups of policies -----------------------------------------------------------------------------


def test_a_family_that_is_favoured_for_its_style_is_not_once_that_is_off() -> None:
    world = styled(slope=(1.2, 0.0), policies=16, seed=5)
    loud = np.argsort(-world.mean[:, 0])[:4]
    names = np.array(world.scores.policies)
    groups = {str(n): ("loud" if k in loud else "rest") for k, n in enumerate(names) if k % 5 or k in loud}
    with pytest.warns(UserWarning, match="without a group"):
        found = explained(world, groups=groups, own_group="loud")
    own = found.summary["own_family"]
    assert own["policies"] == 4
    assert own["ci_low"] > 0
    assert abs(own["favour_after"]) < 0.5 * own["favour"]
    assert own["ci_low_after"] < 0 < own["ci_high_after"]
    assert found.summary["without_group"] == [n for n in names if n not in groups]


def test_a_family_that_is_favoured_beside_style_still_is() -> None:
    world = styled(slope=(1.0, 0.0), policies=16, seed=6)
    mine = world.scores.policies[:5]
    raised = world.scores.frame.with_columns(
        score=pl.when(pl.col("policy").is_in(mine)).then(pl.col("score") + 1.0).otherwise("score")
    )
    groups = {n: "mine" if n in mine else "other" for n in world.scores.policies}
    found = explained(replace(world, scores=Scores(raised)), groups=groups, own_group="mine")
    assert found.summary["own_family"]["verdict_after"] == "over-valued"
    with pytest.raises(ConfigError, match="no audited policy is of the group"):
        explained(groups=groups, own_group="none")


# --- judges, and what is malformed ------------------------------------------------------------------


def test_a_judges_margins_are_explained_as_scores_are() -> None:
    world = styled(slope=(1.2, 0.0), policies=8, prompts=40)
    wide = world.scores.frame.pivot("policy", index="prompt_id", values="score").sort("prompt_id")
    names = world.scores.policies
    rows = [
        wide.select(
            "prompt_id", pl.lit(a).alias("policy"), pl.lit(b).alias("reference"), margin=pl.col(a) - pl.col(b)
        )
        for i, a in enumerate(names)
        for b in names[:i]
    ]
    judged = explain_favour(
        Margins(pl.concat(rows)), world.responses, world.ratings, features=(), own=OWN, **FAST
    )
    scored = explained(world)
    assert np.allclose(values(judged, "style"), values(scored, "style"), atol=1.0)


def test_judgements_against_one_baseline_alone_are_refused_with_the_way_out() -> None:
    wide = WORLD.scores.frame.pivot("policy", index="prompt_id", values="score")
    star = [
        wide.select(
            "prompt_id", pl.lit(p).alias("policy"), reference=pl.lit("m00"), margin=pl.col(p) - pl.col("m00")
        )
        for p in WORLD.scores.policies[1:]
    ]
    with pytest.raises(NotIdentifiable, match="one policy in common"):
        explain_favour(Margins(pl.concat(star)), WORLD.responses, WORLD.ratings, features=(), own=OWN, **FAST)


def test_texts_that_are_missing_are_named_and_left_out() -> None:
    lost = WORLD.responses.frame.filter((pl.col("policy") != "m03") | (pl.col("prompt_id") > "p009"))
    with pytest.warns(UserWarning, match="10 of 1600 scores have no response and are left out"):
        found = explained(replace(WORLD, responses=Responses(lost)), calibrator_of(WORLD))
    assert np.allclose(values(found, "favour"), values(found, "style") + values(found, "unexplained"))
    assert any("have no response" in note for note in found.provenance["warnings"])
    nobody = Responses(WORLD.responses.frame.with_columns(prompt_id=pl.col("prompt_id") + "x"))
    with pytest.raises(NoOverlap, match="no response belongs"):
        explained(replace(WORLD, responses=nobody))


def test_what_does_not_fit_is_refused() -> None:
    given = calibrator_of(WORLD)
    with pytest.raises(ConfigError, match="is in log-odds units"):
        explained(calibrator=replace(given, unit="log-odds"))
    with pytest.raises(ConfigError, match="no feature"):
        explained(calibrator=replace(given, features=()))
    model = replace(given, provenance={"model": {"rm": "theirs", "rm_fingerprint": "aa"}})
    scored = Scores(WORLD.scores.frame, provenance={"rm": "ours", "rm_fingerprint": "bb"})
    with pytest.raises(ConfigError, match="theirs"):
        explained(replace(WORLD, scores=scored), calibrator=model)
    carrying = apply_calibrator(WORLD.scores, given, WORLD.responses)
    with pytest.raises(ConfigError, match="count twice"):
        explained(replace(WORLD, scores=carrying), calibrator=given)
    runs_code = replace(given, features=(FeatureWeight("python:os:getcwd", "x", 0.0, 1.0, 0.1),))
    with pytest.raises(ConfigError, match="whose code would run here"):
        explained(calibrator=runs_code)
    with pytest.raises(ConfigError, match="unknown|scope"):
        explained(scope="all")
    rated = type(WORLD.ratings)(WORLD.ratings.frame.filter(pl.col("policy") != "m00"))
    with pytest.raises(UnknownPolicy, match="m00"):
        explained(replace(WORLD, ratings=rated))
    with pytest.warns(UserWarning, match="m00"):
        skipped = explained(replace(WORLD, ratings=rated), unrated="skip")
    assert "m00" not in skipped.policies
