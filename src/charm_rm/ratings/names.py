"""Strict name resolution: the same model has different names in different tables.

A policy's name is looked up in this order, and the first that hits decides: one's own aliases; the name as
written; the shipped alias table (``data/aliases.csv``); the name folded (case, and punctuation between words).
Digits are never folded together: ``Qwen-14B`` is not ``Qwen1.4B``. What hits nothing is an error with near
misses, and what hits twice is an error with both.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import polars as pl

from .. import store
from ..errors import CharmWarning, ConfigError, SchemaError, UnknownPolicy, counted, listing
from ..policy_names import fold_name, near_policies
from ..settings import Unrated
from ..tables import TEXT, Ratings, with_kinds
from .given import RatingsLike, as_ratings

Aliases = Mapping[str, str] | str | Path

OWN, SAME, SHIPPED, CLOSE, FOLDED, NONE = (
    "your alias",
    "same name",
    "shipped alias",
    "shipped alias, close",
    "case and punctuation",
    "no rating",
)


@dataclass(frozen=True)
class Match:
    """How one policy found its rating: its name there (None: it has none), by which way, and what is to be said of it."""

    policy: str
    rated: str | None
    how: str
    note: str | None = None
    wanted: str | None = None


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
            fix="give both names, or drop the row: a policy without a rating needs none",
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
    rated = rated_names(ratings)
    matches = find_names(policies, rated, aliases=aliases)
    _report_unknown([m for m in matches if m.rated is None], rated, unrated)
    notes = [f"{m.policy!r} as {m.rated!r} ({m.note})" for m in matches if m.note]
    if notes:
        _warn(
            f"{counted(len(notes), 'policy', 'policies')} matched to a close, not the same, rated policy: {'; '.join(notes)}"
        )
    return {m.policy: m.rated for m in matches if m.rated is not None}


def find_names(
    policies: Iterable[str], rated: frozenset[str], *, aliases: Aliases | None = None
) -> list[Match]:
    """How each policy finds its name among those rated, in the order given; those that find none are there, too.

    Raises:
        UnknownPolicy: a name fits several rated policies.
    """
    own, shipped, folded = _own_aliases(aliases), _shipped_aliases(), _by_fold(rated)
    return [_match(policy, own.get(policy), shipped, rated, folded) for policy in dict.fromkeys(policies)]


def _match(
    policy: str,
    own: str | None,
    shipped: Mapping[str, tuple[str | None, str | None]],
    rated: frozenset[str],
    folded: Mapping[str, Sequence[str]],
) -> Match:
    if own is not None:
        hit = _hit(policy, own, rated, folded)
        return Match(policy, hit, NONE if hit is None else OWN, wanted=own)
    if policy in rated:
        return Match(policy, policy, SAME)
    wanted, note = shipped.get(fold_name(policy), (None, None))
    hit = None if wanted is None else _hit(policy, wanted, rated, folded)
    if hit is not None:
        return Match(policy, hit, CLOSE if note else SHIPPED, note=note, wanted=wanted)
    hit = _hit(policy, None, rated, folded)
    return Match(policy, hit, NONE if hit is None else FOLDED, wanted=wanted)


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
            f"none of the policies has a rating: {listing(asked)}",
            fix="check that the ratings are the right ones, or give --alias FILE with the columns policy,arena_name",
        )
    _warn_of_spellings(names, aliases)
    position = {name: row for row, name in enumerate(ratings.frame["policy"])}
    rows = np.array([position[name] for name in names.values()])
    frame = ratings.frame[rows].with_columns(pl.Series("policy", list(names)))
    covariance = None if ratings.covariance is None else ratings.covariance[np.ix_(rows, rows)]
    renamed = {own: name for own, name in names.items() if own != name}
    return Ratings(frame, provenance=dict(ratings.provenance) | {"renamed": renamed}, covariance=covariance)


def _warn_of_spellings(names: Mapping[str, str], aliases: Aliases | None) -> None:
    """Two policies that are rated as one model may be one, spelt in two ways; who says so by aliases knows."""
    told = _own_aliases(aliases)
    policies: dict[str, list[str]] = {}
    for own, rated in names.items():
        if own not in told:
            policies.setdefault(rated, []).append(own)
    for rated, several in policies.items():
        if len(several) > 1:
            warnings.warn(
                f"{listing(several)} are compared as {len(several)} policies, and rated as the same model, {rated!r}: "
                "if they are one, give them one name in the table",
                CharmWarning,
                stacklevel=3,
            )


def rated_names(ratings: Ratings) -> frozenset[str]:
    """The names of one leaderboard.

    Raises:
        ConfigError: ``ratings`` holds several categories or dates.
    """
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


def _report_unknown(unknown: Sequence[Match], rated: frozenset[str], unrated: Unrated) -> None:
    if not unknown:
        return
    if unrated == "skip":
        names = listing([m.policy for m in unknown], limit=20)
        _warn(f"skipped {counted(len(unknown), 'policy', 'policies')} without a rating: {names}")
        return
    lines = [
        f"\n    {m.policy!r}"
        + (f", by alias {m.wanted!r}" if m.wanted else "")
        + near_policies(m.wanted or m.policy, rated)
        for m in unknown[:10]
    ]
    tail = f"\n    and {len(unknown) - 10} more" if len(unknown) > 10 else ""
    raise UnknownPolicy(
        f"{counted(len(unknown), 'policy has', 'policies have')} no rating under any known name:{''.join(lines)}{tail}",
        fix="give --alias FILE (CSV: policy,arena_name; `charm names` writes one to fill in), or leave them out with --unrated skip",
    )


def _warn(message: str) -> None:
    warnings.warn(message, CharmWarning, stacklevel=4)
