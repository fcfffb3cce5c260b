"""Partitioned Parquet as tasks: ranges of rows of each file, and the folder where what comes of them lies until all is there."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from .. import reading
from ..errors import CharmError, ConfigError, StageFailed, UnreadableFile, counted
from ..memo import content_key
from ..reading.files import reading_file
from ..responses import responses_from_frame
from ..tables import Responses
from .tasks import Lost


@dataclass(frozen=True)
class Part:
    """``rows`` rows of ``file`` from ``start`` on; ``name`` is the file's name in its table."""

    file: str
    name: str
    start: int
    rows: int

    def key(self, *more: Any) -> str:
        """Hash of the part as it is on disk, by the file's size and time, and of all else that decides what comes of it."""
        stat = Path(self.file).stat()
        return content_key("part", self.name, stat.st_size, stat.st_mtime_ns, self.start, self.rows, *more)


def parquet_files(source: str | tuple[str, ...]) -> list[Path]:
    """The files of a Parquet table: one, a folder's or a pattern's.

    Raises:
        ConfigError: it is no Parquet.
        UnreadableFile: there are no files.
    """
    given = (source,) if isinstance(source, str) else source
    files = []
    for one in map(Path, given):
        if not one.exists() and not reading.is_several(one):
            raise UnreadableFile(
                "there is no such file or folder", where=str(one), fix="--engine ray reads Parquet from disk"
            )
        if reading.is_several(one):
            files += [found.path for found in reading.sources_of(one)]
        else:
            files.append(one)
    if other := next((f for f in files if f.suffix.lower() != ".parquet"), None):
        raise ConfigError(
            "--engine ray reads Parquet: a file, a folder of partitions, or a pattern",
            where=str(other),
            fix="convert it: charm convert FILE -o responses.parquet",
        )
    return files


def cut(source: str | tuple[str, ...], rows: int) -> tuple[list[Part], list[Lost]]:
    """The parts of a table, in the order of its rows, and the files that are no Parquet inside.

    Raises:
        ConfigError, UnreadableFile: as :func:`parquet_files`.
    """
    files = parquet_files(source)
    root = Path(source) if isinstance(source, str) and Path(source).is_dir() else None
    parts: list[Part] = []
    lost: list[Lost] = []
    for file in files:
        name = file.relative_to(root).as_posix() if root else file.name
        try:
            with reading_file(file, "parquet"):
                height = int(pl.scan_parquet(file, hive_partitioning=False).select(pl.len()).collect().item())
        except CharmError as error:
            lost.append(Lost(name, error))
            continue
        parts += [Part(str(file), name, start, min(rows, height - start)) for start in range(0, height, rows)]
    return parts, lost


def read_part(
    part: Part, root: str, columns: Mapping[str, str], policies: Sequence[str] | None
) -> Responses | None:
    """The responses of a part, as the whole table would be read; None: it has none of the policies.

    Errors are as in :func:`~charm_rm.responses.load_responses`.
    """
    file = Path(part.file)
    with reading_file(file, "parquet"):
        scan = pl.scan_parquet(file, hive_partitioning=False)
        frame = scan.slice(part.start, part.rows).collect()
    frame = reading.stacked(Path(root), [(reading.source_of(file), frame)])
    frame = reading.with_messages(frame, untyped=False)
    responses = responses_from_frame(frame, source=part.name, columns=columns)
    if policies is None:
        return responses
    chosen = responses.frame.filter(pl.col("policy").is_in(policies))
    return None if chosen.is_empty() else Responses(chosen, responses.provenance)


@dataclass(frozen=True)
class Aside:
    """The folder beside an output that holds what is finished, until all is."""

    folder: Path

    @classmethod
    @contextlib.contextmanager
    def of(cls, output: Path) -> Iterator[Aside]:
        """That of an output, made where it is missing; left behind only where it holds something."""
        aside = cls(_folder_aside(output))
        aside.folder.mkdir(parents=True, exist_ok=True)
        try:
            yield aside
        finally:
            with contextlib.suppress(OSError):
                aside.folder.rmdir()

    def file(self, key: str, suffix: str = ".parquet") -> Path:
        """Where what comes of a part lies."""
        return self.folder / f"{key}{suffix}"


def clear_parts(output: Path) -> None:
    """Remove what is kept beside an output that has been written."""
    shutil.rmtree(_folder_aside(output), ignore_errors=True)


def _folder_aside(output: Path) -> Path:
    return output.absolute().with_name(f".{output.name}.parts")


def model_on_disk(spec: str) -> Iterator[tuple[str, int, int]]:
    """Names, sizes and times of the files of a model's folder: what tells whether it is still the same; nothing for others."""
    for name in spec.replace(",", ":").split(":"):
        folder = Path(name).expanduser()
        if name and folder.is_dir():
            for file in sorted(f for f in folder.rglob("*") if f.is_file()):
                stat = file.stat()
                yield file.relative_to(folder).as_posix(), stat.st_size, stat.st_mtime_ns


def refuse_lost(lost: Sequence[Lost], *, of: int) -> None:
    """Raise :class:`StageFailed` where something was lost, naming each file once, with the first error about it."""
    if not lost:
        return
    first: dict[str, Lost] = {}
    for one in lost:
        first.setdefault(one.name, one)
    lines = [f"  {one.name}: {one.error.what}" for one in first.values()]
    raise StageFailed(
        f"{counted(len(lines), 'partition')} could not be used, and nothing was written; the other parts of {of:,} are finished and kept:\n"
        + "\n".join(lines),
        fix="mend or move these files and run the same command again: only what is missing is done",
    )
