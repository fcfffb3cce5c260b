"""Scores for a command that takes them all at once or streamed, ``--engine``, ``--memory``: which way, said in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..settings import OutOfCoreSettings, TableSettings
from .common import say
from .options import settings_options
from .prompts import PromptChoice

if TYPE_CHECKING:
    from ..streaming import Engine, ScoreStream

engine_options = settings_options(OutOfCoreSettings, "reading")


@contextmanager
def opened(
    path: Path,
    reading: OutOfCoreSettings,
    prompts: PromptChoice,
    *,
    load: Callable[[], Any],
    table: TableSettings,
    output: Path | None,
    alone: Mapping[str, object],
) -> Iterator[Any]:
    """Scores of the chosen prompts as a stream, or what ``load`` gives as a table.

    ``alone`` are options that only a table can serve, with what was given for them: given, no stream is yielded.
    """
    engine = chosen_engine(path, reading, alone=alone)
    if engine.streaming:
        with streamed(path, engine, table=table, prompts=prompts, output=output) as source:
            yield source
    else:
        yield prompts.of(load())


def chosen_engine(path: Path, reading: OutOfCoreSettings, *, alone: Mapping[str, object]) -> Engine:
    """Which way a table is read; said where it is streamed, or was asked about.

    ``alone`` are options that only the whole table in memory can serve, with what was given for them.

    Raises:
        ConfigError: it was asked to be streamed, and one of them is given.
    """
    from ..streaming import choose_engine, refuse_streaming

    engine = choose_engine(path, reading)
    given = [name for name, value in alone.items() if value]
    if engine.streaming and given and reading.engine == "streaming":
        raise refuse_streaming(
            f"do {given[0]}: it takes all scores at once", fix=f"leave out {given[0]}, or use --engine memory"
        )
    if engine.streaming and given:
        why = engine.why.removeprefix("engine: streaming")
        engine = replace(
            engine, streaming=False, why=f"engine: memory, as {given[0]} takes all scores at once{why}"
        )
        say(engine.why)
    elif engine.streaming or reading != OutOfCoreSettings():
        say(engine.why)
    return engine


@contextmanager
def streamed(
    path: Path, engine: Engine, *, table: TableSettings, prompts: PromptChoice, output: Path | None
) -> Iterator[ScoreStream]:
    """The scores as a stream, of the chosen prompts; they are kept beside the output meanwhile, or with temporary files."""
    from ..streaming import stream_scores

    folder = None if output is None else next(p for p in output.absolute().parents if p.is_dir())
    with stream_scores(path, table=table, memory=engine.memory, folder=folder, kept=prompts.kept()) as source:
        yield replace(source, provenance=source.provenance | prompts.provenance())
