"""Which kind of table a file holds, told by its columns, and reading it as that kind."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from .errors import ConfigError, SchemaError, listing
from .judgements import holds_grades
from .preferences import load_preferences
from .ratings import load_battles, load_ratings
from .ratings.load import ratings_from_frame
from .reading.names import is_spelling
from .reading.resolve import columns_of, renamed
from .responses import load_responses
from .samples import choose_sample
from .scores import read_scores
from .settings import TableKind, TableSettings
from .sources import load_source
from .store import column_names, naming, read_frame
from .tables import Ratings, Table

_AS_NAMED = TableSettings()


def table_kind(columns: Collection[str]) -> TableKind | None:
    """The kind of a table with these columns; None where a score, margin or win rate is to be looked for (``load_source``).

    Raises:
        ConfigError: they may be votes of people as well as verdicts of a judge.
    """
    names = set(columns)
    if {"chosen", "rejected"} <= names:
        return "preferences"
    if {"policy_a", "policy_b", "winner"} <= names:
        return "battles"
    if {"model_a", "model_b"} <= names and names & {"winner", "winner_model_a"}:
        if names & {"judge", "annotator"}:
            return "judgements"
        raise ConfigError(
            "two models and a winner a row: votes of people, or verdicts of a judge?",
            fix="say which: --as battles (votes to fit ratings to), or --as judgements",
        )
    if _has(names, "score") or names & {"margin", "win_rate", "preference"}:
        return None
    if names & {"rating", "arena_score"} and not _has(names, "prompt_id") and not _has(names, "prompt"):
        return "ratings"
    return "responses" if all(_has(names, f) for f in ("policy", "prompt", "response")) else None


def _has(names: Collection[str], field: str) -> bool:
    return any(is_spelling(n, field) for n in names)


def load_table(
    path: str | Path,
    *,
    kind: TableKind | None = None,
    table: TableSettings = _AS_NAMED,
    annotator: str | None = None,
    baseline: str | None = None,
) -> Table:
    """Read a table as what it is, or as ``kind``.

    Args:
        path: a file, folder or pattern; ``-``: standard input.
        kind: what it is; told by its columns where it is None.
        table: which column holds what, as options or files say it.
        annotator, baseline: of judgements, as :func:`~charm_rm.load_judgements`.

    Raises:
        ConfigError: a choice is needed; it names the option.
        SchemaError: the columns are of no table that is known.
        UnreadableFile: the file cannot be read.
    """
    path = Path(path)
    if kind is None and not (path.is_dir() or table != _AS_NAMED or holds_grades(path)):
        try:
            kind = table_kind(column_names(path))
        except ConfigError as error:
            error.where = str(path)
            raise
    if kind == "responses":
        found = load_responses(path, columns=table.fields("responses"))
        return found if table.sample is None else choose_sample(found, table.sample)
    if kind == "scores":
        return read_scores(path, table)
    if kind in (None, "judgements"):
        return _source(path, kind, table, annotator=annotator, baseline=baseline)
    if kind == "ratings":
        return _ratings(path, table.fields("ratings"))
    if kind == "battles":
        return load_battles(path, columns=table.fields("battles"))
    if table.columns:
        raise ConfigError(
            "columns are chosen, and preference pairs are read by their own names",
            where="--column",
            fix="leave it out, or name the columns prompt, chosen and rejected",
        )
    return load_preferences(path)


def _ratings(path: Path, given: Mapping[str, str]) -> Ratings:
    if not given:
        return load_ratings(path)
    frame = read_frame(path, texts=given.values())
    with naming(path):
        found = columns_of(frame, [c.name for c in Ratings.columns], given, noun=Ratings.noun)
    return ratings_from_frame(renamed(frame, found), where=str(path))


def _source(
    path: Path, kind: TableKind | None, table: TableSettings, *, annotator: str | None, baseline: str | None
) -> Table:
    found = load_source(path, annotator=annotator, baseline=baseline, table=table)
    if (
        kind == "judgements"
        and found.noun == "scores"
        and annotator is None
        and "judge" not in column_names(path)
    ):
        raise SchemaError(
            f"judgements were expected, and the columns {listing(column_names(path))} are those of scores",
            where=str(path),
            fix="leave out --as, or read it with --as scores",
        )
    return found
