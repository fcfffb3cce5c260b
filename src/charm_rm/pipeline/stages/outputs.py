"""Where a stage keeps what it has scored or asked so far, with its output locked meanwhile."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from ...errors import OutputExists
from ...locks import locked
from ...memo import default_memo, remove_memo


@contextlib.contextmanager
def value_store(
    output: Path, cache: Path | None, *, no_cache: bool, say: Callable[[str], None] = lambda _line: None
) -> Iterator[Path]:
    """The store to use, with the output locked; by ``no_cache`` one beside it, which goes once the block has succeeded.

    Raises:
        ConfigError: another run is at work on this output.
        OutputExists: it is the root folder.
    """
    if not output.name:
        raise OutputExists(
            "is the root folder", where=str(output), fix="name a file or folder of its own in it"
        )
    with locked(output.with_name(f".{output.name}.lock"), remove=True):
        if not no_cache:
            yield cache or default_memo()
            return
        beside = output.with_name(f".{output.name}.partial.sqlite")
        if beside.exists():
            say(f"going on from {beside}")
        yield beside
        remove_memo(beside)


@contextlib.contextmanager
def run_store(path: Path) -> Iterator[Path]:
    """The store of a run's stage, which goes once the block has succeeded; the run directory itself is locked."""
    yield path
    remove_memo(path)
