"""Wide tables of scores: a column a policy (or a prompt), a row a prompt (or a policy). Every column and cell that is left out is said."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from ..errors import SchemaError, counted, did_you_mean, listing
from .columns import TEXTS
from .names import (
    FIGURES,
    OTHER_NUMBERS,
    SUMMARIES,
    SUMMARIES_BESIDE,
    folded,
    is_index,
    is_known,
    is_name_or_id,
    spellings,
)
from .resolve import renamed

_FIELDS = ("prompt_id", "prompt", "policy", "reward_model", "sample")
_NUMBER = r"^\s*[+-]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?\s*$"
_FRACTION = r"^\s*[+-]?\d*\.\d+(?:[eE][+-]?\d+)?\s*$"
# Thousands, decimal commas, per cents, lists of numbers: scores, and written as no number.
_NUMBER_LIKE = r"^\s*[+-]?\d+(?:,\d+)+(?:\.\d+)?\s*$|^\s*[+-]?[\d.]+\s*%\s*$|^\s*\[[-+\d.eE,\s]*\]\s*$"
_NO_SCORE = r"^\s*(?i:n/?a|nan|none|null|nil|error|err|failed|timeout|missing|oom|inf|-inf|-+|\?|x|tbd)\s*$"
# Texts of these names are ids and dates, though they may look like numbers.
_NO_POLICY = re.compile(r"(^|_)(id|ids|hash|date|time|version|code|zip|key)$")


def may_be_wide(frame: pl.DataFrame, found: Mapping[str, str]) -> bool:
    """Whether columns of numbers may be policies' (or prompts'): no figures of other tables, no misspelt score."""
    if any(folded(c) in FIGURES or folded(c) in spellings("reference")[0] for c in frame.columns):
        return False
    if did_you_mean("score", [c for c in frame.columns if c not in found.values()]):
        return False
    if "policy" not in found:
        return True
    return not {"prompt_id", "prompt"} & set(found) and not frame[found["policy"]].is_duplicated().any()


def score_columns(frame: pl.DataFrame, found: Mapping[str, str]) -> list[str]:
    """The columns that may be a policy's: of numbers, no other field's, nothing that is counted."""
    return [
        name
        for name, dtype in frame.schema.items()
        if (dtype.is_numeric() or dtype == pl.Null) and _may_be_scores(name, found)
    ]


def _may_be_scores(name: str, found: Mapping[str, str]) -> bool:
    return name not in found.values() and not is_index(name) and folded(name) not in OTHER_NUMBERS


def check_header(frame: pl.DataFrame, numbers: list[str]) -> None:
    """Refuse a table without a header, whose first row was taken for one: no name in it is known, and scores are names.

    Raises:
        SchemaError: it names a cell of that row.
    """
    if any(is_known(c) or is_index(c) for c in frame.columns):
        return
    cells = [c for c in frame.columns if re.match(_FRACTION if len(numbers) > 1 else _NUMBER, c)]
    if cells and (len(numbers) < 2 or set(numbers) <= set(cells)):
        raise SchemaError(
            f"the table seems to have no header: its first row has the cell {cells[0]!r}, a number, and no name that is known; "
            f"found {listing(frame.columns, limit=12)}",
            fix="write the names of the columns into a first row, as in prompt_id,policy,score",
        )


# --- columns that should be numbers ---------------------------------------------------------------


def check_cells(frame: pl.DataFrame, found: Mapping[str, str], numbers: list[str]) -> None:
    """Refuse a column of scores with a cell that is no number, as its policy would be left out.

    It is one of scores where half of its cells or more are numbers, however written; where all others say that there is no score
    (``N/A``, ``error``); or where its name is made as those of the columns of numbers are (``p2`` beside ``p1``).

    Raises:
        SchemaError: it names the column, and the first such cell.
    """
    mixed = [*_mixed(frame, found, {_made(n) for n in numbers})]
    if mixed and len(numbers) + len(mixed) > 1:
        column, row = mixed[0]
        more = f" (so do {listing([c for c, _ in mixed[1:]])})" if len(mixed) > 1 else ""
        cell = frame[column][row]
        what = "text" if isinstance(cell, str) and re.match(_NUMBER, cell) else "no number"
        raise SchemaError(
            f"column {column!r} holds {_shown(cell)}, which is {what}{more}, and scores stand beside it",
            where=f"scores, row {row}",
            fix="leave a cell without a score empty; write numbers with a decimal point and no thousands separators; "
            "drop a column that holds no scores",
        )


def _shown(cell: Any) -> str:
    return f"{(cell.to_list() if isinstance(cell, pl.Series) else cell)!r:.60}"


def _mixed(frame: pl.DataFrame, found: Mapping[str, str], made: set[str]) -> Iterator[tuple[str, int]]:
    """The columns, each with the row of its first cell that is no number."""
    for cells in frame:
        name = cells.name
        if cells.dtype.is_numeric() or not _may_be_scores(name, found) or cells.null_count() == cells.len():
            continue
        if name in TEXTS or is_name_or_id(name) or _NO_POLICY.search(folded(name)):
            continue
        if cells.dtype in (pl.String, pl.Categorical, pl.Enum):
            row = _first_no_number(cells.cast(pl.String), alike=_made(name) in made)
        else:
            lists = isinstance(cells.dtype, pl.List) and cells.dtype.inner.is_numeric()
            row = int(cells.is_not_null().arg_true()[0]) if lists or _made(name) in made else None
        if row is not None:
            yield name, row


def _first_no_number(cells: pl.Series, *, alike: bool) -> int | None:
    """The row of the first cell that is no number in a column of scores; the first cell where all are numbers written as text."""
    told = cells.is_not_null()
    number = cells.str.contains(_NUMBER).fill_null(False)
    like = cells.str.contains(_NUMBER_LIKE).fill_null(False) | number
    none = cells.str.contains(_NO_SCORE).fill_null(False)
    only_marks = bool(like.any()) and bool((like | none | ~told).all())
    if not (alike or only_marks or 2 * int(like.sum()) >= int(told.sum())):
        return None
    wrong = (told & ~number).arg_true()
    return int(wrong[0]) if wrong.len() else int(told.arg_true()[0])


def _made(name: str) -> str:
    """How a name is made, its numbers aside; one of a single letter is made like any other."""
    return "?" if len(name) == 1 else re.sub(r"\d+", "0", name) if re.search(r"\d", name) else name


# --- a row a score --------------------------------------------------------------------------------


def from_wide(
    frame: pl.DataFrame, found: Mapping[str, str], numbers: list[str], notes: list[str]
) -> pl.DataFrame:
    """A row a score; cells without one are left out, and counted; so are columns and rows of something else."""
    by_prompt = "policy" in found
    fields = {f: c for f, c in found.items() if f in _FIELDS}
    named = renamed(frame, fields).select([*fields, *[n for n in numbers if n not in fields]])
    used = {*fields.values(), *numbers}
    if not by_prompt and not {"prompt_id", "prompt"} & set(fields):
        ids, column = _row_ids(frame, notes)
        named, used = named.with_columns(ids), used | {column}
    across, down = ("prompt_id", "policy") if by_prompt else ("policy", "prompt_id")
    named = _without_summaries(named, down if down in named.columns else "prompt", notes)
    numbers = [n for n in numbers if n in named.columns]
    index = [c for c in named.columns if c not in numbers]
    what, plural = ("prompt", "prompts") if by_prompt else ("policy", "policies")
    empty = [n for n in numbers if named.height and named[n].null_count() == named.height]
    kept = [n for n in numbers if n not in empty]
    if not kept:
        raise SchemaError(
            f"scores: the columns {listing(numbers)} hold no score", fix="give the cells their scores"
        )
    long = named.drop(empty).unpivot(on=kept, index=index, variable_name=across, value_name="score")
    notes.append(f"read a column a {what}: {counted(len(kept), what, plural)}, {listing(kept, limit=6)}")
    _tell_left_out(frame, used - set(empty), notes)
    whole = long.drop_nulls("score")
    if nothing := long.height - whole.height:
        notes.append(f"left out {counted(nothing, 'empty cell')}")
    return whole.with_columns(pl.col(down).cast(pl.String)) if down in whole.columns else whole


def _tell_left_out(frame: pl.DataFrame, used: set[str], notes: list[str]) -> None:
    spare = [c for c in frame.columns if c not in used]
    empty = [c for c in spare if frame.height and frame[c].null_count() == frame.height]
    for columns, why in ((empty, ", without any cell"), ([c for c in spare if c not in empty], "")):
        if columns:
            one = len(columns) == 1
            notes.append(
                f"left out the {'column' if one else 'columns'} {listing(columns, limit=len(columns))}{why}"
            )


def _without_summaries(frame: pl.DataFrame, column: str, notes: list[str]) -> pl.DataFrame:
    """Without rows of means and counts, which pandas' ``describe()`` and spreadsheets put under the others."""
    if frame.schema[column] != pl.String:
        return frame
    names = frame[column].str.strip_chars().str.to_lowercase()
    if not names.is_in(list(SUMMARIES)).any():
        return frame
    summary = names.is_in([*SUMMARIES, *SUMMARIES_BESIDE]).fill_null(False)
    rows = frame[column].filter(summary).to_list()
    notes.append(
        f"left out the {'row' if len(rows) == 1 else 'rows'} {listing(rows, limit=20)}: figures of the others"
    )
    return frame.filter(~summary)


def _row_ids(frame: pl.DataFrame, notes: list[str]) -> tuple[pl.Series, str]:
    """Ids of the rows of a wide table without any, and their column: its unnamed one, its only one of distinct texts; else numbers."""
    index = [c for c in frame.columns if is_index(c)]
    texts = [c for c, t in frame.schema.items() if t == pl.String and c not in index]
    texts = [c for c in texts if frame[c].null_count() < frame.height]
    for column in [*index, *(texts if len(texts) == 1 else [])]:
        ids = frame[column]
        if not ids.is_duplicated().any() and not ids.null_count():
            if not is_index(column):
                notes.append(f"read {column!r} as prompt_id")
            return ids.cast(pl.String).alias("prompt_id"), column
    notes.append("there is no column of prompts: rows are prompts 0, 1, ... in their order")
    return pl.int_range(frame.height, eager=True).cast(pl.String).alias("prompt_id"), ""
