"""Which way scores are read: all at once, or streamed; chosen by size, and said in words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import CharmError, ConfigError, counted
from ..settings import OutOfCoreSettings
from .files import count_rows, is_parquet
from .memory import IN_MEMORY, half_of_this_machine, parse_bytes, say_bytes


@dataclass(frozen=True)
class Engine:
    """``streaming``, within ``memory`` bytes, or not; ``why`` in words."""

    streaming: bool
    memory: int
    why: str


def choose_engine(path: Path, settings: OutOfCoreSettings) -> Engine:
    """Stream where it is asked for, or where the scores are Parquet and would take more memory than is allowed.

    Raises:
        ConfigError: a memory that is none.
    """
    memory = half_of_this_machine() if settings.memory is None else parse_bytes(settings.memory)
    if settings.engine == "memory":
        return Engine(False, memory, "engine: memory, as asked")
    if settings.engine == "streaming":
        return Engine(True, memory, f"engine: streaming, as asked, within {say_bytes(memory)}")
    rows = _rows(path)
    if rows is None:
        return Engine(False, memory, "engine: memory (only Parquet can be streamed)")
    needed = f"{counted(rows, 'row')} would take about {say_bytes(rows * IN_MEMORY)} at once, and {say_bytes(memory)} are allowed"
    return Engine(
        rows * IN_MEMORY > memory,
        memory,
        f"engine: {'streaming' if rows * IN_MEMORY > memory else 'memory'} ({needed})",
    )


def refuse_streaming(what: str, *, fix: str) -> ConfigError:
    """The error for what takes the whole table at once."""
    return ConfigError(f"the streaming engine cannot {what}", where="--engine streaming", fix=fix)


def _rows(path: Path) -> int | None:
    """Rows of Parquet; None for tables of other kinds, and where something is wrong that the reader says better."""
    try:
        return count_rows(path) if str(path) != "-" and is_parquet(path) else None
    except CharmError:
        return None
