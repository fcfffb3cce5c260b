"""Pairs exactly as a training would read them, without training: what ``charm train --dry-run`` shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...conversations import Messages
from ...protocols import Prompt
from ...tables import Preferences
from ..extras import require
from ..scoring.encoding import Encoded, ResponseEncoder
from .settings import TrainSettings


@dataclass(frozen=True)
class Side:
    """One response after its prompt, as the model reads it: template applied, special tokens visible."""

    text: str
    tokens: int
    truncated: bool


@dataclass(frozen=True)
class PairPreview:
    """One pair as it is read; ``same`` where nothing tells the two sides apart, so that the pair is dropped."""

    row: int
    chosen: Side
    rejected: Side
    same: bool


@dataclass(frozen=True, eq=False)
class TrainPreview:
    """The first pairs, and what becomes of all: pairs read, dropped for lack of a difference, shortened."""

    layout: str
    max_length: int
    first: tuple[PairPreview, ...]
    counts: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        pairs = [asdict(pair) for pair in self.first]
        return {
            "layout": self.layout,
            "max_length": self.max_length,
            "pairs": pairs,
            "counts": dict(self.counts),
        }


def preview_training(
    preferences: Preferences,
    rm: str | Path,
    *,
    settings: TrainSettings | None = None,
    first: int = 3,
    trust_remote_code: bool = False,
) -> TrainPreview:
    """Load the model as a training does, and encode all pairs as it would; nothing is trained or written.

    Raises:
        As :func:`~.train.train_reward_model`: what it would refuse is refused here.
    """
    settings = settings or TrainSettings()
    for module in ("torch", "transformers", "trl", "datasets"):
        require(module)
    from ..loading.libraries import quiet
    from .base import load_base
    from .pairs import encode_pairs

    with quiet():
        encoder = load_base(rm, settings=settings, trust_remote_code=trust_remote_code).encoder
        pairs = encode_pairs(
            preferences, encoder, margin=settings.margin_loss, soft_labels=settings.soft_labels
        )
        shown = preview_pairs(preferences, encoder, first=first)
    counts = {
        "pairs": len(preferences),
        "read": len(pairs),
        "dropped": pairs.dropped,
        "truncated": pairs.truncated,
    }
    return TrainPreview(encoder.layout, encoder.max_length, shown, counts)


def preview_pairs(
    preferences: Preferences, encoder: ResponseEncoder, *, first: int
) -> tuple[PairPreview, ...]:
    """The first pairs, decoded from the very token ids that the model gets."""
    rows = preferences.frame.select("prompt", "chosen", "rejected").head(first).iter_rows()
    return tuple(_pair(encoder, row, *pair) for row, pair in enumerate(rows))


def _pair(encoder: ResponseEncoder, row: int, prompt: Prompt, *sides: Messages) -> PairPreview:
    chosen, rejected = (encoder.encode(prompt, side[0]["content"]) for side in sides)
    same = chosen.input_ids == rejected.input_ids
    return PairPreview(row, _side(encoder, chosen), _side(encoder, rejected), same)


def _side(encoder: ResponseEncoder, encoded: Encoded) -> Side:
    text = encoder.tokenizer.decode(
        encoded.input_ids, skip_special_tokens=False, clean_up_tokenization_spaces=False
    )
    return Side(text, len(encoded.input_ids), encoded.truncated)
