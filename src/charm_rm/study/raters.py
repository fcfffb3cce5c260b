"""What each rater did, and which raters look careless: flags with a test behind each, which drop no vote."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from ..errors import ConfigError, did_you_mean
from ..estimates import SIGNIFICANT
from ..statistics import FloatArray, benjamini_hochberg
from . import rater_tests as tests
from .nouns import CHECK, Study, StudyVotes
from .vote_pairs import first_votes, vote_pairs

LOCAL = 20  # comparisons that others share with a rater's: from so many on, they alone say what agreement to expect there
FEW_TIMED = 5  # votes; a rater with fewer says nothing of how long people take
COLUMNS = [
    *("rater", "votes", "repeats", "consistent", "checks", "passed", "agreement", "expected_agreement"),
    *("left_share", "tie_share", "seconds", "p_value", "q_value", "flags"),
]
_COUNTS = ("votes", "repeats", "consistent", "checks", "passed")
_SAID = 0.2  # where checks, repeats and agreement stand together, those with a p-value up to this, or the least one, are told
_DRAWN = (1 / 3, 2 / 3)  # the share of votes with a on the left where sides are drawn


def judge_raters(study: Study) -> pl.DataFrame:
    """One row per rater, in the order of names: what they did, and flags.

    Columns: rater; votes (that count); repeats, consistent (the same answer as the first time, its side swapped); checks, passed;
    agreement with the others on the same comparisons (a tie agrees by half, as in ``pairwise_agreement``), expected_agreement (of the
    others among themselves: on the same comparisons, where there are 20 of them, else on all); left_share (of votes for one side);
    tie_share (ties and both bad); seconds (median); p_value, q_value; flags. Null: there was nothing to tell it from.

    Up to four tests a rater (:mod:`.rater_tests`): whether the texts were read (failed checks, inconsistent repeats and low agreement,
    together), one side, ties, haste. p_value is the least of them times their number; q_value adjusts over raters (Benjamini and
    Hochberg); flags are the words of all tests that stand at q <= 5 %. A flag is a reason to look. It drops no vote:
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
    for part in (_habits(votes), _repeats(study, votes), _checks(study), _agreement(votes), _haste(votes)):
        table = table.join(part, on="rater", how="left", maintain_order="left")
    table = table.with_columns(pl.col(*_COUNTS).fill_null(0).cast(pl.Int64))
    return _flagged(table).select(COLUMNS)


def without_raters(study: Study, raters: Collection[str]) -> Study:
    """The study without all votes of these raters, whose weight goes to the other votes on the same comparisons.

    Raises:
        ConfigError: a rater has no votes in the study.
    """
    known = study.votes.frame["rater"].unique().sort().to_list()
    for name in raters:
        if name not in known:
            raise ConfigError(
                f"no vote is by a rater {name!r}.{did_you_mean(name, known)}",
                fix="name raters as the table of raters does",
            )
    kept = study.votes.frame.filter(~pl.col("rater").is_in(list(raters)))
    return replace(study, votes=StudyVotes(kept, provenance=study.votes.provenance))


# --- what they did --------------------------------------------------------------------------------


def _habits(votes: pl.DataFrame) -> pl.DataFrame:
    """rater, votes, ties, tie_share, sided, lefts, left_share, seconds."""
    decided = pl.col("y") != 0.5
    sided = (decided & pl.col("left").is_not_null()).sum()
    lefts = (decided & (pl.col("left") == pl.col("winner"))).sum()
    told = votes.group_by("rater").agg(
        pl.len().alias("votes"),
        (~decided).sum().alias("ties"),
        sided.alias("sided"),
        lefts.alias("lefts"),
        pl.col("seconds").median(),
    )
    share = pl.when(pl.col("sided") > 0).then(pl.col("lefts") / pl.col("sided"))
    a_left = votes["left"].drop_nulls().eq("a").mean()
    drawn = isinstance(a_left, float) and _DRAWN[0] <= a_left <= _DRAWN[1]
    return told.with_columns(
        tie_share=pl.col("ties") / pl.col("votes"), left_share=share, sides_drawn=pl.lit(drawn)
    )


def _repeats(study: Study, votes: pl.DataFrame) -> pl.DataFrame:
    """rater, repeats, consistent: of second looks at what the rater has voted on before."""
    again = study.votes.frame.filter(pl.col("repeat")).select(
        "comparison_id", "rater", pl.col("winner").alias("second")
    )
    both = again.join(votes.select("comparison_id", "rater", "winner"), on=["comparison_id", "rater"])
    same = pl.col("second") == pl.col("winner")
    return both.group_by("rater").agg(pl.len().alias("repeats"), same.sum().alias("consistent"))


def _checks(study: Study) -> pl.DataFrame:
    """rater, checks, passed."""
    kinds = study.comparisons.frame
    if "expected" not in kinds.columns:
        kinds = kinds.with_columns(pl.lit(None, dtype=pl.String).alias("expected"))
    checks = kinds.filter((pl.col("kind") == CHECK) & pl.col("expected").is_not_null())
    seen = study.votes.frame.join(checks.select("comparison_id", "expected"), on="comparison_id")
    passed = pl.col("winner") == pl.col("expected")
    return seen.group_by("rater").agg(pl.len().alias("checks"), passed.sum().alias("passed"))


def _agreement(votes: pl.DataFrame) -> pl.DataFrame:
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


