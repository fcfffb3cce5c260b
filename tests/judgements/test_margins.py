"""Preference -> log-odds: what the bound costs, and that turning a pair round turns its margin."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.judgements.margins import MARGIN_BOUND, SURE, as_margins, logit
from charm_rm.statistics import sigmoid

probability = st.floats(0, 1)


@given(st.lists(probability, min_size=1))
def test_the_mean_of_sigmoid_margin_is_the_mean_preference(values: list[float]) -> None:
    p = np.array(values)
    margin = logit(p)
    assert np.isfinite(margin).all()
    assert np.abs(margin).max() <= MARGIN_BOUND
    assert np.abs(sigmoid(margin) - p).max() <= SURE * 1.01
    assert abs(sigmoid(margin).mean() - p.mean()) <= SURE * 1.01


@given(probability)
def test_turning_the_preference_turns_the_margin(p: float) -> None:
    np.testing.assert_allclose(logit(np.array([1 - p])), -logit(np.array([p])), rtol=1e-6, atol=1e-9)


@given(st.dictionaries(st.tuples(st.integers(0, 5), st.booleans()), probability, min_size=1))
def test_orders_are_averaged_by_pair(judged: dict[tuple[int, bool], float]) -> None:
    rows = [
        (str(i), *(("reed", "oak") if turned else ("oak", "reed")), p) for (i, turned), p in judged.items()
    ]
    frame = pl.DataFrame(rows, schema=["prompt_id", "policy", "reference", "p"], orient="row")
    found = as_margins(frame, where="here", provenance={}).frame
    assert found.height == len({i for i, _ in judged})
    for prompt, policy, _, margin in found.select("prompt_id", "policy", "reference", "margin").iter_rows():
        sides = [1 - p if turned else p for (i, turned), p in judged.items() if str(i) == prompt]
        mean = float(np.mean(sides)) if policy == "oak" else 1 - float(np.mean(sides))
        assert abs(float(sigmoid(margin)) - mean) <= 2 * SURE
