"""What every call of a scalar reward that runs here ends with: texts that were cut are said, lost scores are refused."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...errors import CharmWarning, ModelError
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
