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
from .errors import CharmError, CharmWarning, OutputExists, UnreadableFile, WriteFailed
from .tables import Table, read_payload

N = TypeVar("N", bound=Table)

# What a spreadsheet takes for the beginning of a formula.
_FORMULA = r"^[=+\-@\t\r]"
TABLE_SUFFIXES = (".parquet", ".csv", ".jsonl", ".json")


# --- writing ------------------------------------------------------------------------------------


def refuse_existing(path: str | Path, *, force: bool) -> Path:
    """Return ``path``; raise :class:`OutputExists` where something is there and ``force`` is off.

    A file that stands where a folder on the way to ``path`` would be is refused whatever ``force`` is.
    """
    path = Path(path)
    nearest = next((parent for parent in path.absolute().parents if parent.exists()), Path("/"))
    if not nearest.is_dir():
        raise OutputExists("is a file; a folder is needed", where=str(nearest), mend="choose another path")
    if path.is_symlink() or (path.exists() and not (path.is_file() or path.is_dir())):
        kind = "a symbolic link" if path.is_symlink() else "neither a file nor a folder"
        raise OutputExists(f"is {kind}", where=str(path), mend="name a file or folder itself")
    if not force and (path.is_file() or (path.is_dir() and any(path.iterdir()))):
        raise OutputExists(
            "the output already exists", where=str(path), mend="choose another path, or add --force"
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
            raise OutputExists(f"the output {what}", where=str(path), mend="choose another path")


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
    payload = read_payload(parquet_metadata(path)) if Path(path).suffix == ".parquet" else {}
    try:
        return noun.restore(frame, payload)
    except CharmError as error:
        error.where = f"{path}: {error.where}" if error.where else str(path)
        raise


def read_frame(
    path: str | Path, *, noun: type[Table] | None = None, texts: Collection[str] = ()
) -> pl.DataFrame:
    """Read a Parquet, CSV, JSONL or JSON table.

    In CSV, columns of names, ids and texts (and ``texts``) are text; the others have the type that all their cells have.
    In JSON and JSONL, whole numbers among names and ids are their digits. ``noun`` is what the table is read as: its numbers
    are then checked with line or item in every error.

    Raises:
        UnreadableFile: with the reason and how to mend it.
        SchemaError: values of mixed or wrong kinds.
    """
    path = Path(path)
    _check_readable(path)
    try:
        if path.suffix == ".parquet":
            return pl.read_parquet(path)
        if path.suffix == ".csv":
            return reading.read_separated(path, texts)
        return reading.read_json_table(path, texts, noun)
    except UnicodeDecodeError as error:
        raise reading.wrong_encoding(path) from error
    except (pl.exceptions.PolarsError, ValueError, OSError) as error:
        if "utf-8" in str(error).casefold() or "utf8" in str(error).casefold():
            raise reading.wrong_encoding(path) from error
        raise UnreadableFile(
            f"cannot be read as {path.suffix[1:]}: {reading.first_line(error)}",
            where=str(path),
            mend="the file may be cut short or of another kind; write it again",
        ) from error


def read_conversations(path: str | Path, *, noun: type[Table]) -> pl.DataFrame:
    """:func:`read_frame` for tables of prompts and responses: messages that were written as text are messages again.

    A column that holds both text and messages has dtype Object.
    """
    frame = read_frame(path, noun=noun)
    try:
        return reading.with_messages(frame, untyped=Path(path).suffix == ".csv")
    except CharmError as error:
        error.where = f"{path}: {error.where}" if error.where else str(path)
        raise


def column_names(path: str | Path) -> list[str]:
    """The columns of a table, without reading it where the format allows (JSONL: those of its first rows).

    Raises:
        UnreadableFile: as :func:`read_frame`.
    """
    path = Path(path)
    _check_readable(path)
    try:
        if path.suffix == ".parquet":
            return list(pl.read_parquet_schema(path))
    except (pl.exceptions.PolarsError, OSError):
        return read_frame(path).columns
    if path.suffix == ".csv":
        return reading.header(path)
    return reading.names(path)


def parquet_metadata(path: str | Path) -> dict[str, str]:
    """Return a Parquet file's key-value metadata."""
    return pl.read_parquet_metadata(path)


def read_json(path: str | Path) -> Any:
    """Read a JSON document, with the same errors as :func:`read_frame`."""
    path = Path(path)
    _check_readable(path)
    return reading.read_json(path)


def read_json_lines(path: str | Path) -> list[Any]:
    """Read one JSON value per line, of whatever shapes; empty lines are passed over. Errors as :func:`read_json`."""
    path = Path(path)
    _check_readable(path)
    return reading.read_json_lines(path)


def _check_readable(path: Path) -> None:
    if not path.exists():
        raise UnreadableFile("no such file", where=str(path), mend="check the path")
    if path.is_dir():
        raise UnreadableFile("is a folder, a file was expected", where=str(path), mend="name a file in it")
    _known_suffix(path)
    if path.stat().st_size == 0:
        raise UnreadableFile("the file is empty", where=str(path), mend="write it again")


def _known_suffix(path: Path) -> None:
    if path.suffix not in TABLE_SUFFIXES:
        raise UnreadableFile(
            f"unknown table format {path.suffix or '(no suffix)'!r}",
            where=str(path),
            mend=f"use one of {', '.join(TABLE_SUFFIXES)}",
        )


def write_failed(path: Path, error: BaseException) -> WriteFailed:
    """The error for a file system that refused."""
    return WriteFailed(
        f"writing failed: {reading.first_line(error)}; what was there before is untouched",
        where=str(path),
        mend="free disk space or check permissions, then run again",
    )


def umask() -> int:
    """The permissions that new files do not get."""
    current = os.umask(0)
    os.umask(current)
    return current
