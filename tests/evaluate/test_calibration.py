"""Calibration diagnostics: against hand-worked cases and simulations with known truth."""

from __future__ import annotations

import numpy as np
import pytest

from charm_rm.benchmarks import scored_by_judge
from charm_rm.evaluate import BenchmarkResult, calibration_of, measure_benchmark
from charm_rm.evaluate.calibration import fit_inverse_temperature
from worlds_of_evaluation import pairs_of, scored_pairs


def judged(p: np.ndarray, *, draws: int = 0) -> BenchmarkResult:
    """A judge that gives the better response these probabilities."""
    benchmark = pairs_of([(f"g{i}", f"b{i}") for i in range(len(p))])
    margins = np.log(p / (1 - p))
    scored = [
        scored_by_judge(item, [(0, 1)], [m], tie_value=0.5)
        for item, m in zip(benchmark.items, margins, strict=True)
    ]
    return measure_benchmark(benchmark, scored, draws=draws)


def said(rng: np.random.Generator, n: int, *, stretch: float) -> np.ndarray:
    """Probabilities for the better response of a judge that stretches true log-odds."""
    truth = rng.normal(0.0, 1.5, n)
    better = rng.random(n) < 1 / (1 + np.exp(-truth))
    return 1 / (1 + np.exp(-stretch * np.where(better, truth, -truth)))


def test_by_hand() -> None:
    """Of 40 verdicts at 0.8, 24 are right: one bin, |0.6 - 0.8|; Brier 0.6·0.04 + 0.4·0.64."""
    found = calibration_of(judged(np.array([0.8] * 24 + [0.2] * 16)), draws=200)
    assert found is not None
    row = found.summary.row(0, named=True)
    assert row["ece"] == pytest.approx(0.2)
    assert row["brier"] == pytest.approx(0.6 * 0.04 + 0.4 * 0.64)
    assert row["probabilities"] == "as answered"
    assert row["ece_by_chance"] == pytest.approx(np.sqrt(2 * 0.24 / 39 / np.pi), rel=0.01)
    bins = found.reliability.to_dicts()
    assert len(bins) == 1
    assert (bins[0]["confidence"], bins[0]["accuracy"]) == (pytest.approx(0.8), pytest.approx(0.6))


def test_too_few_have_no_calibration() -> None:
    assert calibration_of(judged(np.full(19, 0.7))) is None


def test_a_reward_models_scale_is_fitted_away() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(0, 1.5, 3000)
    margin = np.where(rng.random(3000) < 1 / (1 + np.exp(-truth)), truth, -truth)
    for scale in (0.01, 1.0, 300.0):
        found = calibration_of(scored_pairs(scale * margin, draws=0), draws=0)
        assert found is not None
        row = found.summary.row(0, named=True)
        assert row["temperature"] == pytest.approx(scale, rel=0.1)
        assert row["probabilities"] == "cross-fitted"
        assert row["debiased"] < 0.03


def test_the_inverse_temperature_is_the_maximum_of_the_likelihood() -> None:
    rng = np.random.default_rng(2)
    margin, weight = rng.normal(0.5, 1.0, 200), rng.uniform(0.5, 1, 200)
    beta = fit_inverse_temperature(margin, weight)
    size = np.median(np.abs(margin))

    def loss(b: float) -> float:
        pseudo = 0.5 * (np.logaddexp(0, -b * size) + np.logaddexp(0, b * size))
        return float((weight * np.logaddexp(0, -b * margin)).sum() + pseudo)

    assert loss(beta) <= min(loss(beta * 1.001), loss(beta * 0.999))
    assert fit_inverse_temperature(-np.abs(margin), weight) == 0.0
    assert np.isfinite(fit_inverse_temperature(np.abs(margin), weight))
    assert fit_inverse_temperature(np.zeros(5), np.ones(5)) == 0.0


@pytest.mark.slow
def test_chance_alone_and_intervals_by_simulation() -> None:
    """A calibrated judge shows what chance says, whose debiased figure is near 0; the interval of an over-confident one holds the true ECE."""
    rng = np.random.default_rng(3)
    shown, by_chance, debiased = [], [], []
    for _ in range(60):
        found = calibration_of(judged(said(rng, 300, stretch=1.0)), draws=0)
        assert found is not None
        row = found.summary.row(0, named=True)
        shown.append(row["ece"])
        by_chance.append(row["ece_by_chance"])
        debiased.append(row["debiased"])
    assert np.mean(shown) == pytest.approx(np.mean(by_chance), rel=0.12)
    assert np.mean(debiased) < 0.5 * np.mean(shown)
    whole = calibration_of(judged(said(rng, 20_000, stretch=2.0)), draws=0)
    assert whole is not None
    truth, brier = whole.summary["ece"][0], whole.summary["brier"][0]
    held = held_brier = 0
    for _ in range(80):
        found = calibration_of(judged(said(rng, 300, stretch=2.0)), draws=200)
        assert found is not None
        row = found.summary.row(0, named=True)
        held += row["ece_ci_low"] <= truth <= row["ece_ci_high"]
        held_brier += row["brier_ci_low"] <= brier <= row["brier_ci_high"]
    assert held >= 71
    assert held_brier >= 71


def test_margins_are_counted_once() -> None:
    found = calibration_of(scored_pairs(np.linspace(-3, 5, 50)), draws=0)
    assert found is not None
    assert found.margins["items"].sum() == pytest.approx(50)
    assert found.margins["low"][0] == -found.margins["high"][-1]


def test_all_right_is_not_known_without_doubt() -> None:
    """24 verdicts at 0.975, all right: a calibrated judge would show as much by chance, and the interval has a width."""
    found = calibration_of(judged(np.full(24, 0.975)), draws=1000)
    assert found is not None
    row = found.summary.row(0, named=True)
    assert row["ece"] == pytest.approx(0.025)
    assert row["ece_by_chance"] == pytest.approx(np.sqrt(2 * 0.975 * 0.025 / 24 / np.pi))
    assert row["ece_ci_low"] < 0.01
    assert row["ece_ci_high"] > 0.03
