"""What the scores say: verdicts on drift, on the same score twice, and on the spread against a temperature."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .check import Check
from .drift import Drift

FloatArray = NDArray[np.float64]

# In float32, batches and padding may move a score by this at most (of its sd, where the sd is above 1).
_FLOAT32_TOLERANCE = 1e-4
# A precision or an attention that turns round more than this share of pairs is not harmless.
_FLIPS_WARN = 0.01
# Below this sd of margins, in temperatures, sigmoid(margin / T) hardly leaves one half.
_FLAT = 0.25


def check_batching(rows: Sequence[Drift], *, sd: float, side: str, switches: Sequence[int] = ()) -> Check:
    """In float32 neither batch nor budget moves a score, on either side of the lengths at which the model changes its ways."""
    rows = [row for row in rows if row.padding == side]
    if not rows:
        return Check("batching", "skipped", "the device's memory holds none of the batches tried")
    tolerance = _FLOAT32_TOLERANCE * max(1.0, sd)
    worst = max(rows, key=lambda row: (row.lost, row.max_abs or 0.0))
    gap = worst.max_abs or 0.0
    data = {
        "max_abs": gap,
        "tolerance": tolerance,
        "lost": worst.lost,
        "worst": worst.batches,
        "switches": list(switches),
    }
    sides = (
        f", with texts on both sides of {' and '.join(f'{s:,}' for s in switches)} tokens" if switches else ""
    )
    found = f"batches move no score by more than {gap:.1e} (allowed: {tolerance:.1e}){sides}"
    if gap <= tolerance and not worst.lost:
        return Check("batching", "ok", found, data=data)
    return Check(
        "batching",
        "fail",
        f"batches of {worst.batches} move a score by {gap:.2g} in float32 (allowed: {tolerance:.1e}){sides}",
        fix="score one response at a time (--token-budget 1 of charm score), and look for layers that mix rows or ignore the mask",
        data=data,
    )


def check_attention(rows: Sequence[Drift], *, used: str) -> Check:
    """Another implementation of attention turns no winner round."""
    if not rows:
        return Check("attention", "skipped", f"the model runs with {used} and cannot be switched")
    worst = max(rows, key=lambda row: (row.lost, row.flips))
    gap = worst.max_abs or 0.0
    data = {"used": used, "other": worst.attention, "max_abs": gap, "flips": worst.flips}
    found = f"{worst.attention} against {used}: scores move by {gap:.1e} at most, {worst.flips:.1%} of winners change"
    if worst.flips <= _FLIPS_WARN and not worst.lost:
        return Check("attention", "ok", found, data=data)
    return Check(
        "attention",
        "warn",
        found,
        fix=f"keep to one kind of attention for all scores that are compared (here: {used})",
        data=data,
    )


def check_precision(rows: Sequence[Drift], dtype: str, *, side: str, chosen: bool) -> Check:
    """The verdict on a precision: harmless here, or not. Overflow fails where the precision was asked for."""
    rows = [row for row in rows if row.padding == side]
    if not rows:
        return Check(dtype, "skipped", "the device's memory holds none of the batches tried")
    worst = max(rows, key=lambda row: (row.lost, row.flips, row.max_abs or 0.0))
    gap = worst.max_abs or 0.0
    data = {"flips": worst.flips, "pairs": worst.pairs, "max_abs": gap, "lost": worst.lost}
    if worst.lost:
        return Check(
            dtype,
            "fail" if chosen else "warn",
            f"{dtype} is not usable here: {worst.lost} of {worst.n} scores overflow to NaN or infinity",
            fix="use float32"
            if dtype == "bfloat16"
            else "use bfloat16, whose range is float32's, or float32",
            data=data,
        )
    how = (
        f"{worst.flips:.1%} of {worst.pairs} winners change, scores move by {gap:.2g} at most"
        f" (worst of {len(rows)} ways: {worst.batches})"
    )
    if worst.flips <= _FLIPS_WARN:
        return Check(dtype, "ok", f"{dtype} is harmless here: {how}", data=data)
    return Check(
        dtype,
        "warn",
        f"{dtype} is not harmless here: {how}",
        fix=f"use float32; or see that what you conclude does not hang on close pairs (allowed: {_FLIPS_WARN:.0%})",
        data=data,
    )


def check_determinism(first: FloatArray, again: FloatArray, fresh: FloatArray | None) -> Check:
    """The same batch twice, and after loading anew, bit for bit."""
    gaps = {"again": again, "loaded anew": fresh}
    off = {name: _gap(first, other) for name, other in gaps.items() if other is not None}
    data = {"max_abs": off}
    moved = {name: gap for name, gap in off.items() if gap is None or gap > 0}
    if not moved:
        return Check("determinism", "ok", f"bit for bit the same ({' and '.join(off)})", data=data)
    worst = max(np.inf if gap is None else gap for gap in moved.values())
    return Check(
        "determinism",
        "fail" if worst > _FLOAT32_TOLERANCE else "warn",
        f"the same batch scores differently {' and '.join(moved)}: by {worst:.2g} at most",
        fix="see that dropout is off and that the model draws nothing at random; on a GPU, "
        "torch.use_deterministic_algorithms(True)",
        data=data,
    )


def check_spread(scores: FloatArray, margins: FloatArray, *, temperature: float) -> Check:
    """Do scores differ enough for the temperature that links and soft labels divide them by?

    sigmoid(d/T) stays between 0.44 and 0.56 where |d| < T/4: there the sigmoid link and soft labels do nothing.
    """
    if not np.isfinite(scores).all():
        n = int((~np.isfinite(scores)).sum())
        return Check(
            "spread",
            "fail",
            f"{n} of {len(scores)} scores are not finite in float32",
            fix="the weights are unsound: use another checkpoint",
            data={"lost": n},
        )
    sd, margin_sd = float(scores.std()), float(np.sqrt(np.mean(margins**2))) if margins.size else 0.0
    data = {"sd": sd, "margin_sd": margin_sd, "temperature": temperature, "pairs": int(margins.size)}
    found = f"sd of scores {sd:.3g}, of margins {margin_sd:.3g}, at temperature {temperature:g}"
    if margin_sd == 0:
        return Check(
            "spread",
            "fail",
            f"all {len(scores)} scores are the same ({float(scores[0]):.4g})",
            fix="the model tells no response from another: use one that was trained",
            data=data,
        )
    if margin_sd < _FLAT * temperature:
        return Check(
            "spread",
            "warn",
            f"{found}: the sigmoid link and soft labels hardly leave one half",
            fix=f"use the hard link, or a temperature of about {margin_sd:.2g}",
            data=data | {"sensible_temperature": margin_sd},
        )
    return Check("spread", "ok", found, data=data)


def _gap(a: FloatArray, b: FloatArray) -> float | None:
    """Largest difference; 0 for the very same bits, None where one side alone is not finite."""
    if a.tobytes() == b.tobytes():
        return 0.0
    gap = float(np.abs(a - b).max())
    return gap if np.isfinite(gap) else None
