"""Two models on the same items of a benchmark: intervals of the difference of their figures, and the test that exchanges them.

Items lie in two subsets of unequal size, or in 23 of four items each, whose mean is the figure; some prompts stand behind several items,
which go together.
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
            "weight": 1 / len(np.unique(parts)),
            "item": [f"i{k:05d}" for k in range(len(right))],
            "prompt": prompts.astype(str),
            "credit": right.astype(float),
        }
    )


def _one(
    rng: np.random.Generator, *, items: int, per_prompt: int, subsets: int, accuracy: float, difference: float
) -> Mapping[str, float]:
    """One benchmark: a latent ease of each prompt makes both models right or wrong together."""
    prompts = np.arange(items) // per_prompt
    # Of two subsets one holds a third of the prompts, and is half of the figure.
    parts = (prompts % 3 == 0).astype(int) if subsets == 2 else prompts % subsets
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
    """Nothing between the models, and a difference; one item a prompt, and three; two subsets, and many small ones."""
    cells = []
    for per_prompt, items, subsets, accuracy in (
        (1, 60, 2, 0.7),
        (1, 300, 2, 0.7),
        (3, 300, 2, 0.7),
        (1, 92, 23, 0.85),
    ):
        for difference in (0.0, 0.1):
            tested = size if difference == 0 else figure
            figures = (coverage("difference"), tested("p <= 0.05"), tested("called different"))
            settings = {"items": items, "per_prompt": per_prompt, "subsets": subsets}
            settings |= {"accuracy": accuracy, "difference": difference}
            cells.append(Cell(settings, _one, figures, replicates=800, small=60))
    return cells
