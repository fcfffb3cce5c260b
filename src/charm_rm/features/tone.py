"""How it speaks to the asker. Words are English; other languages have 0 here."""

from __future__ import annotations

import polars as pl

from .registry import feature
from .texts import HEAD, PROSE, RARE, TAIL

_REFUSAL = (
    r"(?i-u)\A[\s\"'*_>#-]*(?:"
    r"(?:i am|i(?:'|’)m|we are|we(?:'|’)re)? ?(?:very |so |really |truly |deeply |terribly )?sorry\b"
    r"|(?:i|we) (?:do |must |sincerely |deeply )?apologi[sz]e\b|(?:my|our|please accept my) (?:sincere |deepest )?apolog|apologies\b"
    r"|(?:i|we) (?:can(?:not|(?:'|’)t| not)|won(?:'|’)t|will not|am (?:not able|unable)|are (?:not able|unable))\b"
    r"|i(?:'|’)m (?:not able|unable|afraid)\b|i (?:do not|don(?:'|’)t) (?:feel comfortable|have (?:the ability|access|personal))\b"
    r"|as an? (?:[a-z]+ )?(?:ai|language model|llm)\b|unfortunately\b)"
)
_PRAISED = r"(?:great|good|excellent|fantastic|wonderful|interesting|fascinating|brilliant|insightful|thoughtful|important|amazing|awesome|lovely|fun|intriguing)"
_FLATTERY = (
    rf"(?i-u)\b{_PRAISED} question\b"
    rf"|\A[\s\"'*_>#-]*{_PRAISED} (?:idea|point|choice|topic|request|thought|observation)\b"
    rf"|\b(?:what an?|that(?:'|’)s an?|that is an?|this is an?|such an?) (?:really |very |truly |absolutely )?{_PRAISED} (?:idea|point|choice|topic|request|thought|observation|way)\b"
    r"|\byou(?:'|’)re (?:absolutely |completely |so |totally )?right\b|\bi (?:really )?love (?:this|that|your) (?:idea|question)\b"
    r"|\b(?:great|good|excellent) (?:job|work)\b"
)
_OFFER = (
    r"(?i-u)\b(?:let me know|(?:i )?hope (?:this|that|it|these) (?:[a-z]+ )?(?:help|clarif|answer|assist)|feel free to|(?:happy|glad) to (?:help|assist|answer|provide|explain|elaborate)"
    r"|(?:do )?(?:if )?you have any (?:other |more |further |additional |specific )?(?:questions|concerns)|don(?:'|’)t hesitate|do not hesitate"
    r"|would you like (?:me|to|more|help)|do you want me to|(?:is there )?anything else i can|how else can i|what would you like)\b"
)
_HEDGES = (
    r"(?i-u)\b(?:perhaps|maybe|might|possibly|probably|likely|unlikely|presumably|apparently|arguably|seemingly|roughly|approximately|seems?|appears? to"
    r"|could be|may be|may have|tends? to|in general|generally|typically|usually|often|sometimes|somewhat|it depends|depending on"
    r"|i think|i believe|i guess|i suppose|in my opinion|to my knowledge|as far as i know|not sure|uncertain|unclear)\b"
)
_FIRST_PERSON = r"(?-u)\b(?:I|[Mm](?:e|y|ine|yself))\b"
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
    return _either(HEAD.str.contains(_REFUSAL))


@feature(
    "flattery",
    group="tone",
    about='1 where its first 200 characters praise asker or question ("great question").',
)
def flattery() -> pl.Expr:
    """1 or 0."""
    return _either(HEAD.str.contains(_FLATTERY))


@feature(
    "closing_offer", group="tone", about="1 where its last 400 characters offer more, or hope to have helped."
)
def closing_offer() -> pl.Expr:
    """1 or 0."""
    return _either(TAIL.str.contains(_OFFER))


@feature(
    "hedges",
    group="tone",
    log=True,
    about="Words of doubt (perhaps, might, it depends, I think ...), outside code blocks.",
)
def hedges() -> pl.Expr:
    """n hedges."""
    return PROSE.str.count_matches(_HEDGES)


@feature("first_person", group="tone", log=True, about="I, me, my, mine, myself, outside code blocks.")
def first_person() -> pl.Expr:
    """n words."""
    return PROSE.str.count_matches(_FIRST_PERSON)
