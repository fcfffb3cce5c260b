"""Adding offsets to scores."""

from __future__ import annotations

import warnings

import polars as pl

from ..errors import CharmWarning, UnknownPolicy, listing
from ..tables import Offsets, Scores


def apply_offsets(scores: Scores, offsets: Offsets) -> Scores:
    """Return the scores with each policy's offset added: s' = s + Δ.

    Policies without an offset keep their scores and are named in a warning.

    Raises:
        UnknownPolicy: no policy of the scores has an offset.
    """
    known = set(offsets.frame["policy"])
    without = [p for p in scores.policies if p not in known]
    if len(without) == len(scores.policies):
        raise UnknownPolicy(
            f"no policy of the scores ({listing(scores.policies)}) has an offset ({listing(sorted(known))})",
            mend="use offsets solved on these scores",
        )
    if without:
        warnings.warn(f"no offset for {listing(without)}: their scores stay", CharmWarning, stacklevel=2)
    delta = pl.col("policy").replace_strict(
        offsets.frame["policy"], offsets.frame["delta"], default=0.0, return_dtype=pl.Float64
    )
    return Scores(
        scores.frame.with_columns((pl.col("score") + delta).alias("score")),
        provenance=dict(scores.provenance)
        | {"calibrated": dict(zip(offsets.frame["policy"], offsets.frame["delta"], strict=True))},
    )
