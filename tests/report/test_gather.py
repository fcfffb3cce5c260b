"""Pairs that calibration turned round are found again."""

from __future__ import annotations

import polars as pl

from charm_rm.report.gather import mismatch_either_way


def test_a_pair_is_found_either_way_round() -> None:
    after = pl.DataFrame({"policy": ["b", "c"], "reference": ["a", "a"], "mismatch": [0.1, 0.2]})
    before = pl.DataFrame(
        {"policy": ["a", "c", "d"], "reference": ["b", "a", "a"], "mismatch": [0.4, 0.3, 0.1]}
    )
    joined = before.join(mismatch_either_way(after, "after"), on=["policy", "reference"], how="left")
    assert joined["after"].to_list() == [-0.1, 0.2, None]
