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
    known = hasattr(torch.ops.mkldnn, "_linear_pointwise") and torch.backends.mkldnn.is_available()
    if not known or platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    layers = [m for m in model.modules() if type(m) is torch.nn.Linear and m.weight.dtype == torch.float32]
    for layer in layers:
        layer.__class__ = _layer_class()
    return bool(layers)


@functools.cache
def _layer_class() -> Any:
    """A linear layer that differs from PyTorch's by who multiplies; made here, as torch is imported late."""
    torch = require("torch")

    class OneDNNLinear(torch.nn.Linear):  # type: ignore[misc, name-defined]
        def forward(self, x: Any) -> Any:
            # The operator knows no gradients and no other device.
            if torch.is_grad_enabled() or x.device.type != "cpu" or x.dtype != torch.float32:
                return super().forward(x)
            return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")

    return OneDNNLinear
