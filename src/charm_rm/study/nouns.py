"""What a study is made of: comparisons, votes, and the verdicts of the models that people are asked about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import polars as pl

from ..errors import SchemaError
from ..tables import Battles, Margins, Responses, Scores
from ..tables.schema import NUMBER, TEXT, TRUTH, WHOLE, Column, Table, refuse

MAIN, CHECK = "main", "check"
CHOICES = Battles.outcomes


class Comparisons(Table):
    """Two answers to one prompt that people are to compare.

    ``policy_a`` < ``policy_b`` (sides on the screen are drawn per rater). ``inclusion`` is the probability with which the plan chose this
    comparison out of all candidates: a vote on it stands for 1 / inclusion of them. ``kind`` is ``main``, or ``check`` for an attention
    check, whose ``expected`` is the answer that a careful reader prefers; checks have no inclusion and count in no estimate.
    ``votes_wanted`` is how many raters are to see it. ``answered_a`` and ``answered_b`` name the prompt that an answer was given to, where it
    is another one than ``prompt_id``: a check may stand an answer to something else beside the right one.
    """

    noun = "comparisons"
    columns = (
        Column("comparison_id", TEXT),
        Column("prompt_id", TEXT),
        Column("policy_a", TEXT),
        Column("policy_b", TEXT),
        Column("kind", TEXT),
        Column("inclusion", NUMBER, nullable=True, low=0.0, high=1.0),
        Column("votes_wanted", WHOLE, low=1),
        Column("expected", TEXT, required=False, nullable=True),
        Column("answered_a", TEXT, required=False, nullable=True),
        Column("answered_b", TEXT, required=False, nullable=True),
    )
    key = ("comparison_id",)

    @property
    def main(self) -> pl.DataFrame:
        """The rows whose votes count: all but attention checks."""
        return self.frame.filter(pl.col("kind") == MAIN)

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse(
            self,
            ~pl.col("kind").is_in((MAIN, CHECK)),
            "kind",
            lambda v: f"kind {v!r} is neither main nor check",
            fix="write main or check",
        )
        refuse(
            self,
            (pl.col("kind") == MAIN) & (pl.col("inclusion").fill_null(0.0) <= 0),
            "inclusion",
            lambda v: f"inclusion {v!r} of a comparison that counts",
            fix="give the probability with which it was chosen, above 0 and up to 1",
        )
        refuse(
            self,
            (pl.col("kind") == MAIN) & (pl.col("policy_a") >= pl.col("policy_b")),
            "policy_a",
            lambda v: f"policy_a {v!r} does not come before policy_b",
            fix="write the two policies in alphabetical order",
        )


class StudyVotes(Table):
    """One row per vote that stands: who voted, on what, for which answer (``winner``: a, b, tie, both_bad).

    ``repeat`` marks a second look at a comparison that the rater has voted on already; it tells consistency and counts in no estimate.
    ``left`` is the answer that stood on the left (a or b); null where that is not known. ``seconds`` is the time it took.
    """

    noun = "votes of a study"
    columns = (
        Column("comparison_id", TEXT),
        Column("rater", TEXT),
        Column("winner", TEXT),
        Column("repeat", TRUTH),
        Column("left", TEXT, required=False, nullable=True),
        Column("seconds", NUMBER, required=False, nullable=True, low=0.0),
        Column("comment", TEXT, required=False, nullable=True),
        Column("voted_at", TEXT, required=False, nullable=True),
    )
    key = ("comparison_id", "rater", "repeat")
    may_be_empty = True

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse(
            self,
            ~pl.col("winner").is_in(CHOICES),
            "winner",
            lambda v: f"winner {v!r} is not one of {', '.join(CHOICES)}",
            fix="map the labels first; an unknown label is never counted as a tie",
        )


@dataclass(frozen=True)
class StudyModel:
    """A reward model (``scores``) or judge (``margins``) that people's votes are held against; one of the two is None."""

    name: str
    scores: Scores | None = None
    margins: Margins | None = None

    def __post_init__(self) -> None:
        if (self.scores is None) == (self.margins is None):
            raise SchemaError(
                f"model {self.name!r} has both scores and margins, or neither",
                fix="give one table of scores, or of margins",
            )

    @property
    def table(self) -> Scores | Margins:
        """The scores, or the margins."""
        table = self.scores if self.scores is not None else self.margins
        if table is None:  # pragma: no cover - refused above
            raise TypeError("a model has scores or margins")
        return table

    @property
    def kind(self) -> Literal["scores", "margins"]:
        """Which of the two it has."""
        return "scores" if self.scores is not None else "margins"


@dataclass(frozen=True)
class Study:
    """All of a study: what was planned, what people said, and what the models say of every candidate.

    ``candidates`` are the comparisons that the plan chose from (prompt_id, policy_a, policy_b), in the order of
    :func:`.frame.find_candidates`; None where a study was imported and its comparisons are all there are. The first of ``models`` is the
    original, which the others are compared with.
    """

    name: str
    comparisons: Comparisons
    votes: StudyVotes
    models: tuple[StudyModel, ...] = ()
    responses: Responses | None = None
    candidates: pl.DataFrame | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    CANDIDATE_COLUMNS: ClassVar[tuple[str, ...]] = ("prompt_id", "policy_a", "policy_b")

    @property
    def policies(self) -> list[str]:
        """Every policy that is compared, sorted."""
        return self.comparisons.policies


@dataclass(frozen=True)
class Counted:
    """The votes that count in estimates as rows, each with its weight, aligned with what every model says.

    ``frame`` has comparison_id, prompt_id, rater, policy_a, policy_b, y (1 a wins, 0 b wins, ½ tie or both bad), decided (false: tie or
    both bad), weight (1 / (inclusion x votes on that comparison), so that each candidate counts once), and ``margin_NAME`` per model
    (above 0 prefers policy_a). ``all`` has prompt_id, policy_a, policy_b and the same ``margin_NAME`` for every candidate.
    """

    frame: pl.DataFrame
    all: pl.DataFrame
    models: tuple[str, ...]


__all__ = [
    "CHECK",
    "CHOICES",
    "MAIN",
    "Comparisons",
    "Counted",
    "Study",
    "StudyModel",
    "StudyVotes",
]
