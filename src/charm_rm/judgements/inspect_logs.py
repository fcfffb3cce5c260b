"""Logs of Inspect (inspect_ai): what one scorer gave to every sample of every model, as grades.

A log is of one model on one task: a JSON document, or an ``.eval`` file, a zip archive whose ``header.json`` names them and whose
``summaries.json`` has the scores of all samples.
"""

from __future__ import annotations

import json
import math
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from ..errors import ConfigError, SchemaError, UnreadableFile, did_you_mean, first_line, listing
from ..reading.files import check_plain_file
from ..reading.shapes import Maybe, check_shape
from ..reading.unpacking import unpacked
from .checks import NO_VERDICT

SUFFIX = ".eval"
# What Inspect's own metrics count them as.
_VALUES = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0, "yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
_MOST = 2**30  # bytes of one member: scores of millions of samples
_ZSTD = 93
_ONE_LOG = {
    "eval": {"task": str, "model": str},
    "samples": Maybe([{"id": (str, int), "epoch": Maybe(int), "scores": Maybe(dict)}]),
}


class Log(NamedTuple):
    """One log: where it is, and the model, task and samples in it."""

    where: str
    model: str
    task: str
    samples: Sequence[Mapping[str, Any]]


class Graded(NamedTuple):
    """Grades (prompt_id, policy, score; null for none), whose they are, and what was left out before, by reason."""

    frame: pl.DataFrame
    judge: str
    dropped: dict[str, int]


def is_log(document: Any) -> bool:
    """Whether a JSON document is a log of Inspect."""
    run = document.get("eval") if isinstance(document, Mapping) else None
    return isinstance(run, Mapping) and {"task", "model"} <= set(run)


def log_of(document: Any, where: str) -> Log:
    """A log of its JSON document.

    Raises:
        UnreadableFile: a part has another shape than Inspect's logs.
    """
    check_shape(document, _ONE_LOG, where=where)
    run = document["eval"]
    return Log(where, run["model"], run["task"], document.get("samples") or [])


def read_archive(path: Path) -> Log:
    """A log of an ``.eval`` file.

    Raises:
        UnreadableFile: no zip archive, a log that is not finished, or one of another shape.
    """
    check_plain_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            header, samples = (_member(archive, name, path) for name in ("header.json", "summaries.json"))
    except (
        zipfile.BadZipFile,
        zlib.error,
        OSError,
        EOFError,
        ValueError,
        RuntimeError,
        RecursionError,
        struct.error,
    ) as error:
        raise UnreadableFile(
            f"cannot be read as a log of Inspect: {first_line(error)}",
            where=str(path),
            fix="write it again: inspect log convert --to json",
        ) from error
    if not is_log(header):
        raise UnreadableFile("names no task and model", where=str(path), fix="is it a log of Inspect?")
    return log_of({"eval": header["eval"], "samples": samples}, str(path))


def inspect_grades(logs: Sequence[Log], scorer: str | None, where: str) -> Graded:
    """The grades of one scorer; prompt ids are those of the samples, with the task before them where there are several.

    Args:
        logs: of one or several models.
        scorer: its name, or ``SCORER/KEY`` of one that gives several values; None where there is one alone.
        where: the file or folder, for messages.

    Raises:
        ConfigError: several scorers and none chosen, an unknown one, or two logs of one model and task.
        SchemaError: a value that is no number.
    """
    _refuse_two_of_one(logs, where)
    chosen = _choose(sorted({n for log in logs for s in log.samples for n in _names(s)}), scorer, where)
    several = len({log.task for log in logs}) > 1
    rows: list[tuple[str, str, float | None]] = []
    dropped = {"error": 0}
    for log in logs:
        for sample in log.samples:
            if sample.get("error"):
                dropped["error"] += 1
                continue
            prompt = f"{log.task}/{sample['id']}" if several else str(sample["id"])
            at = f"{log.where}: sample {sample['id']!r}"
            rows.append((prompt, log.model, _grade(sample, chosen, at)))
    schema = {"prompt_id": pl.String, "policy": pl.String, "score": pl.Float64}
    return Graded(pl.DataFrame(rows, schema=schema, orient="row"), chosen, dropped)


