"""The page of whoever runs the study: progress, what votes say so far, invitations, export. Its session is not a rater's, and cannot vote."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ...errors import CharmError, ConfigError, SchemaError
from . import downloads
from .admin_view import live_values, shown
from .figures import figures
from .pages import page, see
from .refusals import bad_form
from .security import check_csrf, close_session, csrf_token, open_session, require_admin
from .serving import address, comes_by_https, serving

router = APIRouter(prefix="/admin", dependencies=[Depends(require_admin)])
FORM = [Depends(check_csrf)]
MOST_DAYS, MOST_VOTES = 365, 100_000
Text = Annotated[str, Form()]


@router.get("")
def overview(request: Request) -> Response:
    """The whole page."""
    return _overview(request)


@router.get("/live")
def live_part(request: Request) -> Response:
    """The part of the page that its script loads again."""
    return page(request, "admin/live.html.j2", **_live(request))


@router.get("/export/{name}")
def export(request: Request, name: str) -> Response:
    """A table of the study as a file: ``battles.parquet``, ``votes.csv``, ``comments.jsonl``."""
    what, _, kind = name.partition(".")
    if not downloads.known(what, kind):
        raise HTTPException(404)
    try:
        return downloads.download(serving(request).database.read(), what, kind)
    except SchemaError as error:  # no votes yet
        return _overview(request, trouble=error)


# --- invitations --------------------------------------------------------------------------------------


@router.post("/invite", dependencies=FORM)
def invite(request: Request, name: Text = "", days: Text = "", quota: Text = "") -> Response:
    """A link for a new rater, shown in the answer and nowhere else."""
    limit = None if not quota.strip() else _whole(quota, "Votes at most", MOST_VOTES)
    return _invited(request, name.strip(), _whole(days, "Days the link works", MOST_DAYS), limit, renew=False)


@router.post("/renew", dependencies=FORM)
def renew(request: Request, rater: Text = "", days: Text = "30", sure: Text = "") -> Response:
    """A new link for a rater; the old one ends. Asks first."""
    if sure != "yes":
        return _sure(
            request,
            f"A new link for {shown(rater)}?",
            "The link that the rater has now stops working at once. Votes stay, and the new link goes on where the old one stopped. "
            "It works for 30 days.",
            yes="Make a new link",
            action="/admin/renew",
            rater=rater,
        )
    quota = next((row.quota for row in _raters(request) if row.name == rater), None)
    return _invited(request, rater, _whole(days, "Days the link works", MOST_DAYS), quota, renew=True)


@router.post("/revoke", dependencies=FORM)
def revoke(request: Request, rater: Text = "", sure: Text = "") -> Response:
    """End a rater's link. Asks first."""
    if sure != "yes":
        return _sure(
            request,
            f"Revoke the link of {shown(rater)}?",
            "The rater is told so at the next click, and cannot vote any more. The votes that were given stay.",
            yes="Revoke the link",
            action="/admin/revoke",
            rater=rater,
        )
    here = serving(request)
    try:
        here.database.revoke(rater, now=here.now())
    except ConfigError as error:
        return _overview(request, trouble=error)
    return see(request, "/admin#raters")


# --- the study itself ---------------------------------------------------------------------------------


@router.post("/pause", dependencies=FORM)
def pause(request: Request, paused: Text = "") -> Response:
    """Pause the study, or resume it; nothing is lost by it, so that it is not asked twice."""
    if paused not in ("yes", "no"):
        raise bad_form("Pause or resume?")
    serving(request).database.pause(paused == "yes")
    return see(request, "/admin#run")


@router.post("/token", dependencies=FORM)
def new_link(request: Request, sure: Text = "") -> Response:
    """A new admin link; all sessions of the old one end but this. Asks first."""
    if sure != "yes":
        return _sure(
            request,
            "Make a new admin link?",
            "The link that opens this page now stops working at once, and whoever else is signed in with it is signed out. You stay signed in.",
            yes="Make a new link",
            action="/admin/token",
        )
    token = serving(request).database.new_admin_token()
    response = _link(
        request,
        "The new admin link",
        "The old link does not work any more.",
        f"/admin/i/{token}",
        "It is shown this once. Whoever has it can see who voted for what, and end links: keep it to yourself.",
    )
    open_session(request, response, "admin", token)
    return response


@router.post("/leave", dependencies=FORM)
def leave(request: Request) -> Response:
    """End this session; the link opens another one."""
    response = page(
        request,
        "message.html.j2",
        heading="You are signed out",
        advice="The admin link opens the page again.",
    )
    close_session(request, response, "admin")
    return response


# --- helpers ------------------------------------------------------------------------------------------


def _raters(request: Request) -> list[Any]:
    here = serving(request)
    return list(here.database.raters(now=here.now()))


def _live(request: Request) -> dict[str, Any]:
    rows = _raters(request)
    facts = serving(request).database.facts()
    return {"facts": facts, "csrf": csrf_token(request), **live_values(figures(request, rows), rows)}


def _overview(request: Request, *, trouble: CharmError | None = None) -> Response:
    words = "" if trouble is None else f"Nothing was done: {shown(trouble.what)}."
    return page(
        request,
        "admin/page.html.j2",
        status=200 if trouble is None else 400,
        trouble=words,
        downloads=downloads.WORDS.items(),
        **_live(request),
    )


def _invited(request: Request, name: str, days: int, quota: int | None, *, renew: bool) -> Response:
    here = serving(request)
    try:
        made = here.database.invite(name, now=here.now(), days=float(days), quota=quota, renew=renew)
    except ConfigError as error:
        return _overview(request, trouble=error)
    most = "" if quota is None else f", for at most {quota:,} comparisons"
    return _link(
        request,
        f"The link for {shown(name)}",
        f"It works for {days} day{'' if days == 1 else 's'}{most}.",
        f"/i/{made.token}",
        f"It is shown this once: only its fingerprint is kept. Whoever has it votes as {shown(name)}: send it to one person, not to a list.",
    )


def _link(request: Request, heading: str, words: str, path: str, warning: str) -> Response:
    link = _origin(request) + address(request, path)
    return page(request, "admin/link.html.j2", heading=heading, words=words, link=link, warning=warning)


def _origin(request: Request) -> str:
    """Scheme, host and port as the browser has them."""
    public = serving(request).settings.public_url
    if public:
        scheme, _, rest = public.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}"
    scheme = "https" if comes_by_https(request) else "http"
    return f"{scheme}://{request.headers.get('host', '')}"


def _sure(
    request: Request, question: str, what_happens: str, *, yes: str, action: str, **fields: str
) -> Response:
    """The page that asks before something ends."""
    return page(
        request,
        "admin/sure.html.j2",
        question=question,
        what_happens=what_happens,
        yes=yes,
        action=action,
        fields=fields,
        csrf=csrf_token(request),
    )


def _whole(text: str, what: str, most: int) -> int:
    """A whole number from 1 to ``most``, as the form has it."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:12]) <= most and len(text) <= 12):
        raise bad_form(f"{what}: give a whole number from 1 to {most:,}")
    return int(text)


__all__ = ["router"]
