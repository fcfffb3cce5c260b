"""A study as rows of its tables."""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import polars as pl
from sqlalchemy import Connection, func, insert, select

from ...errors import SchemaError, listing
from ...samples import refuse_samples
from ...tables import Table
from ..nouns import Study, StudyModel
from ..rules import rules_of
from . import schema
from .texts import packed

Rows = list[dict[str, Any]]
# Of a blob; PostgreSQL takes up to 1 GB at once, and memory should not.
PART_BYTES = 8 << 20
_ROWS_AT_ONCE = 5_000


def write_study(connection: Connection, study: Study, *, now: float) -> None:
    """Write all of a study into empty tables.

    Raises:
        SchemaError: a comparison has an answer without a text, or a text or name that no database can hold.
    """
    refuse_unwritable(study)
    answers = _answer_ids(study)
    _write(connection, schema.study, [_study_row(study, now)])
    _write(connection, schema.prompts, _prompt_rows(study))
    _write(connection, schema.answers, _answer_rows(study, answers))
    _write(connection, schema.models, [_model_row(i, m) for i, m in enumerate(study.models)])
    for model in study.models:
        _write(connection, schema.blobs, blob_rows(f"model:{model.name}", as_parquet(model.table)))
    if study.candidates is not None:
        _write(connection, schema.blobs, blob_rows("candidates", _frame_bytes(study.candidates)))
    comparisons = _comparison_rows(study, answers)
    _write(connection, schema.comparisons, comparisons)
    ids = {row["comparison_id"]: row["id"] for row in comparisons}
    for table, rows in _vote_rows(study, ids, now):
        _write(connection, table, rows)
    _count_on(connection)


def _write(connection: Connection, table: Any, rows: Rows) -> None:
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        connection.execute(insert(table), rows[start : start + _ROWS_AT_ONCE])


def _count_on(connection: Connection) -> None:
    """Have PostgreSQL count on from the rows that were written with their numbers; SQLite does so by itself."""
    if connection.dialect.name != "postgresql":
        return
    for table in (schema.raters, schema.assignments, schema.votes):
        sequence = func.pg_get_serial_sequence(table.name, "id")
        last = select(func.coalesce(func.max(table.c.id), 0) + 1).scalar_subquery()
        connection.execute(select(func.setval(sequence, last, False)))


def refuse_unwritable(study: Study) -> None:
    """Raise for what the database could not give back: several samples, unknown votes, rules out of bounds, NUL in names."""
    rules_of(study.provenance)
    if study.responses is not None:
        refuse_samples(study.responses, why="people compare one with one")
    known = set(study.comparisons.frame["comparison_id"])
    if strange := set(study.votes.frame["comparison_id"]) - known:
        raise SchemaError(
            f"votes on comparisons that the study has not: {listing(sorted(strange))}",
            fix="add the comparisons, or drop these votes",
        )
    names = [
        *known,
        *study.comparisons.frame["prompt_id"],
        *study.policies,
        *study.votes.frame["rater"].unique(),
    ]
    if broken := [name for name in (study.name, *names) if "\0" in name]:
        raise SchemaError(f"a name with the character NUL: {listing(broken)}", fix="rename it")


def _study_row(study: Study, now: float) -> dict[str, Any]:
    return {
        "id": 1,
        "format": schema.FORMAT,
        "name": study.name,
        "provenance": packed(dict(study.provenance)),
        "secret": secrets.token_hex(32),
        "admin_token_hash": None,
        "paused": False,
        "created_at": now,
    }


# --- texts ----------------------------------------------------------------------------------------


def _sides(study: Study) -> Iterable[tuple[str, str]]:
    """(prompt_id, policy) of every answer that is compared, in order."""
    for row in study.comparisons.with_all_columns().iter_rows(named=True):
        for side in "ab":
            yield row[f"answered_{side}"] or row["prompt_id"], row[f"policy_{side}"]


def _answer_ids(study: Study) -> dict[tuple[str, str], int]:
    """A number for each answer that is compared; empty without texts."""
    if study.responses is None:
        return {}
    there = set(study.responses.frame.select("prompt_id", "policy").iter_rows())
    needed = dict.fromkeys(_sides(study))
    if missing := [f"{policy} on {prompt}" for prompt, policy in needed if (prompt, policy) not in there]:
        raise SchemaError(
            f"no response is there for {len(missing)} of the answers to compare: {listing(missing)}",
            fix="give the responses that the comparisons were chosen from",
        )
    return {key: i for i, key in enumerate(needed, start=1)}


