"""Matrix products of a training on a CPU: in bfloat16 where the processor multiplies it, all else in float32.

Processors with AVX512-BF16 or AMX multiply bfloat16 twice as fast as float32 or more. The factors of each product of a linear
layer are rounded to bfloat16, forward and backward, and summed in float32, as autocast does on a GPU. Unlike autocast's, attention,
normalisation and activations stay in float32, which on a CPU is faster besides; so do weights, their updates, and the reward head.
Where no gradient is asked for, as in held-out scores, every product is in float32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from ..loading.head_names import find_head
from ..scoring.onednn import multiply


def use_bf16_products(model: torch.nn.Module) -> int:
    """Let the float32 linear layers of a model on the CPU multiply bfloat16 while they are trained; how many do."""
    head = find_head(model)
    kept = set() if head is None else set(head.modules())
    layers = [m for m in model.modules() if type(m) is torch.nn.Linear and m not in kept]
    layers = [layer for layer in layers if layer.weight.dtype == torch.float32]
    for layer in layers:
        layer.__class__ = Bf16Linear
    return len(layers)


class Bf16Linear(torch.nn.Linear):
    """A float32 linear layer on the CPU whose products are of bfloat16 while gradients are asked for."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        product: Any = _Product
        y: torch.Tensor = (
            product.apply(x, self.weight, self.bias, self._rounded())
            if torch.is_grad_enabled()
            else multiply(x, self.weight, self.bias)
        )
        return y

    def _rounded(self) -> torch.Tensor:
        """The weights in bfloat16, rounded once for all passes of an optimiser step."""
        version = (self.weight.data_ptr(), self.weight._version)
        if getattr(self, "_rounded_at", None) != version:
            self._rounded_at, self._kept = version, self.weight.detach().bfloat16()
        return self._kept


class _Product(torch.autograd.Function):
    """x Wᵀ + b of float32 (rows, in) and (out, in), each product of factors rounded to bfloat16."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, rounded: torch.Tensor
    ) -> torch.Tensor:
        rows = x.reshape(-1, x.shape[-1]).bfloat16()
        ctx.save_for_backward(rows, rounded)
        ctx.shape = x.shape
        product = torch.mm(rows, rounded.t()).float()
        if bias is not None:
            product += bias
        return product.view(*x.shape[:-1], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """dx = g W, dW = gᵀ x, db = Σ g over rows."""
        rows, rounded = ctx.saved_tensors
        exact = gradient.reshape(-1, gradient.shape[-1])
        g = exact.bfloat16()
        of_x, of_weight, of_bias, _ = ctx.needs_input_grad
        return (
            torch.mm(g, rounded).float().view(ctx.shape) if of_x else None,
            torch.mm(g.t(), rows).float() if of_weight else None,
            exact.sum(0) if of_bias else None,
            None,
        )
