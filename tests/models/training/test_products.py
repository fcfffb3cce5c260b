"""Products in bfloat16 on the CPU: near the exact ones, their gradients too; the head and held-out scores stay exact."""

from __future__ import annotations

import copy
from typing import Any

import pytest

pytestmark = pytest.mark.models
torch = pytest.importorskip("torch", reason="needs the [hf] extra")
products = pytest.importorskip("charm_rm.models.training.products", reason="needs the [hf] extra")


@pytest.fixture
def layers() -> Any:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(48, 96), torch.nn.GELU(), torch.nn.Linear(96, 5, bias=False))


def rounded(layers: Any) -> Any:
    changed = copy.deepcopy(layers)
    assert products.use_bf16_products(changed) == 2
    return changed


def test_by_hand() -> None:
    """Factors are rounded, 1 + 2^-9 to 1; the bias, added in float32, is not."""
    layer = torch.nn.Linear(1, 1)
    with torch.no_grad():
        layer.weight.fill_(1 + 2**-9)
        layer.bias.fill_(2**-12)
    x = torch.full((1, 1), 3.0)
    assert products.use_bf16_products(layer) == 1
    y = layer(x)
    assert y.item() == 3 + 2**-12
    y.backward()
    assert (layer.weight.grad.item(), layer.bias.grad.item()) == (3.0, 1.0)
    with torch.no_grad():
        assert layer(x).item() == pytest.approx(3 * (1 + 2**-9) + 2**-12, abs=1e-6)


@pytest.mark.parametrize("shape", [(1, 48), (7, 48), (3, 11, 48)])
def test_outputs_and_gradients_are_near_the_exact_ones(layers: Any, shape: tuple[int, ...]) -> None:
    """Within a few of bfloat16's steps of 2^-8 of the largest; float32's own layers are the oracle."""
    torch.manual_seed(1)
    changed, inputs = rounded(layers), [torch.randn(shape).requires_grad_() for _ in range(2)]
    with torch.no_grad():
        inputs[1].copy_(inputs[0])
    outputs = [model(x) for model, x in zip((layers, changed), inputs, strict=True)]
    for y in outputs:
        y.square().sum().backward()
    exact = [outputs[0], inputs[0].grad, *(p.grad for p in layers.parameters())]
    found = [outputs[1], inputs[1].grad, *(p.grad for p in changed.parameters())]
    for right, near in zip(exact, found, strict=True):
        gap = float((right - near).detach().abs().max())
        assert 0 < gap <= 2**-6 * float(right.detach().abs().max())
        assert near.dtype == torch.float32


def test_scores_without_gradients_are_exact(layers: Any) -> None:
    x = torch.randn(4, 48)
    with torch.inference_mode():
        torch.testing.assert_close(rounded(layers)(x), layers(x), atol=1e-5, rtol=1e-5)


def test_weights_are_rounded_anew_after_a_step(layers: Any) -> None:
    """Within a step once: a second pass reads what the first rounded."""
    changed, x = rounded(layers), torch.randn(4, 48)
    before = changed(x)
    kept = changed[0]._rounded()
    assert changed[0]._rounded() is kept
    optimiser = torch.optim.AdamW(changed.parameters(), lr=0.1)
    before.sum().backward()
    optimiser.step()
    torch.testing.assert_close(changed[0]._rounded(), changed[0].weight.bfloat16())
    assert not torch.equal(changed[0]._rounded(), kept)


def test_frozen_weights_get_no_gradient(layers: Any) -> None:
    changed = rounded(layers)
    changed[0].requires_grad_(False)
    changed(torch.randn(4, 48)).sum().backward()
    assert changed[0].weight.grad is None
    assert changed[2].weight.grad is not None


def test_the_reward_head_stays_as_it_is() -> None:
    transformers = pytest.importorskip("transformers", reason="needs the [hf] extra")
    config = transformers.LlamaConfig(
        vocab_size=40, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
        num_labels=1, pad_token_id=0,
    )  # fmt: skip
    model = transformers.LlamaForSequenceClassification(config)
    names = set(model.state_dict())
    assert products.use_bf16_products(model) == 7
    assert type(model.score) is torch.nn.Linear
    assert set(model.state_dict()) == names


def test_other_precisions_are_left_alone(layers: Any) -> None:
    assert products.use_bf16_products(layers.double()) == 0
