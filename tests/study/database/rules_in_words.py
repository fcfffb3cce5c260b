"""The rules of assigning, voting and undoing in plain Python lists: slow, and short enough to be read beside CONTRIBUTING."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any

from charm_rm.study.exchange import Assignment
from charm_rm.study.nouns import Study
from charm_rm.study.rules import rules_of

OTHER = {"a": "b", "b": "a"}


@dataclass
class Given:
    """A comparison that a rater was given; ``cast`` says which of all votes its own was, from 1."""

    number: int
    repeat: bool
    left: str | None
    opened: float
    public_id: str = ""
    vote: str | None = None
    comment: str | None = None
    cast: int = 0


class Model:
    """All that was given, by rater; comparisons are numbered from 1 in the study's order."""

    def __init__(self, study: Study) -> None:
        self.study, self.rules = study, rules_of(study.provenance)
        self.rows = dict(enumerate(study.comparisons.frame.to_dicts(), start=1))
        self.given: dict[int, list[Given]] = {}
        self.quota: dict[int, int | None] = {}
        self.requests: dict[tuple[int, str], tuple[str | None, ...]] = {}
        self.undone: dict[int, int] = {}
        self.paused, self.cast = False, 0

    def draw(self, rater: int, *what: object) -> int:
        words = ":".join(str(word) for word in (self.rules.seed, rater, *what))
        return int.from_bytes(hashlib.blake2b(words.encode(), digest_size=8).digest(), "big")

    def is_check(self, one: Given) -> bool:
        return bool(self.rows[one.number]["kind"] == "check")

    def everything(self) -> list[Given]:
        return [one for mine in self.given.values() for one in mine]

    # --- what comes next --------------------------------------------------------------------------

    def current(self, rater: int) -> Given | None:
        return next((one for one in self.given[rater] if one.vote is None), None)

    def places(self, rater: int, now: float) -> dict[int, int]:
        """Votes and fresh open assignments, repeats left out, of what this rater has not seen and what wants more."""
        taken = {n: 0 for n, row in self.rows.items() if row["kind"] == "main"}
        for one in self.everything():
            fresh = now - one.opened < 60 * self.rules.stale_minutes
            if one.number in taken and not one.repeat and (one.vote is not None or fresh):
                taken[one.number] += 1
        mine = {one.number for one in self.given[rater]}
        return {n: k for n, k in taken.items() if n not in mine and k < self.rows[n]["votes_wanted"]}

    def look(self, rater: int, now: float) -> Given | None:
        """What the rater sees: the open one, else the next, else nothing."""
        found = self.current(rater)
        if found is None and (found := self.next(rater, now)) is not None:
            self.given[rater].append(found)
        return found

    def next(self, rater: int, now: float) -> Given | None:
        mine, places, quota = self.given[rater], self.places(rater, now), self.quota[rater]
        if self.paused or not places or (quota is not None and len(mine) >= quota):
            return None
        if self.due(rater, "check", self.rules.checks, sum(map(self.is_check, mine))):
            seen = [one.number for one in mine]
            checks = [n for n, row in self.rows.items() if row["kind"] == "check" and n not in seen]
            if checks:
                times = [one.number for one in self.everything()]
                return self.new(rater, {n: times.count(n) for n in checks}, now)
        if self.due(rater, "repeat", self.rules.repeats, sum(one.repeat for one in mine)):
            again = [one.number for one in mine if one.repeat]
            old = mine[: max(len(mine) - self.rules.repeat_gap + 1, 0)]
            may = [one for one in old if one.vote and one.left and one.number not in again]
            may = [one for one in may if not self.is_check(one)]
            if may:
                first = min(may, key=lambda one: self.draw(rater, "repeat", one.number))
                return Given(first.number, True, OTHER[str(first.left)], now)
        return self.new(rater, places, now)

    def due(self, rater: int, kind: str, share: float, so_far: int) -> bool:
        return so_far < math.floor(share * (len(self.given[rater]) + 1) + self.draw(rater, kind) / 2**64)

    def new(self, rater: int, counts: dict[int, int], now: float) -> Given:
        """The one of the fewest, with the answer on the left that was there less often: for the rater, else for the comparison."""
        fewest = [n for n, count in counts.items() if count == min(counts.values())]
        number = min(fewest, key=lambda n: self.draw(rater, "order", n))
        mine = [one.left for one in self.given[rater] if not one.repeat]
        lead = mine.count("a") - mine.count("b")
        if abs(lead) < 2:
            there = [one.left for one in self.everything() if one.number == number and not one.repeat]
            lead = there.count("a") - there.count("b")
        drawn = "a" if self.draw(rater, "side", number) % 2 else "b"
        return Given(number, False, drawn if lead == 0 else "b" if lead > 0 else "a", now)

    # --- votes ------------------------------------------------------------------------------------

    def vote(self, rater: int, public_id: str, pressed: str, comment: str | None, request: str) -> str:
        said = (public_id, pressed, comment or None)
        if (rater, request) in self.requests:
            return "repeated" if self.requests[rater, request] == said else "superseded"
        one = self.current(rater)
        if one is None or one.public_id != public_id:
            return "superseded"
        self.requests[rater, request] = said
        self.cast += 1
        left = str(one.left)
        one.vote = {"left": left, "right": OTHER[left]}.get(pressed, pressed)
        one.comment, one.cast = comment or None, self.cast
        return "saved"

    def undo(self, rater: int, request: str) -> bool:
        if (rater, request) in self.requests:
            return self.requests[rater, request] == ("undo",)
        standing = [one for one in self.given[rater] if one.vote and one.left]
        if not standing:
            return False
        self.requests[rater, request] = ("undo",)
        max(standing, key=lambda one: one.cast).vote = None
        self.undone[rater] += 1
        return True

    # --- who has done what ------------------------------------------------------------------------

    def progress(self, rater: int, now: float) -> tuple[int, int]:
        """(votes, what there may be in all): each place left stands for its share of repeats and checks, too."""
        mine, left, quota = self.given[rater], len(self.places(rater, now)), self.quota[rater]
        done = sum(one.vote is not None for one in mine)
        total = len(mine) + math.floor(left / (1 - self.rules.repeats - self.rules.checks) + 1e-9)
        return done, total if quota is None else max(done, min(quota, total))

    def row(self, rater: int) -> tuple[int, int, int, int, int]:
        """(votes, repeats, checks, checks passed, undone) of a rater."""
        cast = [one for one in self.given[rater] if one.vote is not None]
        checks = [one for one in cast if self.is_check(one)]
        passed = sum(one.vote == self.rows[one.number]["expected"] for one in checks)
        repeats = sum(one.repeat for one in cast)
        return len(cast) - repeats - len(checks), repeats, len(checks), passed, self.undone[rater]

    def standing(self) -> list[tuple[int, str, str | None, bool, str | None, str | None]]:
        """(rater, comparison_id, winner, repeat, left, comment) of the votes that stand, in the order in which they came."""
        cast = [(r, one) for r, mine in self.given.items() for one in mine if one.vote]
        return [
            (r, self.rows[one.number]["comparison_id"], one.vote, one.repeat, one.left, one.comment)
            for r, one in sorted(cast, key=lambda pair: pair[1].cast)
        ]


def shown(study: Study, seen: Assignment) -> tuple[int, str]:
    """(comparison, the answer on the left), by the texts alone: nothing else tells it."""
    assert study.responses is not None
    texts: dict[Any, Any] = {
        r["response"]: (r["prompt_id"], r["policy"]) for r in study.responses.frame.to_dicts()
    }
    left, right = texts[seen.left], texts[seen.right]
    prompt = str(seen.prompt).split()[1].rstrip(".")
    for number, row in enumerate(study.comparisons.frame.to_dicts(), start=1):
        a, b = (prompt, row["policy_a"]), (row["answered_b"] or prompt, row["policy_b"])
        if row["prompt_id"] == prompt and {a, b} == {left, right}:
            return number, "a" if left == a else "b"
    raise AssertionError(seen)
