"""Sample: data sets of any size -> the prompts that policies are asked, and the account of what was left out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import store
from ...errors import ConfigError, counted
from ...models import dataset_batches, is_dataset_source, load_embedder
from ...provenance import source_name, source_record
from ...reading import batches_of
from ...sampling import Drawn, Part, draw_prompts
from ...settings import SampleSettings, parse_columns

if TYPE_CHECKING:
    from ..run import Run

BATCH = 5_000  # rows that are in memory at once


def sample_prompts(
    sources: Sequence[str | Path],
    settings: SampleSettings,
    output: Path,
    *,
    seed: int,
    removed: Path | None = None,
    force: bool = False,
    batch_size: int = BATCH,
    progress: Callable[[str, int], None] = lambda _what, _n: None,
) -> Drawn:
    """Draw prompts from files, folders, patterns, `datasets` folders and hub ids, and save them; ``removed``: the prompts left out, too.

    Raises:
        CharmError: as :func:`~charm_rm.sampling.draw_prompts`; nothing is written then.
    """
    if not sources:
        raise ConfigError("there is no source", fix="name a file, a folder, a pattern or a hub id")
    if settings.split is not None and not any(map(is_dataset_source, sources)):
        raise ConfigError(
            "split has no effect on files: it chooses in a `datasets` folder or hub id",
            fix="leave out --split (split in a configuration), or name the split's own file",
        )
    drawn = draw_prompts(
        _parts(sources, settings.split, batch_size, parse_columns(settings.columns).values()),
        settings,
        seed=seed,
        benchmarks=_parts(settings.benchmarks, None, batch_size),
        embed=load_embedder(settings.embedder) if settings.embedder else None,
        list_removed=removed is not None,
        provenance={"sources": _records(sources), "benchmark_files": _records(settings.benchmarks)},
        progress=progress,
    )
    if removed is not None and drawn.removed is not None:
        store.write_frame(drawn.removed, removed, force=force)
    store.save(drawn.prompts, output, force=force)
    return drawn


def run_stage(run: Run) -> str:
    """Draw the instructions that the policies are to answer."""
    from ..config import INSTRUCTIONS

    section = run.config.prompts
    if section is None:
        raise ConfigError("the section prompts is off", fix="give the section in the configuration")
    drawn = sample_prompts(
        section.sources, section, run.directory / INSTRUCTIONS, seed=run.config.seed, force=True
    )
    return f"{counted(len(drawn.prompts), 'prompt')} drawn"


def _records(sources: Sequence[str | Path]) -> list[dict[str, Any]]:
    return [source_record(one) for one in sources]


def _parts(
    sources: Sequence[str | Path], split: str | None, size: int, texts: Collection[str] = ()
) -> Iterator[Part]:
    """The rows of every source, in order; files are called by their path within the source. ``texts``: columns told to hold prompts."""
    for source in sources:
        if is_dataset_source(source):
            first, name = 0, source_name(source)
            for frame in dataset_batches(source, split=split, size=size):
                yield Part(name, first, frame)
                first += frame.height
            continue
        for batch in batches_of(Path(source), size=size, texts=texts, unread=True):
            yield Part(_name(batch.path, Path(source)), batch.first, batch.frame)


def _name(file: Path, source: Path) -> str:
    """What a file is called in outputs: within a folder by its path from there."""
    if source.is_dir():
        return f"{source_name(source)}/{file.relative_to(source).as_posix()}"
    return file.name
