"""The issue's own figures, on real scores and judgements: what a calibration carries over, and a judge's one scale."""

from __future__ import annotations

import warnings
from pathlib import Path

import polars as pl
import pytest

from charm_rm.errors import CharmWarning
from charm_rm.judgements import load_judgements
from charm_rm.ratings import load_ratings
from charm_rm.style import solve_style_offsets
from charm_rm.style.sharpness import solve_sharpness
from charm_rm.tables import Margins, Ratings, Responses, Scores

pytestmark = [pytest.mark.realdata, pytest.mark.filterwarnings("ignore::charm_rm.errors.CharmWarning")]


def test_a_calibration_carries_over_to_policies_and_prompts_left_out(real_data: Path) -> None:
    rated = pl.read_csv(real_data / "alpaca_eval/arena_names.csv", schema_overrides={"rating": pl.Float64})
    found = solve_style_offsets(
        Scores(pl.read_parquet(real_data / "scores/minilm_alpaca_eval.parquet")),
        Responses(pl.read_parquet(real_data / "alpaca_eval/responses.parquet")),
        Ratings(rated.select("policy", "rating", "ci_low", "ci_high")),
        draws=200,
    )
    rows = {row["metric"]: row for row in found.held_out}
    fitted, spearman = rows["sharpness_fitted_mismatch"], rows["spearman"]
    assert fitted["before"] == pytest.approx(0.0891, abs=5e-4)
    assert fitted["after"] < 0.8 * fitted["before"]
    assert fitted["diff_ci_high"] < 0
    assert spearman["after"] > spearman["before"] + 0.08
    assert spearman["diff_ci_low"] > 0
    assert rows["mean_abs_favour"]["after"] < 0.75 * rows["mean_abs_favour"]["before"]
    for name in ("placebo", "length_only"):  # noise, and the usual correction, do next to nothing
        assert fitted[name] > 0.95 * fitted["before"]
        assert spearman[name] < spearman["before"] + 0.03
    weights = {f.name: f for f in found.features}
    assert weights["bold"].ci_high < 0  # over-valued beyond doubt
    assert found.kept > 0.5


def test_one_scale_makes_the_alpaca_eval_judge_a_probability_of_people(real_data: Path) -> None:
    folder = real_data / "alpaca_eval"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)
        judged = load_judgements(
            folder / "judge_annotations.parquet", annotator="weighted_alpaca_eval_gpt4_turbo"
        )
    baseline = pl.any_horizontal(pl.col("policy", "reference") == "gpt4_1106_preview")
    found = solve_sharpness(
        Margins(judged.frame.filter(baseline), provenance=judged.provenance),
        load_ratings(real_data / "arena" / "leaderboard_2024-06_2025-08.parquet", date="2024-12-31"),
        aliases=folder / "arena_names.csv",
        unrated="skip",
        draws=0,
    )
    (row,) = found.held_out
    assert row["metric"] == "soft_mismatch"
    assert row["before"] == pytest.approx(0.156, abs=0.003)  # 0.146 with the ratings beside the responses
    assert row["after"] < 0.03
    assert 3.5 < found.temperature < 7.5  # margins x 0.2, by hand
