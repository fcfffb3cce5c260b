"""The server process: its socket, uvicorn without logs of addresses, and a clean end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import uvicorn

from ...errors import CharmError, ConfigError
from .connections import BACKLOG, Impatient

if TYPE_CHECKING:
    from fastapi import FastAPI

    from ...settings import ServeSettings

LOOPBACK = ("127.0.0.1", "::1", "localhost")
# How long requests that are under way may take to finish once the server is told to stop.
_GRACE_SECONDS = 10


class PortTaken(CharmError):
    """The address to listen on is in use, or is not this machine's."""


def check_exposure(settings: ServeSettings) -> None:
    """Refuse to be reachable from a network by accident.

    Raises:
        ConfigError: a host other than loopback, with neither a public address nor the word that this is meant.
    """
    if settings.host in LOOPBACK or settings.public_url is not None or settings.expose:
        return
    raise ConfigError(
        f"everyone on the network could reach the study at {settings.host}, by plain HTTP that can be read on the way",
        where="--host",
        fix="listen on 127.0.0.1 behind a proxy with HTTPS and give --public-url https://..., or add --expose if that is meant",
    )


def listen(settings: ServeSettings) -> socket.socket:
    """A listening socket: from here on, browsers are kept waiting until the server runs.

    Raises:
        PortTaken: the port is in use, or not ours to use.
    """
    where = f"{settings.host} port {settings.port}"
    try:
        family, kind, protocol, _, at = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise PortTaken(
            f"no address of this machine: {error}", where=where, fix="give another --host"
        ) from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(at)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise PortTaken(
            f"cannot listen: {os.strerror(error.errno or 0)}",
            where=where,
            fix="stop what uses it, or give another --port (--port 0: any that is free)",
        ) from error
    return listening


def base_url(settings: ServeSettings, listening: socket.socket) -> str:
    """The address that raters open: the public one, else this machine's."""
    if settings.public_url is not None:
        return settings.public_url.rstrip("/")
    port = listening.getsockname()[1]
    host = settings.host if settings.host not in ("0.0.0.0", "::") else socket.gethostname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve_app(app: FastAPI, settings: ServeSettings, listening: socket.socket) -> None:
    """Serve until SIGTERM or Ctrl-C; requests that are under way are finished first."""
    with _ending_quietly():
        uvicorn.Server(configuration(app, settings)).run(sockets=[listening])


def configuration(app: FastAPI, settings: ServeSettings) -> uvicorn.Config:
    """How uvicorn serves the page: no access log, as addresses hold tokens; nothing tells what software this is; no client is waited for without end."""
    options: dict[str, Any] = {"proxy_headers": settings.behind_proxy}
    if settings.behind_proxy:
        options["forwarded_allow_ips"] = list(settings.proxies)
    return uvicorn.Config(
        app,
        http=Impatient,
        backlog=BACKLOG,
        access_log=False,
        log_level="warning",
        server_header=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=_GRACE_SECONDS,
        **options,
    )


@contextlib.contextmanager
def _ending_quietly() -> Iterator[None]:
    """Within, the signals that uvicorn raises again once it has stopped do nothing: the process ends as it should."""
    names = (signal.SIGTERM, signal.SIGINT)
    before = {name: signal.signal(name, lambda *_: None) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


__all__ = ["LOOPBACK", "PortTaken", "base_url", "check_exposure", "configuration", "listen", "serve_app"]
