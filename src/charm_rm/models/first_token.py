"""Encoders whose reward is read at the first token: their last layer computes that token, and no other.

In the last layer of BERT and its kin every token has keys and values, which the first one attends to; but its query, what attention
gives it and its feed-forward part are read by the head at the first token alone. Leaving out the others' changes neither a
reward nor a gradient, and saves five sixths of the layer: of MiniLM's six, an eighth of the whole work.
"""

from __future__ import annotations

import functools
from typing import Any

from .extras import require

# Their heads read the first token of the last layer, and their layers have the parts that are called below.
_KNOWN = ("Bert", "Roberta", "XLMRoberta", "Camembert", "Electra")
_TOLERANCE = 1e-4


def compute_first_token_alone(model: Any) -> bool:
    """Let the last layer of a known encoder with a reward head compute its first token alone; False where it stays as it was.

    Whether rewards stay what they are is tried on made-up rows: where another version of transformers is put together
    differently, nothing is changed.
    """
    if type(model).__name__ not in {f"{kind}ForSequenceClassification" for kind in _KNOWN}:
        return False
    layer = model.base_model.encoder.layer[-1]
    whole: Any = type(layer)
    try:
        expected = _try_out(model)
        layer.__class__ = _first_token_layer(whole)
        same = bool(((_try_out(model) - expected).abs() <= _TOLERANCE * (1 + expected.abs())).all())
    except Exception:  # whatever parts lead to that fit together differently, or not at all
        same = False
    if not same:
        layer.__class__ = whole
    return same


def _try_out(model: Any) -> Any:
    """Rewards of two short rows, one of them padded, without dropout."""
    torch = require("torch")
    ids = (torch.arange(12).reshape(2, 6) % 7 + 3) % model.config.vocab_size
    mask = torch.ones_like(ids)
    mask[1, 4:] = 0
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        rewards = model(input_ids=ids.to(model.device), attention_mask=mask.to(model.device)).logits[:, 0]
    model.train(was_training)
    return rewards


@functools.cache
def _first_token_layer(whole: Any) -> Any:
    """A layer class that differs from ``whole`` by what it leaves out."""

    class FirstTokenLayer(whole):  # type: ignore[misc]
        def forward(
            self, hidden_states: Any, attention_mask: Any = None, *_args: Any, **_options: Any
        ) -> Any:
            return self.feed_forward_chunk(_attend(self, hidden_states, attention_mask))

    return FirstTokenLayer


def _attend(layer: Any, hidden_states: Any, attention_mask: Any) -> Any:
    """The attention part of a layer for the first token: (rows, tokens, width) -> (rows, 1, width)."""
    attention, first = layer.attention.self, hidden_states[:, :1]

    def heads(x: Any) -> Any:
        return x.unflatten(-1, (-1, attention.attention_head_size)).transpose(1, 2)

    context = require("torch").nn.functional.scaled_dot_product_attention(
        heads(attention.query(first)),
        heads(attention.key(hidden_states)),
        heads(attention.value(hidden_states)),
        attn_mask=None if attention_mask is None else attention_mask[..., :1, :],
        dropout_p=attention.dropout.p if attention.training else 0.0,
    )
    return layer.attention.output(context.transpose(1, 2).flatten(2), first)
