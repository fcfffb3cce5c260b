"""Scores in Parquet, in one file or many, read some rows at a time: which files, which columns, and rows that are checked."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from ..errors import ConfigError, ReadingNote, SchemaError, UnreadableFile, listing
from ..reading import Source, is_several, source_of, sources_of
from ..reading.files import reading_file
from ..reading.parts import said_by_names
from ..reading.resolve import columns_of, preferring_texts, told
from ..reading.score_layouts import FIELDS
from ..settings import TableSettings
from ..store import naming, payload_of
from ..tables import NUMBER, TEXT, Scores, with_kinds

_KINDS = {"prompt_id": TEXT, "policy": TEXT, "score": NUMBER}
_HEAD = 1000
IN_MEMORY = "use --engine memory (in Python: charm_rm.load_scores), or write them as prompt_id, policy, score"


@dataclass(frozen=True)
class Part:
    """One file: its rows, and what its name says of them all."""

    path: Path
    rows: int
    said: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ScoreFiles:
    """The files of a table of scores, in order, and which column is which field; ``provenance`` is what charm kept in them."""

    path: Path
    parts: tuple[Part, ...]
    columns: Mapping[str, str]
    notes: tuple[str, ...]
    provenance: Mapping[str, Any]

    @property
    def rows(self) -> int:
        """Scores in all files."""
        return sum(part.rows for part in self.parts)


def is_parquet(path: Path) -> bool:
    """Whether all of a table is Parquet on disk: what can be streamed.

    Raises:
        UnreadableFile, ConfigError: there is no table, or a choice is needed (:func:`.reading.sources_of`).
    """
    return all(s.kind == "parquet" and s.on_disk for s in _sources(path))


def count_rows(path: Path) -> int:
    """Rows of a table in Parquet, as its footers say.

    Raises:
        UnreadableFile: of every file that is damaged.
    """
    return sum(_rows(source) for source in _checked(_sources(path)))


def score_files(path: str | Path, table: TableSettings) -> ScoreFiles:
    """Find the files of a table of scores and which column is which field, as :func:`charm_rm.load_scores` does.

    Raises:
        UnreadableFile: no such file, or damaged ones, each named.
        ConfigError: no Parquet, or something is asked for that takes the whole table at once.
        SchemaError: the columns are not those of one score a row, or differ between files.
    """
    path = Path(path)
    _check_settings(table)
    sources = _sources(path)
    if other := [s.path for s in sources if s.kind != "parquet" or not s.on_disk]:
        raise ConfigError(
            "the streaming engine reads Parquet alone",
            where=str(other[0]),
            fix=f"write Parquet, or {IN_MEMORY}",
        )
    sources = _checked(sources)
    names = _names(sources)
    parts = tuple(
        Part(s.path, _rows(s), said_by_names(s.path, path, names, several=len(sources) > 1)) for s in sources
    )
    notes: list[str] = []
    with naming(path):
        columns = _columns(_head(parts), table.fields("scores"), notes)
    if notes:
        warnings.warn(f"{path}: {'; '.join(notes)}", ReadingNote, stacklevel=3)
    return ScoreFiles(path, parts, columns, tuple(notes), _provenance(parts))


def batches(files: ScoreFiles, size: int) -> Iterator[tuple[Part, int, pl.DataFrame]]:
    """(file, its row where they begin, rows): prompt_id, policy and score as text, text and finite numbers, at most ``size`` rows at a time.

    Raises:
        UnreadableFile: a file is damaged further in.
        SchemaError: a value is missing, not finite or of another kind, with file and row.
    """
    for part in files.parts:
        for start in range(0, part.rows, size):
            with reading_file(part.path, "parquet"):
                frame = _scan(part.path).slice(start, size).select(_expressions(files, part)).collect()
            yield part, start, _valid(frame, part, start)


# --- which files and columns ----------------------------------------------------------------------


def _sources(path: Path) -> list[Source]:
    return sources_of(path) if is_several(path) else [source_of(path)]


def _checked(sources: list[Source]) -> list[Source]:
    """The files, after a look at the footer of each.

    Raises:
        UnreadableFile: of one that is damaged; others that are, are listed.
    """
    errors = []
    for source in sources:
        try:
            _rows(source)
        except UnreadableFile as error:
            errors.append(error)
    if not errors:
        return sources
    if len(errors) > 1:
        errors[0].what += f" ({len(errors)} of {len(sources)} files: {listing(e.where for e in errors)})"
    raise errors[0]


def _rows(source: Source) -> int:
    with reading_file(source.path, "parquet"):
        return int(_scan(source.path).select(pl.len()).collect().item())


def _scan(path: Path) -> pl.LazyFrame:
    return pl.scan_parquet(path, glob=False, hive_partitioning=False)


def _names(sources: list[Source]) -> list[str]:
    first: list[str] = []
    for source in sources:
        with reading_file(source.path, "parquet"):
            names = list(pl.read_parquet_schema(source.path))
        if not first:
            first = names
        elif set(names) != set(first):
            other = sorted(set(names) ^ set(first))
            raise SchemaError(
                f"has other columns than {sources[0].path.name}: {listing(other)} is in one of them alone",
                where=str(source.path),
                fix="give all files of a table the same columns, or name one file",
            )
    return first


def _head(parts: tuple[Part, ...]) -> pl.DataFrame:
    first = parts[0]
    with reading_file(first.path, "parquet"):
        head = _scan(first.path).head(_HEAD).collect()
    return head.with_columns([pl.lit(v).alias(k) for k, v in first.said.items()])


def _columns(head: pl.DataFrame, given: Mapping[str, str], notes: list[str]) -> dict[str, str]:
    found = columns_of(head, FIELDS, given, noun="scores")
    missing = [f for f in _KINDS if f not in preferring_texts(found, given)]
    if missing or any(head.schema[found[f]].is_nested() for f in _KINDS):
        what = f"no column for {listing(missing)}" if missing else "a column holds lists or objects"
        raise SchemaError(
            f"scores: the streaming engine reads one score a row (prompt_id, policy, score): {what}; found {listing(head.columns, limit=20)}",
            fix=f"say which column it is (--column {(missing or ['score'])[0]}=...), or {IN_MEMORY}",
        )
    if several := [f for f in ("sample", "reward_model") if f in found and found[f] in (f, given.get(f))]:
        raise SchemaError(
            f"scores: column {found[several[0]]!r} is there, and the streaming engine reads one score of one reward model for each prompt and policy",
            fix="use --engine memory, or write one score for each prompt and policy of one reward model",
        )
    if words := told({f: c for f, c in found.items() if f in _KINDS}):
        notes.append(words)
    spare = [c for c in head.columns if c not in (*found.values(), *(x.name for x in Scores.columns))]
    if spare:
        notes.append(f"left out {'column' if len(spare) == 1 else 'columns'} {listing(spare, limit=8)}")
    return {f: found[f] for f in _KINDS}


def _check_settings(table: TableSettings) -> None:
    for name, value in (("reward-model", table.reward_model), ("sample", table.sample)):
        if value is not None:
            raise ConfigError(
                f"--{name} is chosen, and the streaming engine reads one score of one reward model for each prompt and policy",
                where=f"--{name} {value}",
                fix="leave it out, or use --engine memory",
            )


def _provenance(parts: tuple[Part, ...]) -> dict[str, Any]:
    """What the first file says of where the scores come from, and every calibration that any of them carries."""
    kept = [payload_of(part.path).get("provenance", {}) for part in parts]
    found = dict(kept[0])
    for name in ("calibrations", "anchored_on"):
        if some := [one for each in kept for one in each.get(name, [])]:
            found[name] = some
    return found


# --- rows -----------------------------------------------------------------------------------------


def _expressions(files: ScoreFiles, part: Part) -> list[pl.Expr]:
    return [
        (pl.lit(part.said[column]) if column in part.said else pl.col(column)).alias(name)
        for name, column in files.columns.items()
    ]


def _valid(frame: pl.DataFrame, part: Part, start: int) -> pl.DataFrame:
    try:
        frame = with_kinds(frame, _KINDS, noun="scores")
    except SchemaError as error:
        told = re.search(r"row (\d+)", error.where or "")
        raise _of_row(error.what, part, start + int(told[1] if told else 0), error.fix) from error
    for name in _KINDS:
        if frame[name].null_count():
            row = int(frame[name].is_null().arg_true()[0])
            raise _of_row(f"{name} is missing (null)", part, start + row, "correct or drop these rows")
    if not (finite := frame["score"].is_finite()).all():
        row = int((~finite).arg_true()[0])
        named = f"policy {frame['policy'][row]!r}, prompt_id {frame['prompt_id'][row]!r}"
        what = f"score is not finite: {frame['score'][row]!r} ({named})"
        raise _of_row(what, part, start + row, "correct or drop these rows")
    return frame


def _of_row(what: str, part: Part, row: int, fix: str | None) -> SchemaError:
    return SchemaError(what, where=f"{part.path}: scores, row {row}", fix=fix)