def _haste(votes: pl.DataFrame) -> pl.DataFrame:
    """rater, timed, quick, quick_seconds: votes quicker than nineteen in twenty of a typical other rater's.

    That is the median, over the other raters, of each one's own 5 % quantile: a few who rush do not move it. Null with fewer than three
    raters.
    """
    timed = votes.drop_nulls("seconds")
    own = timed.group_by("rater").agg(
        pl.col("seconds").quantile(tests.QUICK, "linear").alias("own"), pl.len().alias("timed")
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


# --- flags ----------------------------------------------------------------------------------------


def _flagged(table: pl.DataFrame) -> pl.DataFrame:
    """The table with p_value, q_value and flags."""
    reading, habits = _reading_p(table), _habit_p(table)
    found = np.column_stack([tests.combined_p(reading), habits])
    tested = (~np.isnan(found)).sum(axis=1)
    p = np.where(tested > 0, np.minimum(1.0, _least(found) * tested), np.nan)
    q = benjamini_hochberg(p)
    stands = found * tested[:, None] <= _cut(p, q)
    read = stands[:, :1] & (reading <= np.maximum(_SAID, _least(reading))[:, None])
    said = np.column_stack([read, stands[:, 1:]])
    words = [_words(row, said[i]) for i, row in enumerate(table.iter_rows(named=True))]
    return table.with_columns(
        pl.Series("p_value", p, dtype=pl.Float64).fill_nan(None),
        pl.Series("q_value", q, dtype=pl.Float64).fill_nan(None),
        pl.Series("flags", words, dtype=pl.String),
    )


def _cut(p: FloatArray, q: FloatArray) -> float:
    """α k / m, up to which p-values stand: k of m are flagged (Benjamini and Hochberg). Below any p where none is.

    Not the greatest p that was flagged: where all flagged raters are as plain as can be, their lesser signs are signs, too.
    """
    flagged = q <= SIGNIFICANT
    if not flagged.any():
        return -1.0
    share = int(flagged.sum()) / int((~np.isnan(p)).sum())
    return max(SIGNIFICANT * share, float(p[flagged].max()))


def _least(p_values: FloatArray) -> FloatArray:
    """The least of each row (n, m); 1 where there is none."""
    return np.asarray(np.where(np.isnan(p_values), 1.0, p_values).min(axis=1, initial=1.0))


def _reading_p(table: pl.DataFrame) -> FloatArray:
    """(raters, 3): checks, repeats, agreement with the others; NaN where there is nothing to test."""
    r = _numbers(table)
    others_same, others_repeats = _of_others(r["consistent"], r["repeats"])
    with np.errstate(divide="ignore", invalid="ignore"):
        checks = tests.failed_checks_p(r["checks"] - r["passed"], r["checks"])
        same = others_same / others_repeats
        repeats = tests.low_share_p(r["consistent"], r["repeats"], same, others_repeats)
        n = r["shared"] * r["evenness"]
        agreement = tests.low_share_p(r["agreement"] * n, n, r["expected_agreement"], r["expected_of"])
    return np.column_stack(
        [
            np.where(r["checks"] > 0, checks, np.nan),
            np.where((r["repeats"] > 0) & (others_repeats > 0), repeats, np.nan),
            np.where((r["shared"] > 0) & (r["expected_of"] > 0), agreement, np.nan),
        ]
    )


def _habit_p(table: pl.DataFrame) -> FloatArray:
    """(raters, 3): one side, ties, haste; NaN where there is nothing to test."""
    r = _numbers(table)
    others_ties, others_votes = _of_others(r["ties"], r["votes"])
    drawn = table["sides_drawn"].fill_null(value=False).to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        ties = tests.many_ties_p(r["ties"], r["votes"], others_ties / others_votes)
    return np.column_stack(
        [
            np.where((r["sided"] > 0) & drawn, tests.side_p(r["lefts"], r["sided"]), np.nan),
            np.where((r["votes"] > 0) & (others_votes > 0), ties, np.nan),
            np.where(r["timed"] > 0, tests.quick_votes_p(r["quick"], r["timed"]), np.nan),
        ]
    )


def _numbers(table: pl.DataFrame) -> dict[str, FloatArray]:
    """The columns of numbers, NaN where one is missing."""
    numeric = [name for name in table.columns if table[name].dtype.is_numeric()]
    return {name: table[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in numeric}


def _of_others(part: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Totals over all raters but the one of each row."""
    return np.nansum(part) - np.nan_to_num(part), np.nansum(n) - np.nan_to_num(n)


def _words(row: Mapping[str, Any], said: Sequence[bool] | np.ndarray) -> str:
    """Why a rater is flagged: the words of each sign that is ``said``."""
    r = {name: float("nan") if value is None else value for name, value in row.items()}
    side, most = ("left", r["left_share"]) if r["left_share"] > 0.5 else ("right", 1 - r["left_share"])
    words = (
        f"failed {r['checks'] - r['passed']} of {r['checks']} attention checks",
        f"gave the same answer again on {r['consistent']} of {r['repeats']} repeats",
        f"agrees with the others on {r['agreement']:.0%} of {r['shared']} comparisons, where they agree on {r['expected_agreement']:.0%}",
        f"chose the answer on the {side} in {most:.0%} of {r['sided']} votes",
        f"gave no winner in {r['tie_share']:.0%} of {r['votes']} votes",
        f"{r['quick']} of {r['timed']} votes took less than {r['quick_seconds']:.1f} s, as 1 in 20 of a typical rater's do",
    )
    return "; ".join(w for w, shown in zip(words, said, strict=True) if shown)
