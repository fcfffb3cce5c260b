"""The Bradley-Terry loss: by hand, its derivative, its least value, its symmetries."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.models
torch = pytest.importorskip("torch", reason="needs the [hf] extra")
losses = pytest.importorskip("charm_rm.models.training.losses")

ROWS = st.lists(
    st.tuples(*[st.floats(-20, 20)] * 3, st.floats(0.01, 0.99)), min_size=1, max_size=8
)  # chosen, rejected, margin, p


def columns(rows: list[tuple[float, ...]]) -> Any:
    return torch.tensor(rows, dtype=torch.float64).T


def test_by_hand() -> None:
    chosen, rejected = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 2.0])
    by_hand = (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(2))) / 2
    assert float(losses.bradley_terry_loss(chosen, rejected)) == pytest.approx(by_hand, rel=1e-6)
    soft = losses.bradley_terry_loss(chosen[:1], rejected[:1], p_chosen=torch.tensor([0.75]))
    assert float(soft) == pytest.approx(
        0.75 * math.log(1 + math.exp(-1)) + 0.25 * math.log(1 + math.exp(1)), rel=1e-6
    )


@given(ROWS)
def test_slow_twin(rows: list[tuple[float, ...]]) -> None:
    chosen, rejected, margin, p = columns(rows)
    d = (chosen - rejected - margin).numpy()
    expected = np.mean(p.numpy() * np.logaddexp(0, -d) + (1 - p.numpy()) * np.logaddexp(0, d))
    found = losses.bradley_terry_loss(chosen, rejected, margin=margin, p_chosen=p)
    assert float(found) == pytest.approx(expected, rel=1e-9)


@given(ROWS)
def test_without_soft_labels_every_label_is_one(rows: list[tuple[float, ...]]) -> None:
    chosen, rejected, margin, p = columns(rows)
    hard = losses.bradley_terry_loss(chosen, rejected, margin=margin)
    assert float(hard) == pytest.approx(
        float(losses.bradley_terry_loss(chosen, rejected, margin=margin, p_chosen=torch.ones_like(p))),
        rel=1e-12,
    )
    # Labels turned round are the pairs turned round.
    turned = losses.bradley_terry_loss(rejected, chosen, margin=-margin, p_chosen=1 - p)
    assert float(turned) == pytest.approx(
        float(losses.bradley_terry_loss(chosen, rejected, margin=margin, p_chosen=p)), rel=1e-9
    )


@given(ROWS)
def test_the_derivative_is_sigmoid_minus_label(rows: list[tuple[float, ...]]) -> None:
    chosen, rejected, margin, p = columns(rows)
    chosen = chosen.clone().requires_grad_()
    losses.bradley_terry_loss(chosen, rejected, margin=margin, p_chosen=p).backward()
    expected = (torch.sigmoid(chosen.detach() - rejected - margin) - p) / len(rows)
    np.testing.assert_allclose(chosen.grad.numpy(), expected.numpy(), atol=1e-12)


def test_rewards_far_apart_stay_finite() -> None:
    far = torch.tensor([1e4])
    assert float(losses.bradley_terry_loss(far, -far)) == 0.0
    assert float(losses.bradley_terry_loss(-far, far)) == pytest.approx(2e4)
