"""Who made a policy, by its name: a shipped table of patterns, for names that say so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources

import polars as pl

_TABLE = "makers.csv"


def makers_of(policies: Iterable[str]) -> dict[str, str]:
    """The makers of those policies whose names tell; the others are left out, not guessed.

    A name is compared whole, without case and without an organisation before a slash, with the patterns of ``data/makers.csv`` from the top. Open models count
    for their maker under the names that the maker gave them: a model that somebody has trained further, ``gemma-2-9b-it-SimPO``, has two makers, and none here.
    """
    return {policy: maker for policy in policies if (maker := _maker(policy)) is not None}


def known_makers() -> list[str]:
    """The makers in the table, sorted."""
    return sorted({maker for _, maker in _patterns()})


def _maker(policy: str) -> str | None:
    name = policy.rpartition("/")[2].strip().casefold()[:200]
    return next((maker for pattern, maker in _patterns() if pattern.fullmatch(name)), None)


@cache
def _patterns() -> Sequence[tuple[re.Pattern[str], str]]:
    text = (resources.files("charm_rm.data") / _TABLE).read_text(encoding="utf-8")
    frame = pl.read_csv(text.encode(), schema=dict.fromkeys(("pattern", "group"), pl.String), quote_char='"')
    return [(re.compile(pattern), maker) for pattern, maker in frame.iter_rows()]
