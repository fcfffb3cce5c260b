"""What a reader of a study's figures has to know: figures that are right, and may mislead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl

from ..errors import counted as count_of
from ..errors import listing, verb
from ..estimates import SIGNIFICANT
from .estimates.clusters import effective_number
from .frame import SELF_NAMING, left_out_words
from .nouns import Counted, Study
from .raters.record import sides_drawn
from .raters.signs import lower_tail, upper_tail
from .results import ALL, CARELESS, PAIRWISE, UNCLEAR

FEW_SHARED = 30  # comparisons that two raters saw; with fewer, agreement of people is a rough figure
EVEN_WEIGHTS = 0.5  # of the votes; where they are worth fewer of equal weight, it is said
STRONG_SIDE = 0.05  # how far from one half the share of left is when sides matter


def study_warnings(
    study: Study,
    counted: Counted,
    people: pl.DataFrame,
    raters: pl.DataFrame,
    differences: pl.DataFrame,
    *,
    cast: pl.DataFrame,
) -> Iterator[str]:
    """Each as one sentence or two, with what to do. ``cast`` are all votes, those of raters that are left out among them."""
    yield from _left_out(study)
    yield from _short(study, cast)
    yield from _overlaps(people, study)
    yield from _weights(counted)
    yield from _quality(raters)
    yield from _sides(study)
    yield from _apart(differences)


def _left_out(study: Study) -> Iterator[str]:
    """What people could not be asked: no figure is about it."""
    plan = study.provenance.get("plan")
    account = plan.get("left_out") if isinstance(plan, Mapping) else None
    if isinstance(account, Mapping) and account.get(SELF_NAMING):
        words = left_out_words(account)
        yield f"{words}: figures are about the other {account['candidates']:,}"


def _short(study: Study, cast: pl.DataFrame) -> Iterator[str]:
    """Votes short of plan."""
    main = study.comparisons.main
    votes = cast.filter(~pl.col("repeat")).group_by("comparison_id").agg(pl.len().cast(pl.Int64).alias("n"))
    missing = main.join(votes, on="comparison_id", how="left").select(
        (pl.col("votes_wanted") - pl.col("n").fill_null(0)).clip(0).sum()
    )
    lacking, wanted = int(missing.item()), int(main["votes_wanted"].sum())
    if lacking:
        yield f"{lacking:,} of {wanted:,} votes that the plan wants are not there yet: what is shown rests on the comparisons voted on so far"


def _overlaps(people: pl.DataFrame, study: Study) -> Iterator[str]:
    (n,) = people.filter(pl.col("figure") == PAIRWISE)["n_comparisons"].to_list()
    if not n:
        planned = study.comparisons.main.filter(pl.col("votes_wanted") > 1).height
        mend = (
            f"The plan has second votes on {count_of(planned, 'comparison')}, and they come last: wait for them"
            if planned
            else "Plan a share of comparisons for two raters (--overlap, overlap= in Python)"
        )
        yield (
            "no comparison has votes of two raters: how far people agree with each other, beside which a model's agreement is read, is not "
            f"known. {mend}"
        )
    elif n < FEW_SHARED:
        yield f"only {count_of(n, 'comparison')} {'has' if n == 1 else 'have'} votes of two raters: how far people agree with each other is a rough figure"


def _weights(counted: Counted) -> Iterator[str]:
    weight = counted.frame["weight"].to_numpy()
    worth = effective_number(weight)
    if worth < EVEN_WEIGHTS * len(weight):
        heaviest = float(np.max(weight) / weight.sum())
        yield (
            f"weights are skewed: {len(weight):,} votes are worth {worth:,.0f} of equal weight, and the heaviest is {heaviest:.1%} of all. "
            "A larger random share in the plan makes them even"
        )


def _quality(raters: pl.DataFrame) -> Iterator[str]:
    """Checks, repeats, verdicts on raters. Of another taste nothing is said here: nothing has to be done about it."""
    checks, passed = int(raters["checks"].sum()), int(raters["passed"].sum())
    if passed < checks:
        yield f"{count_of(checks - passed, 'attention check')} of {checks:,} failed (table of raters)"
    repeats, same = int(raters["repeats"].sum()), int(raters["consistent"].sum())
    if repeats and same < 0.7 * repeats:
        yield f"raters gave the same answer again on {same:,} of {count_of(repeats, 'repeat')}: single votes say little, and more raters per comparison say more"
    careless = raters.filter(pl.col("verdict") == CARELESS)["rater"].to_list()
    if careless:
        yield (
            f"{count_of(len(careless), 'rater')} {verb(len(careless), 'looks', 'look')} careless: {listing(careless)}. Their votes count all "
            f"the same; without={tuple(careless[:3])!r} (--without) shows what they carry"
        )
    unclear = raters.filter(pl.col("verdict") == UNCLEAR)["rater"].to_list()
    if unclear:
        yield (
            f"{count_of(len(unclear), 'rater')} {verb(len(unclear), 'agrees', 'agree')} less with the others, by taste or for want of care: "
            f"{listing(unclear)}. Checks and repeats tell the two apart (--checks and --repeats of charm study plan); leaving out whoever "
            "disagrees would make people agree more than they do"
        )


def _sides(study: Study) -> Iterator[str]:
    """All raters together prefer a side of the screen."""
    sided = study.votes.with_all_columns().filter(
        pl.col("left").is_not_null() & pl.col("winner").is_in(["a", "b"])
    )
    if not sides_drawn(sided["left"]):
        return
    n, left = sided.height, int((sided["left"] == sided["winner"]).sum())
    p = 2 * min(float(lower_tail(left, n, 0.5)), float(upper_tail(left, n, 0.5)))
    if p <= SIGNIFICANT and abs(left / n - 0.5) > STRONG_SIDE:
        side, share = ("left", left / n) if left > n / 2 else ("right", 1 - left / n)
        yield f"raters chose the answer on the {side} in {share:.0%} of votes: sides were drawn, so this favours no policy, and it blurs every figure"


def _apart(differences: pl.DataFrame) -> Iterator[str]:
    """Models that hardly differ."""
    seen = differences.filter(pl.col("votes_used") == ALL).unique("model", keep="first", maintain_order=True)
    for row in seen.iter_rows(named=True):
        if row["discordant_share"] == 0:
            yield f"{row['model']} and {row['baseline']} name the same winner on every candidate: no vote can tell them apart"
        elif row["n_discordant"] < 10:
            yield f"only {count_of(row['n_discordant'], 'comparison')} with votes on which {row['model']} and {row['baseline']} name different winners: they tell little of the difference"
