"""What reward heads are called: the one list, for checkpoints, for modules and for the doctor."""

from __future__ import annotations

from typing import Any

from .checkpoint import Checkpoint

# transformers' own classes call theirs so; the first is what decoders have, the last BART and its kin.
_TRANSFORMERS = ("score", "classifier", "classification_head")
# Names under which training codes save a linear head beside a backbone. First TRL's, then others'.
SAVED = (
    "v_head.summary", "v_head", "regression_head", "score_head", "value_head", "reward_head", "rm_head", "out_proj"
)  # fmt: skip
# As attributes of a module: our own first, as it wraps the others.
NAMES = ("reward_head", *_TRANSFORMERS, *(name for name in SAVED if name != "reward_head"), "head")
_BEGINNINGS = frozenset(name.split(".")[0] for name in NAMES)


def find_head(model: Any) -> Any | None:
    """The module that gives the score, by its name; None where it has another."""
    heads = (getattr(model, name, None) for name in NAMES)
    return next((h for h in heads if h is not None and any(True for _ in h.parameters())), None)


def find_saved_head(checkpoint: Checkpoint) -> str | None:
    """The one linear head of another name that the checkpoint has, if it has none under transformers' names."""
    found = [name for name in SAVED if f"{name}.weight" in checkpoint.keys]
    usual = any(key.split(".")[0] in _TRANSFORMERS for key in checkpoint.keys)
    return found[0] if len(found) == 1 and not usual else None


# Where, under those names, the last linear layer of a head lies; then heads of single families (XLNet, XLM and Flaubert).
_LAST = ("", "out_proj.", "linear_out.", "summary.")
_OTHERS = ("logits_proj.", "sequence_summary.summary.")


def head_rows(checkpoint: Checkpoint) -> tuple[str, int] | None:
    """The weight of the checkpoint's head under transformers' names, and how many outputs it has; None: it has none of these."""
    names = [f"{head}.{last}weight" for head in _TRANSFORMERS for last in _LAST]
    for name in (*names, *(f"{other}weight" for other in _OTHERS)):
        if name in checkpoint.keys:
            return name, checkpoint.shape(name)[0]
    return None


def is_head_key(key: str) -> bool:
    """True for a checkpoint's key that is of a head, not of the backbone."""
    return key.split(".")[0] in _BEGINNINGS
