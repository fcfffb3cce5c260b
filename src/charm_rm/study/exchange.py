"""What the page for raters, its keeper and the commands get from a study's database, as frozen nouns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Outcome = Literal["saved", "repeated", "superseded"]
# What a rater can press; `left` and `right` are the sides of the screen.
PRESSED = ("left", "right", "tie", "both_bad")


@dataclass(frozen=True)
class Facts:
    """What a study is, in short. ``policies`` is for its keeper alone: no rater may see it."""

    name: str
    question: str
    paused: bool
    n_comparisons: int
    policies: tuple[str, ...]


@dataclass(frozen=True)
class Asked:
    """What of a study's facts every page for raters has: the question, and whether the study pauses."""

    question: str
    paused: bool


@dataclass(frozen=True)
class Rater:
    """Someone who may vote, until ``expires_at`` (seconds since 1970; None: without an end), on at most ``quota`` comparisons."""

    id: int
    name: str
    quota: int | None = None
    expires_at: float | None = None


@dataclass(frozen=True)
class Invitation:
    """A new link's token, in clear this once: the database keeps its hash."""

    rater: Rater
    token: str

    def __repr__(self) -> str:
        """Without the token, which belongs in no log."""
        return f"Invitation({self.rater.name!r})"


@dataclass(frozen=True)
class Assignment:
    """What a rater is to compare: a prompt (text or messages) and two answers. Nothing in it says whose they are.

    ``number`` counts what this rater has been given, from 1. ``comment`` is what the rater wrote to it before, where that vote was undone.
    """

    public_id: str
    prompt: str | list[dict[str, Any]]
    left: str
    right: str
    number: int
    comment: str = ""


@dataclass(frozen=True)
class Voted:
    """What became of a vote: ``saved``; ``repeated``, the very vote is there already; ``superseded``: it was not for the open assignment,
    or differs from the vote that the same request made, and has changed nothing."""

    outcome: Outcome


@dataclass(frozen=True)
class Progress:
    """``done`` votes of ``total``: the rater's quota, or what is left for this rater where others may take some of it, too."""

    done: int
    total: int
    quota: int | None = None


@dataclass(frozen=True)
class RaterRow:
    """One rater as the keeper sees them; times are seconds since 1970. ``status``: open, expired, revoked, or imported (has no link)."""

    name: str
    status: str
    votes: int
    repeats: int
    checks: int
    checks_passed: int
    undone: int
    quota: int | None
    seconds: float | None
    last_vote: float | None
    expires_at: float | None


@dataclass(frozen=True)
class PolicyRow:
    """One policy as the keeper sees it: the comparisons it is in, the votes wanted on them, and those that are there (no repeats, no checks)."""

    policy: str
    comparisons: int
    votes_wanted: int
    votes: int
