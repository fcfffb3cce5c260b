"""Which script it is written in."""

from __future__ import annotations

import polars as pl

from .form import share
from .registry import feature
from .texts import RARE, WORDS


@feature(
    "non_latin",
    group="language",
    about="Share of the characters of words that are letters of another script than Latin.",
)
def non_latin() -> pl.Expr:
    """n letters and marks of other scripts / n characters of words."""
    others = RARE.str.count_matches(r"[\w--[\p{Latin}\p{Nd}_]]")
    return share(others, WORDS.list.eval(pl.element().str.len_chars()).list.sum()).clip(0.0, 1.0)
