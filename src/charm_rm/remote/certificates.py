"""Whose certificates are trusted: read once a process, for a session opens often and reading them takes longer than a request."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache

import httpx

# What httpx heeds where the environment is to be heeded.
_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def trusted(*, environment: bool) -> ssl.SSLContext:
    """The authorities that the environment names, or those that httpx brings; read again where the variables have changed.

    Args:
        environment: heed ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``.

    Raises:
        OSError: a file that is named is not there or holds no certificates.
    """
    return _read(*(os.environ.get(name) for name in _VARIABLES)) if environment else _read(None, None)


@lru_cache(maxsize=4)
def _read(file: str | None, folder: str | None) -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=bool(file or folder))
