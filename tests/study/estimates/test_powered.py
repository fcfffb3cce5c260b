"""Prediction-powered means: unbiased whatever the prediction, and what they are made of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.study.estimates.clusters import Clustered2
from charm_rm.study.estimates.powered import (
    Layout,
    effective_votes,
    mean_line,
    ratio_line,
    tuned,
)


@dataclass(frozen=True)
class _Mean:
    """A mean at one λ, with the covariance of its influences."""

    value: np.ndarray
    lam: np.ndarray
    clustered: Clustered2

    @property
    def std_err(self) -> np.ndarray:
        return self.clustered.std_err


def _powered(
    y: np.ndarray, f: np.ndarray, f_all: np.ndarray, layout: Layout, *, lam: float | None = None
) -> _Mean:
    """The mean at the tuned λ, or at the one that is given; at 0 it is of the votes alone."""
    line = mean_line(y, f, f_all, layout)
    chosen = tuned(line, layout) if lam is None else np.full(line.value.shape, lam)
    value, influence = line.at(chosen)
    return _Mean(value, chosen, layout.covariance(influence))


@st.composite
def _drawn(draw: st.DrawFn) -> tuple[Layout, np.ndarray, np.ndarray, np.ndarray]:
    """Votes on some of the candidates, an outcome, and a prediction of every candidate."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, n_all, prompts = draw(st.integers(4, 40)), draw(st.integers(5, 60)), draw(st.integers(3, 12))
    prompt_all = np.concatenate([np.arange(prompts), rng.integers(0, prompts, n_all)])
    on = rng.integers(0, len(prompt_all), n)
    layout = Layout(
        rng.uniform(0.2, 3, n), prompt_all[on], rng.integers(0, draw(st.integers(1, 5)), n), prompt_all
    )
    f_all = rng.random(len(prompt_all))
    return layout, rng.choice([0.0, 0.5, 1.0], n), f_all[on], f_all


@given(_drawn(), st.floats(0, 1))
def test_it_is_the_mean_prediction_put_right_by_the_mean_error(drawn, lam) -> None:
    layout, y, f, f_all = drawn
    found = _powered(y, f, f_all, layout, lam=lam)
    w = layout.weight
    assert found.value[0] == pytest.approx(lam * f_all.mean() + (w * (y - lam * f)).sum() / w.sum())


@given(_drawn())
def test_without_predictions_it_is_the_weighted_mean(drawn) -> None:
    layout, y, f, f_all = drawn
    classical = _powered(y, np.zeros_like(f), np.zeros_like(f_all), layout, lam=0.0)
    assert classical.value[0] == pytest.approx(np.average(y, weights=layout.weight))
    same = _powered(y, f, f_all, layout, lam=0.0).std_err
    assert same == pytest.approx(classical.std_err, nan_ok=True)


@given(_drawn())
def test_tuning_never_says_that_predictions_made_it_worse(drawn) -> None:
    """Among all λ in [0, 1], on a grid, none has less variance by prompt than the one chosen."""
    layout, y, f, f_all = drawn
    best = _powered(y, f, f_all, layout)
    assert 0 <= best.lam[0] <= 1
    for lam in np.linspace(0, 1, 11):
        other = _powered(y, f, f_all, layout, lam=lam).clustered.by_prompt[0, 0]
        assert best.clustered.by_prompt[0, 0] <= other * (1 + 1e-9) + 1e-15


@given(_drawn())
def test_columns_do_not_meddle_with_each_other(drawn) -> None:
    layout, y, f, f_all = drawn
    both = _powered(
        np.column_stack([y, y**2]), np.column_stack([f, 1 - f]), np.column_stack([f_all, 1 - f_all]), layout
    )
    alone = _powered(y, f, f_all, layout)
    assert both.value[0] == pytest.approx(alone.value[0])
    assert both.lam[0] == pytest.approx(alone.lam[0])
    assert both.std_err[0] == pytest.approx(alone.std_err[0], nan_ok=True)


@given(_drawn(), st.floats(0, 1))
def test_influences_are_what_a_little_more_weight_on_a_prompt_changes(drawn, lam) -> None:
    """The derivative of the estimate by a weight ε on one prompt's votes and candidates, by differences."""
    layout, y, f, f_all = drawn
    _, influence = mean_line(*(v[:, None] for v in (y, f, f_all)), layout).at(lam)
    n, step = len(y), 1e-6

    def value(prompt: int, extra: float) -> float:
        w = layout.weight * (1 + extra * (layout.prompt == prompt))
        v = 1 + extra * (layout.prompt_all == prompt)
        return lam * np.average(f_all, weights=v) + np.average(y - lam * f, weights=w)

    for prompt in range(layout.n_prompts):
        numeric = (value(prompt, step) - value(prompt, -step)) / (2 * step)
        own = influence[:n, 0][layout.prompt == prompt].sum() + influence[n + prompt, 0]
        assert own == pytest.approx(numeric, abs=1e-7)


