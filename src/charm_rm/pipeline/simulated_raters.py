"""Raters of a simulated study: careful ones, drawn from the true quality of answers, and two who do not read. They vote as people do, through the database."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..study.exchange import Assignment
from ..testbed import vote_probability

if TYPE_CHECKING:
    from ..study.database.study_database import StudyDatabase

Quality = Mapping[tuple[str, str], float]  # of each answer, by prompt and text
VOTES_EACH = 50
STANDS = 0.6  # the chance that a careful rater remembers an earlier vote at a second look
RULE = (
    "careful raters prefer the better answer with probability sigmoid(4 x difference of quality), call half of equal ones a tie, take an "
    "answer to another prompt for worse than any, and stand by their vote in 60 % of second looks (in the others they vote anew)"
)
CAREFUL, RANDOM, LEFT = "careful", "random", "left"
_OF_ANOTHER_PROMPT = -1.0  # its quality; an answer of its own prompt has 0 to 1


@dataclass(frozen=True)
class SimulatedRater:
    """A rater's name, which says what it is, and how it votes."""

    name: str
    kind: str


RATERS = (
    *(SimulatedRater(f"careful-{i}", CAREFUL) for i in range(1, 7)),
    SimulatedRater("random-clicker", RANDOM),
    SimulatedRater("left-clicker", LEFT),
)
CARELESS = tuple(r.name for r in RATERS if r.kind != CAREFUL)


def let_raters_vote(
    database: StudyDatabase,
    quality: Quality,
    *,
    seed: int,
    votes_each: int = VOTES_EACH,
    raters: Sequence[SimulatedRater] = RATERS,
    now: float | None = None,
) -> int:
    """Invite simulated raters and let them vote in turn, through the interface that the page for raters uses; how many votes were cast."""
    rng = np.random.default_rng([seed, 11])
    clock = time.time() - 86_400.0 if now is None else now
    invited = [
        (_Voter(r, quality, rng), database.invite(r.name, now=clock, days=1.0).rater.id) for r in raters
    ]
    cast = 0
    for turn in range(votes_each):
        for voter, number in invited:
            seconds = voter.seconds()
            clock += seconds / len(raters)
            asked = database.next_assignment(number, now=clock)
            if asked is None:
                continue
            database.vote(
                number,
                asked.public_id,
                voter.choice(asked),
                request_id=f"simulated-{number}-{turn}",
                now=clock,
                seconds=seconds,
            )
            cast += 1
    return cast


class _Voter:
    """A simulated rater at work: what it presses, and, if careful, what it remembers of it."""

    def __init__(self, rater: SimulatedRater, quality: Quality, rng: np.random.Generator) -> None:
        self.kind, self.quality, self.rng = rater.kind, quality, rng
        # By prompt and both answers, whatever their sides: the answer that was preferred, or the word for neither.
        self.said: dict[tuple[str, frozenset[str]], str] = {}

    def seconds(self) -> float:
        """How long it looks at a comparison."""
        return float(self.rng.lognormal(3.0, 0.5) if self.kind == CAREFUL else self.rng.uniform(1.0, 3.0))

    def choice(self, asked: Assignment) -> str:
        """left, right, tie or both_bad."""
        if self.kind == RANDOM:
            return str(self.rng.choice(["left", "right"]))
        if self.kind == LEFT:
            return "left" if self.rng.random() < 0.95 else "right"
        key = (str(asked.prompt), frozenset((asked.left, asked.right)))
        said = self.said.get(key)
        if said is None or self.rng.random() >= STANDS:
            said = self.said[key] = self._preferred(asked)
        return {asked.left: "left", asked.right: "right"}.get(said, said)

    def _preferred(self, asked: Assignment) -> str:
        """The better answer, as one is drawn by the difference of quality; or tie, or both_bad."""
        left, right = (
            self.quality.get((str(asked.prompt), text), _OF_ANOTHER_PROMPT)
            for text in (asked.left, asked.right)
        )
        if left == right and self.rng.random() < 0.5:
            return "both_bad" if left <= 0 else "tie"
        return asked.left if self.rng.random() < float(vote_probability(left, right)) else asked.right
