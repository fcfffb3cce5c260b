"""Who asks, and whether a form is ours: signed session cookies, tokens against forged forms, the dependencies of the routes.

A session is the token of the rater's (or admin's) link and a random number, signed with the study's secret, in a cookie that scripts
cannot read. Nothing of the database is in it, and a link that is revoked, expired or replaced ends its sessions. A form has a token that
is made of the session's random number: another session's, or none, is refused.

Routes use the dependencies::

    @router.get("/rate")
    def rate(request: Request, rater: Annotated[Rater, Depends(current_rater)]) -> Response: ...

    @router.post("/admin/pause", dependencies=[Depends(require_admin), Depends(check_csrf)])
    def pause(request: Request) -> Response: ...

and forms have ``<input type="hidden" name="csrf" value="{{ csrf }}">`` with ``csrf=csrf_token(request)``. Below ``/admin`` the session is the
admin's, elsewhere the rater's. Links come in by :mod:`.entry`: ``/i/TOKEN`` for raters, ``/admin/i/TOKEN`` for the admin.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

from fastapi import Form, Request
from itsdangerous import BadData, URLSafeSerializer, URLSafeTimedSerializer
from starlette.responses import Response

from .refusals import ended_session, forged, no_admin, no_session
from .serving import address, comes_by_https, serving

if TYPE_CHECKING:
    from ..exchange import Rater

Kind = Literal["rater", "admin"]
SESSION_DAYS = 30
_SECONDS = SESSION_DAYS * 24 * 3600


@dataclass(frozen=True)
class Session:
    """A signed session: the token of the link that opened it, and a random number of its own."""

    token: str
    nonce: str


# --- sessions -------------------------------------------------------------------------------------


def open_session(request: Request, response: Response, kind: Kind, token: str) -> None:
    """Set the cookie of a new session on ``response``; the link's token has been found good."""
    value = _signer(request, kind).dumps([token, secrets.token_urlsafe(16)])
    response.set_cookie(
        cookie_name(request, kind),
        value if isinstance(value, str) else value.decode(),
        max_age=_SECONDS,
        path=address(request, "/"),
        secure=comes_by_https(request),
        httponly=True,
        samesite="lax",
    )


def close_session(request: Request, response: Response, kind: Kind) -> None:
    """Take the cookie of a session away."""
    response.delete_cookie(
        cookie_name(request, kind),
        path=address(request, "/"),
        secure=comes_by_https(request),
        httponly=True,
        samesite="lax",
    )


def session(request: Request, kind: Kind) -> Session | None:
    """The session of a request; None where there is none, or one that we did not sign, or an old one."""
    value = request.cookies.get(cookie_name(request, kind))
    if not value:
        return None
    try:
        token, nonce = _signer(request, kind).loads(value, max_age=_SECONDS)
    except (BadData, ValueError, TypeError):
        return None
    return Session(str(token), str(nonce))


def cookie_name(request: Request, kind: Kind) -> str:
    """``rater-`` or ``admin-`` and some digits of the study: browsers tell hosts apart, not ports, and two studies on one machine must not sign each other's raters out."""
    return f"{kind}-{hashlib.sha256(f'study cookie: {serving(request).secret}'.encode()).hexdigest()[:8]}"


def _signer(request: Request, kind: Kind) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(serving(request).secret, salt=f"study session: {kind}")


# --- dependencies ---------------------------------------------------------------------------------


def current_rater(request: Request) -> Rater:
    """The rater whose session this is.

    Raises:
        Refused: 403, where there is no session, or where its link has ended.
    """
    found = session(request, "rater")
    if found is None:
        raise no_session()
    here = serving(request)
    rater = here.database.rater_by_token(found.token, now=here.now())
    if rater is None:
        raise ended_session()
    return rater


def require_admin(request: Request) -> None:
    """Let the admin pass.

    Raises:
        Refused: 403, without a session that was opened by the admin link that is good now.
    """
    found = session(request, "admin")
    if found is None or not serving(request).database.check_admin(found.token):
        raise no_admin()


def csrf_token(request: Request) -> str:
    """The token that a form of this session carries: HMAC-SHA256(secret, the session's random number).

    Raises:
        Refused: 403, without a session.
    """
    kind = _kind(request)
    found = session(request, kind)
    if found is None:
        raise no_admin() if kind == "admin" else no_session()
    secret = serving(request).secret.encode()
    return hmac.new(secret, f"study form: {kind}: {found.nonce}".encode(), hashlib.sha256).hexdigest()


def check_csrf(request: Request, csrf: Annotated[str, Form()] = "") -> None:
    """Let a form pass that a page of this session sent.

    The browser's word on where it comes from is asked as well: ``Sec-Fetch-Site``, else ``Origin``. An origin ``null`` says nothing (it is what
    ``Referrer-Policy: no-referrer`` makes of ours), so that then the token decides alone.

    Raises:
        Refused: 403.
    """
    if not _same_site(request) or not hmac.compare_digest(csrf.encode(), csrf_token(request).encode()):
        raise forged()


def _same_site(request: Request) -> bool:
    if site := request.headers.get("sec-fetch-site"):
        return site in ("same-origin", "none")
    origin = request.headers.get("origin", "null")
    if origin == "null":
        return True
    return urlsplit(origin).netloc.lower() == _own_host(request)


def _own_host(request: Request) -> str:
    """Host and port as the browser has them."""
    public = serving(request).settings.public_url
    host = request.headers.get("host", "").lower()
    named = urlsplit(public or "").netloc.lower()
    return named if urlsplit(f"//{host}").hostname == urlsplit(public or "").hostname else host


def _kind(request: Request) -> Kind:
    path = request.scope["path"]
    return "admin" if path == "/admin" or path.startswith("/admin/") else "rater"


# --- when a page was made -------------------------------------------------------------------------


def signed_time(request: Request, about: str) -> str:
    """The present moment, for a form about ``about``: it comes back with the form, and cannot be changed on the way."""
    here = serving(request)
    return str(_time_signer(request).dumps([about, here.now()]))


def seconds_since(request: Request, about: str, signed: str) -> float | None:
    """How long ago :func:`signed_time` was called for ``about``; None where this is not what it made."""
    try:
        what, then = _time_signer(request).loads(signed)
        return max(0.0, serving(request).now() - float(then)) if what == about else None
    except (BadData, ValueError, TypeError):
        return None


def _time_signer(request: Request) -> URLSafeSerializer:
    return URLSafeSerializer(serving(request).secret, salt="study page: shown")


__all__ = [
    "SESSION_DAYS",
    "Session",
    "check_csrf",
    "close_session",
    "cookie_name",
    "csrf_token",
    "current_rater",
    "open_session",
    "require_admin",
    "seconds_since",
    "session",
    "signed_time",
]
