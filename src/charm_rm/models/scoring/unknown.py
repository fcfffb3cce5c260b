"""Unknown tokens in real text: where a tokenizer cannot spell what it is given, scores are of other texts than these.

Byte-level tokenizers and those with byte fallback spell everything, so that their share is always 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...errors import ModelError
from ...style import uncalibrated

# Above this share of the tokens the scores are refused; looked at are so many texts, so far.
UNKNOWN_LIMIT = 0.05
_TEXTS, _CHARACTERS = 300, 4000


def unknown_share(tokenizer: Any, texts: Sequence[str]) -> float:
    """The share of unknown tokens in up to 300 of the texts, evenly spread; texts that spell the token itself are left out."""
    unknown = tokenizer.unk_token_id
    if unknown is None:
        return 0.0
    step = max(1, -(-len(texts) // _TEXTS))
    read = [text[:_CHARACTERS] for text in texts[::step] if tokenizer.unk_token not in text]
    if not read:
        return 0.0
    rows = tokenizer(read, add_special_tokens=False, verbose=False)["input_ids"]
    return float(sum(row.count(unknown) for row in rows) / max(1, sum(len(row) for row in rows)))


def refuse_unknown(model: Any, texts: Sequence[str], *, where: str) -> None:
    """Raise where more than 5 % of the texts' tokens are unknown to the model's tokenizer.

    ``model`` is a tokenizer, or what has one; what runs elsewhere has none here and passes.

    Raises:
        ModelError: with the share, and how to go on.
    """
    tokenizer = find_tokenizer(model)
    if tokenizer is None or (share := unknown_share(tokenizer, texts)) <= UNKNOWN_LIMIT:
        return
    raise ModelError(
        f"{share:.0%} of the tokens in these texts are unknown to its tokenizer (the limit is {UNKNOWN_LIMIT:.0%}), "
        "so scores would not be of these texts",
        where=where,
        fix="use the tokenizer that the model was trained with, or a model that reads these scripts; "
        "to go on all the same, add --unchecked",
    )


def find_tokenizer(model: Any) -> Any | None:
    """The tokenizer that a model reads with, or the model itself where it is one."""
    model, _ = uncalibrated(model)
    if hasattr(model, "convert_ids_to_tokens"):
        return model
    return getattr(getattr(model, "encoder", model), "tokenizer", None)
