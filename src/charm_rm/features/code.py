"""Fenced code told from prose, by the rules of CommonMark: line by line, in linear time."""

from __future__ import annotations

import re
from typing import NamedTuple

_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})([^\n]*)$", re.MULTILINE)


class Split(NamedTuple):
    """A text without its code blocks, how many it has, and whether the last one is left open."""

    prose: str
    n_blocks: int
    is_open: bool


def split_code(text: str) -> Split:
    """Take a text apart.

    A block opens by a line of three or more backticks (with none after them) or tildes, indented or not, and closes by a line of at
    least as many of the same and nothing else, or by the end of the text. Fences within quotes (``> ```) are text.
    """
    prose: list[str] = []
    n_blocks, opened, end = 0, "", 0
    for found in _FENCE.finditer(text):
        fence, rest = found[1], found[2]
        if not opened and not (fence[0] == "`" and "`" in rest):
            prose.append(text[end : found.start()])
            n_blocks, opened = n_blocks + 1, fence
        elif opened and fence.startswith(opened) and not rest.strip():
            opened, end = "", found.end()
    if not opened:
        prose.append(text[end:])
    return Split("".join(prose), n_blocks, bool(opened))
