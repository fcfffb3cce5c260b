"""Is a model better than its baseline? Tests on the prompts on which the two differ, and intervals that hold for all rows at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from ..statistics import FloatArray, benjamini_hochberg
from .credits import Credits

# Credits are means of a few numbers: what differs by less is the same, but for rounding.
_ROUNDING = 1e-9
_LEVEL = 0.95


def exact_mcnemar(better: int, worse: int) -> float:
    """Two-sided exact McNemar p: better ~ Binomial(better + worse, 1/2) if neither model is better."""
    if better + worse == 0:
        return 1.0
    return float(stats.binomtest(better, better + worse, 0.5).pvalue)


def discordant_prompts(differences: Sequence[Credits]) -> tuple[int, int]:
    """Prompts that earn more, and prompts that earn less, than with the baseline.

    With one comparison a prompt these are McNemar's discordant counts; with several, the sign test's: the
    comparisons of a prompt lean on each other, so a prompt counts once.
    """
    prompts = np.concatenate([part.prompts for part in differences])
    changes = np.concatenate([part.part.weight * np.nan_to_num(part.values) for part in differences])
    by_prompt = np.bincount(prompts, weights=changes)
    return int((by_prompt > _ROUNDING).sum()), int((by_prompt < -_ROUNDING).sum())


def q_values(p_values: Sequence[float | None]) -> list[float | None]:
    """Benjamini-Hochberg over the p-values that there are."""
    known = [p for p in p_values if p is not None]
    adjusted = iter(benjamini_hochberg(known).tolist() if known else [])
    return [None if p is None else next(adjusted) for p in p_values]


def simultaneous_half_widths(drawn: FloatArray) -> FloatArray:
    """(rows,) half-widths c·se_r of intervals that hold all rows at once with 95 %; ``drawn`` is (draws, rows), jointly drawn.

    c is the 95 % quantile of max_r |D_r - mean D_r| / se_r (the max-T of the bootstrap). So the interval of whichever row looks best is
    as good as any: choosing it costs nothing more.
    """
    centred = drawn - drawn.mean(axis=0)
    std_err = centred.std(axis=0, ddof=1)
    scaled = np.divide(np.abs(centred), std_err, out=np.zeros_like(centred), where=std_err > 0)
    widths: FloatArray = np.quantile(scaled.max(axis=1), _LEVEL) * std_err
    return widths
