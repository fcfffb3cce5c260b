"""How words make sentences and paragraphs."""

from __future__ import annotations

import polars as pl

from .markdown import NUMBERED
from .registry import feature
from .texts import N_PROSE_WORDS, OPEN_CODE, PROSE, RESPONSE, TAIL, TOKEN, WORD, WORDS

_BLANK_LINES = r"\n\s*\n"
# A mark that ends sentences before white space, one of the scripts without spaces, or the end of a line with text.
_SENTENCE_END = r"[.!?…][\"'”’)\]*_]*\s|[。！？]|[^\s.!?…。！？][ \t]*\n"
_OPEN_END = r"[[\p{L}\p{M}--[\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]]\p{Nd},;:，、；：–—(-]\z"
_HASHTAG = r"#\w+\z"
_LAST_LINE = r"(?:\A|\n)[ \t]*(?:[^-*+•◦▪‣|#>0-9\s][^\n]*)\z"


def share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """part / whole, 0 where there is nothing."""
    return pl.when(whole > 0).then(part / whole).otherwise(0.0)


@feature(
    "paragraphs_per_word",
    group="form",
    about="Paragraphs (parts between blank lines) per word, outside code blocks.",
)
def paragraphs_per_word() -> pl.Expr:
    """(blank lines between text + 1) / n words; 0 without words."""
    paragraphs = PROSE.str.count_matches(_BLANK_LINES) + 1
    return share(paragraphs, N_PROSE_WORDS)


@feature("word_length", group="form", about="Mean length of words, in characters.")
def word_length() -> pl.Expr:
    """sum of lengths / n words."""
    return share(WORDS.list.eval(pl.element().str.len_chars()).list.sum(), WORDS.list.len())


@feature("type_token_ratio", group="form", about="Different words (case aside) per word.")
def type_token_ratio() -> pl.Expr:
    """n different words / n words."""
    return share(WORDS.list.n_unique(), WORDS.list.len())


@feature(
    "distinct_tokens",
    group="form",
    about="Different tokens (case aside) per token: what stands between white space, marks and Markdown signs included.",
)
def distinct_tokens() -> pl.Expr:
    """n different tokens / n tokens; a letter of a script without spaces is a token."""
    tokens = RESPONSE.str.to_lowercase().str.extract_all(TOKEN)
    return share(tokens.list.n_unique(), tokens.list.len())


@feature("digits", group="form", log=True, about="Decimal digits.")
def digits() -> pl.Expr:
    """n digits of any script."""
    return RESPONSE.str.count_matches(r"\p{Nd}")


@feature(
    "sentence_length",
    group="form",
    log=True,
    about="Words per sentence, outside code blocks; a line's end ends a sentence.",
)
def sentence_length() -> pl.Expr:
    """n words / n ends of sentences, the dots of numbered items aside."""
    ends = PROSE.str.count_matches(_SENTENCE_END).cast(pl.Int64)
    return N_PROSE_WORDS / (ends - PROSE.str.count_matches(NUMBERED)).clip(lower_bound=1)


@feature(
    "truncated",
    group="form",
    about="1 where it looks cut off: a code block left open, or a last line of running text (five words or more) that ends in a letter, a digit or a comma. Verse and signatures can look so, too.",
)
def truncated() -> pl.Expr:
    """1 or 0."""
    last = TAIL.str.extract(_LAST_LINE, 0)
    ends_open = last.str.contains(_OPEN_END) & ~last.str.contains(_HASHTAG)
    open_line = pl.when(ends_open).then(last).otherwise(pl.lit(""))  # few, so that few words are counted
    cut = open_line.str.count_matches(WORD) >= 5
    return (OPEN_CODE | cut).cast(pl.Float64)
