"""Markdown as tokens: CommonMark with tables, struck-out text and formulas, and a bound on the work that a text can cause."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin

# Steps of the parser that a text may take (an answer of 2,000 words takes some 5,000), and how deep its blocks may nest.
MOST_STEPS = 50_000
DEEPEST = 24

InlineRule = Callable[[StateInline, bool], bool]


class TooMuch(Exception):
    """Formatting this text would take too long, or nests too deep."""


class _Parser(MarkdownIt):
    """Addresses stay as they were written: they are shown, never followed."""

    def normalizeLink(self, url: str) -> str:
        return url

    def normalizeLinkText(self, link: str) -> str:
        return link


@cache
def parser() -> MarkdownIt:
    """The parser, made once; it may be used by several threads.

    Raw HTML is text. Definitions of references (``[1]: address``), which Markdown would not show, stay text, too.
    """
    made = _Parser("commonmark", {"html": False, "breaks": True, "maxNesting": DEEPEST + 6})
    made.enable(["table", "strikethrough"]).disable(["html_block", "html_inline", "reference"])
    dollarmath_plugin(
        made,
        allow_labels=False,
        allow_space=False,
        allow_digits=False,
        allow_blank_lines=False,
        double_inline=True,
    )
    dollars = next(rule.fn for rule in made.inline.ruler.__rules__ if rule.name == "math_inline")
    made.inline.ruler.at("math_inline", _no_money(dollars))
    made.inline.ruler.before("escape", "math_brackets", _bracketed)
    made.block.ruler.before(
        "fence", "math_brackets", _bracketed_block, {"alt": ["paragraph", "blockquote", "list"]}
    )
    everywhere: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    made.block.ruler.before("table", "work", _counted_block, everywhere)
    made.inline.ruler.before("text", "work", _counted)
    made.core.ruler.after("block", "work", _counted_tokens)
    return made


def tokens_of(text: str) -> list[Token]:
    """The text's blocks.

    Raises:
        TooMuch: the work is beyond its bound; it is counted in steps, not in seconds, so that a text is shown to all in one way.
    """
    try:
        return parser().parse(text, {"steps": 0})
    except RecursionError:
        raise TooMuch("nested too deep") from None


def _step(env: Any, steps: int = 1) -> None:
    env["steps"] += steps
    if env["steps"] > MOST_STEPS:
        raise TooMuch("too many steps")


def _counted(state: StateInline, _silent: bool) -> bool:
    """A rule that matches nothing and is tried everywhere."""
    _step(state.env)
    return False


def _counted_block(state: StateBlock, _start: int, _end: int, _silent: bool) -> bool:
    """The same for blocks. At its own limit markdown-it would leave the rest of a text out; this one comes first."""
    _step(state.env)
    if state.level > DEEPEST:
        raise TooMuch("nested too deep")
    return False


def _counted_tokens(state: StateCore) -> None:
    """Between blocks and what is in them: each cell of a table is some tokens, which are laid out later."""
    _step(state.env, 2 * len(state.tokens))


def _no_money(dollars: InlineRule) -> InlineRule:
    """The rule for ``$x$``, which leaves prose between two prices alone: words, and nothing that only formulas have."""

    def rule(state: StateInline, silent: bool) -> bool:
        start, before = state.pos, len(state.tokens)
        pending = state.pending
        if not dollars(state, silent):
            return False
        if not state.src.startswith("$$", start) and _is_prose(state.src[start + 1 : state.pos - 1]):
            del state.tokens[before:]
            state.pos, state.pending = start, pending
            return False
        return True

    return rule


def _is_prose(content: str) -> bool:
    return (
        re.search(r"[\\^_={}<>+]", content) is None
        and re.search(r"\s", content) is not None
        and (re.search(r"(?:^|\s)[^\W\d_]{2,}(?:\s|$|[,.;:)])", content) is not None)
    )


def _bracketed(state: StateInline, silent: bool) -> bool:
    """``\\( x \\)`` and ``\\[ x \\]`` within a paragraph."""
    opening = state.src[state.pos : state.pos + 2]
    if opening not in ("\\(", "\\["):
        return False
    closing = "\\)" if opening == "\\(" else "\\]"
    if state.env.setdefault("unclosed" + closing, {}).get(state.src, -1) == state.posMax:
        return False
    end = state.src.find(closing, state.pos + 2, state.posMax)
    if end < 0:
        state.env["unclosed" + closing] = {
            state.src: state.posMax
        }  # so that a flood of openings costs one search
        return False
    content = state.src[state.pos + 2 : end]
    if not content.strip():
        return False
    if not silent:
        token = state.push("math_inline" if opening == "\\(" else "math_inline_double", "math", 0)
        token.content, token.markup = content, opening
    state.pos = end + 2
    return True


def _bracketed_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """``\\[`` at a line's beginning, up to the line that ends with ``\\]``; no blank line between."""
    if not _line(state, start).startswith("\\[") or state.is_code_block(start):
        return False
    lines: list[str] = []
    for line in range(start, end):
        text = _line(state, line).rstrip()
        if not text or state.sCount[line] < state.blkIndent:
            return False
        _step(state.env)
        lines.append(text)
        found = text.find("\\]")
        if found >= 0:
            return found == len(text) - 2 and (silent or _push_formula(state, lines, start, line))
    return False


def _push_formula(state: StateBlock, lines: Sequence[str], start: int, last: int) -> bool:
    token = state.push("math_block", "math", 0)
    token.block, token.markup, token.map = True, "\\[", [start, last + 1]
    token.content = "\n".join(lines)[2:-2]
    state.line = last + 1
    return True


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]
