"""What lies in a study's file, table by table: to search it, and to compare two without what each draws for itself."""

from __future__ import annotations

import contextlib
import io
import json
import sqlite3
from typing import Any

import polars as pl

# Secrets, names that rows have on the page, and times of writing: other ones in each file. All else is as its inputs and seed have it.
DRAWN = {
    "study": {"secret", "created_at"},
    "raters": {"created_at"},
    "assignments": {"public_id", "opened_at"},
    "votes": {"request_id"},
}
_WAL, _WHOLE = b"\2\2", b"\1\1"  # bytes 18 and 19 of a file: it has a log beside it, or not

Rows = list[dict[str, Any]]


def tables(content: bytes) -> dict[str, Rows]:
    """Every table of a study's file that was closed well, from its bytes; what is Parquet in it as rows and metadata.

    Raises:
        sqlite3.DatabaseError: it is no database, or a damaged one.
    """
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        # In memory there is no log; one that is closed well has nothing in it.
        connection.deserialize(content[:18] + content[18:20].replace(_WAL, _WHOLE) + content[20:])
        connection.row_factory = sqlite3.Row
        (said,) = connection.execute("PRAGMA integrity_check").fetchone()
        if said != "ok":
            raise sqlite3.DatabaseError(said)
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {name: [dict(row) for row in connection.execute(f'SELECT * FROM "{name}"')] for name in names}
    return {**found, "blobs": _unpacked(found["blobs"])}


def same(content: bytes) -> dict[str, Rows]:
    """:func:`tables` without what is :data:`DRAWN`."""
    return {
        name: [{k: v for k, v in row.items() if k not in DRAWN.get(name, ())} for row in rows]
        for name, rows in tables(content).items()
    }


def searchable(content: bytes) -> bytes:
    """All that is in the tables, as JSON."""
    return json.dumps(tables(content), default=str, ensure_ascii=False).encode()


def _unpacked(parts: Rows) -> Rows:
    """Each blob once, its Parquet read."""
    whole: dict[str, bytes] = {}
    for row in sorted(parts, key=lambda row: (row["name"], row["part"])):
        whole[row["name"]] = whole.get(row["name"], b"") + row["bytes"]
    return [
        {
            "name": name,
            "rows": pl.read_parquet(io.BytesIO(content)).to_dicts(),
            "metadata": {
                key: value
                for key, value in pl.read_parquet_metadata(io.BytesIO(content)).items()
                if key != "ARROW:schema"
            },
        }
        for name, content in whole.items()
    ]
