"""Every vote as one row with all that an analysis elsewhere needs: for download."""

from __future__ import annotations

import polars as pl

from .frame import weight_of_vote, with_margins, worth_of_vote
from .live import joined_votes
from .nouns import MAIN, Study

_FIRST = [
    *("comparison_id", "prompt_id", "policy_a", "policy_b", "kind", "inclusion", "rater", "winner", "y"),
    *("repeat", "left", "seconds", "comment", "voted_at", "counts", "weight"),
]


def votes_table(study: Study) -> pl.DataFrame:
    """All votes that stand: what was compared, who chose what, ``counts``, ``weight`` and ``margin_NAME`` of each model.

    ``y`` is 1 where policy_a won, 0 where policy_b did, ½ for a tie or both bad. ``weight`` is 1 / (inclusion · votes that count on the
    comparison), null for repeats and checks, which count in no estimate. A margin above 0 prefers policy_a; null where there is no verdict.
    """
    rows = joined_votes(study)
    inclusion = study.comparisons.frame.select("comparison_id", "inclusion")
    weight = pl.when(pl.col("counts")).then(weight_of_vote(pl.col("counts").sum()))
    rows = rows.join(inclusion, on="comparison_id", how="left", maintain_order="left").with_columns(
        weight.alias("weight"),
        worth_of_vote().alias("y"),
    )
    table = with_margins(rows, study.models)
    margins = [name for name in table.columns if name not in rows.columns]
    of_main = pl.col("kind") == MAIN
    return table.select(*_FIRST, *(pl.when(of_main).then(pl.col(name)).alias(name) for name in margins))
