"""What the admin's templates are given: raters as lines, figures as words. Nothing here asks for anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from ...visible import visible
from ..live import Live
from ..live_findings import LOOKING, PEOPLE_WORDS, Finding, RaterMark
from ..results import CARELESS
from .charts import interval_chart, votes_chart

if TYPE_CHECKING:
    from ..exchange import RaterRow
    from .figures import Figures

_LONGEST_COMMENT = 600
_NO_VOTES = {
    "votes": 0, "repeats": 0, "consistent": 0, "checks": 0, "passed": 0, "left": 0, "sided": 0, "ties": 0, "seconds": None,
    "last_vote": None,
}  # fmt: skip


def live_values(figures: Figures, rows: Sequence[RaterRow]) -> dict[str, Any]:
    """All that the part of the page which is loaded again shows."""
    live, found = figures.live, figures.findings
    ratings, people = _rows(found.ratings), _rows(found.people)
    return {
        "live": live,
        "raters": rater_lines(live, rows, found.flags),
        "votes_chart": votes_chart(live.periods, live.period),
        "people": {
            "rows": [
                row | {"words": PEOPLE_WORDS[row["figure"]], "how": _how(row["figure"])} for row in people
            ],
            "note": found.people.note,
        },
        "ratings": {"rows": ratings, "note": found.ratings.note},
        "ratings_chart": _ratings_chart(ratings),
        "models": {"rows": _rows(found.models), "note": found.models.note},
        "looking": LOOKING,
        "careless": CARELESS,
        **WORDS,
    }


def rater_lines(live: Live, rows: Sequence[RaterRow], flags: Mapping[str, RaterMark]) -> list[dict[str, Any]]:
    """One line per rater, those with votes or not: what they did, the state of their link, what sets them apart."""
    did = {row["rater"]: row for row in live.raters.iter_rows(named=True)}
    return [
        {
            **_NO_VOTES,
            **did.get(row.name, {}),
            "name": row.name,
            "link": link_words(row),
            "open": row.status == "open",
            "quota": row.quota,
            "mark": flags.get(row.name),
        }
        for row in rows
    ]


def link_words(row: RaterRow) -> str:
    """The state of a rater's link."""
    until = "" if row.expires_at is None else f" {datetime.fromtimestamp(row.expires_at, UTC):%d %b %Y}"
    if row.status == "open":
        return f"open until{until}" if until else "open"
    if row.status == "expired":
        return f"expired{until}"
    return {"revoked": "revoked", "imported": "no link"}.get(row.status, row.status)


# --- words --------------------------------------------------------------------------------------------


def percent(value: float | None) -> str:
    """``0.873`` as ``87 %``; a dash where it is not known."""
    return "–" if value is None else f"{100 * value:.0f} %"


def figure(value: float, how: str) -> str:
    """A number as its kind is written: ``elo`` without decimals, ``percent``, or ``plain`` with two decimals."""
    if how == "percent":
        return f"{100 * value:.1f} %"
    return f"{value:.0f}" if how == "elo" else f"{value:.2f}"


def time_taken(seconds: float) -> str:
    """Seconds in words."""
    return (
        f"{seconds:.1f} s"
        if seconds < 10
        else f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.1f} min"
    )


def moment(time: str | None) -> Markup | str:
    """A time as UTC, to the minute; a dash where there is none."""
    try:
        when = datetime.fromisoformat(time or "")
    except ValueError:
        return "–"
    when = (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(when.isoformat(), f"{when:%Y-%m-%d %H:%M} UTC")


def shown(text: str) -> str:
    """A name from data, with hidden characters written out; the template escapes it."""
    return visible(text)


def shown_comment(text: str) -> str:
    """A comment with its line ends, cut where it is long."""
    cut = text[:_LONGEST_COMMENT].rstrip()
    return visible(cut, keep="\n") + (
        "" if len(cut) >= len(text.rstrip()) else " … (cut here; all of it is in the export)"
    )


WORDS = {
    "percent": percent,
    "figure": figure,
    "time_taken": time_taken,
    "moment": moment,
    "shown": shown,
    "shown_comment": shown_comment,
}


def _rows(finding: Finding) -> list[dict[str, Any]]:
    return [] if finding.frame is None else finding.frame.to_dicts()


def _how(name: str) -> str:
    return "plain" if "alpha" in name else "percent"


def _ratings_chart(rows: Sequence[Mapping[str, Any]]) -> Markup:
    if not rows:
        return Markup("")
    marks = [(visible(r["policy"]), r["rating"], r["ci_low"], r["ci_high"]) for r in rows]
    return interval_chart(marks, name="ratings-chart", title="Ratings so far, with 95 % intervals", unit="")
