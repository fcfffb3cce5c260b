"""Linear layers through oneDNN: the same numbers, and PyTorch's own wherever oneDNN cannot."""

from __future__ import annotations

import copy

import pytest

from charm_rm.models.scoring.onednn import use_onednn

pytestmark = pytest.mark.models
torch = pytest.importorskip("torch", reason="needs the [hf] extra")


@pytest.fixture
def layers() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(48, 96), torch.nn.GELU(), torch.nn.Linear(96, 5, bias=False))


def fast(layers: torch.nn.Module) -> torch.nn.Module:
    changed = copy.deepcopy(layers)
    if not use_onednn(changed):
        pytest.skip("this PyTorch or processor has no oneDNN")
    return changed


@pytest.mark.parametrize("shape", [(1, 48), (7, 48), (3, 11, 48)])
def test_the_same_numbers(layers: torch.nn.Module, shape: tuple[int, ...]) -> None:
    x = torch.randn(shape)
    with torch.inference_mode():
        changed = fast(layers)(x)
        torch.testing.assert_close(changed, layers(x), atol=1e-5, rtol=1e-5)
    expected = layers.double()(x.double())
    torch.testing.assert_close(changed.double(), expected, atol=1e-5, rtol=1e-5)


def test_gradients_still_flow(layers: torch.nn.Module) -> None:
    changed = fast(layers)
    changed(torch.randn(4, 48)).sum().backward()
    assert all(p.grad is not None for p in changed.parameters())


def test_weights_and_copies_stay_what_they_were(layers: torch.nn.Module) -> None:
    changed = fast(layers)
    assert changed.state_dict().keys() == layers.state_dict().keys()
    assert isinstance(changed[0], torch.nn.Linear)
    x = torch.randn(2, 48)
    with torch.inference_mode():
        torch.testing.assert_close(copy.deepcopy(changed)(x), changed(x), atol=0, rtol=0)


def test_other_precisions_are_left_alone(layers: torch.nn.Module) -> None:
    half = layers.bfloat16()
    assert not use_onednn(half)
    assert type(half[0]) is torch.nn.Linear
