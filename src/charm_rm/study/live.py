"""What is known of a study while people vote: how far it is, what is covered, how each rater votes.

Pure: a :class:`Study` in, frozen tables out. The admin page shows it (``charm study progress`` counts in the database, without reading the
study); what it says of models and policies so far is in :mod:`.live_findings`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from .frame import worth_of_vote
from .nouns import CHECK, Study

_MOST_PERIODS = 72  # as many bars as can be told apart on a phone


@dataclass(frozen=True)
class Share:
    """``count`` of ``total`` (0 of 0 is possible: nothing is known yet)."""

    count: float
    total: int

    @property
    def value(self) -> float | None:
        """count / total; None where total is 0."""
        return self.count / self.total if self.total else None


@dataclass(frozen=True, eq=False)
class Live:
    """How far a study is. Votes that count are first looks at main comparisons; repeats and checks count in no estimate.

    ``wanted`` is the planned number of votes that count, ``covered`` the number of main comparisons with at least one, ``complete`` of
    those with as many as were planned. Tables:

    - ``raters``: rater, votes, repeats, consistent, checks, passed, left, sided (decided votes whose sides are known, which ``left`` is
      to be read beside), ties, seconds (median), last_vote (ISO time, or null).
    - ``policies``: policy, comparisons, votes, wanted, wins (½ for a tie).
    - ``pairs``: policy_a, policy_b, comparisons, covered, votes, wanted, wins_a, wins_b, ties, both_bad.
    - ``periods``: start (UTC), votes, total (up to its end); a row for empty ones, too. ``period`` says how long one is.
    - ``comments``: rater, comparison_id, policy_a, policy_b, winner, comment, voted_at; newest first.
    """

    votes: int
    wanted: int
    repeats: int
    checks: int
    comparisons: int
    covered: int
    complete: int
    untimed: int
    period: str
    consistency: Share
    passed: Share
    left: Share
    seconds: float | None
    raters: pl.DataFrame
    policies: pl.DataFrame
    pairs: pl.DataFrame
    periods: pl.DataFrame
    comments: pl.DataFrame

    @property
    def progress(self) -> float:
        """Votes of those planned, at most 1."""
        return min(1.0, self.votes / self.wanted) if self.wanted else 0.0

    @property
    def last_vote(self) -> str | None:
        """When the last vote was given, as it was written."""
        known = self.raters["last_vote"].drop_nulls()
        return str(known.max()) if known.len() else None


def live_study(study: Study) -> Live:
    """What the votes so far say of the study's progress and of its raters."""
    votes = joined_votes(study)
    counting = votes.filter(pl.col("counts"))
    main = study.comparisons.main
    given = counting.group_by("comparison_id").agg(pl.len().alias("given"))
    with_given = main.join(given, on="comparison_id", how="left").with_columns(pl.col("given").fill_null(0))
    periods, period, untimed = over_time(counting["voted_at"].to_list())
    return Live(
        votes=counting.height,
        wanted=int(main["votes_wanted"].sum()),
        repeats=int(votes["repeated"].sum()),
        checks=int(votes["is_check"].sum()),
        comparisons=main.height,
        covered=with_given.filter(pl.col("given") > 0).height,
        complete=with_given.filter(pl.col("given") >= pl.col("votes_wanted")).height,
        untimed=untimed,
        period=period,
        consistency=_share(votes["consistent"]),
        passed=_share(votes["passed"]),
        left=_share(votes["chose_left"]),
        seconds=_median(counting["seconds"]),
        raters=_raters(votes),
        policies=_policies(with_given, counting),
        pairs=_pairs(with_given, counting),
        periods=periods,
        comments=_comments(votes),
    )


def joined_votes(study: Study) -> pl.DataFrame:
    """Every vote beside its comparison, with what it is worth knowing of it.

    ``counts``: a first look at a main comparison. ``repeated``: a second look at one, and ``consistent`` whether it chose the same as
    the first (null where there is no first). ``is_check`` and ``passed``. ``chose_left``: of first looks that chose a side; null
    elsewhere, and where sides are not known.
    """
    votes, comparisons = study.votes.with_all_columns(), study.comparisons.with_all_columns()
    kept = ["comparison_id", "prompt_id", "policy_a", "policy_b", "kind", "expected"]
    first = votes.filter(~pl.col("repeat")).select("comparison_id", "rater", pl.col("winner").alias("before"))
    rows = votes.join(comparisons.select(kept), on="comparison_id", how="inner", maintain_order="left")
    rows = rows.join(first, on=["comparison_id", "rater"], how="left", maintain_order="left")
    is_check, repeat, winner = pl.col("kind") == CHECK, pl.col("repeat"), pl.col("winner")
    decided = winner.is_in(["a", "b"])
    return rows.with_columns(
        (~is_check & ~repeat).alias("counts"),
        (~is_check & repeat).alias("repeated"),
        is_check.alias("is_check"),
        pl.when(~is_check & repeat).then(winner == pl.col("before")).alias("consistent"),
        pl.when(is_check).then(winner == pl.col("expected")).alias("passed"),
        pl.when(~is_check & ~repeat & decided).then(winner == pl.col("left")).alias("chose_left"),
    )


