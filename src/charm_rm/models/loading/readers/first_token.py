"""A causal language model: the logit of one vocabulary entry for the token that would come next."""

from __future__ import annotations

from typing import Any

from ....errors import ModelError, listing
from ...causal import read_causal
from ..reduction import parse_reward
from ..source import Source
from .linear_head import load_heads
from .table import Reading, reads, signed

# Configurations that change a causal LM's logits after its output layer.
_LOGIT_CHANGES = ("final_logit_softcapping", "logit_scale", "logits_scaling")


@reads("first-token")
def _read_first_token(source: Source, tokenizer: Any) -> Reading:
    """A causal LM: the logit of one vocabulary entry for the token that would come next."""
    heads = load_heads()
    model = read_causal(source.folder, where=str(source.folder), **source.options)
    config = model.config.get_text_config()
    if changed := [k for k in _LOGIT_CHANGES if getattr(config, k, None) not in (None, 1, 1.0)]:
        raise ModelError(
            f"the model changes its logits ({listing(changed)}), so one row of its output layer is not the logit",
            where=str(source.folder),
            fix="use it as a judge (charm judge --judge hf:...), or another reward model",
        )
    output = model.get_output_embeddings()
    index = _vocabulary_index(_token(source), tokenizer, len(output.weight), source)
    bias = getattr(output, "bias", None)
    head = heads.linear(output.weight[index : index + 1], None if bias is None else bias[index : index + 1])
    head = heads.combined(head, [1.0], scale=source.sign, shift=0.0)
    words = f"the logit of vocabulary entry {index} as the next token"
    return Reading(heads.TokenReward(model.base_model, head), 1, signed(words, source.sign))


def _token(source: Source) -> str:
    """The entry that is asked for, else the registry's."""
    if source.choice is not None and source.choice.kind == "token":
        return source.choice.argument
    return parse_reward((source.entry.reward if source.entry else None) or "").argument


def _vocabulary_index(token: str, tokenizer: Any, size: int, source: Source) -> int:
    index = int(token) if token.isdecimal() else tokenizer.get_vocab().get(token)
    if index is None or index >= size:
        raise ModelError(
            f"the vocabulary has no entry {token!r}",
            where=str(source.folder),
            fix="give its number, or the token as the tokenizer writes it",
        )
    return int(index)
