"""Settings of what reads scores that may be larger than memory."""

from __future__ import annotations

from dataclasses import dataclass

from .definition import Settings, setting
from .vocabulary import ReadingEngine


@dataclass(frozen=True, kw_only=True)
class OutOfCoreSettings(Settings):
    """Read scores all at once, or stream them."""

    engine: ReadingEngine = setting(
        "auto",
        "Read scores all at once (memory), or stream them from Parquet (streaming); auto streams what would take more than --memory.",
    )
    memory: str | None = setting(
        None,
        "Memory that may be used, such as 4GB (default: half of the machine's).",
        metavar="SIZE",
    )
