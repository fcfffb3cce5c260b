"""Biased annotators and the benchmark of known truth."""

from __future__ import annotations

import polars as pl
import pytest

from charm_rm.testbed import biased_preferences, simulate_arena, true_preferences
from charm_rm.testbed.preferences import BENCHMARK_SUBSETS


def _share_stylish_chosen(style_slope: float) -> float:
    frame = biased_preferences(seed=0, n_pairs=600, style_slope=style_slope).frame
    stylish = [p in ("velvet", "satin", "parade", "bugle") for p in frame["chosen_policy"]]
    plain = [p in ("velvet", "satin", "parade", "bugle") for p in frame["rejected_policy"]]
    mixed = frame.with_columns(s=pl.Series(stylish), p=pl.Series(plain)).filter(pl.col("s") != pl.col("p"))
    return float(mixed["s"].mean())


def test_annotators_with_a_style_slope_choose_style_more_often():
    assert _share_stylish_chosen(4.0) > _share_stylish_chosen(0.0) + 0.15


def test_preferences_come_of_the_seed_and_share_no_prompt_with_the_arena():
    one, two = (biased_preferences(seed=5, n_pairs=60) for _ in range(2))
    assert one.frame.equals(two.frame)
    arena = set(simulate_arena(seed=5, n_prompts=60, n_votes=5000).responses.frame["prompt"])
    assert not arena & {p[0]["content"] for p in one.frame["prompt"].to_list()}


def test_chosen_differs_from_rejected_and_pairs_dropped_for_being_equal_are_few():
    frame = biased_preferences(seed=1, n_pairs=300).frame
    assert (frame["chosen"] != frame["rejected"]).all()
    assert 250 < frame.height <= 300


def test_benchmark_has_equal_subsets_whose_chosen_response_is_better():
    frame = true_preferences(seed=0, n_pairs=90).frame
    counts = dict(frame["subset"].value_counts().iter_rows())
    assert counts == dict.fromkeys(BENCHMARK_SUBSETS, 30)
    plain = frame.filter(pl.col("subset") == "style-against-truth")
    length = [sum(len(m[0]["content"]) for m in plain[c].to_list()) for c in ("chosen", "rejected")]
    assert length[0] < length[1]  # style makes long


@pytest.mark.parametrize("seed", [0, 1])
def test_benchmark_admits_less_in_the_chosen_response(seed):
    frame = true_preferences(seed=seed, n_pairs=90).frame
    unknown = [
        sum(
            m[0]["content"].count(w)
            for m in frame[c].to_list()
            for w in ("not sure", "unknown", "cannot say")
        )
        for c in ("chosen", "rejected")
    ]
    assert unknown[0] < unknown[1] / 3
