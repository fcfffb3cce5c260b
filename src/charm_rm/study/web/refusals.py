"""Requests that are turned down, each with a page that says what happened and what to do."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.exceptions import HTTPException

_GENERAL = {
    400: ("This request is not understood", "Go back, load the page again, and repeat what you did."),
    404: ("There is no such page", "Check the address. The link that you were sent leads to the study."),
    405: ("This page cannot be asked that way", "Open the link that you were sent."),
}


class Refused(HTTPException):
    """A request that is turned down: ``title`` says what happened, ``advice`` what to do."""

    def __init__(
        self, status: int, title: str, advice: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, detail=title, headers=headers)
        self.title, self.advice = title, advice


def refused(error: HTTPException) -> Refused:
    """Any HTTP error as one with a page."""
    if isinstance(error, Refused):
        return error
    title, advice = _GENERAL.get(error.status_code, _GENERAL[400])
    return Refused(error.status_code, title, advice, headers=error.headers)


def no_link() -> Refused:
    """A link that leads nowhere: mistyped, expired, revoked."""
    return Refused(
        404,
        "This link does not work",
        "It may have been cut short when it was copied, it may have expired, or it was taken back. Copy the whole link again; if that "
        "does not help, ask the person who sent it for a new one.",
    )


def no_session() -> Refused:
    """Nobody is signed in."""
    return Refused(
        403,
        "Open your invitation link first",
        "This study is for people who were invited. Open the link that you were sent in this browser; cookies have to be allowed.",
    )


def ended_session() -> Refused:
    """The rater's link has expired or was revoked."""
    return Refused(
        403,
        "Your invitation has ended",
        "Its time is over, or it was taken back or replaced by a newer link. The votes that you gave are kept. If you want to go on, ask "
        "the person who invited you for a new link.",
    )


def no_admin() -> Refused:
    """Nobody is signed in as the study's admin, or with a link that is replaced by a newer one."""
    return Refused(
        403,
        "Open the admin link first",
        "It is printed by charm study serve when it starts. A link from an earlier start does not work any more.",
    )


def forged() -> Refused:
    """A form that does not come from a page of this session."""
    return Refused(
        403,
        "This form is out of date",
        "It was made for another session, or another site sent it. Nothing was saved. Load the page again, and repeat what you did.",
    )


def too_many(seconds: int) -> Refused:
    """Too many requests; ``seconds`` until there is room."""
    wait = f"{seconds} second{'' if seconds == 1 else 's'}"
    return Refused(
        429,
        "A little too fast",
        f"Wait {wait}, then go on. Nothing that was saved is lost.",
        headers={"Retry-After": str(seconds)},
    )


def too_large() -> Refused:
    """A body beyond the limit."""
    return Refused(413, "That is too much text", "Go back, shorten it, and send it again.")


def bad_form(what: str) -> Refused:
    """A form with a field that no page of ours sends."""
    return Refused(400, what, "Nothing was saved. Load the page again, and repeat what you did.")


def foreign_host() -> Refused:
    """A Host header that is no name of this study."""
    return Refused(
        400,
        "This study is not at this address",
        "Open the address that charm study serve prints; another one has to be given to it as --public-url.",
    )


def unavailable(seconds: int = 5) -> Refused:
    """The database does not answer, or is busy; the page's script asks again after ``seconds``."""
    return Refused(
        503,
        "The study does not answer just now",
        "It is not your fault, and every vote that was saved is kept. Wait a moment, then load the page again; if it stays like this, "
        "tell the person who invited you.",
        headers={"Retry-After": str(seconds)},
    )


def crowded(seconds: int = 5) -> Refused:
    """The study is at work for as many as it can be; the page's script asks again after ``seconds``, on a connection of its own."""
    return Refused(
        503,
        "Too many are here at once",
        "Every vote that was saved is kept. Wait a moment, then load the page again.",
        headers={"Retry-After": str(seconds), "Connection": "close"},
    )


def our_fault() -> Refused:
    """Something failed here."""
    return Refused(
        500,
        "Something went wrong here",
        "It is not your fault, and every vote that was saved is kept. Load the page again; if it stays like this, tell the person who "
        "invited you.",
    )


__all__ = [
    "Refused",
    "bad_form",
    "crowded",
    "ended_session",
    "foreign_host",
    "forged",
    "no_admin",
    "no_link",
    "no_session",
    "our_fault",
    "refused",
    "too_large",
    "too_many",
    "unavailable",
]
