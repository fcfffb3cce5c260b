"""Tables in several files: folders, partitions (``policy=oak/``), patterns (``scores/*.csv``), folders that ``datasets`` saved."""

from __future__ import annotations

import contextlib
import glob
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

import polars as pl

from ..errors import ConfigError, SchemaError, UnreadableFile, listing
from .containers import SUFFIXES, Source, source_of
from .json_text import read_json
from .names import folded, is_spelling
from .unpacking import SUFFIXES as PACKED

# A folder saved by `datasets` has one of these.
_DATASET, _SPLITS = "state.json", "dataset_dict.json"
_PATTERN = frozenset("*?[")


def is_several(path: Path) -> bool:
    """Whether a path names several files: a folder, or a pattern that is no file's own name."""
    with contextlib.suppress(OSError, ValueError):  # a name too long, or a loop: whoever opens it says so
        return path.is_dir() or (bool(_PATTERN & set(str(path))) and not path.exists())
    return False


def matching(path: Path) -> list[Path]:
    """The files whose names fit a pattern, sorted; none for what is a file's own name, or a folder."""
    if path.is_dir() or not is_several(path):
        return []
    found = sorted(Path(name) for name in glob.glob(str(path), recursive=True))  # noqa: PTH207 (Path.glob takes no absolute pattern)
    return [f for f in found if f.is_file()]


def is_dataset(path: Path) -> bool:
    """Whether a folder was written by ``save_to_disk`` of ``datasets``."""
    return any((path / mark).is_file() for mark in (_DATASET, _SPLITS))


def sources_of(path: Path) -> list[Source]:
    """The files of a table that is in several, in the order of their names.

    Raises:
        UnreadableFile: there are none.
        ConfigError: a choice is needed: several splits, files of several kinds.
    """
    if not path.is_dir():
        files = matching(path)
        if not files:
            raise UnreadableFile(
                "no file has a name of this pattern", where=str(path), fix="check the pattern"
            )
        return [source_of(f) for f in files]
    if (path / _SPLITS).exists():
        path = _only_split(path)
    if (path / _DATASET).exists():
        return _of_dataset(path)
    return _of_folder(path)


def stacked(path: Path, parts: Sequence[tuple[Source, pl.DataFrame]]) -> pl.DataFrame:
    """One table of several, with what folders (``policy=oak``) say; where files hold a score and no policy, their names say it, as ``file``.

    Raises:
        SchemaError: the files have other columns than the first, or values of other kinds.
    """
    first = parts[0][1]
    frames = []
    for source, frame in parts:
        said = said_by_folders(source.path, path)
        if twice := [c for c in said if c in frame.columns]:
            raise SchemaError(
                f"column {twice[0]!r} is in the file, and in the name of its folder",
                where=str(source.path),
                fix="rename the folder or drop the column",
            )
        if set(frame.columns) != set(first.columns):
            other = sorted(set(frame.columns) ^ set(first.columns))
            raise SchemaError(
                f"has other columns than {parts[0][0].path.name}: {listing(other)} is in one of them alone",
                where=str(source.path),
                fix="give all files of a table the same columns, or name one file",
            )
        frame = frame.select(first.columns)
        _check_kinds(first, frame, source)
        frames.append(frame.with_columns([pl.lit(v).alias(k) for k, v in said.items()]))
    if len(frames) > 1 and _lacks_policy(frames[0].columns):
        frames = [
            f.with_columns(pl.lit(_stem(s.path)).alias("file"))
            for f, (s, _) in zip(frames, parts, strict=True)
        ]
    return pl.concat(frames, how="vertical_relaxed")


def said_by_names(file: Path, root: Path, columns: Sequence[str], *, several: bool) -> dict[str, str]:
    """What the names of a part of a table say of all its rows, by column: folders (``policy=oak``); where there are several files that hold
    a score and no policy, the file's name, as ``file``.

    Raises:
        SchemaError: a folder says what the file has a column for.
    """
    said = said_by_folders(file, root)
    if twice := [c for c in said if c in columns]:
        raise SchemaError(
            f"column {twice[0]!r} is in the file, and in the name of its folder",
            where=str(file),
            fix="rename the folder or drop the column",
        )
    if several and _lacks_policy([*columns, *said]):
        said["file"] = _stem(file)
    return said


