"""What single human votes do to a favour, through the ratings fitted to them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from ..ratings import leave_out_steps
from ..statistics import FloatArray
from ..tables import Battles


def vote_changes(
    battles: Battles, names: Sequence[str], favour_by_rho: FloatArray, *, prior: float = 0.0
) -> pl.DataFrame:
    """One row per kind of vote: policy_a, policy_b, winner, n, change_per_vote and change (Elo points) when all n are left out.

    ``names`` are the audited policies as the battles call them, in the order of ``favour_by_rho`` (K,), the derivative of the favour.
    All are to first order.
    """
    kinds, steps, policies = leave_out_steps(battles, prior=prior)
    rows = [policies.index(name) for name in names]
    change: FloatArray = steps[:, rows] @ favour_by_rho
    n = kinds["n"].to_numpy()
    return kinds.with_columns(pl.Series("change_per_vote", np.divide(change, n)), pl.Series("change", change))
