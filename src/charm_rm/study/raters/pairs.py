"""The votes that count, and the pairs of them that two raters gave on the same comparison."""

from __future__ import annotations

import polars as pl

from ...errors import SchemaError, counted, listing, verb
from ..frame import worth_of_vote
from ..nouns import MAIN, Study


def first_votes(study: Study) -> pl.DataFrame:
    """One row per vote that counts, repeats and checks left out: comparison_id, prompt_id, inclusion, rater, winner, y, left, seconds.

    ``y`` is 1 where a won, 0 where b won, ½ for a tie or both bad. In the order of comparison_id and rater.

    Raises:
        SchemaError: a vote is on a comparison that the study does not have.
    """
    known = study.comparisons.frame.select("comparison_id", "prompt_id", "kind", "inclusion")
    refuse_unknown(study.votes.frame, known)
    first = study.votes.with_all_columns().filter(~pl.col("repeat"))
    votes = first.join(known.filter(pl.col("kind") == MAIN), on="comparison_id")
    return votes.select(
        "comparison_id",
        "prompt_id",
        "inclusion",
        "rater",
        "winner",
        worth_of_vote().alias("y"),
        "left",
        "seconds",
    ).sort("comparison_id", "rater")


def refuse_unknown(votes: pl.DataFrame, comparisons: pl.DataFrame) -> None:
    """Raise for votes on comparisons that are not there: joining would drop them without a word."""
    lost = votes.join(comparisons, on="comparison_id", how="anti")
    if lost.height:
        raise SchemaError(
            f"{counted(lost.height, 'vote')} {verb(lost.height, 'is', 'are')} on comparisons that the study does not have: {listing(lost['comparison_id'].unique().sort())}",
            where="votes of a study",
            fix="add these comparisons, or leave these votes out",
        )


def vote_pairs(votes: pl.DataFrame) -> pl.DataFrame:
    """Each two votes on one comparison, once: comparison_id, prompt_id, inclusion, rater, other, y, other_y, agree, decided.

    agree = y y' + (1 − y)(1 − y'), which is what a model's agreement with a vote is, another rater in the model's place: 1 for the same
    winner, 0 for the other one, ½ where either of the two named none. ``decided``: both named a winner.
    """
    side = votes.select("comparison_id", pl.col("rater").alias("other"), pl.col("y").alias("other_y"))
    pairs = votes.select("comparison_id", "prompt_id", "inclusion", "rater", "y").join(
        side, on="comparison_id"
    )
    y, other = pl.col("y"), pl.col("other_y")
    return pairs.filter(pl.col("rater") < pl.col("other")).with_columns(
        agree=y * other + (1 - y) * (1 - other), decided=(y != 0.5) & (other != 0.5)
    )
