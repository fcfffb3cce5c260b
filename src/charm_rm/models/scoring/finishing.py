"""What every call of a scalar reward that runs here ends with: texts that were cut are said, lost scores are refused."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...errors import CharmWarning, ModelError, counted, verb
from ...protocols import Prompt
from ..rendering import system_message
from .engine import run_rows
from .local import LocalReward, Memory, TokenRow


def checked_scores(
    model: LocalReward, rows: Sequence[TokenRow], *, memory: Memory | None = None
) -> NDArray[np.float64]:
    """Scores in the order of the rows.

    Raises:
        ModelError: a score is not finite, or a row does not fit into memory.
        CharmWarning: (as a warning) some texts were longer than ``max_length`` and lost part of themselves.
    """
    warn_truncated([row.truncated for row in rows], model.max_length)
    scores = np.array(run_rows(model, rows, memory=memory), dtype=np.float64)
    check_finite(scores, source=model.source)
    return scores


def warn_truncated(truncated: Sequence[bool], max_length: int) -> None:
    """Say by a :class:`CharmWarning` how many rows lost part of their text."""
    cut = sum(truncated)
    if cut:
        warnings.warn(
            f"{cut} of {len(truncated)} conversations ({cut / len(truncated):.1%}) were longer than {max_length} tokens "
            "and scored without part of their text",
            CharmWarning,
            stacklevel=4,
        )


def warn_unread_systems(model: LocalReward, prompts: Sequence[Prompt]) -> None:
    """Say by a :class:`CharmWarning` how many conversations have a system message that the model's chat template leaves out."""
    n = sum(not isinstance(p, str) and any(m["role"] == "system" for m in p) for p in prompts)
    if not n or model.layout != "chat":
        return
    tokenizer = getattr(model, "tokenizer", None) or getattr(model, "encoder").tokenizer  # noqa: B009  # a member that not all have
    if system_message(tokenizer) == "left out":
        warnings.warn(
            f"{n:,} of {counted(len(prompts), 'conversation')} {verb(n, 'has', 'have')} a system message, which the model's chat template leaves "
            "out: scored without it",
            CharmWarning,
            stacklevel=4,
        )


def check_finite(scores: NDArray[np.float64], *, source: str, names: Sequence[str] | None = None) -> None:
    """Raise :class:`ModelError` naming the first rows whose score is NaN or infinite."""
    bad = np.flatnonzero(~np.isfinite(scores))
    if bad.size:
        shown = ", ".join(names[i] if names else f"row {i}" for i in bad[:5])
        raise ModelError(
            f"{bad.size} of {len(scores)} scores are not finite: {shown}{' ...' if bad.size > 5 else ''}",
            where=source,
            fix="the weights or the precision are unsound: try --dtype float32 (dtype= in Python), and look at these texts",
        )
