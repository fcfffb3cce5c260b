"""Adding offsets to scores, or to judgements."""

from __future__ import annotations

import warnings
from typing import overload

import polars as pl

from ..errors import CharmWarning, ConfigError, UnknownPolicy, listing
from ..given import ComparableLike, OffsetsLike, PathLike, as_comparable, as_offsets
from ..solved_on import carrying, check_not_carried, of_offsets
from ..tables import Margins, Offsets, Scores, TableLike


@overload
def apply_offsets(source: Scores, offsets: OffsetsLike) -> Scores: ...
@overload
def apply_offsets(source: Margins, offsets: OffsetsLike) -> Margins: ...
@overload
def apply_offsets(source: TableLike | PathLike, offsets: OffsetsLike) -> Scores | Margins: ...
def apply_offsets(source: ComparableLike, offsets: OffsetsLike) -> Scores | Margins:
    """Return the scores with each policy's offset added, s' = s + Δ; or margins, m' = m + Δ_policy - Δ_reference.

    Policies without an offset stay as they are and are named in a warning. Calibrated judgements lose ``p_first``
    and ``p_second``, which say what the judge said in each order and would no longer agree with the margin.

    Raises:
        UnknownPolicy: no policy of the source has an offset.
        ConfigError: the offsets are of the other kind, log-odds for scores or the reverse; or the source carries them already.
    """
    source, offsets = as_comparable(source, samples=True), as_offsets(offsets)
    check_unit(source, offsets)
    check_not_carried(source, of_offsets(offsets))
    known = set(offsets.frame["policy"])
    without = [p for p in source.policies if p not in known]
    if len(without) == len(source.policies):
        raise UnknownPolicy(
            f"no policy of the {source.noun} ({listing(source.policies)}) has an offset ({listing(sorted(known))})",
            fix=f"use offsets solved on these {source.noun}",
        )
    if without:
        warnings.warn(
            f"no offset for {listing(without)}: their {source.noun} stay", CharmWarning, stacklevel=2
        )
    provenance = carrying(source, of_offsets(offsets))
    if isinstance(source, Margins):
        moved = pl.col("margin") + (_delta(offsets, "policy") - _delta(offsets, "reference"))
        frame = source.frame.select("prompt_id", "policy", "reference", moved.alias("margin"))
        return Margins(frame, provenance=provenance)
    score = pl.col("score") + _delta(offsets, "policy")
    return Scores(source.frame.with_columns(score.alias("score")), provenance=provenance)


def _delta(offsets: Offsets, column: str) -> pl.Expr:
    """The offset of the policy that ``column`` names, 0 where it has none."""
    return pl.col(column).replace_strict(
        offsets.frame["policy"], offsets.frame["delta"], default=0.0, return_dtype=pl.Float64
    )


def check_unit(source: Scores | Margins, offsets: Offsets) -> None:
    """Offsets solved here say what they move; those of a plain file do not, and are trusted.

    Raises:
        ConfigError: they are log-odds for scores, or the reverse.
    """
    wanted = "score" if isinstance(source, Scores) else "log-odds"
    unit = offsets.provenance.get("unit", wanted)
    if unit != wanted:
        raise ConfigError(
            f"the offsets are in {unit} units, solved on {offsets.provenance.get('source')}; these are {source.noun}",
            fix=f"solve offsets on these {source.noun}",
        )
