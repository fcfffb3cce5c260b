"""Characters that a reader would not see, or that would spill over others, written out; the rest of a text as it is."""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache, lru_cache

from ...visible import visible

# More marks than these on one letter are in no orthography (Hebrew with cantillation has 4); they would climb over other lines.
MOST_MARKS = 6

# Without width wherever they stand: soft hyphen, joiners of graphemes and words, fillers, separators of vowels, annotations, ...
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb"
    "\ufffe\uffff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0080-\U000e0fff]+"
)
# These form letters of Persian and Indic scripts, and emoji: kept between two characters beyond ASCII, written out elsewhere.
_JOINERS = re.compile(
    r"(?<![^\x00-\x7f\u200c\u200d])[\u200c\u200d]+|[\u200c\u200d]+(?![^\x00-\x7f\u200c\u200d])"
)
_ANY_JOINER, _ANY_SELECTOR = re.compile("[\u200c\u200d]"), re.compile("[\ufe00-\ufe0f]")
# One selector after a character picks its form; after a space or another selector it is a hidden message.
_SELECTORS = re.compile("(?:(?<=[\\s\ufe00-\ufe0f])|^)[\ufe00-\ufe0f]")


def shown(text: str) -> str:
    """The text with all that is invisible written out (``\\u200b``), but line ends and tabs; no letter carries a flood of marks.

    Nothing is left out: what is written out can be read. Line ends of other systems become ``\\n``.
    """
    text = visible(text.replace("\r\n", "\n").replace("\r", "\n"), keep="\n\t")
    if text.isascii():
        return text
    for hidden, rare in ((_INVISIBLE, None), (_JOINERS, _ANY_JOINER), (_SELECTORS, _ANY_SELECTOR)):
        if rare is None or rare.search(text):
            text = hidden.sub(lambda found: _written_out(found[0]), text)
    if text.isascii():
        return text
    return _floods().sub(lambda found: found[1] + _written_out(found[2]), text)


def _written_out(characters: str) -> str:
    if characters.count(characters[0]) == len(characters):
        return _one(characters[0]) * len(characters)
    return "".join(map(_one, characters))


@lru_cache(maxsize=4096)
def _one(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04x}" if number < 65536 else f"\\U{number:08x}"


@cache
def _floods() -> re.Pattern[str]:
    """The first MOST_MARKS combining marks in a row, and those that follow."""
    marks = "".join(chr(i) for i in range(sys.maxunicode + 1) if unicodedata.category(chr(i)) in ("Mn", "Me"))
    ranges = "".join(re.escape(f"{a}") if a == b else f"{a}-{b}" for a, b in _runs(marks))
    return re.compile(f"([{ranges}]{{{MOST_MARKS}}})([{ranges}]+)")


def _runs(characters: str) -> list[tuple[str, str]]:
    """First and last of each run of successive characters."""
    runs: list[tuple[str, str]] = []
    for character in characters:
        if runs and ord(character) == ord(runs[-1][1]) + 1:
            runs[-1] = (runs[-1][0], character)
        else:
            runs.append((character, character))
    return runs