# --- scores of a sample -------------------------------------------------------------------------


def _names(sample: Mapping[str, Any]) -> list[str]:
    """The scorers of a sample: of one that gives several values by key, ``SCORER/KEY``."""
    names: list[str] = []
    for name, score in (sample.get("scores") or {}).items():
        value = score.get("value") if isinstance(score, Mapping) else None
        names += [f"{name}/{key}" for key in value] if isinstance(value, Mapping) else [name]
    return names


def _grade(sample: Mapping[str, Any], scorer: str, at: str) -> float | None:
    """What the scorer gave, as Inspect's metrics count it; None where it gave nothing (NaN is Inspect's mark of that)."""
    scores = sample.get("scores") or {}
    name, _, key = (scorer, "", "") if scorer in scores else scorer.rpartition("/")
    score = scores.get(name)
    value = score.get("value") if isinstance(score, Mapping) else None
    if key and isinstance(value, Mapping):
        value = value.get(key)
    if value is None:
        return None
    if isinstance(value, bool | int | float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, str):
        return _of_text(value, scorer, at)
    raise _no_number(value, scorer, at)


def _of_text(value: str, scorer: str, at: str) -> float | None:
    if value in _VALUES or value.lower() in _VALUES:
        return _VALUES.get(value, _VALUES.get(value.lower()))
    if value.strip().lower() in NO_VERDICT:
        return None
    try:
        number = float(value)
    except ValueError:
        raise _no_number(value, scorer, at) from None
    return number if math.isfinite(number) else None


def _no_number(value: Any, scorer: str, at: str) -> SchemaError:
    return SchemaError(
        f"scorer {scorer!r} gave {str(value)[:40]!r}, which is no number (nor C, I, P, N, yes, no, true or false)",
        where=at,
        fix="choose a scorer of numbers with --judge",
    )


# --- whose scores -------------------------------------------------------------------------------


def _choose(known: Sequence[str], scorer: str | None, where: str) -> str:
    if not known:
        raise SchemaError("the log has no scores", where=where, fix="score it first: inspect score LOG_FILE")
    if scorer is None and len(known) > 1:
        raise ConfigError(
            f"scores of {len(known)} scorers: {listing(known, limit=12)}",
            where=where,
            fix="choose one with --judge NAME (annotator=)",
        )
    if scorer is not None and scorer not in known:
        raise ConfigError(
            f"no scores of scorer {scorer!r}.{did_you_mean(scorer, known)}",
            where=where,
            fix=f"choose one of {listing(known, limit=12)}",
        )
    return known[0] if scorer is None else scorer


def _refuse_two_of_one(logs: Sequence[Log], where: str) -> None:
    seen: dict[tuple[str, str], Log] = {}
    for log in logs:
        other = seen.setdefault((log.task, log.model), log)
        if other is not log:
            raise ConfigError(
                f"two logs of model {log.model!r} on task {log.task!r}: {Path(other.where).name} and {Path(log.where).name}",
                where=where,
                fix="keep one log for each model and task (a retried run leaves its failed log behind)",
            )


# --- members of an archive ----------------------------------------------------------------------


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> Any:
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise UnreadableFile(
            f"has no {name}: the run has not ended, or it is no log of Inspect",
            where=str(path),
            fix="wait for its end, or recover it: inspect log recover",
        ) from None
    if max(info.file_size, info.compress_size) > _MOST:
        raise UnreadableFile(
            f"{name} in it is longer than {_MOST:,} bytes", where=str(path), fix="is it the right file?"
        )
    data = _of_zstandard(path, info) if info.compress_type == _ZSTD else archive.read(info)
    return json.loads(data.decode("utf-8-sig"))


def _of_zstandard(path: Path, info: zipfile.ZipInfo) -> bytes:
    """A member in Zstandard, which :mod:`zipfile` reads from Python 3.14 on: the bytes after its local header, unpacked."""
    with path.open("rb") as file:
        file.seek(info.header_offset + 26)
        lengths = struct.unpack("<HH", file.read(4))
        file.seek(info.header_offset + 30 + sum(lengths))
        return unpacked(file.read(info.compress_size), "zstd", path)
