"""Adding offsets to scores."""

from __future__ import annotations

import polars as pl
import pytest

from charm_rm.errors import CharmWarning, UnknownPolicy
from charm_rm.offsets import apply_offsets
from charm_rm.tables import Offsets
from simulated_offsets import scores_of


def offsets_of(deltas: dict[str, float]) -> Offsets:
    frame = pl.DataFrame({"policy": list(deltas), "delta": list(deltas.values())})
    empty = [
        pl.lit(None, dtype=pl.Float64).alias(c)
        for c in ("std_err", "ci_low", "ci_high", "target", "attained")
    ]
    return Offsets(frame.with_columns((pl.col("delta") == 0).alias("is_reference"), *empty))


def test_each_score_moves_by_the_offset_of_its_policy() -> None:
    calibrated = apply_offsets(scores_of({"A": [1, 2], "B": [5]}), offsets_of({"A": -0.5, "B": 0.0}))
    assert calibrated.frame.rows() == [("p0000", "A", 0.5), ("p0001", "A", 1.5), ("p0000", "B", 5.0)]
    assert calibrated.provenance["calibrated"] == {"A": -0.5, "B": 0.0}


def test_policies_without_an_offset_are_named() -> None:
    with pytest.warns(CharmWarning, match="no offset for 'B'"):
        calibrated = apply_offsets(scores_of({"A": [1], "B": [5]}), offsets_of({"A": 1.0}))
    assert calibrated.frame["score"].to_list() == [2.0, 5.0]


def test_offsets_of_other_policies_are_refused() -> None:
    with pytest.raises(UnknownPolicy, match="no policy of the scores"):
        apply_offsets(scores_of({"A": [1]}), offsets_of({"Z": 1.0}))
