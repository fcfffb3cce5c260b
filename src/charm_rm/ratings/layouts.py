"""Leaderboard layouts met in the wild, each turned into the columns of Ratings.

==============  ==========================================================================================
layout          known by
==============  ==========================================================================================
own             ``policy`` (or ``model``), ``rating`` (and std_err or ci_low/ci_high, votes, category, date or commit_date)
Arena hub       ``model_name``, ``rating``, ``rating_lower``, ``rating_upper``, ``leaderboard_publish_date``
CSV history     ``model``, ``arena_score``, ``95_pct_ci`` such as ``+5/-5`` (fboulnois/llm-leaderboard-csv)
Arena catalog   JSON: category -> model -> ``rating``, ``rating_q025``, ``rating_q975``
==============  ==========================================================================================

Where a table has a boolean ``style_control``, the rows with it get the category ``<name>+style_control``:
a rating with and one without are different quantities and never share a category.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from ..errors import SchemaError, did_you_mean, listing
from ..tables import NUMBER, TEXT, Ratings, with_kinds

NAMES = {
    "model_name": "policy",
    "model": "policy",
    "rating_lower": "ci_low",
    "rating_upper": "ci_high",
    "vote_count": "votes",
    "leaderboard_publish_date": "date",
    "commit_date": "date",
    "arena_score": "rating",
}
_KINDS = {
    **dict.fromkeys(
        ("model_name", "model", "policy", "category", "leaderboard_publish_date", "commit_date", "date"), TEXT
    ),
    **dict.fromkeys(
        ("rating", "rating_lower", "rating_upper", "arena_score", "ci_low", "ci_high", "std_err"), NUMBER
    ),
    "95_pct_ci": TEXT,
}
# Columns of known leaderboards that Ratings has no place for.
IGNORED = frozenset(
    [
        "rank",
        "rank_stylectrl",
        "organization",
        "license",
        "knowledge_cutoff",
        "url",
        "variance",
        "key",
        "file",
        "style_control",
        "95_pct_ci",
    ]
)


def tidy_leaderboard(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of Ratings from whichever layout ``frame`` has.

    Raises:
        SchemaError: no known layout, or an interval that cannot be read.
    """
    for needed, tidy in _LAYOUTS.items():
        if needed <= set(frame.columns):
            frame = _with_style_category(tidy(with_kinds(frame, _KINDS, noun=Ratings.noun)))
            return frame.select([c for c in frame.columns if c not in IGNORED])
    found = listing(frame.columns, limit=12)
    raise SchemaError(
        f"ratings: no known leaderboard layout; found columns {found}.{did_you_mean('rating', frame.columns)}",
        fix="name the columns policy and rating (and std_err, or ci_low and ci_high)",
    )


def tidy_catalog(document: Any) -> pl.DataFrame:
    """The arena-catalog layout: category -> model -> rating, rating_q025, rating_q975.

    Raises:
        SchemaError: the document is of another shape; it names the place.
    """
    rows: list[dict[str, Any]] = []
    for category, models in _items(document, "the document"):
        for model, entry in _items(models, f"category {category!r}"):
            values = dict(_items(entry, f"category {category!r}, model {model!r}"))
            where = f"category {category!r}, model {model!r}"
            numbers = {new: _number(values, old, where) for old, new in _OF_CATALOG.items()}
            if numbers["rating"] is None:
                raise SchemaError(
                    "no numeric 'rating'", where=f"ratings, {where}", fix="add it, or drop the model"
                )
            rows.append({"policy": model, **numbers, "category": category})
    dtypes = {"policy": pl.String, **dict.fromkeys(_OF_CATALOG.values(), pl.Float64), "category": pl.String}
    return pl.DataFrame(rows, schema=dtypes)


_OF_CATALOG = {"rating": "rating", "rating_q025": "ci_low", "rating_q975": "ci_high"}


def _number(values: Mapping[str, Any], key: str, where: str) -> float | None:
    """A number of the catalog; None where it has none (``null``)."""
    value = values.get(key)
    if value is None:
        return None
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    except OverflowError:
        pass
    raise SchemaError(
        f"{key!r} should be a number, found {str(value)[:60]!r}",
        where=f"ratings, {where}",
        fix="write a number with a decimal point, or null where there is none",
    )


def _items(value: Any, where: str) -> list[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        raise SchemaError(
            f"expected an object, found {type(value).__name__}",
            where=f"ratings, {where}",
            fix="the known JSON layout is category -> model -> {rating, rating_q025, rating_q975}",
        )
    return list(value.items())


def _renamed(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.rename(
        {old: new for old, new in NAMES.items() if old in frame.columns and new not in frame.columns}
    )


def _from_csv_history(frame: pl.DataFrame) -> pl.DataFrame:
    """``95_pct_ci`` holds the distances to the ends: rating 1470, ``+5/-5`` is 1465 to 1475."""
    parts = pl.col("95_pct_ci").str.extract_groups(r"^\s*\+(?<up>[0-9.]+)/-(?<down>[0-9.]+)\s*$")
    ends = frame.select(parts.alias("ends")).unnest("ends").cast(pl.Float64, strict=False)
    told = (frame["95_pct_ci"].str.strip_chars() != "").fill_null(False)
    bad = told & (ends["up"].is_null() | ends["down"].is_null())
    if bad.any():
        row = int(bad.arg_true()[0])
        raise SchemaError(
            f"95_pct_ci {frame['95_pct_ci'][row]!r} is not of the form '+5/-5'",
            where=f"ratings, row {row} (model {frame['model'][row]!r})",
            fix="correct the cell, or leave it empty where there is no interval",
        )
    rating = frame["arena_score"]
    return _renamed(
        frame.with_columns((rating - ends["down"]).alias("ci_low"), (rating + ends["up"]).alias("ci_high"))
    )


def _with_style_category(frame: pl.DataFrame) -> pl.DataFrame:
    if "style_control" not in frame.columns or frame["style_control"].dtype != pl.Boolean:
        return frame
    plain = pl.col("category") if "category" in frame.columns else pl.lit("overall")
    controlled = pl.concat_str([plain, pl.lit("+style_control")])
    return frame.with_columns(
        pl.when(pl.col("style_control")).then(controlled).otherwise(plain).alias("category")
    )


_LAYOUTS: dict[frozenset[str], Callable[[pl.DataFrame], pl.DataFrame]] = {
    frozenset({"model", "arena_score", "95_pct_ci"}): _from_csv_history,
    frozenset({"model_name", "rating"}): _renamed,
    frozenset({"model", "rating"}): _renamed,
    frozenset(c.name for c in Ratings.columns if c.required): _renamed,
}
