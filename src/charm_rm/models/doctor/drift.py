"""Drift: how far scores move with precision, attention, batches and padding, one thing at a time.

The yardstick is each response alone in float32. A difference is harmless where it turns no winner round,
which is why pairs of responses to one prompt are counted beside the differences themselves.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...statistics import spearman
from ..extras import require
from ..scoring.batching import plan_batches
from ..scoring.encoding import Encoded
from ..scoring.reward import RewardModel
from ..scoring.running import use_float32_head
from .pooling import Side

FloatArray = NDArray[np.float64]
Pairs = NDArray[np.int64]
Batching = Callable[[Sequence[int]], list[NDArray[np.int64]]]
Tell = Callable[[str], None]

_SMALL_BUDGET, _LARGE_BUDGET = 512, 16_384
_PAIRS = 2000


@dataclass(frozen=True)
class Drift:
    """Scores made in one way, held against the yardstick.

    ``flips`` is the share of pairs whose winner is another (a tie on one side alone counts half), ``lost`` the
    number of scores that are not finite. ``max_abs``, ``mean_abs`` and ``spearman`` are None where none is left.
    """

    dtype: str
    attention: str
    batches: str
    padding: str
    n: int
    max_abs: float | None
    mean_abs: float | None
    flips: float
    pairs: int
    spearman: float | None
    lost: int = 0

    def to_json(self) -> dict[str, Any]:
        """The row as plain values."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Texts:
    """What is scored: encoded rows, and the pairs (m, 2) of row numbers whose winner is watched."""

    rows: list[Encoded]
    pairs: Pairs


# --- ways to batch ------------------------------------------------------------------------------


def by_size(size: int) -> Batching:
    """Batches of ``size`` rows in the order given, long beside short."""
    return lambda lengths: [np.arange(i, min(i + size, len(lengths))) for i in range(0, len(lengths), size)]


def by_budget(tokens: int) -> Batching:
    """Batches of similar length under a budget, as scoring makes them."""
    return lambda lengths: plan_batches(lengths, token_budget=tokens)


ALONE = ("one at a time", by_size(1))
PLANS: tuple[tuple[str, Batching], ...] = (
    ("8 rows", by_size(8)),
    ("64 rows", by_size(64)),
    (f"{_SMALL_BUDGET} tokens", by_budget(_SMALL_BUDGET)),
    (f"{_LARGE_BUDGET:,} tokens", by_budget(_LARGE_BUDGET)),
)


def score_rows(model: RewardModel, rows: Sequence[Encoded], plan: Batching) -> FloatArray:
    """Scores in the order of the rows."""
    scores = np.empty(len(rows))
    for batch in plan([len(row) for row in rows]):
        scores[batch] = model.score_batch([rows[i] for i in batch])
    return scores


# --- the table ----------------------------------------------------------------------------------


def measure(reference: FloatArray, scores: FloatArray, pairs: Pairs, **how: str) -> Drift:
    """Hold ``scores`` against ``reference``; ``how`` fills dtype, attention, batches and padding."""
    finite = np.isfinite(scores) & np.isfinite(reference)
    gap = np.abs(scores - reference)[finite]
    rho = float(spearman(reference[finite], scores[finite])) if finite.sum() > 1 else np.nan
    return Drift(
        **how,
        n=len(scores),
        max_abs=float(gap.max()) if gap.size else None,
        mean_abs=float(gap.mean()) if gap.size else None,
        flips=flipped(reference, scores, pairs),
        pairs=len(pairs),
        spearman=rho if np.isfinite(rho) else None,
        lost=int((~finite).sum()),
    )


def flipped(reference: FloatArray, scores: FloatArray, pairs: Pairs) -> float:
    """Share of pairs whose winner is another; half for a tie on one side alone, whole where a score is lost."""
    if not len(pairs):
        return 0.0
    before = np.sign(reference[pairs[:, 0]] - reference[pairs[:, 1]])
    after = np.sign(scores[pairs[:, 0]] - scores[pairs[:, 1]])
    return float(np.nan_to_num(np.abs(before - after) / 2, nan=1.0).mean())


