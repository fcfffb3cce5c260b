"""Which policies find a rating, by which name, and what is near to those that do not: a report, and an alias table to fill in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import polars as pl

from ..errors import UnknownPolicy
from ..policy_names import Near, near_names
from .given import RatingsLike, as_ratings
from .names import OWN, Aliases, Match, find_names, rated_names

CHECK, SEVERAL = "check", "fits several"


@dataclass(frozen=True)
class NameReport:
    """How the policies of a table find their ratings.

    ``matched`` have one, ``unmatched`` none; ``near`` are the rated names near to each of those, the ones that can be the same model
    first. ``origin`` says what was looked into: the ratings' source, category and date, and how many there are.
    """

    matched: tuple[Match, ...]
    unmatched: tuple[Match, ...]
    near: dict[str, tuple[Near, ...]]
    origin: dict[str, Any]

    def alias_table(self) -> pl.DataFrame:
        """An alias table (policy, arena_name, match, note) to check and fill in.

        One's own aliases that fit stay. A rated name with the same parts is filled in, with ``check`` in ``match``; every other near
        name stands in ``note`` alone, and its ``arena_name`` is empty, which is refused when the table is read: fill it in, or drop
        the row.
        """
        rows = [(m.policy, m.wanted, "", "") for m in self.matched if m.how == OWN]
        for match in self.unmatched:
            same = [n for n in self.near[match.policy] if n.nearness == "same parts"]
            name, state = (same[0].name, CHECK) if len(same) == 1 else ("", "")
            others = [in_words(n) for n in self.near[match.policy] if n.name != name]
            rows.append((match.policy, name, state, "; ".join(others)))
        schema = dict.fromkeys(("policy", "arena_name", "match", "note"), pl.String)
        return pl.DataFrame(rows, schema=schema, orient="row")

    def to_json(self) -> dict[str, Any]:
        """The report as JSON-able values."""
        return {
            "ratings": self.origin,
            "matched": [
                {"policy": m.policy, "rated": m.rated, "how": m.how, "note": m.note} for m in self.matched
            ],
            "unmatched": [
                {
                    "policy": m.policy,
                    "alias": m.wanted,
                    "note": m.note,
                    "near": [n._asdict() for n in self.near[m.policy]],
                }
                for m in self.unmatched
            ],
        }


def compare_names(
    policies: Iterable[str], ratings: RatingsLike, *, aliases: Aliases | None = None
) -> NameReport:
    """Look every policy up in the ratings, as an audit would, and tell what is near to those without one.

    Args:
        policies: names to look up.
        ratings: one leaderboard (one category at one date).
        aliases: one's own names, as :func:`charm_rm.ratings.resolve_names` takes them.

    A name that fits several rated policies counts as unmatched, and those are near to it.

    Raises:
        ConfigError: ``ratings`` holds several categories or dates.
    """
    ratings = as_ratings(ratings)
    rated = rated_names(ratings)
    matches = _found(list(dict.fromkeys(policies)), rated, aliases)
    unmatched = tuple(m for m in matches if m.rated is None)
    near = {m.policy: _nearest(m.policy, rated) for m in unmatched}
    known = {k: ratings.provenance.get(k) for k in ("source", "category", "date")}
    origin = {k: v for k, v in known.items() if v is not None} | {"n": len(rated)}
    return NameReport(tuple(m for m in matches if m.rated is not None), unmatched, near, origin)


def _found(policies: list[str], rated: frozenset[str], aliases: Aliases | None) -> list[Match]:
    try:
        return find_names(policies, rated, aliases=aliases)
    except UnknownPolicy:  # one fits several: each by itself
        return [match for policy in policies for match in _alone(policy, rated, aliases)]


def _alone(policy: str, rated: frozenset[str], aliases: Aliases | None) -> list[Match]:
    try:
        return find_names([policy], rated, aliases=aliases)
    except UnknownPolicy as error:
        return [Match(policy, None, SEVERAL, note=error.what)]


def _nearest(policy: str, rated: Iterable[str]) -> tuple[Near, ...]:
    """The names with the same parts, where there are any: then no other is worth showing."""
    near = tuple(near_names(policy, rated))
    return tuple(n for n in near if n.nearness == "same parts") or near


def in_words(near: Near) -> str:
    """``'X': the same model? (...)`` or ``'X': a different model? (...)``."""
    which = "a different model?" if near.nearness == "another" else "the same model?"
    return f"{near.name!r}: {which} ({near.reason})"
