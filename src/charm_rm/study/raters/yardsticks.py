"""What a rater's votes are held against: the other raters on the same comparisons, each model, and which answer is longer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from ...statistics import FloatArray
from ..frame import KEY, margin_column, with_margins
from ..nouns import Study
from .pairs import vote_pairs

LOCAL = 20  # comparisons that others share with a rater's: from so many on, they alone say what agreement to expect there


# --- the other raters -----------------------------------------------------------------------------


def agreement_of_raters(votes: pl.DataFrame) -> pl.DataFrame:
    """rater, agreement, shared (comparisons), expected_agreement, expected_of (comparisons that tell it), evenness."""
    rows = _with_and_without(votes)
    told = rows.group_by("rater", maintain_order=True).agg(
        pl.mean("mine").alias("agreement"),
        pl.len().cast(pl.Int64).alias("shared"),
        pl.sum("rest"),
        pl.count("rest").cast(pl.Int64).alias("local"),
        pl.sum("all"),
    )
    # On the comparisons of others: of all that raters share, less this rater's part of them.
    comparisons = rows.unique("comparison_id")
    elsewhere = pl.lit(float(comparisons["all"].sum())) - pl.col("all")
    everywhere = comparisons.height - pl.col("shared") + pl.col("local")
    overall = pl.when(everywhere > 0).then((elsewhere + pl.col("rest")) / everywhere)
    near = pl.col("local") >= LOCAL
    return told.select(
        "rater",
        "agreement",
        "shared",
        pl.when(near).then(pl.col("rest") / pl.col("local")).otherwise(overall).alias("expected_agreement"),
        pl.when(near).then(pl.col("local")).otherwise(everywhere).alias("expected_of"),
        pl.lit(_evenness(rows["mine"].to_numpy())).alias("evenness"),
    )


def _with_and_without(votes: pl.DataFrame) -> pl.DataFrame:
    """comparison_id, rater, and mean agreement of pairs there: ``mine`` (with the rater in them), ``rest`` (without; null: none), ``all``."""
    pairs = vote_pairs(votes).select("comparison_id", "rater", "other", "agree")
    turned = pairs.select("comparison_id", pl.col("other").alias("rater"), "agree")
    both = pl.concat([pairs.select("comparison_id", "rater", "agree"), turned])
    n = pl.len().cast(pl.Int64)
    mine = both.group_by("comparison_id", "rater").agg(pl.sum("agree").alias("s"), n.alias("n"))
    whole = pairs.group_by("comparison_id").agg(pl.sum("agree").alias("S"), n.alias("N"))
    more = pl.col("N") - pl.col("n")
    return (
        mine.join(whole, on="comparison_id")
        .sort("comparison_id", "rater")
        .select(
            "comparison_id",
            "rater",
            (pl.col("s") / pl.col("n")).alias("mine"),
            pl.when(more > 0).then((pl.col("S") - pl.col("s")) / more).alias("rest"),
            (pl.col("S") / pl.col("N")).alias("all"),
        )
    )


def _evenness(agreement: FloatArray) -> float:
    """a (1 − a) / v, of the mean and variance of agreement over raters and comparisons, 1 to 4: so many coins vary as one agreement does.

    1 for coins; more where an agreement is a mean over several others, or ties count by half.
    """
    if not agreement.size or agreement.var() <= 0:
        return 1.0
    mean = agreement.mean()
    return float(np.clip(mean * (1 - mean) / agreement.var(), 1.0, 4.0))


# --- models, and length ---------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Yardsticks:
    """How often each rater chose as a yardstick does, of votes for one side on which it names one. Arrays (raters, yardsticks).

    ``names`` are the models, in their order, and then, where ``lengths``, the longer answer.
    """

    names: tuple[str, ...]
    hits: FloatArray
    n: FloatArray
    lengths: bool

    @property
    def others_n(self) -> FloatArray:
        """Votes of all raters but the one of each row."""
        rest: FloatArray = self.n.sum(axis=0) - self.n
        return rest

    @property
    def others(self) -> FloatArray:
        """The share of those that choose as the yardstick does; NaN where there are none."""
        with np.errstate(divide="ignore", invalid="ignore"):
            share: FloatArray = (self.hits.sum(axis=0) - self.hits) / self.others_n
        return share


def yardsticks(study: Study, votes: pl.DataFrame, raters: Sequence[str]) -> Yardsticks:
    """Each model of the study and, where it has the answers, the longer one; rows in the order of ``raters``."""
    signs = _signs(study)
    columns = [name for name in signs.columns if name != "comparison_id"]
    told = votes.filter(pl.col("y") != 0.5).join(signs, on="comparison_id")
    side = 2 * pl.col("y") - 1
    named = [
        ((pl.col(c) != 0).sum().alias(f"n {c}"), (pl.col(c) == side).sum().alias(f"hits {c}"))
        for c in columns
    ]
    by_rater = told.group_by("rater").agg(e for two in named for e in two)
    rows = pl.DataFrame({"rater": raters}, schema={"rater": pl.String}).join(
        by_rater, on="rater", how="left", maintain_order="left"
    )

    def matrix(what: str) -> FloatArray:
        return np.column_stack(
            [
                np.zeros((len(raters), 0)),
                *(rows[f"{what} {c}"].fill_null(0).cast(pl.Float64).to_numpy() for c in columns),
            ]
        )

    models = tuple(model.name for model in study.models)
    lengths = len(columns) > len(models)
    return Yardsticks(
        (*models, "the longer answer") if lengths else models, matrix("hits"), matrix("n"), lengths
    )


def _signs(study: Study) -> pl.DataFrame:
    """comparison_id, and by yardstick 1 where it names a, -1 for b, 0 for none or where it has no verdict."""
    main = study.comparisons.main.select("comparison_id", *KEY)
    frame = with_margins(main, study.models)
    columns = [margin_column(model.name) for model in study.models]
    if study.responses is not None:
        length = study.responses.frame.select(
            "prompt_id", "policy", pl.col("response").str.len_chars().cast(pl.Float64).alias("length")
        )
        for side in ("a", "b"):
            frame = frame.join(
                length.rename({"policy": f"policy_{side}", "length": f"length_{side}"}),
                on=["prompt_id", f"policy_{side}"],
                how="left",
                maintain_order="left",
            )
        frame = frame.with_columns((pl.col("length_a") - pl.col("length_b")).alias("longer"))
        columns.append("longer")
    return frame.select("comparison_id", *(pl.col(c).sign().fill_nan(0.0).fill_null(0.0) for c in columns))
