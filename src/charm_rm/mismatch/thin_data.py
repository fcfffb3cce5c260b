"""What too few prompts, or ratings without intervals, do to an audit: said, or refused."""

from __future__ import annotations

import warnings

import numpy as np

from ..errors import CharmWarning, NotIdentifiable, counted, listing
from ..margins import Tally
from ..ratings import Yardstick


def check_thin_data(tally: Tally, rated: Yardstick) -> None:
    """Warn of few prompts and of ratings without intervals.

    Raises:
        NotIdentifiable: one prompt alone, or nothing but ties.
    """
    if not rated.has_uncertainty:
        warnings.warn(
            "some ratings have no interval: the audit's intervals do not include the uncertainty of the ratings",
            CharmWarning,
            stacklevel=2,
        )
    if tally.wins is None:
        return
    if tally.n.max() <= 1:
        raise NotIdentifiable(
            "the policies share one prompt only: chance cannot be estimated",
            fix="score at least two, better a few hundred, shared prompts",
        )
    if tally.ties is not None and np.array_equal(tally.ties, tally.n):
        raise NotIdentifiable(
            "all margins are equal to 0: the scores do not tell the policies apart", fix="check the scores"
        )
    few = tally.n < 30
    if few.any():
        names = sorted({tally.policies[i] for i in tally.pairs[few].ravel()})
        warnings.warn(
            f"fewer than 30 shared prompts for {counted(int(few.sum()), 'pair')} ({listing(names)})",
            CharmWarning,
            stacklevel=2,
        )