# --- details ------------------------------------------------------------------------------------


def _of_folder(path: Path) -> list[Source]:
    files = [
        f
        for f in sorted(path.rglob("*"))
        if f.is_file()
        and _is_table(f)
        and not any(p.startswith((".", "_")) for p in f.relative_to(path).parts)
    ]
    if not files:
        raise UnreadableFile(
            "the folder holds no table",
            where=str(path),
            fix="name a file, or a folder of tables (of responses: or of POLICY/model_outputs.json)",
        )
    sources = [source_of(f) for f in files]
    if len(kinds := {s.kind for s in sources}) > 1:
        raise ConfigError(
            f"the folder holds tables of several kinds: {', '.join(sorted(kinds))}",
            where=str(path),
            fix=f"name one file, or a pattern in quotes: '{path}/*{files[0].suffix}'",
        )
    return sources


def _is_table(file: Path) -> bool:
    suffixes = [s.lower() for s in file.suffixes]
    return any(s in SUFFIXES for s in suffixes[-2 if suffixes[-1:] and suffixes[-1] in PACKED else -1 :])


def _only_split(path: Path) -> Path:
    document = read_json(source_of(path / _SPLITS))
    splits = document.get("splits") if isinstance(document, dict) else None
    names = [n for n in splits if isinstance(n, str)] if isinstance(splits, list) else []
    if len(names) != 1:
        raise ConfigError(
            f"the dataset has the splits {listing(names)}",
            where=str(path),
            fix="name one: " + " or ".join(f"{path}/{n}" for n in names[:4]),
        )
    return path / Path(names[0]).name


def _of_dataset(path: Path) -> list[Source]:
    """The files that ``Dataset.save_to_disk`` wrote, in their order."""
    state = read_json(source_of(path / _DATASET))
    files = state.get("_data_files") if isinstance(state, dict) else None
    names = [f.get("filename") for f in files if isinstance(f, dict)] if isinstance(files, list) else []
    if not names or not all(isinstance(n, str) and Path(n).name == n for n in names):
        raise UnreadableFile(
            f"{_DATASET} names no data files", where=str(path), fix="save the dataset again (save_to_disk)"
        )
    return [source_of(path / str(n)) for n in names]


def said_by_folders(file: Path, root: Path) -> dict[str, str]:
    """``policy=oak/part-0.parquet`` says that policy is oak."""
    while not root.is_dir() or _PATTERN & set(str(root)):  # of a pattern, what comes before it
        if root == root.parent:
            break
        root = root.parent
    folders = file.relative_to(root).parts[:-1] if file.is_relative_to(root) else ()
    pairs = [part.partition("=") for part in folders]
    return {name: unquote(value) for name, equals, value in pairs if equals and name}


def _check_kinds(first: pl.DataFrame, frame: pl.DataFrame, source: Source) -> None:
    for name, dtype in frame.schema.items():
        other = first.schema[name]
        same = dtype == other or pl.Null in (dtype, other) or (dtype.is_numeric() and other.is_numeric())
        if not same and not (
            first[name].null_count() == first.height or frame[name].null_count() == frame.height
        ):
            raise SchemaError(
                f"column {name!r} holds {dtype} here, and {other} in the first file",
                where=str(source.path),
                fix="write the column alike in all files",
            )


def _lacks_policy(columns: Sequence[str]) -> bool:
    """Whether there is a score and nothing that names the policy."""
    return any(is_spelling(c, "score") for c in columns) and not any(
        is_spelling(c, "policy") or folded(c) == "file" for c in columns
    )


def _stem(file: Path) -> str:
    """A file's name without suffixes of tables (a policy may be called gpt-3.5)."""
    name = file.name
    for known in (PACKED, SUFFIXES):
        suffix = Path(name).suffix
        if suffix.lower() in known:
            name = name.removesuffix(suffix)
    return name
