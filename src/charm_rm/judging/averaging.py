"""Verdicts in both orders -> one margin.

The preference for ``policy`` is the mean over both orders, and its log-odds are the margin. With q₁ and q₂ the preference for
whatever is shown first, when that is the policy and when it is the reference:

    p = ½ + (q₁ - q₂) / 2,    margin = logit p = 2 artanh(q₁ - q₂)

which is exactly 0 for a judge that looks at the position alone, and changes sign when policy and reference are exchanged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
import polars as pl

from ..statistics import FloatArray
from .requests import RequestPlan
from .verdicts import Verdict

# Preferences are kept this far from 0 and 1, so that a judge's plain yes or no has finite log-odds, ±13.8.
PREFERENCE_BOUND = 1e-6
# What becomes of a pair with no verdict in one order: left out, judged by the other order alone, or an error.
Missing = Literal["drop", "keep", "fail"]


def order_averaged_margin(q_policy_first: FloatArray, q_reference_first: FloatArray) -> FloatArray:
    """2 artanh(q₁ - q₂), the log-odds of ½ + (q₁ - q₂) / 2, cut at :data:`PREFERENCE_BOUND`."""
    limit = 1 - 2 * PREFERENCE_BOUND
    difference = np.asarray(q_policy_first, dtype=np.float64) - np.asarray(
        q_reference_first, dtype=np.float64
    )
    margin: FloatArray = 2 * np.sign(difference) * np.arctanh(np.minimum(np.abs(difference), limit))
    return margin


def margins_table(
    pairs: pl.DataFrame, plan: RequestPlan, verdicts: Mapping[str, Verdict], *, missing: Missing
) -> tuple[pl.DataFrame, dict[str, int]]:
    """The margins' columns, and how many pairs were dropped or kept with one order."""
    q1, q2 = (
        np.array([math.nan if k is None else verdicts[k[side]].p_first for k in plan.keys]) for side in (0, 1)
    )
    equal = np.array([k is None for k in plan.keys])
    lost1, lost2 = np.isnan(q1) & ~equal, np.isnan(q2) & ~equal
    kept = ~(lost1 & lost2) if missing == "keep" else ~(lost1 | lost2)
    # With one order alone the margin is that order's log-odds: as if the other had said the same.
    margin = order_averaged_margin(np.where(lost1, 1 - q2, q1), np.where(lost2, 1 - q1, q2))
    table = pairs.select("prompt_id", "policy", "reference").with_columns(
        pl.Series("margin", np.where(equal, 0.0, margin)),
        pl.Series("p_first", q1).fill_nan(None),
        pl.Series("p_second", 1 - q2).fill_nan(None),
    )
    counts = {"dropped": int((~kept).sum()), "one_order": int(((lost1 | lost2) & kept).sum())}
    return table.filter(pl.Series(kept)), counts
