"""The application: routes, static files, and what stands before them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from . import admin, entry, rating
from .guards import BelowPath, CatchFailures, CheckHost, LimitBody, SetHeaders, TurnAway, as_page
from .limiting import Limits
from .pages import STATIC
from .serving import Serving

if TYPE_CHECKING:
    from ...settings import ServeSettings
    from ..database.study_database import StudyDatabase


def create_app(
    database: StudyDatabase, settings: ServeSettings, *, now: Callable[[], float] = time.time
) -> FastAPI:
    """The web application of a study.

    Args:
        database: where the study lives.
        settings: addresses, proxies, limits.
        now: the clock, for tests.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.state.serving = Serving(database, settings, database.secret(), Limits(settings), now)
    app.include_router(entry.router)
    app.include_router(rating.router)
    app.include_router(admin.router)
    app.mount("/static", _Static(directory=STATIC), name="static")
    for kind in (HTTPException, RequestValidationError):
        app.add_exception_handler(kind, as_page)
    # The last that is added comes first.
    app.add_middleware(CatchFailures)
    app.add_middleware(LimitBody)
    app.add_middleware(BelowPath, root=settings.root_path)
    app.add_middleware(CheckHost, settings=settings)
    app.add_middleware(TurnAway)
    app.add_middleware(SetHeaders)
    return app


class _Static(StaticFiles):
    """Our own CSS and script: the same for everyone, so that browsers may keep them."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, kept by browsers for a day; its address changes with its content."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "public, max-age=86400"
        return response


__all__ = ["create_app"]
