"""What offsets make of the agreement: in-sample better than cross-fitted, and both of the figures that every effect has."""

from __future__ import annotations

import numpy as np
import pytest

from charm_rm import apply_offsets, audit, solve_joint_offsets, solve_offsets
from charm_rm.evaluate.attained import effect_of_offsets
from charm_rm.mismatch import METRICS
from evaluate.test_placebo import sharp_scores
from simulated_offsets import ratings_of, scores_of

pytestmark = pytest.mark.filterwarnings("ignore::charm_rm.errors.CharmWarning")


def test_before_is_the_audit_of_the_scores_and_in_sample_that_of_calibrated_ones() -> None:
    scores, ratings = sharp_scores(prompts=60)
    offsets = solve_joint_offsets(scores, ratings, draws=0)
    rows = {row["metric"]: row for row in effect_of_offsets(offsets, ratings)}
    assert list(rows) == list(METRICS)
    for stage, table in (("before", scores), ("in_sample", apply_offsets(scores, offsets))):
        found = {r["metric"]: r["value"] for r in audit(table, ratings, draws=0).summary["effect"]}
        for name in ("mean_abs_mismatch", "sharpness_fitted_mismatch", "spearman"):
            assert rows[name][stage] == pytest.approx(found[name], abs=1e-6), (name, stage)
    raw = rows["mean_abs_mismatch"]
    assert raw["in_sample"] < raw["cross_fitted"] < raw["before"]


def test_without_cross_fitting_its_figures_are_missing_and_two_policies_have_no_order() -> None:
    scores, ratings = sharp_scores(prompts=60)
    offsets = solve_offsets(scores, ratings, over="m3", references=["m2"], draws=0, cross_fit=False)
    rows = effect_of_offsets(offsets, ratings)
    assert [r["metric"] for r in rows] == list(METRICS)[:3]
    assert all(r["cross_fitted"] is None and r["in_sample"] is not None for r in rows)


def test_offsets_that_stay_0_have_no_effect() -> None:
    rng = np.random.default_rng(3)
    column = rng.integers(4, 7, size=60).astype(float)
    scores = scores_of({name: rng.permutation(column).tolist() for name in "ABC"})
    ratings = ratings_of({"A": 1000.0, "B": 1001.0, "C": 1002.0})
    offsets = solve_joint_offsets(scores, ratings, draws=0)
    assert not offsets.frame["delta"].to_numpy().any()
    for row in effect_of_offsets(offsets, ratings):
        assert row["before"] == row["in_sample"] == row["cross_fitted"], row


def test_unpaired_comparisons_have_no_floor() -> None:
    scores, ratings = sharp_scores(prompts=60)
    offsets = solve_offsets(scores, ratings, over="m3", references=["m2"], draws=0, paired=False)
    rows = effect_of_offsets(offsets, ratings)
    assert "debiased_mismatch" not in [r["metric"] for r in rows]
    assert all(r["floor"] is None for r in rows)
