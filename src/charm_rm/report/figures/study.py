"""What people's votes say: agreement beside that of people with each other, differences, ratings, raters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from ...errors import counted
from ...study.results import ALL, BETTER, CARELESS, CLASSICAL, POWERED, WORSE, StudyAnalysis
from ...study.words import ceiling
from ..charts import Row, interval_rows
from ..gather import Findings
from ..words import chance, interval, number
from ._registry import Picture, both, figure
from ._rows import ends

# Of each estimator: what it is called, and the colour of its marks where both are drawn.
_NAMED = {CLASSICAL: ("votes alone", "even"), POWERED: ("with verdicts", "accent")}
_MOST = 40  # raters in the figure


@figure("study_agreement", title="Agreement with people", section="study", needs=("study",))
def study_agreement(_: Findings | None, found: StudyAnalysis) -> Iterator[Picture]:
    """Every model by both estimators, and people with each other."""
    told = found.agreement.filter(pl.col("value").is_not_null())
    frame = told.filter(pl.col("votes_used") == ALL)
    rows = [
        _share(f"{r['model']} · {_NAMED[r['estimator']][0]}", r, _NAMED[r["estimator"]][1])
        for r in _in_order(frame)
    ]
    top = ceiling(found)
    if top is not None:
        rows.append(_share("people with each other", top, "under"))
    if frame.height:
        yield both(
            lambda w: interval_rows(rows, width=w, axis="agreement, % of comparisons", zero=None),
            alt=f"Agreement of {counted(frame['model'].n_unique(), 'model')} with people in per cent, with 95 % intervals"
            + (", and of people with each other." if top is not None else "."),
            caption="Grey: from the votes alone. Green: joined with the model’s verdicts on all candidates. Bars are 95 % intervals. "
            + (
                "Blue: how often two people agree, beside which a model is to be read. "
                if top is not None
                else ""
            )
            + "A tie agrees by half; a coin would agree in 50 %.",
        )


@figure("study_difference", title="Differences of agreement", section="study", needs=("study",), order=1)
def study_difference(_: Findings | None, found: StudyAnalysis) -> Iterator[Picture]:
    """Model minus baseline, by votes used and estimator."""
    told = found.differences.filter(pl.col("difference").is_not_null())
    several = told.select("model", "baseline").n_unique() > 1
    rows = [
        Row(
            name=(f"{r['model']} − {r['baseline']} · " if several else "")
            + f"{r['votes_used']} · {_NAMED[r['estimator']][0]}",
            value=100 * r["difference"],
            low=_per_cent(r["ci_low"]),
            high=_per_cent(r["ci_high"]),
            role={BETTER: "under", WORSE: "over"}.get(r["reading"], "even"),
            tip=f"{r['model']} minus {r['baseline']}\n{r['votes_used']} votes, {r['estimator']}\n{_points(r, 'difference')}, p = {chance(r['p_value'])}\n{r['reading']}",
        )
        for r in told.iter_rows(named=True)
    ]
    if rows:
        yield both(
            lambda w: interval_rows(rows, width=w, axis="difference of agreement, percentage points"),
            alt=f"{counted(len(rows), 'difference')} of agreement with people in percentage points, with 95 % intervals.",
            caption="Right of zero: people agree more with the model than with what it is held against. Blue: beyond chance; orange: people agree less, beyond chance; "
            "grey: within chance. All: a tie agrees by half; decided: votes for one side alone. With verdicts: prediction-powered.",
        )


@figure("study_ratings", title="Ratings by people", section="study", needs=("study",), order=2)
def study_ratings(_: Findings | None, found: StudyAnalysis) -> Iterator[Picture]:
    """Every policy's rating by both estimators: the one joined with verdicts filled, the votes' own hollow."""
    if not found.ratings.height:
        return
    told = {(r["policy"], r["estimator"]): r for r in found.ratings.iter_rows(named=True)}
    first = POWERED if any(e == POWERED for _, e in told) else CLASSICAL
    rows = [
        Row(
            name=policy,
            value=r["rating"],
            low=r["ci_low"],
            high=r["ci_high"],
            role="accent",
            start=told.get((policy, CLASSICAL), {}).get("rating") if first == POWERED else None,
            tip="\n".join(
                [policy, *(_rated(e, told[policy, e]) for e in (CLASSICAL, POWERED) if (policy, e) in told)]
            ),
        )
        for (policy, estimator), r in sorted(told.items(), key=lambda one: -(one[1]["rating"] or 0.0))
        if estimator == first and r["rating"] is not None
    ]
    hollow = " Hollow: from the votes alone." if first == POWERED else ""
    if rows:
        yield both(
            lambda w: interval_rows(ends(rows), width=w, axis="rating by people, Elo points", zero=None),
            alt=f"Ratings of {counted(len(rows), 'policy', 'policies')} by people in Elo points with 95 % intervals, best first.",
            caption=f"Bradley-Terry ratings with 95 % intervals.{hollow} Only differences between policies mean something.",
        )


@figure("study_raters", title="Raters", section="study", needs=("study",), order=3)
def study_raters(_: Findings | None, found: StudyAnalysis) -> Iterator[Picture]:
    """Each rater's agreement with the others; who looks careless in orange, who is apart otherwise in grey."""
    frame = found.raters.filter(pl.col("agreement").is_not_null())
    if not frame.height:
        return
    marked = pl.col("verdict") != ""
    kept = (
        frame.sort([marked, pl.col("votes")], descending=True).head(_MOST).sort("agreement", descending=True)
    )
    rows = [
        Row(
            name=r["rater"],
            value=100 * r["agreement"],
            role="over" if r["verdict"] == CARELESS else "even" if r["verdict"] else "accent",
            tip=f"{r['rater']}\n{counted(r['votes'], 'vote')}, agreement {number(100 * r['agreement'], 0)} %\n{_why(r)}",
        )
        for r in kept.iter_rows(named=True)
    ]
    more = (
        f" {_MOST} of {frame.height} raters: those with a verdict, and those with most votes."
        if frame.height > _MOST
        else ""
    )
    yield both(
        lambda w: interval_rows(rows, width=w, axis="agreement with the other raters, %", zero=None),
        alt=f"Agreement of {counted(len(rows), 'rater')} with the others, in per cent.",
        caption=f"How often a rater agrees with the others on the same comparison.{more} Orange: looks careless. Grey: of another taste, or either. The table says why.",
    )


