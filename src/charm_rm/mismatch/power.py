"""What favour an audit could have found: the power of the test of one policy's favour, from its standard error alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..estimates import SIGNIFICANT
from ..statistics import FloatArray
from .favour import NOTEWORTHY_FAVOUR, Favours, leave_one_out
from .measured import Measured
from .student import student_power

WANTED = 0.8  # the power at which a favour counts as detectable
_BEYOND = 100_000.0  # Elo points: no audit can tell


@dataclass(frozen=True)
class Detectable:
    """With these prompts, policies and ratings: the share of policies whose favour of ``elo`` would be found (``power``), the
    favour that would be found in ``wanted`` of cases (``detectable``, Elo points; None: none however large), and the mean |favour|
    that noise alone gives (``floor``)."""

    elo: float
    power: float
    wanted: float
    detectable: float | None
    floor: float


def favour_power(favours: Favours, elo: float) -> FloatArray:
    """(K,) the chance that a favour of ``elo`` shown to each policy, and to no other, is found.

    Found by Benjamini and Hochberg's q <= 5 % of K tests, of which the one that is true has to pass 5 % / K; the test's statistic is
    Student's, moved by elo / (its standard error in Elo points).
    """
    tested = favours.found & (favours.freedom > 0)
    count = max(int(tested.sum()), 1)
    shift = np.divide(elo, favours.unit, out=np.zeros_like(favours.unit), where=tested)
    power = student_power(shift, favours.freedom, tail=SIGNIFICANT / count)
    return np.asarray(np.where(tested, power, 0.0))


def noise_floor(measured: Measured) -> float:
    """Mean |favour| of an RM that favours nobody: √(2/π) times the mean error that prompts and ratings leave."""
    return float(leave_one_out(measured, "these").unit.mean()) * float(np.sqrt(2 / np.pi))


def detectable_favour(
    favours: Favours, floor: float, *, elo: float = NOTEWORTHY_FAVOUR, wanted: float = WANTED
) -> Detectable:
    """The power for one favour, and the favour for one power (by bisection: power rises with favour)."""
    power = float(favour_power(favours, elo).mean())
    low, high = 0.0, elo
    while high < _BEYOND and float(favour_power(favours, high).mean()) < wanted:
        low, high = high, 2 * high
    if high >= _BEYOND:
        return Detectable(elo, power, wanted, None, floor)
    while high - low > 0.5:
        middle = (low + high) / 2
        enough = float(favour_power(favours, middle).mean()) >= wanted
        low, high = (low, middle) if enough else (middle, high)
    return Detectable(elo, power, wanted, high, floor)
