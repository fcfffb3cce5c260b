"""Reading and writing: every output file appears whole or not at all.

``save``/``load`` move nouns, ``read_frame``/``write_frame`` bare frames, ``replacing`` is the atomic
writer beneath both.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import warnings
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from . import reading
from .errors import (
    CharmError,
    CharmWarning,
    OutputExists,
    SchemaError,
    UnreadableFile,
    WriteFailed,
    did_you_mean,
    first_line,
    listing,
)
from .reading.containers import SUFFIXES
from .reading.files import reading_file
from .reading.shapes import check_shape
from .reading.unpacking import SUFFIXES as PACKED
from .tables import Table, damaged_metadata, read_payload, with_kinds

N = TypeVar("N", bound=Table)

# What a spreadsheet takes for the beginning of a formula.
_FORMULA = r"^[=+\-@\t\r]"
TABLE_SUFFIXES = (".parquet", ".csv", ".jsonl", ".json")  # that are written
TABLE_FILES = frozenset([*SUFFIXES, *PACKED])  # last suffixes of files that are read


# --- writing ------------------------------------------------------------------------------------


def refuse_existing(path: str | Path, *, force: bool) -> Path:
    """Return ``path``; raise :class:`OutputExists` where something is there and ``force`` is off.

    A file that stands where a folder on the way to ``path`` would be is refused whatever ``force`` is.
    """
    path = Path(path)
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:  # a name too long, a folder without access, a NUL
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise OutputExists(
            f"cannot be written there: {reason}", where=str(path), fix="choose another path"
        ) from error
    nearest = next((parent for parent in path.absolute().parents if parent.exists()), Path("/"))
    if not nearest.is_dir():
        raise OutputExists("is a file; a folder is needed", where=str(nearest), fix="choose another path")
    if path.is_symlink() or (path.exists() and not (path.is_file() or path.is_dir())):
        kind = "a symbolic link" if path.is_symlink() else "neither a file nor a folder"
        raise OutputExists(f"is {kind}", where=str(path), fix="name a file or folder itself")
    if not force and (path.is_file() or (path.is_dir() and any(path.iterdir()))):
        raise OutputExists(
            "the output already exists", where=str(path), fix="choose another path, or add --force"
        )
    return path


def refuse_table(path: str | Path, *, force: bool, inputs: Iterable[str | Path] = ()) -> Path:
    """:func:`refuse_existing` for a table, whose suffix must name a format (:class:`UnreadableFile`), and that is no input."""
    path = Path(path)
    _known_suffix(path)
    refuse_input(path, inputs)
    return refuse_existing(path, force=force)


def refuse_input(path: str | Path, inputs: Iterable[str | Path]) -> None:
    """Raise :class:`OutputExists` where ``path`` is one of ``inputs``, by whatever name, or a file in a folder that is one."""
    path = Path(path)
    if not path.exists():
        return
    for given in map(Path, inputs):
        within = given.is_dir() and given.resolve() in path.resolve().parents
        if within or (given.exists() and path.samefile(given)):
            what = f"lies in the input {str(given)!r}" if within else f"is the input {str(given)!r} itself"
            raise OutputExists(f"the output {what}", where=str(path), fix="choose another path")


@contextlib.contextmanager
def replacing(path: str | Path, *, force: bool = False) -> Iterator[Path]:
    """Yield a temporary path in the same folder; on success it takes the place of ``path``.

    On any error the temporary file is removed and what ``path`` held before stays whole.

    Raises:
        OutputExists: ``path`` exists and ``force`` is off.
        WriteFailed: the file system refused (disk full, permissions).
    """
    path = refuse_existing(path, force=force)
    with writing_to(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        clear_litter(path)
        temporary = temporary_path(path)
        temporary.touch(mode=0o600, exist_ok=False)
    try:
        with writing_to(path):
            yield temporary
            with temporary.open("rb+") as written:
                os.fsync(written.fileno())
            temporary.chmod(0o666 & ~umask())
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Turn what a file system says into :class:`WriteFailed` about ``path``."""
    try:
        yield
    except (OSError, pl.exceptions.ComputeError) as error:
        raise write_failed(path, error) from error


def temporary_path(path: Path) -> Path:
    """A new name beside ``path`` that tells machine and process, so that the next run can clear what a killed one left."""
    return path.with_name(f".{path.name}.{_MACHINE}-{os.getpid()}-{secrets.token_hex(4)}.part")


def clear_litter(path: Path) -> None:
    """Remove what runs of this machine that are gone left beside ``path``; a folder that one of them had set aside comes back."""
    ours = re.compile(rf"\.{re.escape(path.name)}\.{_MACHINE}-(\d+)-[0-9a-f]{{8}}\.(part|old)")
    near = [Path(e.path) for e in os.scandir(path.parent) if e.name.startswith(f".{path.name}.")]
    for found in sorted(near):
        match = ours.fullmatch(found.name)
        if match is None or _is_running(int(match[1])) or found.is_symlink():
            continue
        if match[2] == "old" and not path.exists():
            found.rename(path)
        elif found.is_dir():
            shutil.rmtree(found, ignore_errors=True)
        else:
            found.unlink(missing_ok=True)


