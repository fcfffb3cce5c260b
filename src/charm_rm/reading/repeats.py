"""Several scores of a policy on a prompt that are no samples: rows of several data sets, languages, turns, files."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from ..errors import ConfigError, listing
from ..tables import Scores
from .names import folded, is_spelling
from .parts import is_several
from .resolve import option

_KEY = ["prompt_id", "policy"]
# What differs from sample to sample as well.
_OF_ANSWERS = ("response", "sample", "score", "n_tokens", "prompt")


def check_told_apart(frame: pl.DataFrame, source: str) -> None:
    """Refuse scores that stand several times, where another column tells them apart; or several files, each of which has them once.

    Raises:
        ConfigError: it names the column, and what to do with it.
    """
    if "sample" in frame.columns and not frame.select([*_KEY, "sample"]).is_duplicated().any():
        return
    columns = _telling_apart(frame)
    if columns:
        raise ConfigError(
            f"the table has several scores of a policy on a prompt, and {_column(columns)} tells them apart",
            fix=f"{_way(frame, columns[0])}; --sample first, mean or max only where they are samples of one prompt",
        )
    if is_several(Path(source)):
        twice = frame.filter(frame.select(_KEY).is_duplicated()).row(0, named=True)
        raise ConfigError(
            f"several files, or one of them twice, score policy {twice['policy']!r} on prompt {twice['prompt_id']!r}",
            fix="read one file at a time, or give each file's prompts ids of their own; "
            "--sample first, mean or max only where they are samples of one prompt",
        )


def _telling_apart(frame: pl.DataFrame) -> list[str]:
    """The columns of few values of which no two rows of one policy and prompt share one."""
    own = {c.name for c in Scores.columns}
    found = []
    for cells in frame:
        name, dtype = cells.name, cells.dtype
        if name in own or any(is_spelling(name, f) for f in _OF_ANSWERS):
            continue
        if dtype.is_nested() or dtype in (pl.Object, pl.Null) or 2 * cells.n_unique() > frame.height:
            continue
        if not frame.select([*_KEY, name]).is_duplicated().any():
            found.append(name)
    return found


def _column(columns: list[str]) -> str:
    return f"column {listing(columns[:1])}" + (f" (as {listing(columns[1:])})" if columns[1:] else "")


def _way(frame: pl.DataFrame, column: str) -> str:
    """What to do with rows that a column tells apart."""
    is_id = is_spelling(column, "prompt_id") or folded(column).endswith("id")
    if is_id and not frame.select(["policy", column]).is_duplicated().any():
        return f"if it is the prompts' id: {option('prompt_id', column)}"
    value = frame[column].drop_nulls().to_list()[0]
    return f"keep the rows of one {column} ({column} = {value!r}), write a file for each, or put it into prompt_id"
