"""Addresses and keys: what is usable, and what must not be shown or sent."""

from __future__ import annotations

import os
import re
import warnings
from urllib.parse import urlsplit

import httpx

from ..errors import CharmWarning, ConfigError

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPENAI, _USUAL_VARIABLE = "api.openai.com", "OPENAI_API_KEY"
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


def checked_url(url: str) -> str:
    """``url`` without its last slash.

    Raises:
        ConfigError: it is no http address, or holds what may be a secret (user, password, query), as messages show it.
    """
    url = url.strip()
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        usable = usable and " " not in url and bool(httpx.URL(url).host)
    except (ValueError, httpx.InvalidURL):
        usable = False
    if not usable:
        raise ConfigError(
            "the address is not usable", fix="give one like http://localhost:8000/v1 or https://host/v1"
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigError(
            "the address must hold no user name, password, query or fragment",
            fix="put the key into an environment variable and name that",
        )
    return url.rstrip("/")


def key_in(variable: str | None) -> str | None:
    """The key, None where the variable is unset or empty; one that no header can hold is refused unshown."""
    if variable and not _VARIABLE.fullmatch(variable):
        raise ConfigError(
            "the key itself was given where the name of an environment variable belongs, or that name is wrong",
            fix="put the key into a variable and give the variable's name",
        )
    key = os.environ.get(variable, "").strip() if variable else ""
    if not all("!" <= c <= "~" for c in key):
        raise ConfigError(
            f"the key in {variable} holds characters that no key has (blanks, line ends, accents)",
            fix=f"set {variable} to the key alone",
        )
    return key or None


def checked_key(url: str, variable: str | None) -> None:
    """Look at the key before anything is asked.

    Raises:
        ConfigError: it is not usable (:func:`key_in`); or the variable is unset, and that would fail only later: it was named for a
            server elsewhere, or the server is OpenAI's own. OpenAI's usual variable may be unset for other servers, and any for this machine's.
        CharmWarning: (as a warning) it would cross a network in the clear.
    """
    key, parts = key_in(variable), urlsplit(url)
    wanted = bool(variable) and (variable != _USUAL_VARIABLE or parts.hostname == _OPENAI)
    if key is None and wanted and not is_local(url):
        raise ConfigError(
            f"the environment variable {variable}, which should hold the key, is not set",
            where=url,
            fix=f"set {variable}, name another variable (--api-key-env), or an empty one where the server needs no key",
        )
    if key and parts.scheme == "http" and not is_local(url):
        warnings.warn(
            f"{url}: the key is sent unencrypted; use https unless the network is your own",
            CharmWarning,
            stacklevel=4,
        )


def is_local(url: str) -> bool:
    """Whether the address is this machine's own."""
    return urlsplit(url).hostname in _LOCAL


def same_server(one: httpx.URL, other: httpx.URL) -> bool:
    """Whether what is meant for one may be sent to the other: same host and port, or its encrypted twin."""
    if one.host != other.host:
        return False
    return (one.scheme, one.port) == (other.scheme, other.port) or (
        (one.scheme, other.scheme) == ("http", "https") and one.port is None and other.port is None
    )