# Process ids mean something on one machine alone, and a folder may be shared.
_MACHINE = f"{zlib.crc32(os.uname().nodename.encode()):08x}"


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True


def save(table: Table, path: str | Path, *, force: bool = False) -> Path:
    """Write a noun to ``path`` (Parquet keeps everything; CSV and JSONL keep the frame alone)."""
    return write_frame(table.frame, path, force=force, metadata=table.metadata())


def write_frame(
    frame: pl.DataFrame, path: str | Path, *, force: bool = False, metadata: Mapping[str, str] | None = None
) -> Path:
    """Write a frame atomically in the format its suffix names."""
    path = refuse_table(path, force=force)
    with replacing(path, force=force) as temporary:
        if path.suffix == ".parquet":
            frame.write_parquet(temporary, compression="zstd", metadata=dict(metadata or {}))
        elif path.suffix == ".csv":
            _warn_of_formulas(frame, path)
            frame.write_csv(temporary)
        else:
            frame.write_ndjson(temporary) if path.suffix == ".jsonl" else frame.write_json(temporary)
    return path


def _warn_of_formulas(frame: pl.DataFrame, path: Path) -> None:
    """Say where spreadsheets would compute; cells are written as they are all the same, as they are to be read back so."""
    texts = frame.select(pl.col(pl.String, pl.Categorical, pl.Enum).cast(pl.String))
    counts = {column.name: int(column.str.contains(_FORMULA).sum() or 0) for column in texts}
    found = [f"{n} of {name!r}" for name, n in counts.items() if n]
    if found or any(re.match(_FORMULA, name) for name in frame.columns):
        warnings.warn(
            f"{path}: spreadsheets take cells that begin with =, +, -, @ or a tab for formulas ({', '.join(found) or 'names of columns'}): "
            "import them as text there, or write Parquet",
            CharmWarning,
            stacklevel=3,
        )


def write_text(text: str, path: str | Path, *, force: bool = False) -> Path:
    """Write a text file atomically, UTF-8."""
    with replacing(path, force=force) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Path(path)


def write_json(value: Any, path: str | Path, *, force: bool = False) -> Path:
    """Write a JSON file atomically; NaN and infinities are refused, as JSON has none."""
    return write_text(as_json(value), path, force=force)


def as_json(value: Any) -> str:
    """The text of a JSON file; NaN and infinities are refused, as JSON has none."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=str) + "\n"


# --- reading ------------------------------------------------------------------------------------


def load(noun: type[N], path: str | Path) -> N:
    """Read a noun back from ``path``.

    Raises:
        UnreadableFile: missing, empty, cut short, wrongly encoded or of an unknown kind.
        SchemaError: the table breaks the noun's schema.
    """
    frame = read_frame(path, noun=noun)
    return restored(noun, frame, payload_of(path), path)


def restored(noun: type[N], frame: pl.DataFrame, payload: Mapping[str, Any], path: str | Path) -> N:
    """A noun of a frame and the payload that were read from ``path``; errors as :func:`load`."""
    with naming(path):
        try:
            return noun.restore(frame, payload)
        except (AttributeError, KeyError, TypeError, ValueError, pl.exceptions.PolarsError) as error:
            if not payload:
                raise
            raise damaged_metadata(first_line(error)) from error


def payload_of(path: str | Path) -> dict[str, Any]:
    """What a noun keeps in a Parquet file beside its rows; empty in files of other formats, and of other tools.

    Raises:
        SchemaError: it is damaged.
        UnreadableFile: the file cannot be read.
    """
    if kind_of(path) != "parquet":
        return {}
    with naming(path):
        return read_payload(parquet_metadata(path))


@contextlib.contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Put ``path`` in front of what an error says about where it is."""
    try:
        yield
    except CharmError as error:
        if str(path) not in (error.where or ""):
            error.where = f"{path}: {error.where}" if error.where else str(path)
        raise


def read_frame(
    path: str | Path, *, noun: type[Table] | None = None, texts: Collection[str] = ()
) -> pl.DataFrame:
    """Read a table: Parquet, CSV, JSONL, JSON or Arrow, packed or not; ``-`` is standard input; a folder or a pattern is several files.

    In CSV, columns of names, ids and texts (and ``texts``) are text; the others have the type that all their cells have.
    In JSON and JSONL, whole numbers among names and ids are their digits. ``noun`` is what the table is read as: its numbers
    are then checked with line or item in every error.

    Raises:
        UnreadableFile: with the reason and how to fix it.
        SchemaError: values of mixed or wrong kinds.
    """
    path = Path(path)
    if reading.is_several(path):
        parts = [(source, _read(source, noun, texts)) for source in reading.sources_of(path)]
        return reading.stacked(path, parts)
    return _read(reading.source_of(path), noun, texts)


