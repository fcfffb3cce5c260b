"""From a power to numbers: the fewest prompts for an effect, the least effect that so many prompts show, and what none can."""

from __future__ import annotations

import math
from typing import Protocol

MOST = 10_000_000  # prompts that nobody asks


class Design(Protocol):
    """What is to be tested: ``power`` is the chance of finding an effect with ``n`` prompts (infinite: all there could be)."""

    @property
    def largest(self) -> float:  # pragma: no cover
        """No effect is larger."""
        ...

    def power(self, effect: float, n: float) -> float:  # pragma: no cover
        """Between 0 and 1; it rises with both."""
        ...


def needed(design: Design, effect: float, wanted: float, *, least: int = 2) -> int | None:
    """The fewest prompts with which the power is ``wanted``; None where no number is enough."""
    if design.power(effect, math.inf) < wanted:
        return None
    low, high = least - 1, least
    while design.power(effect, high) < wanted:
        if high >= MOST:
            return None
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if design.power(effect, middle) >= wanted else (middle, high)
    return high


def detectable(design: Design, n: float, wanted: float) -> float | None:
    """The least effect that ``n`` prompts find with this power, to one part in a thousand; None where there is none."""
    low, high = 0.0, min(design.largest, 1.0)
    while design.power(high, n) < wanted:
        if high >= design.largest:
            return None
        low, high = high, min(2 * high, design.largest)
    while high - low > 1e-3 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if design.power(middle, n) >= wanted else (middle, high)
    return high
