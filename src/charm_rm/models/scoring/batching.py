"""Batches of similar length under a token budget, and padding that changes no score.

Decoder reward models read their score at the last token that is not the pad token. Where pad and EOS are
one (or there is no pad token) that is the wrong place; :func:`choose_pad_token_id` then takes another
token of the vocabulary. Padding is masked out of attention, so which token it is matters nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigError, ModelError
from ..extras import require
from .encoding import Encoded

# Names under which tokenizers keep a token for padding or for nothing at all.
_SPARE_TOKENS = ("<pad>", "[PAD]", "<|pad|>", "<|finetune_right_pad_id|>", "<|endoftext|>", "<unk>", "[UNK]")


def plan_batches(
    lengths: Sequence[int], *, token_budget: int, padded: bool = True
) -> list[NDArray[np.int64]]:
    """Group row numbers by length, longest first, so that a batch's tokens stay within the budget.

    ``padded``: every row counts as the longest of its batch does; otherwise as what it is (:func:`pack`).
    A row longer than the budget gets a batch of its own. Longest first: where memory runs out, it does at once.
    """
    if token_budget < 1:
        raise ConfigError(
            f"token_budget is {token_budget}",
            fix="give --token-budget (token_budget= in Python) a positive number of tokens",
        )
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    ends = np.cumsum(np.asarray(lengths, dtype=np.int64)[order])
    batches, start = [], 0
    while start < len(order):
        if padded:
            rows = token_budget // max(1, lengths[order[start]])
        else:
            before = ends[start - 1] if start else 0
            rows = int(np.searchsorted(ends, before + token_budget, side="right")) - start
        batches.append(order[start : start + max(1, rows)])
        start += max(1, rows)
    return batches


def tokens_in(lengths: Sequence[int], *, padded: bool = True) -> int:
    """Tokens that a batch of rows of these lengths is computed as, padding included."""
    return len(lengths) * max(1, *lengths) if padded else sum(lengths)


def collate(
    batch: Sequence[Encoded], *, pad_token_id: int, side: Literal["left", "right"] = "right"
) -> dict[str, Any]:
    """Pad to the longest row: tensors input_ids, attention_mask, and token_type_ids where the rows have them."""
    torch = require("torch")
    width = max(1, *(len(e) for e in batch))

    def padded(rows: Iterable[Sequence[int] | NDArray[np.int64]], fill: int) -> Any:
        filled = np.full((len(batch), width), fill, dtype=np.int64)
        for line, row in zip(filled, rows, strict=True):
            start = width - len(row) if side == "left" else 0
            line[start : start + len(row)] = row
        return torch.from_numpy(filled)

    tensors = {
        "input_ids": padded((e.input_ids for e in batch), pad_token_id),
        "attention_mask": padded((np.ones(len(e), dtype=np.int64) for e in batch), 0),
    }
    if batch[0].token_type_ids is not None:
        tensors["token_type_ids"] = padded((e.token_type_ids or [] for e in batch), 0)
    return tensors


def pack(batch: Sequence[Encoded]) -> tuple[dict[str, Any], Any]:
    """Lay all rows end to end in one, without padding: input_ids and position_ids that restart at each row's
    first token, and where in it each row ends.

    Transformers sees from the positions where a row begins, and attends within rows alone.
    """
    torch = require("torch")
    ids = np.concatenate([np.asarray(e.input_ids, dtype=np.int64) for e in batch])
    positions = np.concatenate([np.arange(len(e)) for e in batch])
    ends = np.cumsum([len(e) for e in batch]) - 1
    tensors = {"input_ids": torch.from_numpy(ids)[None], "position_ids": torch.from_numpy(positions)[None]}
    return tensors, torch.from_numpy(ends)


def flash_bounds(lengths: Sequence[int]) -> dict[str, Any]:
    """Where rows begin, as flash-attention wants it: told once here, else each layer looks for it again."""
    torch = require("torch")
    bounds = torch.tensor([0, *np.cumsum(lengths)], dtype=torch.int32)
    longest = max(lengths)
    return {
        "cu_seq_lens_q": bounds,
        "cu_seq_lens_k": bounds,
        "max_length_q": longest,
        "max_length_k": longest,
    }


def choose_pad_token_id(tokenizer: Any, *, last: int, size: int | None = None) -> int:
    """The tokenizer's pad token, or another token where it has none or it is EOS or ``last``, or has no embedding.

    ``last`` is the token that sequences end with, ``size`` the number of embeddings. No token is added: the embeddings keep
    their size.
    """
    avoid = {last, tokenizer.eos_token_id}
    vocabulary = tokenizer.get_vocab()
    candidates = [
        tokenizer.pad_token_id,
        *(vocabulary.get(name) for name in _SPARE_TOKENS),
        tokenizer.unk_token_id,
    ]
    candidates += [*tokenizer.all_special_ids, *range(len(avoid) + 1)]
    known = len(tokenizer) if size is None else size
    return int(next(i for i in candidates if i is not None and i not in avoid and 0 <= i < known))


def count_embeddings(model: Any) -> int | None:
    """How many tokens the model has embeddings for; None where it does not tell."""
    try:
        table = getattr(model, "base_model", model).get_input_embeddings()
    except (AttributeError, NotImplementedError):
        table = None
    size = getattr(table, "num_embeddings", None)
    return size if isinstance(size, int) else None


def set_pad_token(model: Any, tokenizer: Any, *, last: int) -> int:
    """Give model and tokenizer one sane pad token (:func:`choose_pad_token_id`) and return its id.

    Raises:
        ModelError: the tokenizer ends conversations with a token that the model has no embedding for.
    """
    size = count_embeddings(model)
    if size is not None and last >= size:
        raise ModelError(
            f"conversations end with {tokenizer.convert_ids_to_tokens(last)!r}, token {last}, and the model has {size} embeddings",
            where=getattr(model.config, "_name_or_path", None) or None,
            fix="take tokenizer and weights from one place, the model's own; an adapter's own embeddings must be saved with it",
        )
    pad = choose_pad_token_id(tokenizer, last=last, size=size)
    if tokenizer.pad_token_id != pad:
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(pad)
    model.config.pad_token_id = pad
    model.config.get_text_config().pad_token_id = pad
    return pad
