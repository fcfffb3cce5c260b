"""Mean mismatch before and after, over groups of pairs: those calibrated, those never used, and all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from ..mismatch import both_ways
from ..mismatch.sharpening import fitted_mismatch
from .gather import Findings

Kind = Literal["pairs", "policies", "held-out", "all"]

_NAMES: dict[Kind, tuple[str, str]] = {
    "pairs": (
        "Calibrated pairs",
        "a policy with an offset against a reference that the offsets were solved on",
    ),
    "policies": ("Calibrated policies", "every pair with a policy that got an offset"),
    "held-out": ("Held-out policies", "pairs of policies that calibration never used"),
    "all": ("All pairs", ""),
}


@dataclass(frozen=True)
class Group:
    """Mean |P̂ - P| over a group of pairs, before and after: raw, and sharpness fitted (one exponent for all pairs of an audit)."""

    kind: Kind
    name: str
    meaning: str
    pairs: int
    before: float
    after: float | None
    before_fitted: float
    after_fitted: float | None


def groups(findings: Findings) -> list[Group]:
    """Mean |P̂ - P| of the calibrated pair, of calibrated policies, of policies never used, and of all.

    mean |P̂ - P| = Σ |mismatch| / (number of pairs), over the same pairs before and after.
    """
    frame = _both_stages(findings)
    solved, fixed = _roles(findings.offsets)
    a, b = pl.col("policy"), pl.col("reference")
    one, other = a.is_in(list(solved)) & b.is_in(list(fixed)), b.is_in(list(solved)) & a.is_in(list(fixed))
    touched = a.is_in(list(solved)) | b.is_in(list(solved))
    unseen = ~a.is_in(list(solved | fixed)) & ~b.is_in(list(solved | fixed))
    parts: dict[Kind, pl.Expr] = (
        {"pairs": one | other, "policies": touched, "held-out": unseen} if solved else {}
    )
    made = [_group(kind, frame.filter(test)) for kind, test in (parts | {"all": pl.lit(True)}).items()]
    return [g for g in made if g.pairs]


def _group(kind: Kind, frame: pl.DataFrame) -> Group:
    def mean(column: str) -> float | None:
        value = frame[column].abs().mean() if column in frame.columns else None
        return None if value is None else float(value)  # type: ignore[arg-type]

    name, meaning = _NAMES[kind]
    if kind == "pairs" and frame.height == 1:
        name = "Calibrated pair"
    return Group(
        kind,
        name,
        meaning,
        frame.height,
        mean("mismatch") or 0.0,
        mean("mismatch_after"),
        mean("fitted") or 0.0,
        mean("fitted_after"),
    )


def _both_stages(findings: Findings) -> pl.DataFrame:
    frame = _fitted(findings.before.mismatch).select("policy", "reference", "mismatch", "fitted")
    if findings.after is None:
        return frame
    later = _fitted(findings.after.mismatch)
    after = both_ways(later).select("policy", "reference", mismatch_after="mismatch")
    fitted = both_ways(later.with_columns(mismatch="fitted")).select(
        "policy", "reference", fitted_after="mismatch"
    )
    for table in (after, fitted):
        frame = frame.join(table, on=["policy", "reference"], how="inner")
    return frame


def _fitted(mismatch: pl.DataFrame) -> pl.DataFrame:
    return mismatch.with_columns(fitted=pl.Series(fitted_mismatch(mismatch)))


def _roles(offsets: pl.DataFrame | None) -> tuple[set[str], set[str]]:
    """Policies that got an offset, and the references held at 0."""
    if offsets is None:
        return set(), set()
    reference = pl.col("is_reference")
    return set(offsets.filter(~reference)["policy"]), set(offsets.filter(reference)["policy"])