def choose_pairs(prompt_ids: Sequence[str], rows: Sequence[Encoded], *, seed: int = 0) -> Pairs:
    """Pairs of rows with one prompt and different tokens; where there are none, pairs of any two rows.

    Two thousand at most. Rows of the same tokens tie, and rounding alone would decide between them.
    """
    groups: dict[str, list[int]] = {}
    for row, name in enumerate(prompt_ids):
        groups.setdefault(name, []).append(row)
    pairs = [pair for members in groups.values() for pair in combinations(members, 2)]
    pairs = pairs or list(combinations(range(min(len(prompt_ids), 100)), 2))
    pairs = [(a, b) for a, b in pairs if rows[a].input_ids != rows[b].input_ids]
    found = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    if len(found) <= _PAIRS:
        return found
    keep = np.random.default_rng(seed).choice(len(found), _PAIRS, replace=False)
    return np.asarray(found[np.sort(keep)])


def drift_rows(
    model: RewardModel,
    texts: Texts,
    reference: FloatArray,
    *,
    plans: Sequence[tuple[str, Batching]],
    dtype: str,
    tell: Tell,
) -> list[Drift]:
    """One row a plan, then the other padding side in batches of eight; the model as it is in all else.

    A way that the device's memory does not hold is left out.
    """
    used: Side = model.padding_side
    ways: list[tuple[str, Batching, Side]] = [(name, plan, used) for name, plan in plans]
    if model.encoder.layout != "pair":
        ways.append(("8 rows", by_size(8), "left" if used == "right" else "right"))
    found = []
    for name, plan, side in ways:
        tell(f"{dtype}, {name}, padding on the {side}")
        try:
            scores = score_rows(replace(model, padding_side=side, unpadded=False), texts.rows, plan)
        except require("torch").OutOfMemoryError:
            tell(f"{dtype}, {name}: out of memory, left out")
            continue
        how = {"dtype": dtype, "attention": attention_of(model), "batches": name, "padding": side}
        found.append(measure(reference, scores, texts.pairs, **how))
    return found


def attention_rows(model: RewardModel, texts: Texts, reference: FloatArray) -> Iterator[Drift]:
    """One at a time under each kind of attention that the model can switch to."""
    used = attention_of(model)
    for kind in ("eager", "sdpa"):
        if kind != used and _switch(model, kind):
            scores = score_rows(model, texts.rows, ALONE[1])
            how = {"dtype": "float32", "attention": kind, "batches": ALONE[0], "padding": model.padding_side}
            yield measure(reference, scores, texts.pairs, **how)
            _switch(model, used)


def attention_of(model: RewardModel) -> str:
    """The attention in use, by transformers' name."""
    return str(getattr(model.model.config, "_attn_implementation", None) or "unknown")


def in_precision(model: RewardModel, dtype: str) -> RewardModel:
    """The model as loading it in ``dtype`` would give it, changed in place: the head computes in float32.

    Parameters alone are converted: buffers such as rotary frequencies stay as loading leaves them.
    """
    torch = require("torch")
    for parameter in model.model.parameters():
        if parameter.is_floating_point():
            parameter.data = parameter.data.to(getattr(torch, dtype))
    use_float32_head(model.model)  # with what rounding left of its weights
    return replace(model, dtype=dtype)


def copied(model: RewardModel) -> RewardModel:
    """The model with weights of its own."""
    return replace(model, model=copy.deepcopy(model.model))


def _switch(model: RewardModel, kind: str) -> bool:
    """Have attention computed another way, by the model or the backbone that it wraps; False where it cannot be."""
    if kind != attention_of(model):
        whole = model.model
        switched = whole if hasattr(whole, "set_attn_implementation") else getattr(whole, "base_model", None)
        try:
            switched.set_attn_implementation(kind)  # type: ignore[union-attr]
        except (AttributeError, ValueError, ImportError):
            return False
    return attention_of(model) == kind
