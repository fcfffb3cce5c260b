"""Position bias: judges with known bias, intervals against simulation."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.errors import NotIdentifiable
from charm_rm.judging import clustered_mean, judge_responses, measure_position_bias, plan_pairs
from charm_rm.tables import Margins
from judge_fakes import RuleJudge, many_responses


def judged(rule, n_prompts: int = 6) -> Margins:  # type: ignore[no-untyped-def]
    responses = many_responses(n_prompts)
    return judge_responses(RuleJudge(rule), responses, plan_pairs(responses), progress=False)


@given(st.floats(0.5, 1.0, exclude_min=True))
def test_a_judge_that_always_says_first(p: float) -> None:
    margins = judged(lambda *_: p)
    bias = measure_position_bias(margins)
    assert (bias.bias.value, bias.turned.value) == (0.5, 1.0)
    assert bias.bias_soft.value == pytest.approx(p - 0.5)
    assert (margins.frame["margin"] == 0).all()
    assert (bias.by_pair["bias"] == 0.5).all()


def test_a_judge_of_texts_alone_has_none() -> None:
    bias = measure_position_bias(judged(lambda _, first, second: 0.8 if first > second else 0.2))
    assert (bias.bias.value, bias.turned.value, bias.pairs, bias.prompts) == (0.0, 0.0, 18, 6)
    assert bias.bias.ci_low < 0 < bias.bias.ci_high  # type: ignore[operator]
    assert bias.by_pair["n"].to_list() == [6, 6, 6]


def test_a_hand_worked_table() -> None:
    frame = pl.DataFrame(
        {
            "prompt_id": ["p", "q", "r", "s", "t"],
            "policy": ["a"] * 5,
            "reference": ["b"] * 5,
            "margin": [0.0] * 5,
            "p_first": [0.9, 0.2, 0.5, 0.9, None],
            "p_second": [0.1, 0.1, 0.1, 0.8, 0.3],
        }
    )  # the first wins: both times; once; a tie and once; once; (not asked in both orders)
    bias = measure_position_bias(Margins(frame))
    assert bias.pairs == 4
    assert bias.bias.value == pytest.approx(np.mean([1, 0.5, 0.75, 0.5]) - 0.5)
    assert bias.bias_soft.value == pytest.approx(np.mean([0.9, 0.55, 0.7, 0.55]) - 0.5)
    assert bias.turned.value == 0.25


def test_margins_without_orders_have_no_bias_to_measure() -> None:
    frame = pl.DataFrame({"prompt_id": ["p"], "policy": ["a"], "reference": ["b"], "margin": [1.0]})
    nulls = frame.with_columns(p_first=pl.lit(None, dtype=pl.Float64), p_second=pl.lit(0.5))
    for table in (frame, nulls):
        with pytest.raises(NotIdentifiable, match="both orders"):
            measure_position_bias(Margins(table))


@pytest.mark.parametrize("rate", [0.5, 0.9])
def test_intervals_cover_where_prompts_are_clusters(rate: float) -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        chance = rng.beta(rate * 4, (1 - rate) * 4, 60)
        clusters = np.repeat(np.arange(60), 5)
        values = (rng.random(300) < chance[clusters]).astype(float)
        found = clustered_mean(values, clusters)
        covered += found.ci_low <= rate <= found.ci_high  # type: ignore[operator]
    assert 0.91 <= covered / 400 <= 0.99


def test_one_cluster_per_value_is_the_error_of_a_proportion() -> None:
    values = np.repeat([0.0, 1.0], [300, 100])
    found = clustered_mean(values, np.arange(400))
    assert found.value == 0.25
    assert found.std_err == pytest.approx(np.sqrt(0.25 * 0.75 / 400), rel=0.01)


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3)), min_size=1, max_size=30))
def test_the_interval_holds_the_mean_and_never_vanishes(rows: list[tuple[float, int]]) -> None:
    values, clusters = (np.array(column) for column in zip(*rows, strict=True))
    found = clustered_mean(values.astype(float), clusters)
    assert found.ci_low - 1e-12 <= values.mean() <= found.ci_high + 1e-12  # type: ignore[operator]
    assert found.ci_high - found.ci_low > 0.1 / len(rows)  # type: ignore[operator]
