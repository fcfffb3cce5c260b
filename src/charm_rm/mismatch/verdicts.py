"""What is said of a pair, and when. "Over-valued" and "favoured" are words for policies, whom every comparison tells about; a pair
only says that one of the two wins more often than it should.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, get_args

from ..estimates import SIGNIFICANT

Verdict = Literal["wins too often", "wins too rarely", "no evidence", "underpowered", "too few prompts"]
TOO_OFTEN: Final = "wins too often"
TOO_RARELY: Final = "wins too rarely"
NO_EVIDENCE: Final = "no evidence"
UNDERPOWERED: Final = "underpowered"
TOO_FEW: Final = "too few prompts"
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

NOTEWORTHY = 0.10  # a difference of win rates that one would want an audit to be able to see
FEWEST_PROMPTS = (
    10  # of a pair that anything is said of; fewer, and it is not among the tests adjusted for either
)

MEANING: dict[Verdict, str] = {
    TOO_OFTEN: "q is at most 0.05, the interval is above 0: policy beats reference more often than its rating allows",
    TOO_RARELY: "the same, below 0",
    NO_EVIDENCE: "neither; not proof of alignment",
    UNDERPOWERED: "neither, and the interval reaches below -0.10 and above +0.10: these data could not have shown a noteworthy mismatch",
    TOO_FEW: f"fewer than {FEWEST_PROMPTS} shared prompts: not tested",
}


def verdict(n: float, low: float, high: float, q_value: float) -> Verdict:
    """Say what a pair shows, from its prompts, the interval of P̂ - P and its q-value.

    A finding has a q-value up to :data:`charm_rm.estimates.SIGNIFICANT` and an interval that excludes 0: test and
    interval are computed apart, and where they disagree the weaker is believed.
    """
    if n < FEWEST_PROMPTS:
        return TOO_FEW
    if q_value <= SIGNIFICANT and low > 0:
        return TOO_OFTEN
    if q_value <= SIGNIFICANT and high < 0:
        return TOO_RARELY
    return UNDERPOWERED if low < -NOTEWORTHY and high > NOTEWORTHY else NO_EVIDENCE


def turned(said: str) -> str:
    """The verdict of the same pair seen from the reference's side."""
    return {TOO_OFTEN: TOO_RARELY, TOO_RARELY: TOO_OFTEN}.get(said, said)


def count_verdicts(said: Iterable[str]) -> dict[str, int]:
    """How often each was said, in the order of :data:`VERDICTS`, then that of the alphabet (verdicts on policies); those never said are left out."""
    words = list(said)
    order = (*VERDICTS, *sorted(set(words) - set(VERDICTS)))
    return {v: words.count(v) for v in order if v in words}
