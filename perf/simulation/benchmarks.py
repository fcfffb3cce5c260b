"""Two models on the same items of a benchmark: intervals of the difference of their figures, and the test that exchanges them.

Items lie in two subsets of unequal size whose mean is the figure; some prompts stand behind several items, which go together.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from charm_rm.comparison.benchmarks import contrast_row
from charm_rm.comparison.evaluations import contrast

from .cell import Cell, coverage, figure, size


def _credits(right: np.ndarray, prompts: np.ndarray, parts: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "part": parts,
            "weight": 0.5,
            "item": [f"i{k:05d}" for k in range(len(right))],
            "prompt": prompts.astype(str),
            "credit": right.astype(float),
        }
    )


def _one(
    rng: np.random.Generator, *, items: int, per_prompt: int, accuracy: float, difference: float
) -> Mapping[str, float]:
    """One benchmark: a latent ease of each prompt makes both models right or wrong together."""
    prompts = np.arange(items) // per_prompt
    parts = (prompts % 3 == 0).astype(int)  # a third of the prompts in one half of the figure
    ease = rng.random(int(prompts.max()) + 1)[prompts]
    right = []
    for chance in (accuracy + difference / 2, accuracy - difference / 2):
        # Half of the outcomes go by the prompt's ease, half by the model's own luck; either way right with this chance.
        own = rng.random(items)
        right.append(np.where(rng.random(items) < 0.5, ease, own) < chance)
    one, other = (_credits(r, prompts, parts) for r in right)
    row = contrast_row(contrast(one, other, draws=400, seed=int(rng.integers(2**31))))
    covered = row["ci_low"] <= difference <= row["ci_high"]
    found = row["p_value"] <= 0.05
    beyond = found and not row["ci_low"] <= 0 <= row["ci_high"]
    return {"difference": float(covered), "p <= 0.05": float(found), "called different": float(beyond)}


def cells() -> list[Cell]:
    """Nothing between the models, and a difference; one item a prompt, and three."""
    cells = []
    for per_prompt, items in ((1, 60), (1, 300), (3, 300)):
        for difference in (0.0, 0.1):
            tested = size if difference == 0 else figure
            figures = (coverage("difference"), tested("p <= 0.05"), tested("called different"))
            settings = {"items": items, "per_prompt": per_prompt, "accuracy": 0.7, "difference": difference}
            cells.append(Cell(settings, _one, figures, replicates=800, small=60))
    return cells
