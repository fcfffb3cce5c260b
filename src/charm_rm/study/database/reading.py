"""A study read back from its tables, as the nouns that analysis and export take."""

from __future__ import annotations

import io
from typing import Any

import polars as pl
from sqlalchemy import Connection, func, select
from sqlalchemy.orm import aliased

from ...conversations import MESSAGES
from ...errors import UnreadableFile, first_line
from ...tables import Margins, Responses, Scores, read_payload
from ..exchange import Asked, Facts
from ..nouns import MAIN, Comparisons, Study, StudyModel, StudyVotes
from ..rules import rules_of
from . import schema
from .rows import as_time
from .texts import unpacked

_HEAD = select(schema.study.c.provenance, schema.study.c.paused)
_FIX = "give a copy of the study that was kept, or plan it anew"


def read_study(connection: Connection) -> Study:
    """All of a study as it stands in one moment: texts of the answers that are compared, votes that stand, models, candidates.

    Raises:
        UnreadableFile: a model's table or a text is damaged.
    """
    head = connection.execute(select(schema.study)).mappings().one()
    try:
        candidates = _blob(connection, "candidates")
        return Study(
            name=head["name"],
            comparisons=_comparisons(connection),
            votes=_votes(connection),
            models=tuple(_models(connection)),
            responses=_responses(connection),
            candidates=None if candidates is None else pl.read_parquet(io.BytesIO(candidates)),
            provenance=unpacked(head["provenance"]),
        )
    except (ValueError, pl.exceptions.PolarsError) as error:
        raise UnreadableFile(f"a table in it is damaged: {first_line(error)}", fix=_FIX) from error


def read_asked(connection: Connection) -> Asked:
    """What raters are asked, and whether they are to wait."""
    head = connection.execute(_HEAD).one()
    return Asked(rules_of(unpacked(head.provenance)).question, bool(head.paused))


def read_facts(connection: Connection) -> Facts:
    """What the study is, in short."""
    head = connection.execute(select(schema.study)).mappings().one()
    c = schema.comparisons.c
    main = select(c.policy_a, c.policy_b).where(c.kind == MAIN).distinct()
    policies = {name for pair in connection.execute(main) for name in pair}
    number = connection.execute(
        select(func.count()).select_from(schema.comparisons).where(c.kind == MAIN)
    ).scalar_one()
    question = rules_of(unpacked(head["provenance"])).question
    return Facts(head["name"], question, bool(head["paused"]), number, tuple(sorted(policies)))


# --- comparisons, texts ---------------------------------------------------------------------------


def _comparisons(connection: Connection) -> Comparisons:
    """The comparisons; the prompt of an answer is told where it is another one, and columns that say nothing are left out."""
    c, a, b = schema.comparisons, aliased(schema.answers), aliased(schema.answers)
    told = [c.c[column.name] for column in Comparisons.columns if column.name in c.c]
    joined = c.outerjoin(a, c.c.answer_a == a.c.id).outerjoin(b, c.c.answer_b == b.c.id)
    query = select(*told, a.c.prompt_id.label("answered_a"), b.c.prompt_id.label("answered_b"))
    frame = _frame(connection, query.select_from(joined).order_by(c.c.id), Comparisons.dtypes())
    own = [
        pl.when(pl.col(name) != pl.col("prompt_id")).then(pl.col(name)).alias(name)
        for name in ("answered_a", "answered_b")
    ]
    frame = frame.with_columns(own)
    silent = [n for n in ("expected", "answered_a", "answered_b") if frame[n].null_count() == len(frame)]
    return Comparisons(frame.drop(silent))


def _frame(connection: Connection, query: Any, kinds: dict[str, Any]) -> pl.DataFrame:
    """The rows of a query as a frame, whose columns are named as the query's and have the types of ``kinds``."""
    result = connection.execute(query)
    names = list(result.keys())
    return pl.DataFrame(
        [tuple(row) for row in result], schema={name: kinds[name] for name in names}, orient="row"
    )


def _responses(connection: Connection) -> Responses | None:
    """Texts of the answers that are compared; None where there are none."""
    a, p = schema.answers, schema.prompts
    query = select(a.c.prompt_id, p.c.prompt, a.c.policy, a.c.response).join_from(a, p).order_by(a.c.id)
    rows = connection.execute(query).all()
    if not rows:
        return None
    frame = pl.DataFrame(
        {
            "prompt_id": [row.prompt_id for row in rows],
            "policy": [row.policy for row in rows],
            "response": [unpacked(row.response) for row in rows],
        }
    )
    frame = frame.insert_column(1, _prompts([unpacked(row.prompt) for row in rows]))
    return Responses(frame)


def _prompts(values: list[Any]) -> pl.Series:
    """Texts, or messages, or, where there are both, Python objects: as Responses has them."""
    texts = sum(isinstance(value, str) for value in values)
    if texts == len(values):
        return pl.Series("prompt", values, dtype=pl.String)
    if texts:
        return pl.Series("prompt", values, dtype=pl.Object)
    plain = all(set(message) == {"role", "content"} for value in values for message in value)
    return pl.Series("prompt", values, dtype=MESSAGES) if plain else pl.Series("prompt", values)


# --- votes ----------------------------------------------------------------------------------------


def _votes(connection: Connection) -> StudyVotes:
    """The votes that stand, in the order in which they came."""
    v, a, c, r = schema.votes, schema.assignments, schema.comparisons, schema.raters
    query = (
        select(
            c.c.comparison_id,
            r.c.name.label("rater"),
            v.c.choice.label("winner"),
            a.c.repeat,
            a.c.left,
            v.c.seconds,
            v.c.comment,
            v.c.voted_at,
        )
        .join_from(a, v, a.c.vote_id == v.c.id)
        .join(c, a.c.comparison_id == c.c.id)
        .join(r, a.c.rater_id == r.c.id)
        .order_by(v.c.id)
    )
    frame = _frame(connection, query, {**StudyVotes.dtypes(), "voted_at": pl.Float64})
    times = pl.Series("voted_at", [as_time(s) for s in frame["voted_at"].to_list()], dtype=pl.String)
    comments = pl.Series("comment", [unpacked(t) for t in frame["comment"].to_list()], dtype=pl.String)
    return StudyVotes(frame.with_columns(comments, times))


# --- models ---------------------------------------------------------------------------------------


def _models(connection: Connection) -> list[StudyModel]:
    rows = connection.execute(select(schema.models).order_by(schema.models.c.position)).mappings().all()
    return [_model(connection, row["name"], row["kind"]) for row in rows]


def _model(connection: Connection, name: str, kind: str) -> StudyModel:
    content = _blob(connection, f"model:{name}")
    if content is None:
        raise UnreadableFile(f"the table of model {name!r} is gone", fix=_FIX)
    noun: type[Scores | Margins] = Scores if kind == "scores" else Margins
    payload = read_payload(pl.read_parquet_metadata(io.BytesIO(content)))
    table = noun.restore(pl.read_parquet(io.BytesIO(content)), payload)
    return StudyModel(name, **{kind: table})  # type: ignore[arg-type]


def _blob(connection: Connection, name: str) -> bytes | None:
    """A blob's parts put together; None where it has none."""
    b = schema.blobs
    parts = connection.execute(select(b.c.bytes).where(b.c.name == name).order_by(b.c.part)).scalars().all()
    return b"".join(parts) if parts else None
