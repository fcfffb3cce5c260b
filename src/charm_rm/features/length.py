"""How much there is."""

from __future__ import annotations

import polars as pl

from .registry import feature
from .texts import RESPONSE, WORDS


@feature("words", group="length", log=True, about="Words, code included.")
def words() -> pl.Expr:
    """n words."""
    return WORDS.list.len()


@feature(
    "characters",
    group="length",
    log=True,
    default=False,
    about="Characters (code points), white space included.",
)
def characters() -> pl.Expr:
    """n code points."""
    return RESPONSE.str.len_chars()
