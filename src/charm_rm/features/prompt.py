"""How it takes up what was asked."""

from __future__ import annotations

import polars as pl

from .form import share
from .registry import feature
from .texts import PROMPT_WORDS, WORDS


@feature(
    "prompt_overlap",
    group="prompt",
    about="Share of the response's different words (case aside) that the prompt has, too.",
)
def prompt_overlap() -> pl.Expr:
    """n words in both / n different words of the response."""
    return share(PROMPT_WORDS.list.set_intersection(WORDS).list.len(), WORDS.list.n_unique())
