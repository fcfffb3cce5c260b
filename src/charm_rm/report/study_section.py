"""What a study's votes say, as a section: of its own page, and of a run's report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from ..study import words as said
from ..study.results import StudyAnalysis
from .listings import Listing
from .words import chance, clean, elo, interval, number

Row = Mapping[str, Any]


@dataclass(frozen=True)
class StudySection:
    """The words and tables of the section; its figures are those of :mod:`.figures.study`."""

    facts: Sequence[tuple[str, str]]
    decisions: Sequence[tuple[str, str]]
    notes: Sequence[str]
    simulated: bool
    what_agreement_is: str
    what_powered_is: str
    agreement: Listing | None
    differences: Listing | None
    people: Listing | None
    ratings: Listing | None
    model_ratings: Listing | None
    favour: Listing | None
    raters: Listing | None


def study_section(found: StudyAnalysis) -> StudySection:
    """What the section says of a cleaned analysis."""
    return StudySection(
        facts=list(_facts(found)),
        decisions=[(question, f"{told}.") for question, told, _ in said.decisions(found)],
        notes=list(_notes(found)),
        simulated=bool(found.summary.get("simulated")),
        what_agreement_is=said.WHAT_AGREEMENT_IS,
        what_powered_is=said.WHAT_POWERED_IS,
        agreement=_agreement(found),
        differences=_differences(found),
        people=_people(found),
        ratings=_ratings(found),
        model_ratings=_model_ratings(found),
        favour=_favour(found),
        raters=_raters(found),
    )


def sentences(found: StudyAnalysis | None) -> list[str]:
    """What the head of a run's report says of its study."""
    if found is None:
        return []
    who = "simulated raters" if found.summary.get("simulated") else "people"
    return [f"Asked blind ({said.size(found)}), {who} say: {said.headline(found)}."]


def _facts(found: StudyAnalysis) -> Iterator[tuple[str, str]]:
    yield "Votes", said.size(found)
    if target := said.about(found):
        yield "About", clean(target)


def _notes(found: StudyAnalysis) -> Iterator[str]:
    for row in said.leading(found.differences):
        yield f"{capital(said.discordance(row))}."
        classical = said.beside(found.differences, row)
        if classical is not None and classical["estimator"] != row["estimator"]:
            yield f"{classical['model']} minus {classical['baseline']} from the votes alone: {said.points(classical)}, {said.p_words(classical)}."
    if agreement := said.agreement_sentence(found):
        yield f"Agreement with people: {agreement}."
    yield from (f"{capital(note)}." for note in said.difference_notes(found))
    if (alpha := said.alpha(found)) is not None:
        yield f"Krippendorff’s alpha of the raters: {said.plain(alpha)}."


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


# --- tables ---------------------------------------------------------------------------------------


def _listing(
    key: str, caption: str, frame: pl.DataFrame, columns: Mapping[str, tuple[bool, Any]]
) -> Listing | None:
    """A table of a frame: per column whether it is a number, and how a row's cell reads."""
    if not frame.height:
        return None
    rows = [[cell(row) for _, cell in columns.values()] for row in frame.iter_rows(named=True)]
    return Listing(key, caption, [(title, is_number) for title, (is_number, _) in columns.items()], rows)


def _word(name: str) -> tuple[bool, Any]:
    return False, lambda row: str(row[name] or "")


def _number(name: str, digits: int = 0, *, scale: float = 1.0, signed: bool = False) -> tuple[bool, Any]:
    return True, lambda row: number(None if row[name] is None else scale * row[name], digits, signed=signed)


def _ends(digits: int, *, scale: float = 1.0, signed: bool = False) -> tuple[bool, Any]:
    def cell(row: Row) -> str:
        low, high = (None if row[end] is None else scale * row[end] for end in ("ci_low", "ci_high"))
        return interval(low, high, digits, signed=signed)

    return True, cell


def _chance(name: str) -> tuple[bool, Any]:
    return True, lambda row: chance(row[name])


def _agreement(found: StudyAnalysis) -> Listing | None:
    columns = {
        "Model": _word("model"),
        "Votes": _word("votes_used"),
        "Estimator": _word("estimator"),
        "Agreement, %": _number("value", 1, scale=100),
        "95 % CI": _ends(1, scale=100),
        "n": _number("n_votes"),
        "Effective votes": _number("effective_votes"),
    }
    return _listing("study_agreement", "Agreement with people", found.agreement, columns)


def _differences(found: StudyAnalysis) -> Listing | None:
    columns = {
        "Model": _word("model"),
        "Against": _word("baseline"),
        "Votes": _word("votes_used"),
        "Estimator": _word("estimator"),
        "Difference, points": _number("difference", 1, scale=100, signed=True),
        "95 % CI": _ends(1, scale=100, signed=True),
        "p": _chance("p_value"),
        "Reading": _word("reading"),
    }
    return _listing("study_differences", "Differences of agreement", found.differences, columns)


def _people(found: StudyAnalysis) -> Listing | None:
    frame = found.people.filter(pl.col("value").is_not_null())

    def cell(row: Row) -> str:
        share = row["figure"].startswith("pairwise")
        return said.per_cent(row) if share else said.plain(row)

    columns = {
        "Figure": (False, lambda row: said.FIGURES.get(row["figure"], row["figure"])),
        "Value, 95 % CI": (True, cell),
        "Comparisons": _number("n_comparisons"),
        "Raters": _number("n_raters"),
    }
    return _listing("study_people", "People with each other", frame, columns)


def _ratings(found: StudyAnalysis) -> Listing | None:
    frame = (
        found.ratings.sort("rating", descending=True, nulls_last=True)
        if found.ratings.height
        else found.ratings
    )
    columns = {
        "Policy": _word("policy"),
        "Estimator": _word("estimator"),
        "Rating": _number("rating", 0),
        "95 % CI": _ends(0),
        "Votes": _number("votes"),
    }
    return _listing("study_ratings", "Ratings by people, Elo points", frame, columns)


def _model_ratings(found: StudyAnalysis) -> Listing | None:
    columns = {
        "Model": _word("model"),
        "Policy": _word("policy"),
        "Rating": _number("rating", 0),
        "95 % CI": _ends(0),
        "Comparisons": _number("comparisons"),
    }
    return _listing(
        "study_model_ratings", "Ratings by each model’s verdicts, Elo points", found.model_ratings, columns
    )


def _favour(found: StudyAnalysis) -> Listing | None:
    frame = (
        found.favour.sort(pl.col("favour").abs(), descending=True) if found.favour.height else found.favour
    )
    columns = {
        "Model": _word("model"),
        "Policy": _word("policy"),
        "Favour, Elo": (True, lambda row: elo(row["favour"])),
        "95 % CI": _ends(0, signed=True),
        "q": _chance("q_value"),
        "Verdict": _word("verdict"),
    }
    return _listing("study_favour", "Whom models favour against these people", frame, columns)


def _raters(found: StudyAnalysis) -> Listing | None:
    columns = {
        "Rater": _word("rater"),
        "Votes": _number("votes"),
        "Agreement, %": _number("agreement", 0, scale=100),
        "Consistent": _number("consistent"),
        "Repeats": _number("repeats"),
        "Passed": _number("passed"),
        "Checks": _number("checks"),
        "Left, %": _number("left_share", 0, scale=100),
        "Ties, %": _number("tie_share", 0, scale=100),
        "Seconds": _number("seconds", 1),
        "q": _chance("q_value"),
        "Verdict": _word("verdict"),
        "Why": _word("flags"),
    }
    return _listing("study_raters", "Raters", found.raters, columns)
