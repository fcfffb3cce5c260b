"""How it speaks to the asker. Words are English; other languages have 0 here."""

from __future__ import annotations

import polars as pl

from . import phrases
from .registry import feature
from .texts import HEAD, PROSE, RARE, TAIL

# One emoji, however many code points: keycaps, flags, and pictures with style, skin tone and tags, joined or not.
_PICTURE = (
    r"(?:\p{Emoji_Modifier_Base}\x{FE0F}?\p{Emoji_Modifier}|\p{Extended_Pictographic}\x{FE0F}|\p{Emoji_Presentation})"
    r"[\x{E0020}-\x{E007F}]*"
)
_EMOJI = (
    r"\x{FE0F}?\x{20E3}|\p{Regional_Indicator}{2}"
    rf"|{_PICTURE}(?:\x{{200D}}(?:{_PICTURE}|\p{{Extended_Pictographic}}))*"
)


def _either(found: pl.Expr) -> pl.Expr:
    return found.cast(pl.Float64)


@feature(
    "exclamations",
    group="tone",
    log=True,
    about="Exclamation marks, full-width ones included, outside code blocks.",
)
def exclamations() -> pl.Expr:
    """n marks."""
    return PROSE.str.count_matches("[!！]")


@feature(
    "emoji",
    group="tone",
    log=True,
    about="Emoji as they are seen: a flag, a family or a skin tone is one; © and ✓ in their text form are none.",
)
def emoji() -> pl.Expr:
    """n emoji."""
    return RARE.str.count_matches(_EMOJI)


@feature("refusal", group="tone", about="1 where it opens with a refusal or an apology.")
def refusal() -> pl.Expr:
    """1 or 0."""
    return _either(HEAD.str.contains(phrases.REFUSAL))


@feature(
    "flattery",
    group="tone",
    about='1 where its first 200 characters praise asker or question ("great question").',
)
def flattery() -> pl.Expr:
    """1 or 0."""
    return _either(HEAD.str.contains(phrases.FLATTERY))


@feature(
    "closing_offer", group="tone", about="1 where its last 400 characters offer more, or hope to have helped."
)
def closing_offer() -> pl.Expr:
    """1 or 0."""
    return _either(TAIL.str.contains(phrases.OFFER))


@feature(
    "hedges",
    group="tone",
    log=True,
    about="Words of doubt (perhaps, might, it depends, I think ...), outside code blocks.",
)
def hedges() -> pl.Expr:
    """n hedges."""
    return PROSE.str.count_matches(phrases.HEDGES)


@feature("first_person", group="tone", log=True, about="I, me, my, mine, myself, outside code blocks.")
def first_person() -> pl.Expr:
    """n words."""
    return PROSE.str.count_matches(phrases.FIRST_PERSON)
