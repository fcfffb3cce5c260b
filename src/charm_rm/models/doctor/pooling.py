"""Where the head reads the score, and whether padding moves it: seen from outside, by disturbing tokens.

A decoder's score moves with every token up to the one that the head reads and with none after it, so the
last token that moves it is the one. An encoder's moves with every token. It is the embeddings that are
disturbed, not the ids: models look for padding among the ids, and another id may move the very position sought.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ..extras import require
from ..scoring.reward import RewardModel
from .check import Check, show_tokens

Side = Literal["left", "right"]
# Differences that precision alone explains, relative to a score of 1 or the score itself.
_TOLERANCE = {"float32": 1e-4, "bfloat16": 0.05, "float16": 0.01}
# Whose embeddings are (tokens, rows, size), not (rows, tokens, size).
_TOKENS_FIRST = frozenset({"xlnet"})
# Of a conversation's tokens, so many at the end are disturbed one by one, and its first.
_TRIED = 4


@dataclass(frozen=True)
class _Observed:
    """One short conversation, scored in every way that should make no difference.

    ``moved`` tells of each position tried whether disturbing its token moved the score.
    """

    ids: list[int]
    alone: float
    beside_others: float
    padded: dict[Side, float]
    moved: dict[int, bool]
    tolerance: float


def _observe(model: RewardModel) -> _Observed:
    """Score a short conversation alone, beside others of its length, and padded on each side."""
    model = replace(model, unpadded=False)  # what is disturbed are rows of a padded batch
    short = model.encoder.encode("Two plus two?", "Four.")
    longer = model.encoder.encode("Two plus two?", "Four, I think; or five.")
    positions = sorted({0, *range(max(0, len(short) - _TRIED), len(short))})
    alone = float(model.score_batch([short])[0])
    with _disturbed(model.model, positions):
        beside = model.score_batch([short] * (len(positions) + 1))
    sides: tuple[Side, ...] = ("right",) if model.encoder.layout == "pair" else ("left", "right")
    padded = {s: float(replace(model, padding_side=s).score_batch([short, longer])[0]) for s in sides}
    noise = 1e-6 * max(1.0, abs(alone))
    moved = {i: bool(abs(beside[k + 1] - beside[0]) > noise) for k, i in enumerate(positions)}
    tolerance = _TOLERANCE.get(model.dtype, 0.05) * max(1.0, abs(alone))
    return _Observed(short.input_ids, alone, float(beside[0]), padded, moved, tolerance)


def pooling_checks(model: RewardModel) -> list[Check]:
    """The position that the head reads, padding, and whether others in the batch matter."""
    seen = _observe(model)
    if not np.isfinite(seen.alone):
        fix = "the weights or the precision are unsound: try dtype float32, or another checkpoint"
        return [Check("pooling", "fail", "the score of a short conversation is not finite", fix=fix)]
    return [_check_pooling(model, seen), _check_padding(model, seen), _check_company(seen)]


def _check_pooling(model: RewardModel, seen: _Observed) -> Check:
    """A decoder's head should read the last token that is not padding."""
    n, tokenizer = len(seen.ids), model.encoder.tokenizer
    moving = [i for i, moved in seen.moved.items() if moved]
    data = {"length": n, "moved": {str(i): m for i, m in seen.moved.items()}}
    if not moving:
        return Check("pooling", "skipped", "no token moves the score, so no position can be told", data=data)
    if model.encoder.layout == "pair":
        found = (
            f"an encoder: {len(moving)} of {len(seen.moved)} tokens tried move the score, the first included"
        )
        return Check("pooling", "ok", found, data=data)
    read = max(moving)
    token = show_tokens(tokenizer, [seen.ids[read]])
    data["position"] = read
    if read == n - 1:
        return Check("pooling", "ok", f"the last token, {token} (position {read} of 0 to {n - 1})", data=data)
    return Check(
        "pooling",
        "fail",
        f"the head reads {token} at position {read}, {n - 1 - read} before the end ({n - 1}): "
        f"{show_tokens(tokenizer, seen.ids[read + 1 :])} moves no score",
        fix="the model takes the last tokens for padding: give model and tokenizer one pad token that ends no turn",
        data=data,
    )


def _check_padding(model: RewardModel, seen: _Observed) -> Check:
    """The score of a padded row is that of the row alone, on either side."""
    used = model.padding_side
    off = {side: abs(score - seen.beside_others) for side, score in seen.padded.items()}
    wrong = [side for side, gap in off.items() if not gap <= seen.tolerance]
    data = {"alone": _finite(seen.alone), "used": used, "off": {s: _finite(gap) for s, gap in off.items()}}
    found = ", ".join(f"{side} {gap:.1e}" for side, gap in off.items())
    if _company_matters(seen):
        return Check("padding", "skipped", "cannot be told from what others in the batch do", data=data)
    if used in wrong:
        other = "left" if used == "right" else "right"
        return Check(
            "padding",
            "fail",
            f"padding on the {used}, which is in use, moves a score by {off[used]:.2g}",
            fix=f'set padding_side to "{other}" in tokenizer_config.json'
            if other not in wrong
            else "score one response at a time (--token-budget 1 of charm score), or fix the model's attention mask",
            data=data,
        )
    if wrong:
        return Check(
            "padding",
            "warn",
            f"padding on the {wrong[0]} moves a score by {off[wrong[0]]:.2g}; here it is on the {used}, which is right",
            fix="nothing for scores made here; elsewhere pad on the same side",
            data=data,
        )
    return Check("padding", "ok", f"moves no score (by side: {found}); in use: {used}", data=data)


def _check_company(seen: _Observed) -> Check:
    """A score is the response's own, whatever else is in the batch."""
    gap = abs(seen.beside_others - seen.alone)
    data = {"off": _finite(gap)}
    if _company_matters(seen):
        return Check(
            "batching",
            "fail",
            f"a score moves by {gap:.2g} with what else is in the batch, padding aside",
            fix="score one response at a time (--token-budget 1 of charm score); the model mixes rows and should be fixed",
            data=data,
        )
    return Check("batching", "ok", f"others in the batch move no score ({gap:.1e})", data=data)


def _company_matters(seen: _Observed) -> bool:
    return not abs(seen.beside_others - seen.alone) <= seen.tolerance


@contextlib.contextmanager
def _disturbed(model: Any, positions: Sequence[int]) -> Iterator[None]:
    """Disturb the embedding of ``positions[k]`` in row k + 1 of every batch; row 0 stays as it is."""
    embeddings = next((m for m in model.modules() if isinstance(m, require("torch").nn.Embedding)), None)
    if embeddings is None:  # then nothing moves, and no position is told
        yield
        return

    turned = getattr(model.config, "model_type", "") in _TOKENS_FIRST

    def disturb(_module: Any, _inputs: Any, output: Any) -> Any:
        if len(output) == 1 < len(positions) + 1:  # positions, which are the same in every row
            output = output.expand(len(positions) + 1, *output.shape[1:])
        output = output.clone()
        by_row = output.transpose(0, 1) if turned else output
        for row, position in enumerate(positions, start=1):
            # Every second entry, as normalisation would take a shift of all entries back.
            by_row[row, position, ::2] += output.std()
        return output

    hook = embeddings.register_forward_hook(disturb)
    try:
        yield
    finally:
        hook.remove()


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
