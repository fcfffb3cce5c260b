"""How a model is run: with which attention, rows padded or end to end, the head in float32."""

from __future__ import annotations

import importlib.util
import inspect
import os
from typing import Any, Literal

from ...errors import ConfigError, ModelError
from ..extras import require
from ..loading.head_names import find_head
from ..loading.opened import Opened
from ..loading.opening import open_model

AttentionName = Literal["auto", "eager", "sdpa", "flash_attention_2"]
FLASH: AttentionName = "flash_attention_2"


def open_with_attention(
    path_or_id: str | os.PathLike[str], attention: str, device: str, *, dtype: str, **options: Any
) -> Opened:
    """Open the model with the attention asked for; by ``auto`` with flash-attention where that is possible."""
    options |= {"dtype": dtype}
    can_flash = importlib.util.find_spec("flash_attn") is not None and device.startswith("cuda")
    if attention == FLASH and (dtype == "float32" or not can_flash):
        raise ConfigError(
            "flash-attention needs a GPU, the package flash-attn, and half precision",
            fix="use --attention sdpa, or --dtype bfloat16 on a GPU after `pip install flash-attn`",
        )
    if attention == "auto" and can_flash and dtype in ("bfloat16", "float16"):
        try:
            return open_model(path_or_id, attention=FLASH, **options)
        except ModelError:  # an architecture without it, or no model at all, which the next line then says
            pass
    return open_model(path_or_id, attention=None if attention == "auto" else attention, **options)


def decide_unpadded(model: Any, asked: bool | None, *, attention: str, source: str) -> bool:
    """Whether rows lie end to end: only where the head reads one vector per token of a decoder."""
    layers = require("transformers.modeling_layers")
    possible = isinstance(model, layers.GenericForSequenceClassification) and "position_ids" in (
        inspect.signature(model.base_model.forward).parameters
    )
    if asked and not possible:
        raise ConfigError(
            "this architecture cannot be scored unpadded: its head does not read single tokens of a decoder",
            where=source,
            fix="leave --unpadded out",
        )
    return possible and attention == FLASH if asked is None else asked


def use_float32_head(model: Any) -> None:
    """Run the reward head in float32 whatever the body runs in."""
    head = find_head(model)
    if head is None or all(p.dtype == require("torch").float32 for p in head.parameters()):
        return
    head.float()
    head.register_forward_pre_hook(lambda _head, inputs: tuple(x.float() for x in inputs))
