"""Tables of a study as files to download."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

import polars as pl
from starlette.responses import Response

from ..export import as_battles, flat
from ..live import joined_votes
from ..nouns import Study
from ..sheets import spreadsheet_safe
from ..votes_table import votes_table

KINDS = {
    "parquet": "application/vnd.apache.parquet",
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
}
WORDS = {
    "battles": "Battles: the votes that count, with prompts and answers, for charm ratings fit",
    "votes": "Votes: every one, with its weight and what each model says, for an analysis of your own",
    "comments": "Comments of raters",
}


def download(study: Study, what: str, kind: str) -> Response:
    """One of :data:`WORDS` as a file of one of :data:`KINDS`."""
    content, provenance = _TABLES[what](study)
    return Response(
        written(content, kind, provenance),
        media_type=KINDS[kind],
        headers={"Content-Disposition": f'attachment; filename="study-{what}.{kind}"'},
    )


def written(frame: pl.DataFrame, kind: str, metadata: Mapping[str, str]) -> bytes:
    """A table as the bytes of a file. In CSV messages are JSON, and no cell is a formula."""
    held = io.BytesIO()
    if kind == "parquet":
        frame.write_parquet(held, compression="zstd", metadata=dict(metadata))
    elif kind == "jsonl":
        frame.write_ndjson(held)
    else:
        spreadsheet_safe(flat(frame)).write_csv(held)
    return held.getvalue()


def _battles(study: Study) -> tuple[pl.DataFrame, Mapping[str, str]]:
    battles = as_battles(study, comments=True)
    return battles.frame, battles.metadata()


def _votes(study: Study) -> tuple[pl.DataFrame, Mapping[str, str]]:
    return votes_table(study), {}


def _comments(study: Study) -> tuple[pl.DataFrame, Mapping[str, str]]:
    said = joined_votes(study).filter(pl.col("comment").fill_null("") != "")
    columns = ["rater", "comparison_id", "prompt_id", "policy_a", "policy_b", "winner", "comment", "voted_at"]
    return said.select(columns), {}


_TABLES: dict[str, Callable[[Study], tuple[pl.DataFrame, Mapping[str, str]]]] = {
    "battles": _battles,
    "votes": _votes,
    "comments": _comments,
}


def known(what: str, kind: str) -> bool:
    """Whether there is such a file."""
    return what in _TABLES and kind in KINDS


__all__: list[str] = ["KINDS", "WORDS", "download", "known", "written"]
