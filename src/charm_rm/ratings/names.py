"""Strict name resolution: the same model has different names in different tables.

A policy's name is looked up in this order, and the first that hits decides: one's own aliases; the name as
written; the shipped alias table (``data/aliases.csv``); the name folded (case, and punctuation between words).
Digits are never folded together: ``Qwen-14B`` is not ``Qwen1.4B``. What hits nothing is an error with near
misses, and what hits twice is an error with both.
"""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path

import numpy as np
import polars as pl

from .. import store
from ..errors import CharmWarning, ConfigError, SchemaError, UnknownPolicy, did_you_mean, listing
from ..settings import Unrated
from ..tables import TEXT, Ratings, with_kinds
from .given import RatingsLike, as_ratings

Aliases = Mapping[str, str] | str | Path

# Runs of anything but letters, digits and decimal points (a point with a digit on both sides).
_SEPARATORS = re.compile(r"(?:(?!(?<=\d)\.(?=\d))[\W_])+")


def fold_name(name: str) -> str:
    """Lower case, every run of punctuation or space one dash; decimal points stay and + becomes plus.

    ``GPT-4o (2024-05-13)`` is ``gpt-4o-2024-05-13``, ``Llama 3.1_8B`` is ``llama-3.1-8b``, and ``Command R+`` is
    ``command-r-plus``: another model than ``Command R``.
    """
    return _SEPARATORS.sub("-", name.casefold().replace("+", "-plus-")).strip("-")


def read_aliases(path: str | Path) -> pl.DataFrame:
    """Read an alias table: policy, arena_name (or arena_names; alternatives split by a bar), match, note.

    Raises:
        SchemaError: a column is missing, a cell is empty, or one policy has two rows.
    """
    frame = store.read_frame(path)
    if "arena_names" in frame.columns and "arena_name" not in frame.columns:
        frame = frame.rename({"arena_names": "arena_name"})
    missing = [c for c in ("policy", "arena_name") if c not in frame.columns]
    if missing:
        raise SchemaError(
            f"aliases: column {listing(missing)} is missing; found {listing(frame.columns)}",
            where=str(path),
            fix="an alias file has the columns policy,arena_name",
        )
    with store.naming(path):
        kinds = dict.fromkeys(("policy", "arena_name", "match", "note"), TEXT)
        frame = with_kinds(frame, kinds, noun="aliases")
    frame = frame.with_columns(pl.col("policy", "arena_name").str.strip_chars())
    empty = frame.select(pl.col("policy", "arena_name").is_null() | (pl.col("policy", "arena_name") == ""))
    bad = empty["policy"] | empty["arena_name"]
    if bad.any():
        raise SchemaError(
            "aliases: an empty name",
            where=f"{path}, row {int(bad.arg_true()[0])}",
            fix="give both names, or drop the row",
        )
    if frame["policy"].is_duplicated().any():
        name = frame.filter(pl.col("policy").is_duplicated())["policy"][0]
        raise SchemaError(
            f"aliases: {name!r} has several rows",
            where=str(path),
            fix="give one row per policy; split alternatives by a bar: first|second",
        )
    return frame


def resolve_names(
    policies: Iterable[str],
    ratings: RatingsLike,
    *,
    aliases: Aliases | None = None,
    unrated: Unrated = "error",
) -> dict[str, str]:
    """Map each policy to its name in ``ratings``.

    Args:
        policies: names to look up.
        ratings: one leaderboard (one category at one date).
        aliases: one's own names, as a mapping or a CSV file ``policy,arena_name``; they come before all else.
        unrated: ``error`` raises for policies without a rating; ``skip`` leaves them out and warns.

    Raises:
        UnknownPolicy: a policy has no rating, or its name fits several.
        ConfigError: ``ratings`` holds several categories or dates.
    """
    ratings = as_ratings(ratings)
    rated = _rated_names(ratings)
    own = _own_aliases(aliases)
    found: dict[str, str] = {}
    unknown: dict[str, str | None] = {}
    notes = []
    shipped = _shipped_aliases()
    folded = _by_fold(rated)
    for policy in dict.fromkeys(policies):
        wanted, note = own.get(policy), None
        if wanted is None and policy not in rated:
            wanted, note = shipped.get(fold_name(policy), (None, None))
        hit = _hit(policy, wanted, rated, folded)
        if hit is None and wanted is not None and policy not in own:
            hit, note = _hit(policy, None, rated, folded), None
        if hit is None:
            unknown[policy] = wanted
            continue
        found[policy] = hit
        if note:
            notes.append(f"{policy!r} as {hit!r} ({note})")
    _report_unknown(unknown, rated, unrated)
    if notes:
        _warn(
            f"{len(notes)} policies were matched to a close, not the same, rated policy: {'; '.join(notes)}"
        )
    return found


