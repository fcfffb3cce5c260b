"""Memory in words and numbers: what was allowed, what the machine has, what a table would take at once."""

from __future__ import annotations

import os
import re

from ..errors import ConfigError

# Bytes a score while all are read at once, laid out and tallied: measured by perf/streaming.py, ids of some 10 characters.
IN_MEMORY = 250
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_LEAST = 64 << 20


def parse_bytes(text: str) -> int:
    """Bytes of ``4GB``, ``500 MB``, ``1.5GiB`` (powers of 1,024).

    Raises:
        ConfigError: no such size, or less than 64 MB.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?\s*", text, flags=re.IGNORECASE)
    size = int(float(found[1]) * _UNITS[found[2].upper()]) if found else 0
    if size < _LEAST:
        raise ConfigError(
            f"{text!r} is no amount of memory that suffices",
            where="--memory",
            fix="give 64MB or more, such as 4GB",
        )
    return size


def say_bytes(size: float) -> str:
    """Bytes as ``4.0 GB``, ``512 MB``."""
    for unit, name in ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}" if size < 10 * unit else f"{size / unit:,.0f} {name}"
    return f"{size:.0f} bytes"


def half_of_this_machine() -> int:
    """Half of the memory that this machine has, 4 GB where it does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (ValueError, OSError, AttributeError):
        return 4 << 30
