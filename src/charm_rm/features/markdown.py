"""Markdown outside code blocks, and the blocks themselves."""

from __future__ import annotations

import polars as pl

from .registry import feature
from .texts import N_CODE_BLOCKS, PROSE

_BULLETS = r"\n[ \t]*[-*+•◦▪‣][ \t]"
NUMBERED = r"\n[ \t]*[0-9]{1,3}[.)][ \t]"
_ADDRESS = r"(?:https?://(?:www\.)?|www\.)"
_ROW, _RULE = r"\n[ \t]*\|[^\n]*\|[ \t]*(?m:$)", r"\n[ \t]*\|[ \t:|-]*-[ \t:|-]*\|[ \t]*(?m:$)"


@feature(
    "headers", group="markdown", log=True, about="Headers: lines that begin with `#` to `######` and a space."
)
def headers() -> pl.Expr:
    """n header lines."""
    return PROSE.str.count_matches(r"\n {0,3}#{1,6}[ \t]")


@feature("bold", group="markdown", log=True, about="Bold spans, `**so**`, within a line.")
def bold() -> pl.Expr:
    """n spans."""
    return PROSE.str.count_matches(r"\*\*[^\s*](?:[^*\n]*[^\s*])?\*\*")


@feature(
    "bullets", group="markdown", log=True, about="List items marked by `-`, `*`, `+` or a bullet (• ◦ ▪ ‣)."
)
def bullets() -> pl.Expr:
    """n lines."""
    return PROSE.str.count_matches(_BULLETS)


@feature(
    "numbered",
    group="markdown",
    log=True,
    about="List items marked by a number of up to three digits, `1.` or `1)`.",
)
def numbered() -> pl.Expr:
    """n lines."""
    return PROSE.str.count_matches(NUMBERED)


@feature(
    "list_items",
    group="markdown",
    log=True,
    default=False,
    about="`bullets` and `numbered` together, as the Arena's style control counts lists.",
)
def list_items() -> pl.Expr:
    """n lines."""
    return PROSE.str.count_matches(_BULLETS) + PROSE.str.count_matches(NUMBERED)


@feature(
    "code_blocks",
    group="markdown",
    log=True,
    about="Blocks of code between fences of backticks or tildes; one left open counts.",
)
def code_blocks() -> pl.Expr:
    """n blocks."""
    return N_CODE_BLOCKS


@feature(
    "table_rows",
    group="markdown",
    log=True,
    about="Rows of tables, header included: lines that begin and end with `|`, but for the rule below the header.",
)
def table_rows() -> pl.Expr:
    """n lines with a `|` at both ends - rules."""
    return PROSE.str.count_matches(_ROW) - PROSE.str.count_matches(_RULE)


@feature(
    "links",
    group="markdown",
    log=True,
    about="Links and images, `[so](https://...)`, and bare addresses (`https://`, `www.`).",
)
def links() -> pl.Expr:
    """Markdown links + addresses - those within Markdown links."""
    marked = PROSE.str.count_matches("](", literal=True)
    return marked + PROSE.str.count_matches(_ADDRESS) - PROSE.str.count_matches(rf"\]\(<?{_ADDRESS}")


@feature(
    "quotations",
    group="markdown",
    log=True,
    about="Quoted spans (pairs of straight or curly quotes, « », 「 」) and lines of block quotes (`>`).",
)
def quotations() -> pl.Expr:
    """Half of the quotes that open and close alike, rounded down; of the others, those that close."""
    straight = PROSE.str.count_matches('"', literal=True) // 2
    curly = PROSE.str.count_matches("[“”„]") // 2
    return straight + curly + PROSE.str.count_matches("[»」』]") + PROSE.str.count_matches(r"\n {0,3}>")
