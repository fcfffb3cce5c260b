"""Votes, and their undoing: rows that are added, each in one transaction with what it changes."""

from __future__ import annotations

import math
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from ...errors import SchemaError
from ..exchange import PRESSED, Outcome
from . import schema
from .texts import packed

_A, _V = schema.assignments.c, schema.votes.c
MOST_COMMENT = 10_000

# --- what the database is asked: built once, as in `assigning` ------------------------------------

_MINE = _A.rater_id == bindparam("rater")
_FIRST_OPEN = (
    select(_A.id, _A.public_id, _A.left).where(_MINE, _A.vote_id.is_(None)).order_by(_A.slot).limit(1)
)
_LAST_VOTE = (
    select(_A.id)
    .where(_MINE, _A.vote_id.is_not(None), _A.left.is_not(None))
    .order_by(_A.vote_id.desc())
    .limit(1)
)
_BY_REQUEST = (
    select(_A.public_id, _A.left, _V.choice, _V.comment)
    .join_from(schema.votes, schema.assignments, _V.assignment_id == _A.id)
    .where(_V.rater_id == bindparam("rater"), _V.request_id == bindparam("request"))
)
_ADD = insert(schema.votes).returning(_V.id)
_STANDS = (
    update(schema.assignments).where(_A.id == bindparam("assignment")).values(vote_id=bindparam("stands"))
)

# --- votes ----------------------------------------------------------------------------------------


def cast_vote(
    connection: Connection,
    rater_id: int,
    public_id: str,
    pressed: str,
    *,
    comment: str | None,
    seconds: float | None,
    request_id: str,
    now: float,
) -> Outcome:
    """Save a vote for the rater's open assignment, within a writing transaction.

    The same request again changes nothing: ``repeated`` where it says the same, else ``superseded``. A vote for another than the open
    assignment is ``superseded``. A time that is none is not kept.

    Raises:
        SchemaError: the choice, the comment or the request's name is not one that can be.
    """
    _refuse_malformed(pressed, comment, request_id)
    text = packed(comment) if comment else None
    earlier = _of_request(connection, rater_id, request_id)
    if earlier is not None:
        same = (public_id, choice_of(pressed, earlier.left), text)
        return "repeated" if same == (earlier.public_id, earlier.choice, earlier.comment) else "superseded"
    current = connection.execute(_FIRST_OPEN, {"rater": rater_id}).one_or_none()
    if current is None or current.public_id != public_id:
        return "superseded"
    row = {
        "assignment_id": current.id,
        "rater_id": rater_id,
        "request_id": request_id,
        "choice": choice_of(pressed, current.left),
        "comment": text,
        "seconds": seconds if seconds is not None and math.isfinite(seconds) and seconds >= 0 else None,
        "voted_at": now,
    }
    _add(connection, row, stands=True)
    return "saved"


def undo_last(connection: Connection, rater_id: int, *, request_id: str, now: float) -> bool:
    """Open the rater's last vote again, within a writing transaction; False where no vote stands. The same request again changes nothing.

    Votes that were imported without their sides stay as they are.
    """
    _refuse_malformed("tie", None, request_id)
    earlier = _of_request(connection, rater_id, request_id)
    if earlier is not None:
        return earlier.choice is None
    last = connection.execute(_LAST_VOTE, {"rater": rater_id}).scalar_one_or_none()
    if last is None:
        return False
    row = {"assignment_id": last, "rater_id": rater_id, "request_id": request_id, "voted_at": now}
    _add(connection, row, stands=False)
    return True


def choice_of(pressed: str, left: str) -> str:
    """The winner among a and b, of a side of the screen on whose left stood ``left``; tie and both_bad are themselves."""
    if pressed in ("tie", "both_bad"):
        return pressed
    return left if pressed == "left" else {"a": "b", "b": "a"}[left]


def _of_request(connection: Connection, rater_id: int, request_id: str) -> Any:
    """What an earlier request of this name did."""
    return connection.execute(_BY_REQUEST, {"rater": rater_id, "request": request_id}).one_or_none()


def _add(connection: Connection, row: dict[str, Any], *, stands: bool) -> None:
    """Add a row of votes, and say which vote of its assignment stands."""
    added = connection.execute(_ADD, [row]).scalar_one()
    connection.execute(_STANDS, {"assignment": row["assignment_id"], "stands": added if stands else None})


def _refuse_malformed(pressed: str, comment: str | None, request_id: str) -> None:
    if pressed not in PRESSED:
        raise SchemaError(f"choice {pressed!r} is none", fix=f"give one of {', '.join(PRESSED)}")
    if comment is not None and len(comment) > MOST_COMMENT:
        raise SchemaError(
            f"a comment of {len(comment):,} characters", fix=f"write at most {MOST_COMMENT:,} characters"
        )
    if not 8 <= len(request_id) <= 64 or not request_id.isascii() or not request_id.isprintable():
        raise SchemaError("a request's name is 8 to 64 printable characters", fix="reload the page")
