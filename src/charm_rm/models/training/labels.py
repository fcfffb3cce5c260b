"""Control arms: the same pairs with the labels from before calibration, or with as many labels turned at random."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ...errors import ConfigError
from ...settings import Labels
from ...tables import Preferences

_SIDES = (("chosen", "rejected"), ("chosen_policy", "rejected_policy"))


def with_labels(preferences: Preferences, labels: Labels, *, seed: int = 0) -> Preferences:
    """The pairs of `charm relabel` with other labels than the calibrated ones.

    Args:
        preferences: pairs with the column ``flipped``: calibration turned the label.
        labels: ``given``: unchanged; ``uncalibrated``: those that calibration turned are turned back; ``random-flips``: and as many
            pairs are turned at random.

    Raises:
        ConfigError: ``flipped`` is missing, or unknown for some pair.
    """
    if labels == "given":
        return preferences
    frame = preferences.frame
    if "flipped" not in frame.columns or frame["flipped"].null_count():
        raise ConfigError(
            f"labels {labels!r} need to know which labels calibration turned: the column 'flipped', for every pair",
            where="preferences",
            fix="use preferences written by `charm relabel`, or train on the labels as given",
        )
    turned = frame["flipped"].to_numpy()
    if labels == "random-flips":
        chosen = np.random.default_rng(seed).choice(len(frame), size=int(turned.sum()), replace=False)
        turned = turned ^ np.isin(np.arange(len(frame)), chosen)
    return Preferences(_turned(frame, turned), {**preferences.provenance, "labels": labels})


def _turned(frame: pl.DataFrame, turned: NDArray[np.bool_]) -> pl.DataFrame:
    """Chosen and rejected exchanged where ``turned``."""
    mask = pl.Series(turned)
    swaps = []
    for one, other in _SIDES:
        if one in frame.columns and other in frame.columns:
            swaps += [
                pl.when(mask).then(pl.col(other)).otherwise(pl.col(one)).alias(one),
                pl.when(mask).then(pl.col(one)).otherwise(pl.col(other)).alias(other),
            ]
    return frame.with_columns(swaps)
