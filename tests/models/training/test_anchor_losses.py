"""The policy-level loss: slow twins, unbiased by enumeration of all batches, derivatives."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from reference.slow_anchor import slow_halves, slow_kept, slow_wins

pytestmark = pytest.mark.models
torch = pytest.importorskip("torch", reason="needs the [hf] extra")
losses = pytest.importorskip("charm_rm.models.training.losses")

GAPS = st.integers(1, 3).flatmap(lambda n: arrays(np.float64, (2 * n, 3), elements=st.floats(-1, 1)))
SCORES = arrays(np.float64, (4, 3), elements=st.floats(-5, 5))


@given(SCORES, st.floats(0.1, 10))
def test_wins_are_those_of_the_slow_twin(rewards: Any, temperature: float) -> None:
    found = losses.soft_wins(torch.tensor(rewards), temperature=temperature)
    np.testing.assert_allclose(found.numpy(), slow_wins(rewards.tolist(), temperature), atol=1e-12)


@given(GAPS)
def test_one_product_is_the_mean_over_all_ways_to_halve(gaps: Any) -> None:
    found = losses.product_of_halves(torch.tensor(gaps)).numpy()
    np.testing.assert_allclose(found, [slow_halves(column) for column in gaps.T.tolist()], atol=1e-12)
    # ... and the plain square less the variance of the mean.
    less = losses.squared_mean(torch.tensor(gaps)).numpy() - gaps.var(0, ddof=1) / len(gaps)
    np.testing.assert_allclose(found, less, atol=1e-12)


def every_batch(values: np.ndarray, n: int) -> list[Any]:
    """All batches of n independent draws of the prompts, each as likely as any other."""
    return [torch.tensor(values[list(chosen)]) for chosen in itertools.product(range(len(values)), repeat=n)]


@pytest.mark.parametrize("n", [2, 3, 4])
def test_halves_are_unbiased_and_the_plain_square_is_not(n: int) -> None:
    """Over every batch that there is: the squared error of the full mean, and the same plus variance / n."""
    gaps = np.array([[0.4, -0.3], [-0.2, 0.1], [0.3, 0.0], [0.1, 0.5]])
    true, variance = gaps.mean(0) ** 2, gaps.var(0)
    halves = np.mean([losses.product_of_halves(b).numpy() for b in every_batch(gaps, n)], axis=0)
    square = np.mean([losses.squared_mean(b).numpy() for b in every_batch(gaps, n)], axis=0)
    np.testing.assert_allclose(halves, true, atol=1e-12)
    np.testing.assert_allclose(square, true + variance / n, atol=1e-12)
    assert (square > true + 1e-3).all()


def _gradient(estimate: Any, rewards: np.ndarray, batches: list[list[int]], temperature: float) -> np.ndarray:
    """Of the mean loss over batches, by the rewards of all prompts."""
    everything = torch.tensor(rewards, requires_grad=True)
    total = sum(
        estimate(losses.soft_wins(everything[b], temperature=temperature) - 0.7).mean() for b in batches
    )
    (total / len(batches)).backward()
    return np.asarray(everything.grad)


def test_gradients_are_unbiased_too_and_the_plain_square_pulls_to_a_half() -> None:
    rewards = np.array([[1.0, 0.2], [-0.5, 0.3], [2.0, 0.0]])
    batches = [list(b) for b in itertools.product(range(3), repeat=2)]
    full = _gradient(losses.squared_mean, rewards, [[0, 1, 2]], 1.0)
    np.testing.assert_allclose(_gradient(losses.product_of_halves, rewards, batches, 1.0), full, atol=1e-12)
    gaps = losses.soft_wins(torch.tensor(rewards), temperature=1.0) - 0.7
    known = gaps.mean(0)
    running = _gradient(lambda g: losses.product_with_known(g, known), rewards, batches, 1.0)
    np.testing.assert_allclose(running, full, atol=1e-12)
    # The plain square adds the gradient of the variance: downhill of it each prompt's win nears those of the others.
    pull = _gradient(losses.squared_mean, rewards, batches, 1.0) - full
    wins = gaps[:, 0].numpy()
    assert (np.sign(pull[:, 0]) == np.sign(wins - wins.mean())).all()


@given(GAPS)
def test_the_product_with_a_known_mean_has_its_square_for_value(gaps: Any) -> None:
    known = torch.tensor([0.3, -0.2, 0.0], dtype=torch.float64)
    np.testing.assert_allclose(
        losses.product_with_known(torch.tensor(gaps), known).numpy(), known.numpy() ** 2, atol=1e-12
    )


@given(SCORES, SCORES, st.floats(-3, 3))
def test_kept_scores(rewards: Any, old: Any, level: float) -> None:
    found = losses.kept_scores_loss(torch.tensor(rewards), torch.tensor(old))
    assert float(found) == pytest.approx(slow_kept(rewards.tolist(), old.tolist()), abs=1e-9)
    # A prompt's level is nobody's concern.
    moved = rewards + level * np.arange(4)[:, None]
    assert float(losses.kept_scores_loss(torch.tensor(moved), torch.tensor(old))) == pytest.approx(
        float(found), abs=1e-8
    )
