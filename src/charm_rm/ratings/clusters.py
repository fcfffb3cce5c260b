"""Which votes go together: those on one prompt, or of one voter, are not independent of each other."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import polars as pl

from ..errors import CharmWarning, SchemaError, counted, did_you_mean
from ..tables import Battles
from .bradley_terry import Floats
from .counts import as_counts, single_battles
from .sandwich import Clustered

AUTO = "auto"
DEFAULT_COLUMN = "prompt_id"
FEW = 20


def cluster_column(battles: Battles, cluster: str | None) -> str | None:
    """The column that says which votes go together; ``auto`` is prompt_id, where the battles have one.

    Raises:
        SchemaError: the column is not there, or empty throughout.
    """
    columns = battles.frame.columns
    if cluster is None:
        return None
    if cluster == AUTO and AUTO not in columns:
        known = DEFAULT_COLUMN in columns and battles.frame[DEFAULT_COLUMN].null_count() < len(battles)
        return DEFAULT_COLUMN if known else None
    if cluster not in columns:
        raise SchemaError(
            f"battles: cluster column {cluster!r} is missing.{did_you_mean(cluster, columns)}",
            fix="name a column of the battles that says which votes go together, such as prompt_id or a voter's id; "
            "`none` (in Python None) takes all votes as independent",
        )
    if battles.frame[cluster].null_count() == len(battles):
        raise SchemaError(f"battles: cluster column {cluster!r} is empty throughout", fix="name another one")
    return cluster


def clustered_battles(
    battles: Battles, column: str | None, policies: Sequence[str], covariates: Floats | None
) -> Clustered | None:
    """Battles with their clusters; None where there is no column, or where one cluster holds all battles (which warns).

    A battle without a value in ``column`` is a cluster of its own.
    """
    if column is None:
        return None
    rows = single_battles(battles)
    kept = (rows["weight"] > 0).to_numpy()
    codes = _codes(battles.frame[column].filter(pl.Series(kept)))
    n_clusters = int(codes.max()) + 1
    if n_clusters < 2:
        _warn(
            f"all battles have the same {column}: they are treated as independent, and intervals are too narrow"
        )
        return None
    if n_clusters < FEW:
        _warn(
            f"the battles fall into {counted(n_clusters, 'cluster')} by {column}: too few to estimate the variance "
            "between them well; intervals are rough"
        )
    return Clustered(as_counts(rows, policies, covariates), codes, n_clusters)


def _codes(values: pl.Series) -> np.ndarray:
    """0, 1, ... by value; every null a code of its own."""
    codes = values.rank("dense").cast(pl.Int64).to_numpy(allow_copy=True).astype(np.float64) - 1.0
    alone = np.isnan(codes)
    first_free = int(np.nanmax(codes, initial=-1.0)) + 1
    codes[alone] = first_free + np.arange(int(alone.sum()))
    return codes.astype(np.int64)


def _warn(message: str) -> None:
    warnings.warn(message, CharmWarning, stacklevel=4)
