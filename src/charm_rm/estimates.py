"""A number with its uncertainty, and the two levels that every interval and every test of this package shares."""

from __future__ import annotations

from dataclasses import dataclass

LEVEL = 0.95  # of every interval
SIGNIFICANT = 0.05  # a p- or q-value up to this is a finding
Z95 = 1.959963984540054  # the normal quantile of (1 + LEVEL) / 2


def signed(value: float, digits: int = 0) -> str:
    """``+12``, ``-3``; what rounds to nothing has no sign: ``0``."""
    shown = round(float(value), digits) + 0.0  # + 0.0 turns -0.0 into 0.0
    return f"{shown:{'+' if shown else ''}.{digits}f}"


@dataclass(frozen=True)
class Estimate:
    """A number with its standard error and 95 % interval; these are None where nothing was drawn."""

    value: float
    std_err: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
