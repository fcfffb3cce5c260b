"""Text from data made safe to show: what would steer a terminal, or turn a line around, is written out as ``\\x1b``."""

from __future__ import annotations

import re

# Controls (C0, DEL, C1), marks and overrides of direction, line separators, halves of characters, invisible tags.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]"
)

# What Markdown, or HTML within it, would read as more than itself.
_MARKUP = re.compile(r"[\\`*_{}\[\]<>|&~$]")


def visible(text: str, *, keep: str = "") -> str:
    """The text with hidden characters written out; those in ``keep`` (a line's end, say) stay.

    ``visible("a\\x1b[2J")`` is ``a\\\\x1b[2J``: nothing in it is an instruction any more.
    """
    return _HIDDEN.sub(lambda found: found[0] if found[0] in keep else _written_out(found[0]), text)


def as_markdown(text: str) -> str:
    """The text as Markdown shows it as it is: no markup, HTML, table cell or further line begins in it; :func:`visible` besides."""
    return _MARKUP.sub(r"\\\g<0>", visible(text.replace("\n", " ")))


def json_visible(text: str) -> str:
    """JSON text in which the same characters are escapes, so that it reads back as it was; its own line ends stay."""
    return _HIDDEN.sub(lambda found: found[0] if found[0] == "\n" else _as_json(found[0]), text)


def _written_out(character: str) -> str:
    if character in "\n\t\r":
        return repr(character)[1:-1]
    number = ord(character)
    return (
        f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}" if number < 65536 else f"\\U{number:08x}"
    )


def _as_json(character: str) -> str:
    halves = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{halves[i : i + 2].hex()}" for i in range(0, len(halves), 2))
