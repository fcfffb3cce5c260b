"""Which models are worth having: alignment with people against accuracy on benchmarks, and who is dominated beyond chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..estimates import SIGNIFICANT
from ..statistics import benjamini_hochberg

DOMINATED, MAYBE, FRONT = "dominated", "perhaps dominated", "not dominated"


@dataclass(frozen=True)
class Axis:
    """A difference of two models on one axis, turned so that above 0 the first is better; None: not known."""

    difference: float
    low: float | None
    high: float | None
    p_value: float | None


@dataclass(frozen=True)
class Duel:
    """Two models on both axes: the first minus the second."""

    first: str
    second: str
    axes: tuple[Axis, Axis]


def standings(models: Sequence[str], duels: Sequence[Duel]) -> list[dict[str, Any]]:
    """Of each model whether it is dominated, and by whom: rows model, standing, by.

    ``dominated``: some other model is better on both axes, by paired intervals that leave out 0 and q <= 5 % over all duels and axes.
    ``perhaps dominated``: better in both estimates, but chance may be why on one. Else ``not dominated``.
    """
    p = [axis.p_value for duel in duels for axis in duel.axes]
    q = benjamini_hochberg(np.array([np.nan if x is None else x for x in p]))
    beaten: dict[str, list[tuple[str, bool]]] = {name: [] for name in models}
    for i, duel in enumerate(duels):
        pairs = list(zip(duel.axes, q[2 * i : 2 * i + 2].tolist(), strict=True))
        for winner, loser, sign in ((duel.first, duel.second, 1), (duel.second, duel.first, -1)):
            if all(sign * axis.difference > 0 for axis, _ in pairs):
                beaten[loser].append((winner, all(_beyond_chance(axis, value) for axis, value in pairs)))
    return [{"model": name, **_standing(beaten[name])} for name in models]


def _beyond_chance(axis: Axis, q: float) -> bool:
    if axis.low is None or axis.high is None or not q <= SIGNIFICANT:
        return False
    return axis.low > 0 or axis.high < 0


def _standing(beaten: Sequence[tuple[str, bool]]) -> dict[str, Any]:
    sure = [name for name, certain in beaten if certain]
    if sure:
        return {"standing": DOMINATED, "by": sure}
    maybe = [name for name, _ in beaten]
    return {"standing": MAYBE if maybe else FRONT, "by": maybe}
