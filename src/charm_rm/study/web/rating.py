"""What a rater sees: the start page, one comparison at a time at one address, and the ends.

Votes come by a form and are answered by a redirect, so that loading again or going back sends nothing twice; and if something does, its
``request_id``, made here and part of the form, lets the database know it again. No name of a policy, no score and no number of the
database is in any of these pages.
"""

from __future__ import annotations

import math
import secrets
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import Response

from ..exchange import PRESSED
from .pages import page, see
from .refusals import bad_form
from .rendering import render_prompt, render_text
from .security import check_csrf, csrf_token, current_rater, seconds_since, signed_time
from .serving import serving

if TYPE_CHECKING:
    from ..exchange import Assignment, Progress

router = APIRouter()

MOST_COMMENT = 2_000
# For "about n minutes" on the start page: two answers of some 200 words each, and a moment's thought.
_SECONDS_EACH = 60
_LONGEST = 24 * 3600.0

NOTES = {
    "already": "That comparison had your vote already, and the first one stands. To change the last vote, use Undo.",
    "nothing": "There is no vote that could be undone.",
    "undone": "Your last vote is taken back. Here is the comparison again.",
}


@router.get("/")
def start(request: Request, rater: Annotated[Any, Depends(current_rater)]) -> Response:
    """The start page: what is asked, for how long, with which keys, and what is stored."""
    database = serving(request).database
    progress = database.progress(rater.id, now=serving(request).now())
    return page(
        request,
        "start.html.j2",
        rater=rater.name,
        question=database.asked().question,
        progress=progress,
        minutes=_minutes(progress),
    )


@router.get("/rate")
def rate(request: Request, rater: Annotated[Any, Depends(current_rater)], note: str = "") -> Response:
    """The open comparison, or a new one; or that the study pauses, or that all is done."""
    here = serving(request)
    asked, progress = here.database.asked(), here.database.progress(rater.id, now=here.now())
    known: dict[str, Any] = {
        "question": asked.question,
        "progress": progress,
        "csrf": csrf_token(request),
        "undo_id": _request_id(),
        "note": NOTES.get(note, ""),
    }
    if asked.paused:
        return page(request, "paused.html.j2", **known)
    assignment = here.database.next_assignment(rater.id, now=here.now())
    if assignment is None:
        return page(request, "done.html.j2", **known)
    shown = signed_time(request, assignment.public_id)
    return page(request, "rate.html.j2", **known, **_texts(assignment), shown=shown)


@router.post("/rate", dependencies=[Depends(check_csrf)])
def vote(
    request: Request,
    rater: Annotated[Any, Depends(current_rater)],
    assignment: Annotated[str, Form()] = "",
    request_id: Annotated[str, Form()] = "",
    choice: Annotated[str, Form()] = "",
    comment: Annotated[str, Form()] = "",
    seconds: Annotated[str, Form()] = "",
    shown: Annotated[str, Form()] = "",
) -> Response:
    """A vote: on disk before the answer is sent. One on a comparison that is open already is taken while the study pauses, too."""
    here = serving(request)
    here.limits.count_vote(rater.id)
    if choice not in PRESSED:
        raise bad_form("There is no such choice")
    voted = here.database.vote(
        rater.id,
        _name(assignment),
        choice,
        comment=_comment(comment),
        seconds=_seconds(seconds) or seconds_since(request, assignment, shown),
        request_id=_name(request_id),
        now=here.now(),
    )
    return see(request, "/rate?note=already" if voted.outcome == "superseded" else "/rate")


@router.post("/undo", dependencies=[Depends(check_csrf)])
def undo(
    request: Request,
    rater: Annotated[Any, Depends(current_rater)],
    request_id: Annotated[str, Form()] = "",
) -> Response:
    """Take the rater's last vote back: its comparison is open again."""
    here = serving(request)
    here.limits.count_vote(rater.id)
    undone = here.database.undo(rater.id, request_id=_name(request_id), now=here.now())
    return see(request, "/rate?note=undone" if undone else "/rate?note=nothing")


# --- helpers --------------------------------------------------------------------------------------


def _texts(assignment: Assignment) -> dict[str, Any]:
    """What the page has of a comparison: texts, and its random name."""
    return {
        "assignment": assignment.public_id,
        "request_id": _request_id(),
        "prompt": render_prompt(assignment.prompt),
        "answers": (
            ("left", "A", render_text(assignment.left)),
            ("right", "B", render_text(assignment.right)),
        ),
        "most_comment": MOST_COMMENT,
        "comment": assignment.comment,
    }


def _minutes(progress: Progress) -> int:
    return max(1, math.ceil((progress.total - progress.done) * _SECONDS_EACH / 60))


def _request_id() -> str:
    return secrets.token_urlsafe(16)


def _name(text: str) -> str:
    """The name of a request or an assignment, as our forms have it."""
    if not 16 <= len(text) <= 64 or not text.isascii() or not text.isprintable():
        raise bad_form("This form is not complete")
    return text


def _comment(text: str) -> str | None:
    """A comment with plain line ends; None where there is none."""
    text = text.replace("\r\n", "\n").strip()
    if len(text) > MOST_COMMENT:
        raise bad_form(f"The comment has {len(text):,} characters, and {MOST_COMMENT:,} fit")
    if "\0" in text:
        raise bad_form("The comment has a character that cannot be stored")
    return text or None


def _seconds(text: str) -> float | None:
    """For how long the script saw the comparison on the screen; None where it did not say."""
    try:
        seconds = float(text)
    except ValueError:
        return None
    return min(seconds, _LONGEST) if seconds >= 0 else None


__all__ = ["MOST_COMMENT", "NOTES", "router"]
