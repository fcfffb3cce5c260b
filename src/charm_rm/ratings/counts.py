"""Battles as counted rows: aggregation, clusters, style covariates, pseudo-battles of the prior."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import polars as pl

from ..errors import NotIdentifiable, SchemaError, did_you_mean
from ..tables import Battles
from .bradley_terry import Counts, Floats

_PAIR_AND_OUTCOME = ("policy_a", "policy_b", "winner")


def count_battles(battles: Battles) -> pl.DataFrame:
    """One row per (policy_a, policy_b, winner): battles, sum of weights and of their squares, heaviest weight."""
    sums = [pl.len().alias("n")]
    if "weight" in battles.frame.columns:
        weight = pl.col("weight").fill_null(1.0)
        squares = (weight * weight).sum().alias("weight_sq")
        sums += [weight.sum().alias("weight"), squares, weight.max().alias("heaviest")]
    tally = battles.frame.group_by(*_PAIR_AND_OUTCOME).agg(sums).sort(*_PAIR_AND_OUTCOME)
    if "weight" in tally.columns:
        return tally
    n = pl.col("n").cast(pl.Float64)
    return tally.with_columns(n.alias("weight"), n.alias("weight_sq"), pl.lit(1.0).alias("heaviest"))


def single_battles(battles: Battles) -> pl.DataFrame:
    """One row per battle: policy_a, policy_b, winner and its weight, 1 where none is given."""
    weight = pl.col("weight").fill_null(1.0) if "weight" in battles.frame.columns else pl.lit(1.0)
    return battles.frame.select(*_PAIR_AND_OUTCOME, weight.alias("weight"))


def as_counts(rows: pl.DataFrame, policies: Sequence[str], covariates: Floats | None = None) -> Counts:
    """Rows with policy_a, policy_b, winner, weight (and weight_sq, heaviest) as index arrays; weightless rows go."""
    if "weight_sq" not in rows.columns:
        weight = pl.col("weight")
        rows = rows.with_columns(weight.pow(2).alias("weight_sq"), weight.alias("heaviest"))
    kept = (rows["weight"] > 0).to_numpy()
    names = pl.Enum(list(policies))
    code = {
        c: rows[c].cast(names).to_physical().cast(pl.Int64).to_numpy()[kept] for c in ("policy_a", "policy_b")
    }
    return Counts(
        first=code["policy_a"],
        second=code["policy_b"],
        outcome=rows["winner"].replace_strict(Battles.worth, return_dtype=pl.Float64).to_numpy()[kept],
        weight=rows["weight"].to_numpy()[kept],
        weight_sq=rows["weight_sq"].to_numpy()[kept],
        heaviest=rows["heaviest"].to_numpy()[kept],
        covariates=np.zeros((int(kept.sum()), 0)) if covariates is None else covariates[kept],
        n_policies=len(policies),
    )


def pseudo_battles(counts: Counts, prior: float) -> Counts:
    """``prior`` pseudo-battles for every pair that met, half won and half lost, style even.

    They count as battles in the sandwich too: without that, an undefeated policy would get an absurdly
    narrow interval.
    """
    low, high = np.minimum(counts.first, counts.second), np.maximum(counts.first, counts.second)
    met = np.unique(low * counts.n_policies + high)
    first, second = np.divmod(np.tile(met, 2), counts.n_policies)
    half = np.full(first.size, prior / 2.0)
    return Counts(
        first=first,
        second=second,
        outcome=np.repeat([1.0, 0.0], met.size),
        weight=half,
        weight_sq=half,
        heaviest=half,
        covariates=np.zeros((first.size, counts.covariates.shape[1])),
        n_policies=counts.n_policies,
    )


def joined(one: Counts, other: Counts) -> Counts:
    """The rows of both."""
    rows = {
        f.name: np.concatenate([getattr(one, f.name), getattr(other, f.name)])
        for f in fields(Counts)
        if f.name != "n_policies"
    }
    return Counts(**rows, n_policies=one.n_policies)


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
        raise NotIdentifiable(f"style {name!r} is the same on both sides of every battle", fix="leave it out")
    scaled: Floats = difference / spread
    return scaled


def _style_values(frame: pl.DataFrame, column: str) -> Floats:
    if column not in frame.columns:
        raise _missing_style(frame, column)
    series = frame[column]
    if not series.dtype.is_numeric():
        raise SchemaError(
            f"battles: style column {column!r} is not numeric ({series.dtype})",
            fix="write numbers, such as lengths or counts, in every row",
        )
    values = series.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    bad = ~(np.isfinite(values) & (values >= 0))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise SchemaError(
            f"{column} must be a finite count or length, found {series[row]!r} ({int(bad.sum())} such rows)",
            where=f"battles, row {row}",
            fix="correct or drop these rows",
        )
    return values


def _missing_style(frame: pl.DataFrame, column: str) -> SchemaError:
    from .style_counts import how_to_count, known_styles

    name, numeric = column[:-2], [c for c, dtype in frame.schema.items() if dtype.is_numeric()]
    known = [c[:-2] for c in numeric if c.endswith("_a") and f"{c[:-2]}_b" in numeric]
    return SchemaError(
        f"battles: style column {column!r} is missing.{did_you_mean(name, known_styles(frame.columns, known))}",
        fix=how_to_count(name, frame.columns, known),
    )