def _why(rater: dict[str, Any]) -> str:
    """A verdict with its reasons."""
    return f"{rater['verdict']}: {rater['flags']}" if rater["verdict"] else "nothing out of the ordinary"


def _in_order(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Models in the order of the study, the two estimators of each beside each other."""
    rows = frame.to_dicts()
    order = list(dict.fromkeys(r["model"] for r in rows))
    return sorted(rows, key=lambda r: (order.index(r["model"]), r["estimator"] == POWERED))


def _share(name: str, row: Mapping[str, Any], role: str) -> Row:
    worth = row.get("effective_votes")
    more = "" if worth is None else f"\nas sure as {number(worth, 0)} votes alone"
    shown = f"{number(100 * row['value'], 1)} % {interval(_per_cent(row['ci_low']), _per_cent(row['ci_high']), 1)}"
    return Row(
        name,
        100 * row["value"],
        f"{name}\n{shown}{more}",
        _per_cent(row["ci_low"]),
        _per_cent(row["ci_high"]),
        role,
    )


def _points(row: Mapping[str, Any], name: str) -> str:
    ends_ = interval(_per_cent(row["ci_low"]), _per_cent(row["ci_high"]), 1, signed=True)
    return f"{number(100 * row[name], 1, signed=True)} points {ends_}"


def _rated(estimator: str, row: Mapping[str, Any]) -> str:
    return f"{_NAMED[estimator][0]}: {number(row['rating'], 0)} {interval(row['ci_low'], row['ci_high'], 0)}"


def _per_cent(value: float | None) -> float | None:
    return None if value is None else 100 * value
