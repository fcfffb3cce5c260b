"""What an analysis says, as sentences that the command and the report share: the decision first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from ..errors import counted, listing, verb
from ..estimates import signed
from .results import (
    ALL,
    ALPHA,
    ALPHA_DECIDED,
    BETTER,
    CARELESS,
    CLASSICAL,
    DECIDED,
    OTHER_TASTE,
    PAIRWISE,
    PAIRWISE_DECIDED,
    POWERED,
    UNCLEAR,
    WORSE,
    StudyAnalysis,
)

Row = Mapping[str, Any]
# How a model's agreement is read beside that of people with each other, by the votes that are used.
_CEILINGS = {ALL: PAIRWISE, DECIDED: PAIRWISE_DECIDED}
FIGURES = {
    ALPHA: "Krippendorff's alpha, all four answers",
    ALPHA_DECIDED: "Krippendorff's alpha, votes for one side",
    PAIRWISE: "pairs of raters who agree, %, a tie by half",
    PAIRWISE_DECIDED: "pairs of raters who agree, %, votes for one side",
}
WHAT_AGREEMENT_IS = (
    "Agreement: the share of comparisons on which a vote names the model's winner; a tie agrees by half (all), or votes for one side alone "
    "count (decided)"
)
WHAT_POWERED_IS = "Prediction-powered: the votes joined with the model's verdicts on all candidates; effective votes: how many votes alone would be as sure"


def leading(frame: pl.DataFrame, *, votes_used: str = ALL) -> list[Row]:
    """Per model (and baseline) the row that is to be read first: prediction-powered where it is told, else classical.

    What the votes do not determine has no row.
    """
    value = "difference" if "difference" in frame.columns else "value"
    rows = (
        frame.filter(pl.col("votes_used") == votes_used, pl.col(value).is_not_null())
        if frame.height
        else frame
    )
    first: dict[tuple[str, str], Row] = {}
    for row in rows.iter_rows(named=True):
        key = (row["model"], row.get("baseline", ""))
        if key not in first or row["estimator"] == POWERED:
            first[key] = row
    return list(first.values())


def beside(frame: pl.DataFrame, row: Row, *, estimator: str = CLASSICAL) -> Row | None:
    """The row of the same model, baseline and votes by another estimator; None where there is none."""
    same = [c for c in ("model", "baseline", "votes_used") if c in frame.columns]
    value = "difference" if "difference" in frame.columns else "value"
    found = frame.filter(
        pl.col("estimator") == estimator, pl.col(value).is_not_null(), *(pl.col(c) == row[c] for c in same)
    )
    return found.row(0, named=True) if found.height else None


def ceiling(found: StudyAnalysis, *, votes_used: str = ALL) -> Row | None:
    """How often two people agree, on the scale of a model's agreement; None where no comparison has two raters."""
    rows = found.people.filter((pl.col("figure") == _CEILINGS[votes_used]) & pl.col("value").is_not_null())
    return rows.row(0, named=True) if rows.height else None


def alpha(found: StudyAnalysis) -> Row | None:
    """Krippendorff's alpha over all answers; None where it is not determined."""
    rows = found.people.filter((pl.col("figure") == ALPHA) & pl.col("value").is_not_null())
    return rows.row(0, named=True) if rows.height else None


def answer(row: Row) -> str:
    """Whether people agree more with the model than with its baseline, in a word or two."""
    return {BETTER: "Yes", WORSE: "No, less"}.get(row["reading"], "Not shown")


def question(row: Row) -> str:
    """The question that a difference answers."""
    return f"Do people agree more with {row['model']} than with {row['baseline']}?"


def points(row: Row, name: str = "difference", *, digits: int = 1) -> str:
    """``+5.1 points [+2.0, +8.2]``: a difference of shares in percentage points, with its interval."""
    return f"{signed(100 * row[name], digits)} points{_ends(row, lambda v: signed(100 * v, digits))}"


def per_cent(row: Row, name: str = "value", *, digits: int = 1) -> str:
    """``64.2 % [60.1, 68.3]``."""
    return f"{100 * row[name]:.{digits}f} %{_ends(row, lambda v: f'{100 * v:.{digits}f}')}"


def plain(row: Row, name: str = "value", *, digits: int = 2) -> str:
    """``0.31 [0.25, 0.37]``."""
    return f"{row[name]:.{digits}f}{_ends(row, lambda v: f'{v:.{digits}f}')}"


def _ends(row: Row, shown: Any) -> str:
    low, high = row["ci_low"], row["ci_high"]
    if low is None and high is None:
        return ""
    return f" [{'open' if low is None else shown(low)}, {'open' if high is None else shown(high)}]"


