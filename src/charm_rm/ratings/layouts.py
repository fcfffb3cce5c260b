"""Leaderboard layouts met in the wild, each turned into the columns of Ratings.

==============  ==========================================================================================
layout          known by
==============  ==========================================================================================
own             ``policy`` (or ``model``), ``rating`` (and std_err or ci_low/ci_high, votes, category, date or commit_date)
Arena hub       ``model_name``, ``rating``, ``rating_lower``, ``rating_upper``, ``leaderboard_publish_date``
CSV history     ``model``, ``arena_score``, ``95_pct_ci`` such as ``+5/-5`` (fboulnois/llm-leaderboard-csv)
Arena catalog   JSON: category -> model -> ``rating``, ``rating_q025``, ``rating_q975``
==============  ==========================================================================================

Names of columns are the same in any case and punctuation, and some have other names (:data:`SPELLINGS`): tables copied from the
Arena's page (``Model``, ``Arena Score``, ``95% CI``) are read, saying which column is read as what.

Where a table has a boolean ``style_control``, the rows with it get the category ``<name>+style_control``:
a rating with and one without are different quantities and never share a category.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from ..errors import ReadingNote, SchemaError, did_you_mean, listing
from ..reading.names import folded
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
# Other names of columns, folded. "score" alone is a rating only where a table has what leaderboards have.
SPELLINGS = {
    "model": ("model_name", "name", "llm"),
    "rating": (
        "arena_score",
        "arena_elo",
        "arena_elo_rating",
        "arena_rating",
        "elo",
        "elo_rating",
        "elo_score",
    ),
    "95_pct_ci": ("95_ci", "ci_95", "95_confidence_interval", "confidence_interval"),
    "ci_low": ("rating_lower", "rating_q025", "ci_lower", "lower_ci", "lower", "lower_bound"),
    "ci_high": ("rating_upper", "rating_q975", "ci_upper", "upper_ci", "upper", "upper_bound"),
    "std_err": ("stderr", "standard_error", "se"),
    "votes": ("vote_count", "num_votes", "n_votes", "num_battles", "battles"),
}
_OF_LEADERBOARDS = ("95_pct_ci", "votes", "rank")
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
    frame = _in_known_names(frame)
    for needed, tidy in _LAYOUTS.items():
        if needed <= set(frame.columns):
            frame = _with_style_category(tidy(with_kinds(frame, _KINDS, noun=Ratings.noun)))
            return frame.select([c for c in frame.columns if c not in IGNORED and not _is_rank(c)])
    raise _unknown(frame)


def _in_known_names(frame: pl.DataFrame) -> pl.DataFrame:
    """Columns under the names that the layouts know; which of them had another is said. What has its own name stays."""
    fold = {column: folded(column) for column in frame.columns}
    known = {*NAMES, *_KINDS, *IGNORED, *(c.name for c in Ratings.columns)}
    renames: dict[str, str] = {}
    for column in frame.columns:
        if column not in known and fold[column] in known - {*frame.columns, *renames.values()}:
            renames[column] = fold[column]
    for target, others in SPELLINGS.items():
        if _ours(target) not in {_ours(renames.get(c, c)) for c in frame.columns}:
            found = [c for c in frame.columns if c not in renames and fold[c] in others]
            renames |= dict.fromkeys(found[:1], target)
    columns = {renames.get(c, c) for c in frame.columns}
    if not columns & {"rating", "arena_score"} and (
        columns & {"95_pct_ci", "votes"} or any(map(_is_rank, columns))
    ):
        renames |= {c: "rating" for c in frame.columns if fold[c] == "score"}
    _say(renames)
    return frame.rename(renames)


def _ours(name: str) -> str:
    return NAMES.get(name, name)


def _say(renames: Mapping[str, str]) -> None:
    told = {c: "interval" if new == "95_pct_ci" else _ours(new) for c, new in renames.items()}
    words = [f"{c!r} as {new}" for c, new in told.items() if new not in IGNORED]
    if words:
        warnings.warn(f"ratings: read {', '.join(words)}", ReadingNote, stacklevel=5)


def _is_rank(column: str) -> bool:
    return folded(column).startswith("rank")


def _unknown(frame: pl.DataFrame) -> SchemaError:
    columns = [folded(c) for c in frame.columns]
    found = listing(frame.columns, limit=12)
    if "model" in columns and any(c.startswith(("mt_bench", "mmlu")) for c in columns):
        return SchemaError(
            f"ratings: this table describes models and has no ratings; found columns {found}",
            fix="the Arena keeps ratings in other files: see docs/ratings.md for those that are read",
        )
    if {"model_a", "model_b"} <= set(columns) or {"policy_a", "policy_b"} <= set(columns):
        return SchemaError(
            f"ratings: these are votes or verdicts between two models; found columns {found}",
            fix="fit ratings to votes first: charm ratings fit FILE -o ratings.parquet",
        )
    if "score" in columns:
        return SchemaError(
            f"ratings: these are scores, no ratings; found columns {found}",
            fix="give a leaderboard or ratings fitted to votes; scores are what is audited: charm audit SCORES --ratings SPEC",
        )
    return SchemaError(
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
    """``95_pct_ci`` holds the distances to the ends: rating 1470, ``+5/-5`` is 1465 to 1475, and so is ``±5`` (or ``-5/+5``)."""
    cells = (
        pl.col("95_pct_ci").str.replace_all(r"\s+", "").str.replace("^(?:±|\\+/?-)([0-9.]+)$", "+${1}/-${1}")
    )
    cells = cells.str.replace(r"^-([0-9.]+)/\+([0-9.]+)$", "+${2}/-${1}")
    parts = cells.str.extract_groups(r"^\+(?<up>[0-9.]+)/-(?<down>[0-9.]+)$")
    ends = frame.select(parts.alias("ends")).unnest("ends").cast(pl.Float64, strict=False)
    told = (frame["95_pct_ci"].str.strip_chars() != "").fill_null(False)
    bad = told & (ends["up"].is_null() | ends["down"].is_null())
    rating = frame["arena_score" if "arena_score" in frame.columns else "rating"]
    model = "model" if "model" in frame.columns else "model_name"
    if bad.any():
        row = int(bad.arg_true()[0])
        raise SchemaError(
            f"95_pct_ci {frame['95_pct_ci'][row]!r} is not of the form '+5/-5' or '±5'",
            where=f"ratings, row {row} (model {frame[model][row]!r})",
            fix="correct the cell, or leave it empty where there is no interval",
        )
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
    frozenset({"model", "rating", "95_pct_ci"}): _from_csv_history,
    frozenset({"model", "arena_score"}): _renamed,
    frozenset({"model_name", "rating"}): _renamed,
    frozenset({"model", "rating"}): _renamed,
    frozenset(c.name for c in Ratings.columns if c.required): _renamed,
}