@given(_drawn(), st.floats(0, 1))
def test_in_a_known_part_influences_are_derivatives_too(drawn, lam) -> None:
    layout, y, f, f_all = drawn
    inside_all = f_all > 0.5
    inside = f > 0.5
    if not inside.any():
        return
    line = mean_line(*(v[:, None] for v in (y, f, f_all)), layout, inside=inside, inside_all=inside_all)
    n, step = len(y), 1e-6

    def value(prompt: int, extra: float) -> float:
        w = (layout.weight * (1 + extra * (layout.prompt == prompt)))[inside]
        v = 1 + extra * (layout.prompt_all == prompt)
        share = np.average(inside_all, weights=v)
        return lam * np.average(f_all * inside_all, weights=v) + share * np.average(
            (y - lam * f)[inside], weights=w
        )

    assert line.at(lam)[0][0] == pytest.approx(value(0, 0.0))
    for prompt in range(layout.n_prompts):
        numeric = (value(prompt, step) - value(prompt, -step)) / (2 * step)
        own = line.at(lam)[1]
        assert own[:n, 0][layout.prompt == prompt].sum() + own[n + prompt, 0] == pytest.approx(
            numeric, abs=1e-7
        )


def test_a_perfect_prediction_leaves_the_error_of_the_candidates_alone() -> None:
    rng = np.random.default_rng(5)
    f_all = rng.random(2000)
    on = rng.choice(2000, 60, replace=False)
    layout = Layout(np.ones(60), on, np.arange(60), np.arange(2000))
    found = _powered(f_all[on], f_all[on], f_all, layout)
    assert found.lam[0] == pytest.approx(1, abs=0.1)
    assert found.value[0] == pytest.approx(f_all.mean(), abs=0.01)
    assert found.std_err[0] == pytest.approx(f_all.std() / 2000**0.5, rel=0.2)


def test_a_prediction_of_the_wrong_sign_is_not_used() -> None:
    rng = np.random.default_rng(5)
    y_all = rng.integers(0, 2, 500).astype(float)
    on = np.arange(100)
    layout = Layout(np.ones(100), on, on % 7, np.arange(500))
    found = _powered(y_all[on], 1 - y_all[on], 1 - y_all, layout)
    assert found.lam[0] == 0
    assert found.value[0] == pytest.approx(y_all[:100].mean())


def test_a_part_without_votes_counts_for_nothing() -> None:
    layout = Layout(np.ones(4), np.arange(4), np.arange(4), np.arange(8))
    line = mean_line(np.ones((4, 1)), np.zeros((4, 1)), np.zeros((8, 1)), layout, inside=np.zeros(4, bool))
    assert line.value[0] == 0
    assert tuned(line, layout)[0] == 0


def test_a_ratio_is_linearised_about_its_value() -> None:
    """A ratio of a mean to itself is 1 for sure."""
    rng = np.random.default_rng(2)
    layout = Layout(np.ones(30), np.arange(30), np.arange(30), np.arange(50))
    f_all = rng.random((50, 1))
    line = mean_line(rng.random((30, 1)), f_all[:30], f_all, layout)
    same = ratio_line(line, line, 1.0)
    assert np.abs(same.own).max() == np.abs(same.more).max() == 0


def test_effective_votes_are_those_that_would_be_as_sure() -> None:
    assert effective_votes(100, 0.02, 0.01) == 400
    assert effective_votes(100, 0.02, 0.0) == 100


GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "ppi_python.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", GOLDEN, ids=lambda c: f"{c['seed']}-{c['lam']}")
def test_it_is_what_ppi_python_finds_where_that_applies(case) -> None:
    """The package of the method's authors, ppi-python 0.2.3: independent votes of weight 1, candidates that have no vote.

    The golden numbers are of these lines, with f and y as below, for lam in (0, 0.5, 1, None):
        value = ppi_mean_pointestimate(y, f[:n], f[n:], lam=lam)
        low, high = ppi_mean_ci(y, f[:n], f[n:], alpha=0.05, lam=lam)
    Values are the same to 1e-12. Its variances divide by n, not n − 1, and it takes the normal quantile. It tunes λ with moments of all
    predictions about a first estimate, which differs a little.
    """
    n, n_all = case["n"], case["n_all"]
    rng = np.random.default_rng(case["seed"])
    f = rng.random(n + n_all)
    y = (rng.random(n) < np.clip(f[:n] + case["noise"] * rng.normal(size=n), 0, 1)).astype(float)
    layout = Layout(np.ones(n), np.arange(n), np.arange(n), np.arange(n, n + n_all))
    found = _powered(y, f[:n], f[n:], layout, lam=case["lam"])
    width = 2 * 1.959963984540054 * found.std_err[0] * ((n - 1) / n) ** 0.5
    close = {"abs": 1e-12} if case["lam"] is not None else {"abs": 0.005}
    assert found.value[0] == pytest.approx(case["value"], **close)
    assert width == pytest.approx(case["high"] - case["low"], **close)
