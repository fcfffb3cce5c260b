"""Which ids and names of the responses a model's table does not have: why it has no verdict, in words that say what to mend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from ..errors import listing
from ..reading.resolve import option
from ..tables import Responses
from .nouns import StudyModel

_SHOWN = 2


def unmatched_words(
    responses: Responses, models: Sequence[StudyModel], *, policies: Sequence[str] | None = None
) -> list[str]:
    """A sentence on models whose tables have none of the responses' prompt ids, or never name some of their policies.

    A table that lacks single answers is told by the count of comparisons without a verdict. Here is what a count does not tell: ids or names
    that are written otherwise. ``policies``: only these are compared.
    """
    whose: dict[str, list[str]] = {}
    for model in models:
        for lack in _lacks(responses, model, policies):
            whose.setdefault(lack, []).append(model.name)
    return [f"not in {', '.join(names)}: {lack}" for lack, names in whose.items()]


def _lacks(responses: Responses, model: StudyModel, policies: Sequence[str] | None) -> Iterator[str]:
    names, ids = _names_and_ids(model)
    mine = responses.frame["prompt_id"].unique().sort()
    if ids.len() and not mine.is_in(ids.implode()).any():
        yield (
            f"any of the responses' prompt ids ({_some(mine)}), for it has {_some(ids)}{_taken_from(responses, ids)}"
        )
    missing = sorted(set(policies or responses.policies) - names)
    if missing:
        others = sorted(names - set(responses.policies))
        instead = f", for it has {listing(others)}, which the responses do not have" if others else ""
        yield f"{'policy' if len(missing) == 1 else 'policies'} {listing(missing)}{instead} (call each the same in all tables)"


def _names_and_ids(model: StudyModel) -> tuple[set[str], pl.Series]:
    """Policies, and sorted prompt ids, of a model's table."""
    return set(model.table.policies), model.table.frame["prompt_id"].unique().sort()


def _some(ids: pl.Series) -> str:
    return ", ".join(map(repr, ids.head(_SHOWN).to_list())) + (" ..." if ids.len() > _SHOWN else "")


def _taken_from(responses: Responses, ids: pl.Series) -> str:
    column = column_of_ids(responses, ids)
    if column is None:
        return ""
    return (
        f", as the responses' column {column!r} has: add {option('prompt_id', column, table=Responses.noun)}"
    )


def column_of_ids(responses: Responses, ids: pl.Series) -> str | None:
    """The first column of the responses, other than prompt_id, that has any of these ids; None where none has."""
    for column in (c for c in responses.frame.columns if c != "prompt_id"):
        values = responses.frame[column]
        is_id = values.dtype == pl.String or values.dtype.is_integer()
        if is_id and values.cast(pl.String).is_in(ids.implode()).any():
            return column
    return None
