"""Links come in here: the token becomes a session, and leaves the address."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from .pages import see
from .refusals import no_link
from .security import open_session
from .serving import client_address, serving

router = APIRouter()


@router.get("/i/{token}")
def open_invitation(request: Request, token: str) -> Response:
    """A rater's link: opens the rater's session."""
    here = serving(request)
    here.limits.check_links(client_address(request))
    if here.database.rater_by_token(token, now=here.now()) is None:
        here.limits.count_failed_link(client_address(request))
        raise no_link()
    response = see(request, "/")
    open_session(request, response, "rater", token)
    return response


@router.get("/admin/i/{token}")
def open_admin(request: Request, token: str) -> Response:
    """The admin's link: opens the admin's session."""
    here = serving(request)
    here.limits.check_links(client_address(request))
    if not here.database.check_admin(token):
        here.limits.count_failed_link(client_address(request))
        raise no_link()
    response = see(request, "/admin")
    open_session(request, response, "admin", token)
    return response


__all__ = ["router"]
