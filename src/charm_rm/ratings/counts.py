"""Battles as counted rows: aggregation, style covariates, pseudo-battles of the prior."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from ..errors import NotIdentifiable, SchemaError, did_you_mean
from ..tables import Battles
from .bradley_terry import Counts, Floats

PAIR_AND_OUTCOME = ("policy_a", "policy_b", "winner")
OUTCOME = {"a": 1.0, "b": 0.0, "tie": 0.5, "both_bad": 0.5}


def count_battles(battles: Battles) -> pl.DataFrame:
    """One row per (policy_a, policy_b, winner): battles, sum of weights, sum of squared weights."""
    sums = [pl.len().alias("n")]
    if "weight" in battles.frame.columns:
        weight = pl.col("weight").fill_null(1.0)
        sums += [weight.sum().alias("weight"), (weight * weight).sum().alias("weight_sq")]
    tally = battles.frame.group_by(*PAIR_AND_OUTCOME).agg(sums).sort(*PAIR_AND_OUTCOME)
    if "weight" in tally.columns:
        return tally
    return tally.with_columns(pl.col("n").cast(pl.Float64).alias(c) for c in ("weight", "weight_sq"))


def as_counts(rows: pl.DataFrame, policies: Sequence[str], covariates: Floats | None = None) -> Counts:
    """Rows with policy_a, policy_b, winner, weight (and weight_sq) as index arrays; weightless rows go."""
    if "weight_sq" not in rows.columns:
        rows = rows.with_columns(pl.col("weight").pow(2).alias("weight_sq"))
    kept = (rows["weight"] > 0).to_numpy()
    names = pl.Enum(list(policies))
    code = {
        c: rows[c].cast(names).to_physical().cast(pl.Int64).to_numpy()[kept] for c in ("policy_a", "policy_b")
    }
    return Counts(
        first=code["policy_a"],
        second=code["policy_b"],
        outcome=rows["winner"].replace_strict(OUTCOME, return_dtype=pl.Float64).to_numpy()[kept],
        weight=rows["weight"].to_numpy()[kept],
        weight_sq=rows["weight_sq"].to_numpy()[kept],
        covariates=np.zeros((int(kept.sum()), 0)) if covariates is None else covariates[kept],
        n_policies=len(policies),
    )


def with_prior(counts: Counts, prior: float) -> Counts:
    """Add ``prior`` pseudo-battles to every pair that met, half won and half lost, style even.

    They count as battles in the sandwich too: without that, an undefeated policy would get an absurdly
    narrow interval.
    """
    low, high = np.minimum(counts.first, counts.second), np.maximum(counts.first, counts.second)
    met = np.unique(low * counts.n_policies + high)
    first, second = np.divmod(np.tile(met, 2), counts.n_policies)
    half = np.full(first.size, prior / 2.0)
    none = np.zeros((first.size, counts.covariates.shape[1]))
    return Counts(
        first=np.concatenate([counts.first, first]),
        second=np.concatenate([counts.second, second]),
        outcome=np.concatenate([counts.outcome, np.repeat([1.0, 0.0], met.size)]),
        weight=np.concatenate([counts.weight, half]),
        weight_sq=np.concatenate([counts.weight_sq, half]),
        covariates=np.concatenate([counts.covariates, none]),
        n_policies=counts.n_policies,
    )


def style_covariates(battles: Battles, style: Sequence[str]) -> Floats:
    """One column per style: the normalised difference (a - b) / (a + b), 0 where both are 0, over its RMS.

    This is the Arena's style control but for one thing: the Arena also subtracts each column's mean. Not
    doing so keeps the model antisymmetric, so that which side a policy stood on changes nothing.

    Raises:
        SchemaError: a column is missing, not numeric, or holds a null, negative or infinite value.
        NotIdentifiable: a style never differs within a battle.
    """
    return np.column_stack([_style_column(battles.frame, name) for name in style])


def _style_column(frame: pl.DataFrame, name: str) -> Floats:
    a, b = (_style_values(frame, f"{name}_{side}") for side in "ab")
    total = a + b
    difference = np.divide(a - b, total, out=np.zeros_like(total), where=total > 0)
    spread = float(np.sqrt(np.mean(difference**2)))
    if spread == 0.0:
        raise NotIdentifiable(
            f"style {name!r} is the same on both sides of every battle", mend="leave it out"
        )
    scaled: Floats = difference / spread
    return scaled


def _style_values(frame: pl.DataFrame, column: str) -> Floats:
    if column not in frame.columns:
        styles = [c[:-2] for c in frame.columns if c.endswith("_a") and f"{c[:-2]}_b" in frame.columns]
        known = [s for s in styles if s != "policy"]
        raise SchemaError(
            f"battles: style column {column!r} is missing.{did_you_mean(column[:-2], known)}",
            mend=f"a style NAME needs the numeric columns NAME_a and NAME_b; found {', '.join(known) or 'none'}",
        )
    series = frame[column]
    if not series.dtype.is_numeric():
        raise SchemaError(f"battles: style column {column!r} is not numeric ({series.dtype})")
    values = series.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    bad = ~(np.isfinite(values) & (values >= 0))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise SchemaError(
            f"{column} must be a finite count or length, found {series[row]!r} ({int(bad.sum())} such rows)",
            where=f"battles, row {row}",
            mend="correct or drop these rows",
        )
    return values
