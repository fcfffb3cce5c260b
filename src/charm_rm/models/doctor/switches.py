"""Lengths at which a model may read texts in another way, and texts on both sides of them."""

from __future__ import annotations

from collections.abc import Sequence

from ...protocols import Prompt
from ..scoring.encoding import Encoded
from ..scoring.positions import original_contexts
from ..scoring.reward import RewardModel


def known_switches(model: RewardModel) -> list[int]:
    """Lengths above which the model places tokens in another way; where its own code decides, those at which it may."""
    config = model.model.config
    suspected = original_contexts(config) if getattr(config, "auto_map", None) else []
    found = {*model.regimes.switches, *suspected}
    if model.regimes.exact_above:
        found.add(model.regimes.exact_above)
    return sorted(length for length in found if length < model.max_length)


def across_switches(
    model: RewardModel, texts: Sequence[tuple[Prompt, str]], rows: Sequence[Encoded]
) -> list[Encoded]:
    """Further rows, so that there are some on both sides of every switch: short ones, and responses said over and over."""
    more: list[Encoded] = []
    for switch in known_switches(model):
        lengths = [len(row) for row in (*rows, *more)]
        if min(lengths) > switch:
            more.append(model.encoder.encode("Two plus two?", "Four."))
        if max(lengths) <= switch:
            more.append(_longer_than(model, texts[0], switch))
    return more


def _longer_than(model: RewardModel, text: tuple[Prompt, str], length: int) -> Encoded:
    """The response said as often as it takes to have more tokens."""
    prompt, response = text
    row, said = model.encoder.encode(prompt, response), f"{response} and so on."
    while len(row) <= length and not row.truncated:
        said = f"{said} {said}"
        row = model.encoder.encode(prompt, said)
    return row
