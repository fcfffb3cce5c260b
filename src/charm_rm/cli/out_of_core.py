"""Scores for a command that takes them all at once or streamed, ``--engine``, ``--memory``: which way, said in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
    judged: tuple[str | None, str | None],
    table: TableSettings,
    output: Path | None,
    alone: Mapping[str, object],
) -> Iterator[Any]:
    """What an audit starts from, as a stream or as a table; of the chosen prompts, by the ``judged`` annotator against the baseline.

    ``alone`` are options that only a table can serve, with what was given for them: given, no stream is yielded.
    """
    from ..sources import load_source

    annotator, baseline = judged
    engine = chosen_engine(path, reading, alone={**alone, "--judge": annotator, "--baseline": baseline})
    if engine.streaming:
        with streamed(path, engine, table=table, prompts=prompts, output=output) as source:
            yield source
    else:
        yield prompts.of(load_source(path, annotator=annotator, baseline=baseline, table=table))


def chosen_engine(path: Path, reading: OutOfCoreSettings, *, alone: Mapping[str, object]) -> Engine:
    """Which way a table is read; said where it is streamed, or was asked about.

    ``alone`` are options that only the whole table in memory can serve, with what was given for them.

    Raises:
        ConfigError: it is to be streamed, and one of them is given.
    """
    from ..streaming import choose_engine, refuse_streaming

    engine = choose_engine(path, reading)
    if engine.streaming or reading != OutOfCoreSettings():
        say(engine.why)
    given = [name for name, value in alone.items() if value]
    if engine.streaming and given:
        raise refuse_streaming(
            f"do {given[0]}: it takes all scores at once", fix=f"leave out {given[0]}, or use --engine memory"
        )
    return engine


@contextmanager
def streamed(
    path: Path, engine: Engine, *, table: TableSettings, prompts: PromptChoice, output: Path | None
) -> Iterator[ScoreStream]:
    """The scores as a stream, of the chosen prompts; they are kept beside the output meanwhile, or with temporary files."""
    from dataclasses import replace

    from ..streaming import stream_scores

    folder = None if output is None else next(p for p in output.absolute().parents if p.is_dir())
    with stream_scores(path, table=table, memory=engine.memory, folder=folder, kept=prompts.kept()) as source:
        yield replace(source, provenance=source.provenance | prompts.provenance())
