"""What the registry of well-known reward models says of this one, and whether it is so."""

from __future__ import annotations

from collections.abc import Iterator

from ..loading.registry import Entry
from ..scoring.reward import RewardModel
from .check import Check


def check_registry(model: RewardModel) -> Check:
    """Skipped where the model is none of those known; a wrong BOS or template fails, the rest warns."""
    entry = model.entry
    if entry is None:
        return Check("registry", "skipped", "the model is none of those that are known by name")
    wrong, doubtful = list(_wrong(entry, model)), list(_doubtful(entry, model))
    data = {"entry": entry.name, "wrong": wrong, "doubtful": doubtful}
    details = [entry.notes] if entry.notes else []
    details += [f"source: {url}" for url in entry.source]
    if not wrong and not doubtful:
        return Check("registry", "ok", f"{entry.name}: all is as it needs", details=details, data=data)
    return Check(
        "registry",
        "fail" if wrong else "warn",
        f"{entry.name}: {'; '.join([*wrong, *doubtful])}",
        fix="load it as the entry says (docs/models.md); see its source for how its authors score",
        details=details,
        data=data,
    )


def _wrong(entry: Entry, model: RewardModel) -> Iterator[str]:
    """What makes scores other than the authors'."""
    tokenizer = model.encoder.tokenizer
    if entry.bos is not None and tokenizer.bos_token_id is not None:
        has = model.encoder.encode("a", "b").input_ids[0] == tokenizer.bos_token_id
        if has != entry.bos:
            yield f"it {'needs' if entry.bos else 'wants no'} BOS, and the text has {'one' if has else 'none'}"
    if entry.template is not None and tokenizer.chat_template != entry.template:
        yield "the chat template is not the one that its authors score with"


def _doubtful(entry: Entry, model: RewardModel) -> Iterator[str]:
    """What its authors do otherwise, and may not matter."""
    limit = model.encoder.max_length
    if entry.max_length is not None and limit > entry.max_length:
        yield f"conversations may have {limit:,} tokens, its authors' have {entry.max_length:,}"
    if entry.padding_side is not None and model.padding_side != entry.padding_side:
        yield f"padding is on the {model.padding_side}, its authors' on the {entry.padding_side}"
