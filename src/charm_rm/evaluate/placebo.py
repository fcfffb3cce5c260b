"""The placebo beside a recipe: the first model's scores with noise added, which has learned nothing.

Most of raw mean |P̂ - P| is often sharpness, and noise takes sharpness away, so that it can look as good there as training does. Where a
bias decides by small margins noise drowns it, and can better every figure: it is the bar that training has to pass.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from ..margins import pair_samples, tally_margins
from ..mismatch.effect import measure_effect
from ..mismatch.ordering import ordering_rows
from ..ratings import Yardstick
from ..samples import own_key
from ..tables import Scores


def add_noise(scores: Scores, *, seed: int = 0) -> Scores:
    """Scores with normal noise added, whose standard deviation is theirs within prompts.

    s' = s + sd·z, sd² = Σ_i Σ_k (s_ki - mean_i)² / Σ_i (n_i - 1) over prompts i.
    """
    frame = scores.frame.sort(own_key(scores.frame))  # the same noise whatever the order of the rows
    score = frame["score"].to_numpy().astype(np.float64)
    scale = (
        float(np.abs(score).max()) or 1.0
    )  # squares of huge or tiny scores would leave the range of floats
    within = frame.select("prompt_id", score=pl.Series(score / scale))
    gaps = within.select(pl.col("score") - pl.col("score").mean().over("prompt_id")).to_series().to_numpy()
    freedom = max(frame.height - frame["prompt_id"].n_unique(), 1)
    spread = float(np.sqrt((gaps**2).sum() / freedom))
    noisy = score / scale + spread * np.random.default_rng(seed).standard_normal(len(score))
    return Scores(frame.with_columns(score=pl.Series(noisy)), provenance={"placebo": True, "seed": seed})


def placebo_values(scores: Scores, rated: Yardstick, *, seed: int = 0) -> dict[str, float]:
    """The figures of :data:`charm_rm.mismatch.METRICS` of the first model's scores once noise is added, by name."""
    tally = tally_margins(pair_samples(add_noise(scores, seed=seed)))
    found = measure_effect(tally, rated, more=ordering_rows(tally, rated))
    return {row.metric: row.value for row in found.rows}