def _share(truths: pl.Series) -> Share:
    known = truths.drop_nulls()
    return Share(int(known.sum()), known.len())


def _median(values: pl.Series) -> float | None:
    known = values.drop_nulls()
    return float(known.median()) if known.len() else None  # type: ignore[arg-type]


def _raters(votes: pl.DataFrame) -> pl.DataFrame:
    known = pl.col("consistent").is_not_null()
    return (
        votes.group_by("rater")
        .agg(
            pl.sum("counts").cast(pl.Int64).alias("votes"),
            known.sum().cast(pl.Int64).alias("repeats"),
            pl.sum("consistent").cast(pl.Int64),
            pl.col("passed").is_not_null().sum().cast(pl.Int64).alias("checks"),
            pl.sum("passed").cast(pl.Int64),
            pl.sum("chose_left").cast(pl.Int64).alias("left"),
            pl.col("chose_left").is_not_null().sum().cast(pl.Int64).alias("sided"),
            (pl.col("counts") & ~pl.col("winner").is_in(["a", "b"])).sum().cast(pl.Int64).alias("ties"),
            pl.col("seconds").filter("counts").median(),
            pl.max("voted_at").alias("last_vote"),
        )
        .sort("votes", "rater", descending=[True, False])
    )


def _policies(main: pl.DataFrame, counting: pl.DataFrame) -> pl.DataFrame:
    """Per policy: comparisons with it, votes given and wanted, and the votes it won."""
    planned = pl.concat(
        main.select(pl.col(side).alias("policy"), "given", "votes_wanted")
        for side in ("policy_a", "policy_b")
    )
    of_a = worth_of_vote()
    wins = pl.concat(
        counting.select(pl.col(f"policy_{side}").alias("policy"), worth.alias("wins"))
        for side, worth in (("a", of_a), ("b", 1.0 - of_a))
    )
    won = wins.group_by("policy").agg(pl.sum("wins"))
    table = planned.group_by("policy").agg(
        pl.len().cast(pl.Int64).alias("comparisons"),
        pl.sum("given").cast(pl.Int64).alias("votes"),
        pl.sum("votes_wanted").cast(pl.Int64).alias("wanted"),
    )
    return table.join(won, on="policy", how="left").with_columns(pl.col("wins").fill_null(0.0)).sort("policy")


def _pairs(main: pl.DataFrame, counting: pl.DataFrame) -> pl.DataFrame:
    """Per pair of policies: how much of it people have seen, and how it went."""
    pair = ["policy_a", "policy_b"]
    outcomes = {"wins_a": "a", "wins_b": "b", "ties": "tie", "both_bad": "both_bad"}
    went = counting.group_by(pair).agg(
        (pl.col("winner") == choice).sum().cast(pl.Int64).alias(name) for name, choice in outcomes.items()
    )
    seen = main.group_by(pair).agg(
        pl.len().cast(pl.Int64).alias("comparisons"),
        (pl.col("given") > 0).sum().cast(pl.Int64).alias("covered"),
        pl.sum("given").cast(pl.Int64).alias("votes"),
        pl.sum("votes_wanted").cast(pl.Int64).alias("wanted"),
    )
    return seen.join(went, on=pair, how="left").with_columns(pl.col(list(outcomes)).fill_null(0)).sort(pair)


def _comments(votes: pl.DataFrame) -> pl.DataFrame:
    said = votes.filter(pl.col("comment").fill_null("").str.strip_chars() != "")
    columns = ["rater", "comparison_id", "policy_a", "policy_b", "winner", "comment", "voted_at"]
    return said.select(columns).sort("voted_at", descending=True, nulls_last=True, maintain_order=True)


def over_time(times: Sequence[str | None]) -> tuple[pl.DataFrame, str, int]:
    """Votes per hour, day or longer, so that at most 72 periods are shown; what a period is; how many times cannot be read.

    Times are ISO 8601; without an offset they are taken as UTC.
    """
    moments = [moment for moment in map(_moment, times) if moment is not None]
    if not moments:
        empty: dict[str, pl.DataType | type[pl.DataType]] = {
            "start": pl.Datetime("us", "UTC"),
            "votes": pl.Int64,
            "total": pl.Int64,
        }
        return pl.DataFrame(schema=empty), "hour", len(times)
    first, last = min(moments), max(moments)
    period, step = _period(last - first)
    start = first.replace(minute=0, second=0, microsecond=0)
    if period != "hour":
        start = start.replace(hour=0)
    counts = [0] * ((last - start) // step + 1)
    for moment in moments:
        counts[(moment - start) // step] += 1
    frame = pl.DataFrame({"start": [start + i * step for i in range(len(counts))], "votes": counts})
    frame = frame.with_columns(pl.col("votes").cast(pl.Int64), pl.col("votes").cum_sum().alias("total"))
    return frame, period, len(times) - len(moments)


def _period(span: timedelta) -> tuple[str, timedelta]:
    """How long a bar is, in words and time: the shortest of which at most 72 make up the span."""
    for name, step in (("hour", timedelta(hours=1)), ("day", timedelta(days=1))):
        if span <= (_MOST_PERIODS - 1) * step:
            return name, step
    days = -(-span.days // (_MOST_PERIODS - 1))
    return f"{days} days", timedelta(days=days)


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
