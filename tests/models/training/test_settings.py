"""Settings refuse what cannot be; held-out figures are right by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.errors import ConfigError
from charm_rm.models.training.settings import TrainSettings, clustered_size, summarise_rewards
from charm_rm.statistics import wilson_interval


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"epochs": float("inf")}, "epochs must be above 0"),
        ({"batch_size": 0}, "batch_size must be above 0"),
        ({"max_steps": 0}, "max_steps must be above 0"),
        ({"eval_fraction": 1.0}, "eval_fraction must be at least 0 and below 1"),
        ({"warmup_ratio": -0.1}, "warmup_ratio must be"),
        ({"device_batch_size": 0}, "device_batch_size must be above 0"),
        ({"lora": True, "new_head": True, "merge": False}, "cannot be loaded"),
    ],
)
def test_impossible_settings_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainSettings(**change)


def test_the_defaults_are_the_papers() -> None:
    s = TrainSettings()
    assert (s.learning_rate, s.batch_size, s.scheduler, s.warmup_ratio) == (2e-6, 64, "cosine", 0.03)
    assert (s.epochs, s.max_length) == (1.0, 4096)


@pytest.mark.parametrize(
    ("batch", "asked", "found"), [(64, None, 8), (5, None, 5), (10, 4, 4), (10, 16, 10), (64, 16, 16)]
)
def test_a_micro_batch_is_no_larger_than_the_batch(batch: int, asked: int | None, found: int) -> None:
    assert TrainSettings(batch_size=batch, device_batch_size=asked).pairs_in_memory == found


def test_accuracy_and_loss_by_hand() -> None:
    """Differences 2, -1, 0: accuracy (1 + 0 + 1/2) / 3; loss the mean of log(1 + exp(-d))."""
    found = summarise_rewards(np.array([2.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0]), np.arange(3))
    assert found.accuracy == pytest.approx(0.5)
    assert found.loss == pytest.approx(np.mean([np.log1p(np.exp(-2)), np.log1p(np.exp(1)), np.log(2)]))
    assert (found.n, found.n_prompts) == (3, 3)
    assert found.ci_low < 0.5 < found.ci_high


def test_pairs_that_repeat_within_prompts_count_once() -> None:
    """Each prompt's outcome repeated four times carries no more than the prompts themselves do."""
    once = np.array([1.0, 1, 0, 1, 0, 1, 1, 0, 1, 1])
    alone = clustered_size(once, np.arange(10))
    fourfold = clustered_size(np.repeat(once, 4), np.repeat(np.arange(10), 4))
    assert fourfold == pytest.approx(alone)
    assert alone == pytest.approx(9.0)  # the G - 1 of the cluster-robust variance


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=40))
def test_clustered_size_stays_within_reason(rows: list[tuple[bool, int]]) -> None:
    correct = np.array([float(c) for c, _ in rows])
    clusters = np.array([g for _, g in rows])
    size = clustered_size(correct, clusters)
    assert 1.0 <= size <= len(rows)
    low, high = wilson_interval(correct.mean() * size, size)
    assert 0.0 <= low <= correct.mean() + 1e-12
    assert correct.mean() - 1e-12 <= high <= 1.0