def chance(p: float | None) -> str:
    """A p-value with two digits; ``-`` where there is no test."""
    return "-" if p is None else f"{p:.2g}" if p >= 0.0001 else "<0.0001"


def raters_of(found: StudyAnalysis, verdict: str) -> list[str]:
    """Names of the raters with a verdict: :data:`.results.CARELESS`, :data:`.results.OTHER_TASTE` or :data:`.results.UNCLEAR`."""
    names: list[str] = found.raters.filter(pl.col("verdict") == verdict)["rater"].to_list()
    return names


def rater_sentences(found: StudyAnalysis, *, limit: int = 6) -> Iterator[str]:
    """Who is not like the others, and what to do about it: one line a verdict."""
    if names := raters_of(found, CARELESS):
        yield f"raters who look careless: {listing(names, limit=limit)} (below; --without NAME leaves one out)"
    if names := raters_of(found, OTHER_TASTE):
        yield f"raters of another taste: {listing(names, limit=limit)} (below; they read, so keep them)"
    if names := raters_of(found, UNCLEAR):
        yield f"raters apart from the others by taste or by want of care: {listing(names, limit=limit)} (below; checks and repeats would tell)"


def p_words(row: Row) -> str:
    """``p = 0.004``, ``p < 0.0001``."""
    shown = chance(row["p_value"])
    return f"p {shown[0]} {shown[1:]}" if shown.startswith("<") else f"p = {shown}"


# --- sentences ------------------------------------------------------------------------------------


def size(found: StudyAnalysis) -> str:
    """``1,204 votes of 8 raters on 400 comparisons``."""
    raters = found.raters
    votes = found.summary.get("votes", int(raters["votes"].sum()) if raters.height else 0)
    on = found.summary.get("comparisons")
    words = f"{counted(votes, 'vote')} of {counted(found.summary.get('raters', raters.height), 'rater')}"
    return words if on is None else f"{words} on {counted(on, 'comparison')}"


def about(found: StudyAnalysis) -> str:
    """What the figures are about: these comparisons, or all that the plan chose from."""
    if target := found.summary.get("target"):
        return str(target)
    candidates = found.summary.get("candidates")
    return "" if candidates is None else f"all {candidates:,} comparisons that the plan chose from"


def decisions(found: StudyAnalysis) -> Iterator[tuple[str, str, Row]]:
    """Per model that is held against another: the question, the answer with its figures, and the row it is from."""
    for row in leading(found.differences):
        yield question(row), f"{answer(row)}: {points(row)}, {p_words(row)}", row


def headline(found: StudyAnalysis) -> str:
    """The finding in one line."""
    told = [f"{_claim(row)}: {points(row)}" for row in leading(found.differences)]
    if told:
        return "; ".join(told)
    rows = leading(found.agreement)
    if rows:
        return "; ".join(f"people agree with {row['model']} in {per_cent(row)}" for row in rows)
    return size(found)


def _claim(row: Row) -> str:
    more = f"with {row['model']} than with {row['baseline']}"
    if row["reading"] in (BETTER, WORSE):
        return f"people agree {'more' if row['reading'] == BETTER else 'less'} {more}"
    return f"not shown that people agree more or less {more}"


def agreement_sentence(found: StudyAnalysis) -> str:
    """Every model's agreement, beside that of people with each other."""
    told = [f"{row['model']} {per_cent(row)}" for row in leading(found.agreement)]
    top = ceiling(found)
    if top is not None:
        told.append(f"people with each other {per_cent(top)}")
    return ", ".join(told)


def agreement_notes(found: StudyAnalysis) -> Iterator[str]:
    """What columns of the tables of agreement and differences mean."""
    yield "all: a tie agrees by half; decided: votes for one side alone"
    yield "prediction-powered: votes joined with verdicts on all candidates; effective: votes alone that would be as sure"
    yield from difference_notes(found)


def difference_notes(found: StudyAnalysis) -> Iterator[str]:
    """Why a difference may be a little off that of two agreements; and what its interval and p are adjusted for."""
    if not found.differences.height:
        return
    yield "difference: the share of all comparisons on which two models name different winners, times its mean there; so it may be a little off that of two agreements"
    if (tests := found.differences["model"].n_unique()) > 1:
        yield f"intervals and p of differences are adjusted for {tests} models (Bonferroni): all {tests} intervals hold in 95 % of studies or more"


def discordance(row: Row) -> str:
    """On how much two models differ at all, and which two: outside of it no vote can tell them apart."""
    share = row.get("discordant_share")
    of_all = "" if share is None else f"; they name different winners on {100 * share:.1f} % of all"
    return f"{counted(row['n_discordant'], 'comparison')} with votes {verb(row['n_discordant'], 'tells', 'tell')} {row['model']} and {row['baseline']} apart{of_all}"
