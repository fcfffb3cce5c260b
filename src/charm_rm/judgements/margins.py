"""Judgements in one shape -> Margins: verdicts counted, both orders averaged, preference to log-odds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from ..errors import SchemaError
from ..statistics import FloatArray
from ..tables import Margins
from .checks import note, refuse_twice, without_repeats

# A sure preference is taken as 1 - 1e-10: its log-odds are finite, and sigmoid(margin) is off by at most that.
SURE = 1e-10
MARGIN_BOUND = float(np.log1p(-SURE) - np.log(SURE))  # 23.03
ORDERS = ("p_first", "p_second")


def logit(p: FloatArray) -> FloatArray:
    """ln p - ln(1 - p), between -MARGIN_BOUND and MARGIN_BOUND: |sigmoid(logit(p)) - p| <= SURE."""
    with np.errstate(divide="ignore"):
        odds: FloatArray = np.log(p) - np.log1p(-p)
    return np.clip(odds, -MARGIN_BOUND, MARGIN_BOUND)


def as_margins(judged: pl.DataFrame, *, where: str, provenance: Mapping[str, Any]) -> Margins:
    """Margins of judgements (prompt_id, policy, reference, p; p_first and p_second where known).

    Raises:
        SchemaError: a pair is judged twice in one order, or nothing is left.
    """
    judged, dropped = _with_verdict(judged, where)
    if "margin" in judged.columns:  # given as log-odds, of any size: taken as they are
        return Margins(judged.select("prompt_id", "policy", "reference", "margin"), provenance=provenance)
    keys = ["prompt_id", "policy", "reference", "p"]
    once = without_repeats(judged, keys, where)
    dropped |= {"repeated": judged.height - once.height}
    judged = once
    refuse_twice(judged, where)
    averaged = _average_orders(judged)
    known = {c.name for c in Margins.columns}
    orders = [c for c in ORDERS if c in known and c in averaged.columns]
    frame = averaged.select(*keys[:3], pl.Series("margin", logit(averaged["p"].to_numpy())), *orders)
    return Margins(frame, provenance=dict(provenance) | {"dropped": dropped, "margin_bound": MARGIN_BOUND})


def _with_verdict(judged: pl.DataFrame, where: str) -> tuple[pl.DataFrame, dict[str, int]]:
    """Drop what says nothing: no verdict, or a policy against itself. Both are counted."""
    measure = "margin" if "margin" in judged.columns else "p"
    silent = pl.col(measure).is_null()
    same = pl.col("policy") == pl.col("reference")
    counts = judged.select(
        silent.sum().alias("no verdict"), (same & ~silent).sum().alias("policy against itself")
    ).row(0, named=True)
    judged = judged.filter(~silent & ~same)
    for reason, count in counts.items():
        if count:
            note(f"{where}: {count} of {sum(counts.values()) + judged.height} judgements dropped: {reason}")
    if judged.height == 0:
        raise SchemaError("no judgement is left", where=where, fix="check the file")
    return judged, counts


def _average_orders(judged: pl.DataFrame) -> pl.DataFrame:
    """One row per prompt and pair, as the pair stood first; p is the mean where it stands both ways round."""
    sides = judged.with_columns(
        pl.min_horizontal("policy", "reference").alias("_low"),
        pl.max_horizontal("policy", "reference").alias("_high"),
    )
    p = pl.when(pl.col("policy") == pl.col("policy").first()).then("p").otherwise(1 - pl.col("p")).mean()
    orders = [pl.when(pl.len() == 1).then(pl.col(c).first()).alias(c) for c in ORDERS if c in judged.columns]
    grouped = sides.group_by("prompt_id", "_low", "_high", maintain_order=True)
    return grouped.agg(pl.col("policy").first(), pl.col("reference").first(), p.alias("p"), *orders)
