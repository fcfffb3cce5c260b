"""Features the long way: one character, one line, one token at a time. Slow, readable, and written apart from the expressions.

``markdown_counts`` is what a CommonMark parser sees, another library's.
"""

from __future__ import annotations

import unicodedata
from collections import Counter

SPACELESS = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")


def words(text: str) -> list[str]:
    """Letters, marks and digits in a row, apostrophes between them; letters of scripts without spaces each alone."""
    found: list[str] = []
    glued = False  # whether the next character may go on with the last word
    text = unicodedata.normalize("NFC", text).lower()
    for at, character in enumerate(text):
        kind = unicodedata.category(character)
        if character in "'’" and glued and not alone(found[-1][0]):
            after = text[at + 1 : at + 2]
            glued = bool(after) and in_words(after) and not alone(after)
            if glued:
                found[-1] += character
        elif glued and kind[0] == "M":
            found[-1] += character
        elif not in_words(character):
            glued = False
        elif alone(character) or not glued or alone(found[-1][0]):
            found.append(character)
            glued = True
        else:
            found[-1] += character
    return found


def in_words(character: str) -> bool:
    """A letter, mark, digit or letter-like number."""
    return unicodedata.category(character) in {"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl"}


def alone(character: str) -> bool:
    """Of a script that puts no space between words."""
    return unicodedata.name(character, "").startswith(SPACELESS)


def prose_lines(text: str) -> tuple[list[str], int, bool]:
    """Lines outside code blocks, the number of blocks, and whether the last is open."""
    lines, blocks, fence = [], 0, ""
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        bare = line.strip(" \t")
        mark = bare[:1]
        length = len(bare) - len(bare.lstrip(mark)) if mark and mark in "`~" else 0
        if fence:
            if mark == fence[0] and length >= len(fence) and not bare[length:].strip():
                fence = ""
        elif length >= 3 and not (mark == "`" and "`" in bare[length:]):
            blocks, fence = blocks + 1, mark * length
        else:
            lines.append(line)
    return lines, blocks, bool(fence)


def type_token_ratio(text: str) -> float:
    """Different words per word."""
    counted = Counter(words(text))
    return len(counted) / counted.total() if counted else 0.0


def distinct_tokens(text: str) -> float:
    """Different tokens between white space per token."""
    tokens = text.lower().split()
    return len(set(tokens)) / len(tokens) if tokens else 0.0


def digits(text: str) -> int:
    """Decimal digits."""
    return sum(unicodedata.category(c) == "Nd" for c in text)


def prompt_overlap(prompt: str, response: str) -> float:
    """Share of the response's different words that the prompt has."""
    said, asked = set(words(response)), set(words(prompt))
    return len(said & asked) / len(said) if said else 0.0


def headers(text: str) -> int:
    """Lines that begin with one to six # and a space."""
    return sum(is_header(line) for line in text.strip().split("\n"))


def is_header(line: str) -> bool:
    """At most three spaces, hashes, white space."""
    bare = line.lstrip(" ")
    hashes = len(bare) - len(bare.lstrip("#"))
    return len(line) - len(bare) <= 3 and 1 <= hashes <= 6 and bare[hashes : hashes + 1] in (" ", "\t")


def numbered(text: str) -> int:
    """Lines that begin with up to three digits, a dot or bracket, and white space."""
    found = 0
    for line in text.strip().split("\n"):
        bare = line.lstrip(" \t")
        digits = len(bare) - len(bare.lstrip("0123456789"))
        found += (
            1 <= digits <= 3
            and bare[digits : digits + 1] in (".", ")")
            and bare[digits + 1 : digits + 2] in (" ", "\t")
        )
    return found


def markdown_counts(text: str) -> dict[str, int]:
    """Counts of a CommonMark parser, tables included."""
    from markdown_it import MarkdownIt

    found: Counter[str] = Counter()
    lists: list[str] = []
    names = {"bullet_list_open": "bullets", "ordered_list_open": "numbered"}
    plain = {"fence": "code_blocks", "tr_open": "table_rows"}
    inline = {"strong_open": "bold", "link_open": "links", "image": "links"}
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type in names:
            lists.append(names[token.type])
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            lists.pop()
        elif token.type == "list_item_open":
            found[lists[-1]] += 1
        elif token.type == "heading_open" and token.markup.startswith("#"):
            found["headers"] += 1
        elif token.type in plain:
            found[plain[token.type]] += 1
        found.update(inline[child.type] for child in token.children or () if child.type in inline)
    return dict(found)
