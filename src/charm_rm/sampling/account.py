"""What became of every row, and how a sample compares with its source."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import polars as pl

from ..conversations import prompt_text, uniform_prompts
from .workspace import KEPT, Workspace

DUPLICATE, NOT_DRAWN, DRAWN = "exact duplicate", "not drawn", "drawn"
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_LANGUAGE_TELLS = (
    2_000  # prompts of the source and of the sample whose language is told, where no filter has told all
)
_COLUMNS = "prompt_id, source, place, state, matched, similarity, prompt"


def ledger(workspace: Workspace, unreadable: Mapping[str, int], drawn: int) -> pl.DataFrame:
    """What became of the rows that were read: ``what``, ``rows``; their sum is the rows read.

    A row counts once, under the first reason that it meets: no prompt, exact duplicate, length, language, benchmark, near duplicate.
    """
    states = dict(workspace.sql.execute("SELECT state, COUNT(*) FROM prompts GROUP BY state"))
    (copies,) = workspace.sql.execute("SELECT COALESCE(SUM(copies - 1), 0) FROM prompts").fetchone()
    kept = states.pop(KEPT, 0)
    counts = {
        **dict(sorted(unreadable.items())),
        DUPLICATE: copies,
        **{state: states[state] for state in sorted(states)},
        NOT_DRAWN: kept - drawn,
        DRAWN: drawn,
    }
    told = {what: count for what, count in counts.items() if count or what == DRAWN}
    return pl.DataFrame(
        {"what": list(told), "rows": list(told.values())}, schema={"what": pl.String, "rows": pl.Int64}
    )


def prompts_frame(workspace: Workspace, rows: Sequence[int], clusters: Mapping[int, int]) -> pl.DataFrame:
    """The drawn prompts: prompt_id, prompt, source, row, columns carried along, ``stratum``, ``cluster``, ``language`` where there are some."""
    query = "SELECT prompt_id, prompt, source, place, stratum, language, kept FROM prompts WHERE row = ?"
    found = [workspace.sql.execute(query, (row,)).fetchone() for row in rows]
    columns = list(zip(*found, strict=True)) if found else [()] * 7
    series = [
        pl.Series("prompt_id", columns[0], dtype=pl.String),
        uniform_prompts([json.loads(text) for text in columns[1]]),
        pl.Series("source", columns[2], dtype=pl.String),
        pl.Series("row", columns[3], dtype=pl.Int64),
    ]
    if any(value is not None for value in columns[4]):
        series.append(pl.Series("stratum", columns[4], dtype=pl.String))
    if clusters:
        series.append(pl.Series("cluster", [clusters[row] for row in rows], dtype=pl.Int64))
    if any(value is not None for value in columns[5]):
        series.append(pl.Series("language", columns[5], dtype=pl.String))
    taken = {one.name for one in series}
    for name in dict.fromkeys(name for text in columns[6] for name in json.loads(text)):
        values = [json.loads(text).get(name) for text in columns[6]]
        series.append(_kept(f"source_{name}" if name in taken else name, values))
    return pl.DataFrame(series)


def _kept(name: str, values: list[object]) -> pl.Series:
    """A column as it was; values of several kinds as text."""
    kinds = {type(value) for value in values} - {type(None)}
    if len(kinds) > 1 or kinds & {list, dict}:
        values = [v if v is None or isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in values]
    return pl.Series(name, values)


def removed_frame(workspace: Workspace, *, states: Sequence[str] = ()) -> pl.DataFrame:
    """The prompts left out, each once, in the order of the source: which, why, what they matched and how much. ``states``: these reasons alone."""
    marks = ",".join("?" * len(states))
    where = f"state IN ({marks})" if states else "state != ?"
    rows = workspace.sql.execute(
        f"SELECT {_COLUMNS} FROM prompts WHERE {where} ORDER BY row", tuple(states) or (KEPT,)
    ).fetchall()
    names = ("prompt_id", "source", "row", "reason", "matched", "similarity", "prompt")
    kinds = (pl.String, pl.String, pl.Int64, pl.String, pl.String, pl.Float64, pl.String)
    texts = [(*row[:-1], prompt_text(json.loads(row[-1]))) for row in rows]
    return pl.DataFrame(texts, schema=dict(zip(names, kinds, strict=True)), orient="row")


def lengths(workspace: Workspace, rows: Sequence[int]) -> pl.DataFrame:
    """Quantiles of characters and words: of every row read that has a prompt, and of the sample."""
    found = []
    for unit in ("chars", "words"):
        counts = workspace.sql.execute(
            f"SELECT {unit}, SUM(copies) FROM prompts GROUP BY {unit} ORDER BY {unit}"
        ).fetchall()
        source = _quantiles([v for v, _ in counts], [c for _, c in counts])
        drawn = _drawn(workspace, unit, rows)
        sample = _quantiles(*_sorted_counts(drawn))
        found += [
            {
                "of": of,
                "unit": unit,
                **{f"{q:.0%}": value for q, value in zip(QUANTILES, values, strict=True)},
            }
            for of, values in (("source", source), ("sample", sample))
        ]
    return pl.DataFrame(found)


def _sorted_counts(values: Sequence[int]) -> tuple[list[int], list[int]]:
    found, counts = np.unique(np.asarray(values, dtype=np.int64), return_counts=True)
    return found.tolist(), counts.tolist()


def _quantiles(values: Sequence[int], counts: Sequence[int]) -> list[int | None]:
    """The smallest value that a share of all is no larger than."""
    if not values:
        return [None] * len(QUANTILES)
    upto = np.cumsum(counts)
    places = np.searchsorted(upto, np.asarray(QUANTILES) * upto[-1] - 1e-9)
    return [int(values[place]) for place in places]


def strata(workspace: Workspace, rows: Sequence[int]) -> pl.DataFrame:
    """Rows of each stratum in the source and in the sample, the largest first; empty without strata."""
    source = dict(
        workspace.sql.execute(
            "SELECT stratum, SUM(copies) FROM prompts WHERE stratum IS NOT NULL GROUP BY stratum"
        )
    )
    return (
        _beside(source, _counts(_drawn(workspace, "stratum", rows)), "stratum") if source else pl.DataFrame()
    )


def languages(
    workspace: Workspace, rows: Sequence[int], find: Callable[[str], str] | None
) -> tuple[pl.DataFrame, int | None]:
    """Prompts of each language in the source and in the sample; and of how many of each they are told at most (None: of all).

    ``find`` tells a language, where no filter has told all; without it there is nothing to say.
    """
    told = dict(
        workspace.sql.execute(
            "SELECT language, COUNT(*) FROM prompts WHERE language IS NOT NULL GROUP BY language"
        )
    )
    if told:
        return _beside(told, _counts(_drawn(workspace, "language", rows)), "language"), None
    if find is None:
        return pl.DataFrame(), None
    order = "SELECT row FROM prompts ORDER BY priority, row LIMIT ?"
    some = [row for (row,) in workspace.sql.execute(order, (_LANGUAGE_TELLS,))]
    source, sample = (
        _counts([find(text) for text in workspace.texts(part)]) for part in (some, rows[:_LANGUAGE_TELLS])
    )
    return _beside(source, sample, "language"), _LANGUAGE_TELLS


def _beside(source: Mapping[str, int], sample: Mapping[str, int], name: str) -> pl.DataFrame:
    names = sorted({*source, *sample}, key=lambda one: (-source.get(one, 0), one))
    frame = pl.DataFrame(
        {name: names, "source": [source.get(one, 0) for one in names], "sample": [sample.get(one, 0) for one in names]},
        schema={name: pl.String, "source": pl.Int64, "sample": pl.Int64},
    )  # fmt: skip
    return frame.with_columns(
        (pl.col(side) / pl.col(side).sum()).fill_nan(0.0).alias(f"{side} share")
        for side in ("source", "sample")
    )


def _drawn(workspace: Workspace, column: str, rows: Sequence[int]) -> list:  # type: ignore[type-arg]
    query = f"SELECT {column} FROM prompts WHERE row = ?"
    return [workspace.sql.execute(query, (row,)).fetchone()[0] for row in rows]


def _counts(values: Sequence[str | None]) -> dict[str, int]:
    found: dict[str, int] = {}
    for value in values:
        if value is not None:
            found[value] = found.get(value, 0) + 1
    return found
