"""Tables of Hugging Face ``datasets``: responses, and batches of rows, of folders that it saved and of hub ids."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from ..errors import CharmError, ConfigError, UnreadableFile, first_line
from ..reading.files import check_plain_file
from ..responses import load_responses, responses_from_frame
from ..tables import Responses
from .extras import require

# A folder saved by `datasets` has one of these.
_MARKS = ("dataset_info.json", "state.json", "dataset_dict.json")


def load_any_responses(
    source: str | Path, *, split: str | None = None, columns: Mapping[str, str] | None = None
) -> Responses:
    """Read responses from a file or folder on disk, or, where there is none, from the hub. ``columns`` as :func:`load_responses`.

    Raises:
        MissingExtra: the source is a `datasets` folder or a hub id, and datasets is not installed.
    """
    if is_dataset_source(source):
        return load_dataset_responses(source, split=split, columns=columns)
    return load_responses(source, columns=columns)


def is_dataset_source(source: str | Path) -> bool:
    """Whether ``datasets`` reads a source: a folder that it saved, or what looks like a hub id and is nothing on disk."""
    path = Path(source)
    on_disk = path.exists() or path.suffix != "" or path.is_absolute() or str(source).count("/") != 1
    return _is_datasets_folder(path) or (not on_disk and not set("*?[") & set(str(source)))


def dataset_batches(source: str | Path, *, split: str | None = None, size: int) -> Iterator[pl.DataFrame]:
    """The rows of such a source, ``size`` at a time: a folder is mapped into memory, a hub id is streamed.

    Raises:
        ConfigError: there are several splits and ``split`` names none of them.
        UnreadableFile: there is no such dataset, or it cannot be read.
    """
    datasets = require("datasets")
    with _reading(source):
        if Path(source).is_dir():
            for file in sorted(Path(source).rglob("*")):
                if not file.is_dir():
                    check_plain_file(file)
            loaded = datasets.load_from_disk(str(source))
        else:
            loaded = datasets.load_dataset(str(source), streaming=True)
    rows = _one_split(loaded, split, str(source)).with_format("arrow").iter(batch_size=size)
    while True:
        with _reading(source):
            batch = next(rows, None)
        if batch is None:
            return
        frame = pl.from_arrow(batch)
        yield frame if isinstance(frame, pl.DataFrame) else frame.to_frame()


@contextlib.contextmanager
def _reading(source: str | Path) -> Iterator[None]:
    """Turn what datasets says while it reads into one error: files, network, login, scripts have many ways to say no."""
    try:
        yield
    except CharmError:
        raise
    except Exception as error:
        raise UnreadableFile(
            f"cannot be read by datasets: {first_line(error)}",
            where=str(source),
            fix="check the name and the network",
        ) from error


def _is_datasets_folder(path: Path) -> bool:
    """Whether ``path`` was written by ``Dataset.save_to_disk``."""
    return path.is_dir() and any((path / mark).exists() for mark in _MARKS)


def load_dataset_responses(
    source: str | Path, *, split: str | None = None, columns: Mapping[str, str] | None = None
) -> Responses:
    """Read responses from a folder that ``datasets`` saved, or from a hub id.

    Raises:
        ConfigError: there are several splits and ``split`` names none of them.
        UnreadableFile: there is no such dataset, or it cannot be read.
    """
    datasets = require("datasets")
    if Path(source).is_dir():
        for file in sorted(Path(source).rglob("*")):
            if not file.is_dir():
                check_plain_file(file)
    with _reading(source):
        loaded = (
            datasets.load_from_disk(str(source))
            if _is_datasets_folder(Path(source))
            else datasets.load_dataset(str(source))
        )
    frame = _to_polars(_one_split(loaded, split, str(source)))
    return responses_from_frame(frame, source=str(source), columns=columns)


def _one_split(loaded: Any, split: str | None, source: str) -> Any:
    if not isinstance(loaded, dict):
        return loaded
    names = list(loaded)
    if split is None and len(names) == 1:
        split = names[0]
    if split not in loaded:
        raise ConfigError(
            f"split {split!r} is not among {', '.join(names)}" if split else f"splits: {', '.join(names)}",
            where=source,
            fix="name one of them",
        )
    return loaded[split]


def _to_polars(dataset: Any) -> pl.DataFrame:
    frame = pl.from_arrow(dataset.with_format("arrow")[:])
    return frame if isinstance(frame, pl.DataFrame) else frame.to_frame()
