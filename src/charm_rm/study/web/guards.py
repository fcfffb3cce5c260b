"""What stands before every route: headers of every response, the Host, the size of what is sent, and failures without tracebacks."""

from __future__ import annotations

import ipaddress
import logging
import re
import socket
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...errors import CharmError, RemoteError, WriteFailed
from ...settings import ServeSettings
from .connections import CROWDED
from .pages import refusal_page
from .refusals import crowded, foreign_host, our_fault, refused, too_large, unavailable

MOST_BYTES = 64 * 1024
_LOG = logging.getLogger("charm_rm.study")

# Own scripts and styles from files alone; nothing from anywhere else, nothing inline, no frame around us.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()",
    "X-Robots-Tag": "noindex, nofollow",
}


class SetHeaders:
    """The headers of every response; nothing is kept by caches but what says so itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)


class TurnAway:
    """Tell who came when there was no room for another connection; what the study is at work on goes on."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http" and scope.get("state", {}).get(CROWDED):
            await refusal_page(Request(scope), crowded())(scope, receive, send)
            return
        await self.app(scope, receive, send)


class BelowPath:
    """Take the path of the public address off the front, whether or not the proxy did; its bare form leads to the start page."""

    def __init__(self, app: ASGIApp, root: str) -> None:
        self.app = app
        self._root = root

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        path = scope.get("path", "")
        if scope["type"] == "http" and self._root and path == self._root:
            await RedirectResponse(self._root + "/", status_code=308)(scope, receive, send)
            return
        if scope["type"] == "http" and self._root and path.startswith(self._root + "/"):
            short = path.removeprefix(self._root)
            scope = {**scope, "path": short, "raw_path": short.encode()}
        await self.app(scope, receive, send)


class CatchFailures:
    """A failure of ours is a page without a traceback; the traceback goes to the log, without the address, which may hold a token."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and answer where it fails."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, noting)
        except Exception as error:
            # An expected failure (the database is busy, gone) says what it is; any other needs its traceback.
            unexpected = None if isinstance(error, CharmError) else error
            _LOG.error("a request failed: %s", error, exc_info=unexpected)
            if started:
                raise
            told = unavailable() if isinstance(error, RemoteError | WriteFailed) else our_fault()
            await refusal_page(Request(scope), told)(scope, receive, send)


class CheckHost:
    """Answer only where the browser asked for a name of ours: another site's name that resolves to this machine (DNS rebinding) is refused."""

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self.app = app
        self._names = _names(settings)
        self._exposed = settings.expose

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http" and not self._ours(Headers(scope=scope).get("host", "")):
            await refusal_page(Request(scope), foreign_host())(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _ours(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        # Nobody else's site can have a number for its name: rebinding needs a name.
        return name in self._names or (self._exposed and _is_number(name))


def _names(settings: ServeSettings) -> frozenset[str]:
    names = {"localhost", "127.0.0.1", "::1", settings.host.lower()}
    if settings.public_host:
        names.add(settings.public_host)
    if settings.expose:
        names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    return frozenset(names)


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class LimitBody:
    """Refuse a body of more than ``MOST_BYTES``, whether its length is announced or not."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        # Nine digits at most: Python reads no number of thousands, and "²" is a digit to it.
        if not re.fullmatch("[0-9]{1,9}", announced) or int(announced) > MOST_BYTES:
            await refusal_page(Request(scope), too_large())(scope, receive, send)
            return
        got = 0

        async def counting() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > MOST_BYTES:
                raise too_large()
            return message

        await self.app(scope, counting, send)


def as_page(request: Request, error: Exception) -> Response:
    """The handler of every HTTP error."""
    return refusal_page(request, refused(_http(error)))


def _http(error: Exception) -> HTTPException:
    """Any error as one of HTTP: a form that FastAPI cannot read is a bad request."""
    return error if isinstance(error, HTTPException) else HTTPException(400)


__all__ = [
    "HEADERS",
    "MOST_BYTES",
    "POLICY",
    "CatchFailures",
    "CheckHost",
    "LimitBody",
    "SetHeaders",
    "TurnAway",
    "as_page",
]
