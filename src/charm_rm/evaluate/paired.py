"""Is a model better than its baseline? Tests on the prompts on which the two differ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from ..benchmarks import Item
from ..statistics import benjamini_hochberg
from .credits import Credits
from .draws import prompt_codes, prompt_names

# Credits are means of a few numbers: what differs by less is the same, but for rounding.
_ROUNDING = 1e-9


def exact_mcnemar(better: int, worse: int) -> float:
    """Two-sided exact McNemar p: better ~ Binomial(better + worse, 1/2) if neither model is better."""
    if better + worse == 0:
        return 1.0
    return float(stats.binomtest(better, better + worse, 0.5).pvalue)


def discordant_prompts(differences: Sequence[Credits], items: Sequence[Item]) -> tuple[int, int]:
    """Prompts that earn more, and prompts that earn less, than with the baseline.

    With one comparison a prompt these are McNemar's discordant counts; with several, the sign test's: the
    comparisons of a prompt lean on each other, so a prompt counts once.
    """
    names = [name for part in differences for name in prompt_names(part, items)]
    codes, size = prompt_codes(names)
    changes = np.concatenate([part.part.weight * np.nan_to_num(part.values) for part in differences])
    by_prompt = np.bincount(codes, weights=changes, minlength=size)
    return int((by_prompt > _ROUNDING).sum()), int((by_prompt < -_ROUNDING).sum())


def q_values(p_values: Sequence[float | None]) -> list[float | None]:
    """Benjamini-Hochberg over the p-values that there are."""
    known = [p for p in p_values if p is not None]
    adjusted = iter(benjamini_hochberg(known).tolist() if known else [])
    return [None if p is None else next(adjusted) for p in p_values]
