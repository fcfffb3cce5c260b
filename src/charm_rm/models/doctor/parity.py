"""Two ways to the same scores: are they the same, and if not, what lies between them?

Servers and engines squash the output of a classifier (sigmoid, softmax), scale or turn it, or read the text in another way. What was
done to a number can be seen from enough pairs of numbers; the finding names it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import spearmanr

from ...statistics import FloatArray
from .check import Check, shorten

# Root mean square difference, in standard deviations of the scores: no more than rounding; no more than a precision costs.
SAME, NEAR = 0.01, 0.1
# A straight line explains all but this share of the variance; a sigmoid fits to this; an order is one.
_LINE, _SQUASHED, _ORDER = 1e-3, 0.01, 0.999
_FEW = 8


def check_parity(reference: FloatArray, other: FloatArray, texts: Sequence[str], *, name: str) -> Check:
    """Hold the scores of ``other`` (called ``name``) to ``reference``, of the same ``texts``."""
    sd = float(np.std(reference))
    rms = _rms(other - reference)
    data = {"n": len(reference), "sd": sd, "rms": rms, "against": name}
    if len(reference) < _FEW or sd == 0:
        return Check("against", "skipped", "too few different scores to compare", data=data)
    gap = rms / sd
    if gap <= SAME:
        return Check(
            "against", "ok", f"{name} gives the same scores (rms difference {gap:.2g} sd)", data=data
        )
    status, found, fix = _difference(reference, other, gap=gap, name=name)
    worst = np.argsort(-np.abs(other - reference), kind="stable")[:3]
    details = [f"{reference[i]:+.4f} here, {other[i]:+.4f} there: {shorten(texts[i])}" for i in worst]
    return Check("against", status, found, fix=fix, details=details, data=data)  # type: ignore[arg-type]


def _difference(reference: FloatArray, other: FloatArray, *, gap: float, name: str) -> tuple[str, str, str]:
    """Status, what lies between the two, and what to do."""
    if np.ptp(other) < 1e-9:
        return (
            "fail",
            f"{name} gives {other[0]:g} for every text: a softmax over one output does that",
            "switch the activation off (vLLM: use_activation false), or use another version",
        )
    if other.min() >= 0 and other.max() <= 1 and _rms(other - 1 / (1 + np.exp(-reference))) < _SQUASHED:
        return (
            "fail",
            f"{name} gives the sigmoid of the scores: differences between good responses are squashed",
            "switch the activation off (vLLM: use_activation false), or use another version",
        )
    slope, shift, left = _line(reference, other)
    if left < _LINE and abs(slope - 1) > SAME:
        turned = " with the sign turned" if slope < 0 else ""
        return (
            "fail" if slope < 0 else "warn",
            f"{name} gives {slope:.4g} times the scores {shift:+.4g}{turned}: a straight line apart",
            "solve offsets and temperature on the scores of the one that is used, and never mix the two",
        )
    if left < _LINE:
        return (
            "warn",
            f"{name} gives the scores {shift:+.4g}: win rates within it are the same",
            "never mix scores of the two in one table",
        )
    if gap <= NEAR:
        return (
            "warn",
            f"{name} gives nearly the same scores (rms difference {gap:.2g} sd): what another precision does",
            "use one precision on both sides to see whether anything else differs",
        )
    order = float(spearmanr(reference, other).statistic)
    if order > _ORDER:
        return (
            "fail",
            f"{name} orders the texts alike (Spearman {order:.4f}) and its numbers are bent: an activation was applied",
            "switch the activation off, or use another version",
        )
    return (
        "fail",
        f"{name} gives other scores (Spearman {order:.2f}, rms difference {gap:.2g} sd): it reads other text or has another head",
        "compare chat template, special tokens, length limit and the head's name; look at the texts that differ most",
    )


def _line(reference: FloatArray, other: FloatArray) -> tuple[float, float, float]:
    """other = slope · reference + shift by least squares, and the share of variance that is left."""
    slope, shift = np.polyfit(reference, other, 1)
    left = _rms(other - slope * reference - shift) ** 2 / float(np.var(other))
    return float(slope), round(float(shift), 9) + 0.0, left  # + 0.0: never -0


def _rms(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(values**2)))
