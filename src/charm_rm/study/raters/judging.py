"""What each rater did, and which raters look careless or are of another taste: verdicts with tests behind them, which drop no vote."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import polars as pl

from ...errors import ConfigError, counted, did_you_mean, listing, verb
from ..nouns import Study, StudyVotes
from . import record
from .flags import with_flags
from .pairs import first_votes
from .yardsticks import agreement_of_raters, yardsticks

COLUMNS = [
    *("rater", "votes", "repeats", "consistent", "checks", "passed", "agreement", "expected_agreement"),
    *("left_share", "tie_share", "seconds", "p_value", "q_value", "verdict", "flags"),
]
_COUNTS = ("votes", "repeats", "consistent", "checks", "passed")


def judge_raters(study: Study) -> pl.DataFrame:
    """One row per rater, in the order of names: what they did, a verdict, and why.

    Columns: rater; votes (that count); repeats, consistent (the same answer as the first time, its side swapped); checks, passed;
    agreement with the others on the same comparisons (a tie agrees by half, as in ``pairwise_agreement``), expected_agreement (of the
    others among themselves: on the same comparisons, where there are 20 of them, else on all); left_share (of votes for one side);
    tie_share (ties and both bad); seconds (median); p_value, q_value; verdict; flags. Null: there was nothing to tell it from.

    Up to six tests a rater (:mod:`.signs`). Four are of care: whether the texts were read (failed checks and inconsistent repeats,
    together), one side, ties, haste. Two are of agreement, which taste moves as well: with the others, and with the model that the others
    follow most. p_value is the least of them times their number; q_value adjusts over raters (Benjamini and Hochberg). At q <= 5 % the verdict is

    - ``looks careless`` (:data:`..results.CARELESS`) where a test of care stands; who stands apart in agreement is asked once more by checks
      and repeats alone, adjusted for those who are asked;
    - ``another taste`` (:data:`..results.OTHER_TASTE`) where only agreement does, and the votes cannot be the others', diluted by clicks;
    - ``taste or care`` (:data:`..results.UNCLEAR`) where only agreement does, and nothing tells the two apart.

    ``flags`` are the reasons, in words. A verdict is a reason to look, and another taste none to leave anybody out. It drops no vote:
    :func:`without_raters` does.

    Raises:
        SchemaError: votes on comparisons that the study does not have.
    """
    votes = first_votes(study)
    table = (
        study.votes.frame.select("rater").unique().sort("rater")
        if len(study.votes)
        else pl.DataFrame(schema={"rater": pl.String})
    )
    parts = (
        record.habits(votes),
        record.repeats(study, votes),
        record.checks(study),
        agreement_of_raters(votes),
        record.haste(votes),
    )
    for part in parts:
        table = table.join(part, on="rater", how="left", maintain_order="left")
    table = table.with_columns(pl.col(*_COUNTS).fill_null(0).cast(pl.Int64))
    return with_flags(table, yardsticks(study, votes, table["rater"].to_list())).select(COLUMNS)


def without_raters(study: Study, raters: Collection[str]) -> Study:
    """The study without all votes of these raters, whose weight goes to the other votes on the same comparisons.

    Raises:
        ConfigError: a rater has no votes in the study, or nobody else has.
    """
    if not raters:
        return study
    known = study.votes.frame["rater"].unique().sort().to_list()
    for name in raters:
        if name not in known:
            raise ConfigError(
                f"no vote is by a rater {name!r}.{did_you_mean(name, known)}",
                fix=f"raters with votes: {listing(known, limit=20)}",
            )
    if known and set(known) <= set(raters):
        raise ConfigError(
            f"all {counted(len(known), 'rater')} with votes {verb(len(known), 'is', 'are')} left out",
            fix="leave out fewer: --without (without= in Python)",
        )
    kept = study.votes.frame.filter(~pl.col("rater").is_in(list(raters)))
    return replace(study, votes=StudyVotes(kept, provenance=study.votes.provenance))