def _read(source: reading.Source, noun: type[Table] | None, texts: Collection[str]) -> pl.DataFrame:
    with reading_file(source.path, source.kind):
        if source.kind == "csv":
            return reading.read_separated(source, texts)
        if source.kind in ("json", "jsonl"):
            return reading.read_json_table(source, texts, noun)
        return reading.read_typed(source)


def kind_of(path: str | Path) -> str:
    """What a table file is, whatever its name: ``parquet``, ``csv``, ``jsonl``, ``json`` or ``arrow``; ``several`` for a folder or pattern.

    Raises:
        UnreadableFile: as :func:`read_frame`.
    """
    path = Path(path)
    return "several" if reading.is_several(path) else reading.source_of(path).kind


def read_columns(
    path: str | Path, kinds: Mapping[str, str], *, noun: str, needed: Collection[str] | None = None
) -> pl.DataFrame:
    """:func:`read_frame` of a table that is no noun: its columns ``kinds`` are of these kinds, and those ``needed`` (all) are there.

    Raises:
        UnreadableFile: as :func:`read_frame`.
        SchemaError: a column is missing, or holds something else; ``noun`` is what messages call the table.
    """
    frame = read_frame(path)
    for name in kinds if needed is None else needed:
        if name not in frame.columns:
            raise SchemaError(
                f"{noun}: column {name!r} is missing; found {listing(frame.columns, limit=12)}."
                f"{did_you_mean(name, frame.columns)}",
                where=str(path),
                fix=f"{noun} need the columns {', '.join(kinds if needed is None else needed)}",
            )
    with naming(path):
        return with_kinds(frame, kinds, noun=noun)


def read_conversations(path: str | Path, *, noun: type[Table], texts: Collection[str] = ()) -> pl.DataFrame:
    """:func:`read_frame` for tables of prompts and responses: messages that were written as text are messages again.

    A column that holds both text and messages has dtype Object.
    """
    frame = read_frame(path, noun=noun, texts=texts)
    with naming(path):
        return reading.with_messages(frame, untyped=kind_of(path) == "csv", texts=texts)


def column_names(path: str | Path) -> list[str]:
    """The columns of a table, without reading it where the format allows (JSONL: those of its first rows).

    Raises:
        UnreadableFile: as :func:`read_frame`.
    """
    path = Path(path)
    several = reading.is_several(path)
    source = reading.sources_of(path)[0] if several else reading.source_of(path)
    with reading_file(source.path, source.kind):
        if source.kind == "csv":
            return reading.header(source)
        return reading.names(source) if source.kind in ("json", "jsonl") else reading.typed_names(source)


def parquet_metadata(path: str | Path) -> dict[str, str]:
    """Return a Parquet file's key-value metadata. Errors as :func:`read_frame`."""
    source = reading.source_of(Path(path))
    with reading_file(source.path, source.kind), source.file() as file:
        return pl.read_parquet_metadata(file)


def read_json(path: str | Path) -> Any:
    """Read a JSON document, with the same errors as :func:`read_frame`."""
    source = reading.source_of(Path(path))
    with reading_file(source.path, source.kind):
        return reading.read_json(source)


def read_shaped(path: str | Path, shape: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON object that charm wrote, of a shape (:func:`.reading.shapes.check_shape`); empty where there is no file.

    Raises:
        UnreadableFile: it is damaged, or of another shape.
    """
    if not Path(path).exists():
        return {}
    value = read_json(path)
    check_shape(value, shape, where=str(path))
    return dict(value)


def read_json_lines(path: str | Path) -> list[Any]:
    """Read one JSON value per line, of whatever shapes; empty lines are passed over. Errors as :func:`read_json`."""
    source = reading.source_of(Path(path))
    with reading_file(source.path, source.kind):
        return reading.read_json_lines(source)


def _known_suffix(path: Path) -> None:
    if path.suffix not in TABLE_SUFFIXES:
        raise UnreadableFile(
            f"unknown table format {path.suffix or '(no suffix)'!r}",
            where=str(path),
            fix=f"use one of {', '.join(TABLE_SUFFIXES)}",
        )


def write_failed(path: Path, error: BaseException) -> WriteFailed:
    """The error for a file system that refused."""
    return WriteFailed(
        f"writing failed: {first_line(error)}; what was there before is untouched",
        where=str(path),
        fix="free disk space or check permissions, then run again",
    )


def umask() -> int:
    """The permissions that new files do not get."""
    current = os.umask(0)
    os.umask(current)
    return current
