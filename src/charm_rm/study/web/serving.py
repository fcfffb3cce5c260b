"""What every request of the page needs: the database, the settings, the study's secret, the limits, the clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import Request

if TYPE_CHECKING:
    from ...settings import ServeSettings
    from ..database.study_database import StudyDatabase
    from .limiting import Limits


@dataclass(frozen=True)
class Serving:
    """A study as it is served. ``now`` is the clock: seconds since 1970."""

    database: StudyDatabase
    settings: ServeSettings
    secret: str
    limits: Limits
    now: Callable[[], float] = time.time


def serving(request: Request) -> Serving:
    """What the application of this request serves."""
    found: Serving = request.app.state.serving
    return found


def address(request: Request, path: str) -> str:
    """``path`` (``/rate``) as the browser has to ask for it: below the path of the public address, where that has one."""
    return serving(request).settings.root_path + path


def comes_by_https(request: Request) -> bool:
    """Whether the browser came by https: the public address says so, or the connection (behind a proxy: as the proxy says)."""
    return serving(request).settings.https or request.url.scheme == "https"


def client_address(request: Request) -> str:
    """Who asks: the other end of the connection; behind a proxy that is believed, whom the proxy names."""
    return request.client.host if request.client else "unknown"


__all__ = ["Serving", "address", "client_address", "comes_by_https", "serving"]
