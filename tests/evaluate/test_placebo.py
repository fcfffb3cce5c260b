"""Noise added to scores: as large as they are, and no fixing wherever an effect is judged."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from charm_rm.evaluate import alignment_with_ratings
from charm_rm.evaluate.placebo import add_noise
from charm_rm.mismatch import METRICS
from charm_rm.tables import Ratings, Scores


def sharp_scores(*, prompts: int = 300, policies: int = 8, seed: int = 0) -> tuple[Scores, Ratings]:
    """A scorer that ranks nearly as people do, three times as decided."""
    rng = np.random.default_rng(seed)
    rating = 1000 + 60.0 * np.arange(policies)
    level = 3 * rating * np.log(10) / 400
    noise = rng.gumbel(size=(prompts, policies))
    rows = [
        (f"p{i}", f"m{k}", float(level[k] + noise[i, k])) for i in range(prompts) for k in range(policies)
    ]
    scores = Scores(pl.DataFrame(rows, schema=["prompt_id", "policy", "score"], orient="row"))
    names = [f"m{k}" for k in range(policies)]
    return scores, Ratings(pl.DataFrame({"policy": names, "rating": rating, "std_err": 5.0}))


def test_noise_is_as_large_as_scores_within_prompts_and_seeded() -> None:
    scores, _ = sharp_scores(prompts=2000)
    frame = scores.frame.with_columns(
        score=pl.col("score") + pl.col("prompt_id").str.slice(1).cast(pl.Float64)
    )
    moved = Scores(frame)  # prompts move scores; the noise must not see that
    noisy = add_noise(moved, seed=1)
    joined = frame.join(noisy.frame, on=["prompt_id", "policy"], suffix="_noisy")
    scale = float(frame["score"].abs().max() or 1.0)
    added = joined["score_noisy"].to_numpy() * scale - joined["score"].to_numpy()
    within = frame.select(pl.col("score") - pl.col("score").mean().over("prompt_id")).to_series().to_numpy()
    sd = np.sqrt((within**2).sum() / (len(within) - 2000))
    assert added.std() == pytest.approx(sd, rel=0.03)
    assert abs(added.mean()) < 0.05 * sd
    assert add_noise(moved, seed=1).frame.equals(noisy.frame)
    assert not add_noise(moved, seed=2).frame.equals(noisy.frame)


@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_scores_of_any_size_get_the_same_placebo(size: float) -> None:
    scores, _ = sharp_scores(prompts=20)
    plain = add_noise(scores).frame
    small = add_noise(Scores(scores.frame.with_columns(pl.col("score") / scores.frame["score"].max())))
    scaled = add_noise(Scores(small.frame.with_columns(pl.col("score") * size)))
    again = add_noise(small)
    assert plain["score"].is_finite().all()
    assert np.allclose(scaled.frame["score"], again.frame["score"])


def test_noise_halves_the_raw_mean_and_fails_where_an_effect_is_judged() -> None:
    scores, ratings = sharp_scores()
    found = alignment_with_ratings(scores, ratings, baseline=scores, draws=0)
    rows = {row["metric"]: row for row in found.frame.to_dicts()}
    assert list(rows) == list(METRICS)
    raw, fitted = rows["mean_abs_mismatch"], rows["sharpness_fitted_mismatch"]
    assert raw["placebo_value"] < 0.6 * raw["baseline_value"]
    assert fitted["placebo_value"] > 0.9 * fitted["baseline_value"]
    assert rows["spearman"]["placebo_value"] <= rows["spearman"]["baseline_value"]
    assert rows["mean_abs_favour"]["placebo_value"] > rows["mean_abs_favour"]["baseline_value"]


def test_without_a_baseline_there_is_no_placebo() -> None:
    scores, ratings = sharp_scores(prompts=20)
    assert alignment_with_ratings(scores, ratings, draws=0).frame["placebo_value"].null_count() == len(
        METRICS
    )
