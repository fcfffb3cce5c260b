"""Whose certificates are trusted: read once a process, for a session opens often and reading them takes longer than a request."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache

import httpx

from ..errors import ConfigError

# What httpx heeds where the environment is to be heeded.
_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def trusted(*, environment: bool) -> ssl.SSLContext:
    """The authorities that the environment names, or those that httpx brings; read again where the variables have changed.

    Args:
        environment: heed ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``.

    Raises:
        ConfigError: a file that is named is not there or holds no certificates.
    """
    file, folder = (os.environ.get(name) if environment else None for name in _VARIABLES)
    try:
        return _read(file, folder)
    except OSError as error:
        raise ConfigError(
            f"{_VARIABLES[0]} names no file of certificates: {error}",
            where=str(file),
            fix=f"name a PEM file, or unset {_VARIABLES[0]}",
        ) from error


@lru_cache(maxsize=4)
def _read(file: str | None, folder: str | None) -> ssl.SSLContext:
    # Not left to httpx: older versions pass over a file that is not there, and trust their own instead.
    if file or folder:
        return ssl.create_default_context(cafile=file or None, capath=None if file else folder)
    return httpx.create_ssl_context(trust_env=False)