def match_ratings(
    ratings: RatingsLike,
    policies: Iterable[str],
    *,
    aliases: Aliases | None = None,
    unrated: Unrated = "error",
) -> Ratings:
    """Restrict ratings to ``policies``, in their order and under their own names, covariance kept.

    Raises:
        UnknownPolicy: as :func:`resolve_names`; also where no policy at all has a rating.
    """
    ratings = as_ratings(ratings)
    asked = list(dict.fromkeys(policies))
    names = resolve_names(asked, ratings, aliases=aliases, unrated=unrated)
    if not names:
        raise UnknownPolicy(
            f"none of the {len(asked)} policies has a rating: {listing(asked)}",
            fix="check that the ratings are the right ones, or give --alias FILE with the columns policy,arena_name",
        )
    position = {name: row for row, name in enumerate(ratings.frame["policy"])}
    rows = np.array([position[name] for name in names.values()])
    frame = ratings.frame[rows].with_columns(pl.Series("policy", list(names)))
    covariance = None if ratings.covariance is None else ratings.covariance[np.ix_(rows, rows)]
    renamed = {own: name for own, name in names.items() if own != name}
    return Ratings(frame, provenance=dict(ratings.provenance) | {"renamed": renamed}, covariance=covariance)


def _rated_names(ratings: Ratings) -> frozenset[str]:
    names = ratings.frame["policy"]
    if names.is_duplicated().any():
        raise ConfigError(
            "the ratings hold several categories or dates, which are never mixed",
            fix="choose one: load_ratings(..., category=..., date=...)",
        )
    return frozenset(names)


def _hit(
    policy: str, wanted: str | None, rated: frozenset[str], folded: Mapping[str, Sequence[str]]
) -> str | None:
    """The rated name meant by ``wanted`` (alternatives split by a bar), or by the policy's own name."""
    hits: list[str] = []
    for name in wanted.split("|") if wanted else [policy]:
        hits += [name] if name in rated else folded.get(fold_name(name), [])
    hits = list(dict.fromkeys(hits))
    if len(hits) > 1:
        raise UnknownPolicy(
            f"policy {policy!r} fits several rated policies: {listing(hits)}",
            fix="say which by an alias: --alias FILE with the columns policy,arena_name",
        )
    return hits[0] if hits else None


def _by_fold(rated: Iterable[str]) -> dict[str, list[str]]:
    folded: dict[str, list[str]] = {}
    for name in sorted(rated):
        folded.setdefault(fold_name(name), []).append(name)
    return folded


def _own_aliases(aliases: Aliases | None) -> dict[str, str]:
    if aliases is None:
        return {}
    if isinstance(aliases, Mapping):
        return dict(aliases)
    frame = read_aliases(aliases)
    return dict(zip(frame["policy"], frame["arena_name"], strict=True))


@functools.cache
def _shipped_aliases() -> dict[str, tuple[str | None, str | None]]:
    """Folded policy name -> (Arena names, note where the match is only close)."""
    with resources.as_file(resources.files("charm_rm") / "data" / "aliases.csv") as path:
        frame = read_aliases(path)
    note = pl.when(pl.col("match") == "close").then(pl.col("note"))
    rows = frame.select("policy", "arena_name", note.alias("note")).iter_rows()
    return {fold_name(policy): (name, note) for policy, name, note in rows}


def _report_unknown(unknown: Mapping[str, str | None], rated: frozenset[str], unrated: Unrated) -> None:
    if not unknown:
        return
    if unrated == "skip":
        _warn(f"skipped {len(unknown)} policies without a rating: {listing(unknown, limit=20)}")
        return
    lines = [
        f"\n    {policy!r}"
        + (f", by alias {wanted!r}" if wanted else "")
        + did_you_mean(wanted or policy, rated)
        for policy, wanted in list(unknown.items())[:10]
    ]
    tail = f"\n    and {len(unknown) - 10} more" if len(unknown) > 10 else ""
    raise UnknownPolicy(
        f"{len(unknown)} policies have no rating under any known name:{''.join(lines)}{tail}",
        fix="give --alias FILE (CSV: policy,arena_name), or skip them with --unrated skip",
    )


def _warn(message: str) -> None:
    warnings.warn(message, CharmWarning, stacklevel=4)
