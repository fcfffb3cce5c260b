"""Pairs that calibration turned round are found again."""

from __future__ import annotations

import polars as pl

from charm_rm.mismatch import both_ways


def test_a_pair_is_found_either_way_round() -> None:
    after = pl.DataFrame(
        {
            "policy": ["b", "c"],
            "reference": ["a", "a"],
            "mismatch": [0.1, 0.2],
            "ci_low": [0.0, 0.1],
            "ci_high": [0.3, 0.4],
        }
    )
    before = pl.DataFrame(
        {"policy": ["a", "c", "d"], "reference": ["b", "a", "a"], "mismatch": [0.4, 0.3, 0.1]}
    )
    joined = before.join(
        both_ways(after).select("policy", "reference", after="mismatch"),
        on=["policy", "reference"],
        how="left",
    )
    assert joined["after"].to_list() == [-0.1, 0.2, None]
