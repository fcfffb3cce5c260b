"""Where fitted ratings go when votes are left out, without fitting again."""

from __future__ import annotations

import numpy as np
import polars as pl

from ..tables import Battles
from .bradley_terry import Floats, maximise, pinned_information, residuals, row_information
from .counts import as_counts, count_battles, joined, pseudo_battles

_TOLERANCE, _STEPS = 1e-10, 200


def leave_out_steps(battles: Battles, *, prior: float = 0.0) -> tuple[pl.DataFrame, Floats, list[str]]:
    """(kinds of votes, (kinds, K) changes of log-odds strengths when all votes of a kind are left out, the K policies).

    A kind is who met whom and how it ended (policy_a, policy_b, winner; n votes of weight above 0). One Newton step from the maximum, exact in the
    curvature of what is left: without weight w on z = e_a - e_b it is -H⁺z w(y - p) / (1 - w p(1 - p) zᵀH⁺z).

    The battles have to determine the ratings, as :func:`fit_ratings` has checked.
    """
    tally = count_battles(battles).filter(pl.col("weight") > 0)
    policies = sorted({*tally["policy_a"], *tally["policy_b"]})
    counts = as_counts(tally, policies)
    total = joined(counts, pseudo_battles(counts, prior)) if prior > 0 else counts
    fit = maximise(total, tolerance=_TOLERANCE, max_iterations=_STEPS)
    inverse = np.linalg.inv(pinned_information(fit.parameters, total))
    towards = inverse[counts.first] - inverse[counts.second]
    rows = np.arange(len(towards))
    spread = towards[rows, counts.first] - towards[rows, counts.second]
    curvature = counts.weight * row_information(fit.parameters, counts)
    left = 1.0 - curvature * spread
    push = -counts.weight * residuals(fit.parameters, counts)
    # Where a kind is all that holds two parts together nothing is left without it, and no step leads there.
    scale = np.divide(push, left, out=np.full_like(push, np.nan), where=left > 1e-9)
    steps: Floats = towards * scale[:, None]
    return tally.select("policy_a", "policy_b", "winner", "n"), steps, policies
