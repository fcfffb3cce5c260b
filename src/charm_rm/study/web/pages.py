"""Pages from templates: escaped by default, with addresses below the public path, and the reader's theme."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from .refusals import Refused
from .serving import address

STATIC = Path(__file__).parent / "static"
THEME_COOKIE, KEYS_COOKIE = "theme", "keys"


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: Any,
) -> HTMLResponse:
    """A template as a response.

    Templates have ``url(path)``, ``static(name)``, ``theme`` (light, dark, or empty: the system's), ``keys`` (whether single keys vote)
    and ``values``. They extend ``base.html.j2``, whose blocks are ``title``, ``head``, ``tools``, ``main`` and ``footer``.
    """
    theme = request.cookies.get(THEME_COOKIE, "")
    shown = (
        _environment()
        .get_template(template)
        .render(
            url=lambda path: address(request, path),
            static=lambda name: f"{address(request, '/static/')}{name}?v={_version(name)}",
            theme=theme if theme in ("light", "dark") else "",
            keys=request.cookies.get(KEYS_COOKIE) != "off",
            cookie_path=address(request, "/"),
            **values,
        )
    )
    return HTMLResponse(shown, status_code=status, headers=headers)


def refusal_page(request: Request, error: Refused) -> HTMLResponse:
    """The page of a request that is turned down."""
    return page(
        request,
        "message.html.j2",
        status=error.status_code,
        headers=error.headers,
        heading=error.title,
        advice=error.advice,
    )


def see(request: Request, path: str) -> Response:
    """Send the browser to another page by GET, so that loading again repeats nothing; the script, which asks for JSON, is told its address."""
    where = address(request, path)
    if request.headers.get("accept") == "application/json":
        return JSONResponse({"next": where})
    return RedirectResponse(where, status_code=303)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("charm_rm.study.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _version(name: str) -> str:
    """A few digits of the file's hash: a new release is loaded at once, an old one kept by the browser."""
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


__all__ = ["KEYS_COOKIE", "STATIC", "THEME_COOKIE", "page", "refusal_page", "see"]