def _prompt_rows(study: Study) -> Rows:
    """Every prompt that a comparison or an answer names."""
    named = dict.fromkeys(study.comparisons.frame["prompt_id"]) | dict.fromkeys(p for p, _ in _sides(study))
    texts: Mapping[str, Any] = {}
    if study.responses is not None:
        first = study.responses.frame.unique("prompt_id", keep="first")
        texts = dict(zip(first["prompt_id"], first["prompt"].to_list(), strict=True))
    return [{"prompt_id": p, "prompt": packed(texts[p]) if p in texts else None} for p in named]


def _answer_rows(study: Study, answers: Mapping[tuple[str, str], int]) -> Rows:
    if study.responses is None:
        return []
    wanted = pl.DataFrame(
        [(p, k, i) for (p, k), i in answers.items()], schema=["prompt_id", "policy", "id"], orient="row"
    )
    columns = ("id", "prompt_id", "policy", "response")
    found = study.responses.frame.select(columns[1:]).join(wanted, on=["prompt_id", "policy"]).sort("id")
    return [
        {**row, "response": packed(row["response"])} for row in found.select(columns).iter_rows(named=True)
    ]


def _comparison_rows(study: Study, answers: Mapping[tuple[str, str], int]) -> Rows:
    rows = []
    for i, row in enumerate(study.comparisons.with_all_columns().iter_rows(named=True), start=1):
        key = {
            side: (row.pop(f"answered_{side}") or row["prompt_id"], row[f"policy_{side}"]) for side in "ab"
        }
        rows.append({"id": i, **row, **{f"answer_{side}": answers.get(key[side]) for side in "ab"}})
    return rows


# --- models ---------------------------------------------------------------------------------------


def _model_row(position: int, model: StudyModel) -> dict[str, Any]:
    return {"name": model.name, "position": position, "kind": model.kind}


def as_parquet(table: Table) -> bytes:
    """A noun as the bytes of a Parquet file, provenance included."""
    return _frame_bytes(table.frame, table.metadata())


def _frame_bytes(frame: pl.DataFrame, metadata: Mapping[str, str] | None = None) -> bytes:
    held = io.BytesIO()
    frame.write_parquet(held, compression="zstd", metadata=dict(metadata or {}))
    return held.getvalue()


def blob_rows(name: str, content: bytes) -> Rows:
    """Bytes in parts of at most :data:`PART_BYTES`."""
    starts = range(0, max(len(content), 1), PART_BYTES)
    return [{"name": name, "part": i, "bytes": content[s : s + PART_BYTES]} for i, s in enumerate(starts)]


# --- votes that are there already -----------------------------------------------------------------


def _vote_rows(study: Study, comparison_ids: Mapping[str, int], now: float) -> Iterable[tuple[Any, Rows]]:
    """Raters, assignments and votes of a study that was imported; a rater without a link cannot vote until invited."""
    raters: dict[str, int] = {}
    slots: dict[int, int] = {}
    assignments, votes = [], []
    for i, vote in enumerate(study.votes.frame.iter_rows(named=True), start=1):
        rater = raters.setdefault(vote["rater"], len(raters) + 1)
        slot = slots[rater] = slots.get(rater, -1) + 1
        when = as_seconds(vote.get("voted_at"), row=i - 1)
        assignments.append(
            {
                "id": i,
                "public_id": secrets.token_hex(16),
                "rater_id": rater,
                "comparison_id": comparison_ids[vote["comparison_id"]],
                "slot": slot,
                "repeat": vote["repeat"],
                "left": vote.get("left"),
                "opened_at": now if when is None else when,
                "vote_id": i,
            }
        )
        comment = vote.get("comment")
        votes.append(
            {
                "id": i,
                "assignment_id": i,
                "rater_id": rater,
                "request_id": secrets.token_hex(16),
                "choice": vote["winner"],
                "comment": None if comment is None else packed(comment),
                "seconds": vote.get("seconds"),
                "voted_at": when,
            }
        )
    people = [{"id": i, "name": name, "created_at": now} for name, i in raters.items()]
    return [(schema.raters, people), (schema.assignments, assignments), (schema.votes, votes)]


def as_seconds(text: str | None, *, row: int) -> float | None:
    """ISO 8601 as seconds since 1970; without a zone it is UTC.

    Raises:
        SchemaError: it is something else.
    """
    if text is None:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise SchemaError(
            f"voted_at {text!r} is no time",
            where=f"votes of a study, row {row}",
            fix="write it as 2026-11-26T14:30:00Z",
        ) from None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def as_time(seconds: float | None) -> str | None:
    """Seconds since 1970 as ISO 8601 in UTC."""
    return (
        None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    )
