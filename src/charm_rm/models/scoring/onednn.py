"""Linear layers in float32 through oneDNN, which PyTorch carries and does not use for them.

PyTorch multiplies float32 matrices on x86 by MKL, which is slow on processors that Intel did not make: half of oneDNN's
speed or less (``perf/scoring.py``). Both are float32 throughout; sums are taken in another order, as batches of
another size do too.
"""

from __future__ import annotations

import functools
import platform
from typing import Any

from ..extras import require


def use_onednn(model: Any) -> bool:
    """Run the model's float32 linear layers through oneDNN; False where this PyTorch or processor has none."""
    torch = require("torch")
    if not _has_operator():
        return False
    layers = [m for m in model.modules() if type(m) is torch.nn.Linear and m.weight.dtype == torch.float32]
    for layer in layers:
        layer.__class__ = _layer_class()
    return bool(layers)


def multiply(x: Any, weight: Any, bias: Any) -> Any:
    """x Wᵀ + b, through oneDNN where it has the operator, which knows no gradients and no other device than the CPU."""
    torch = require("torch")
    elsewhere = x.device.type != "cpu" or x.dtype != torch.float32
    if torch.is_grad_enabled() or elsewhere or not _has_operator():
        return torch.nn.functional.linear(x, weight, bias)
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")


def has_onednn() -> bool:
    """True where this PyTorch has oneDNN."""
    return bool(require("torch").backends.mkldnn.is_available())


@functools.cache
def _has_operator() -> bool:
    known = hasattr(require("torch").ops.mkldnn, "_linear_pointwise") and has_onednn()
    return known and platform.machine().lower() in ("x86_64", "amd64")


@functools.cache
def _layer_class() -> Any:
    """A linear layer that differs from PyTorch's by who multiplies; made here, as torch is imported late."""
    torch = require("torch")

    class OneDNNLinear(torch.nn.Linear):  # type: ignore[misc, name-defined]
        def forward(self, x: Any) -> Any:
            return multiply(x, self.weight, self.bias)

    return OneDNNLinear
