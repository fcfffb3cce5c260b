"""What each rater did: shares of sides and ties, second looks, attention checks, speed."""

from __future__ import annotations

import numpy as np
import polars as pl

from ..nouns import CHECK, CHOICES, Study
from .signs import QUICK

FEW_TIMED = 5  # votes; a rater with fewer says nothing of how long people take
_DRAWN = (1 / 3, 2 / 3)  # the share of votes with a on the left where sides are drawn


def habits(votes: pl.DataFrame) -> pl.DataFrame:
    """rater, votes, ties, tie_share, sided, lefts, left_share, seconds, sides_drawn, same_by_chance.

    ``same_by_chance``: Σ share², how often two votes with the rater's shares of a, b, tie and both bad are the same, the answers unread;
    ½ at least.
    """
    decided = pl.col("y") != 0.5
    sided = (decided & pl.col("left").is_not_null()).sum()
    lefts = (decided & (pl.col("left") == pl.col("winner"))).sum()
    told = votes.group_by("rater").agg(
        pl.len().alias("votes"),
        (~decided).sum().alias("ties"),
        sided.alias("sided"),
        lefts.alias("lefts"),
        pl.col("seconds").median(),
        pl.sum_horizontal((pl.col("winner") == w).mean() ** 2 for w in CHOICES)
        .clip(0.5)
        .alias("same_by_chance"),
    )
    share = pl.when(pl.col("sided") > 0).then(pl.col("lefts") / pl.col("sided"))
    return told.with_columns(
        tie_share=pl.col("ties") / pl.col("votes"),
        left_share=share,
        sides_drawn=pl.lit(sides_drawn(votes["left"])),
    )


def sides_drawn(left: pl.Series) -> bool:
    """Whether the answer on the left looks drawn: it is a about as often as b; False where it is not known at all."""
    share = left.drop_nulls().eq("a").mean()
    return isinstance(share, float) and _DRAWN[0] <= share <= _DRAWN[1]


def repeats(study: Study, votes: pl.DataFrame) -> pl.DataFrame:
    """rater, repeats, consistent: of second looks at what the rater has voted on before."""
    again = study.votes.frame.filter(pl.col("repeat")).select(
        "comparison_id", "rater", pl.col("winner").alias("second")
    )
    both = again.join(votes.select("comparison_id", "rater", "winner"), on=["comparison_id", "rater"])
    same = pl.col("second") == pl.col("winner")
    return both.group_by("rater").agg(pl.len().alias("repeats"), same.sum().alias("consistent"))


def checks(study: Study) -> pl.DataFrame:
    """rater, checks, passed."""
    comparisons = study.comparisons.with_all_columns()
    known = comparisons.filter((pl.col("kind") == CHECK) & pl.col("expected").is_not_null())
    seen = study.votes.frame.join(known.select("comparison_id", "expected"), on="comparison_id")
    passed = pl.col("winner") == pl.col("expected")
    return seen.group_by("rater").agg(pl.len().alias("checks"), passed.sum().alias("passed"))


def haste(votes: pl.DataFrame) -> pl.DataFrame:
    """rater, timed, quick, quick_seconds: votes quicker than nineteen in twenty of a typical other rater's.

    That is the median, over the other raters, of each one's own 5 % quantile: a few who rush do not move it. Null with fewer than three
    raters.
    """
    timed = votes.drop_nulls("seconds")
    own = timed.group_by("rater").agg(
        pl.col("seconds").quantile(QUICK, "linear").alias("own"), pl.len().alias("timed")
    )
    known = own.filter(pl.col("timed") >= FEW_TIMED).sort("rater")
    names, values = known["rater"].to_list(), known["own"].to_numpy()
    rows = []
    for name in own["rater"].sort().to_list():
        others = values[np.array([n != name for n in names], dtype=bool)]
        if len(others) >= 2:
            rows.append((name, float(np.median(others))))
    limits = pl.DataFrame(rows, schema={"rater": pl.String, "quick_seconds": pl.Float64}, orient="row")
    quick = (pl.col("seconds") < pl.col("quick_seconds")).sum().alias("quick")
    return (
        timed.join(limits, on="rater")
        .group_by("rater")
        .agg(pl.len().alias("timed"), quick, pl.col("quick_seconds").first())
    )
