"""Hidden characters are written out, and nothing else is touched."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from charm_rm.visible import as_markdown, json_visible, visible

# The renderer that rich brings.
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")
HIDDEN = "\x00\x1b\x7f\x85\x9b\u202e\u2066\u200f\u061c\u2028\ud800\U000e0041"


def test_written_out() -> None:
    assert visible("a\x1b[2Jb") == "a\\x1b[2Jb"
    assert visible("x\u202ey\x9b\x00\n") == "x\\u202ey\\x9b\\x00\\n"
    assert visible("two\nlines\t.", keep="\n\t") == "two\nlines\t."
    assert visible("Zażółć 明天 ∑ 😀 👩‍👩‍👧 é") == "Zażółć 明天 ∑ 😀 👩‍👩‍👧 é"


@given(st.text() | st.text(alphabet=HIDDEN + "ab[m"))
def test_nothing_hidden_is_left(text: str) -> None:
    shown = visible(text)
    assert not set(shown) & set(HIDDEN)
    assert all(c.isprintable() or c not in HIDDEN for c in shown)
    assert visible(shown) == shown


@given(st.dictionaries(st.text(alphabet=HIDDEN + 'ab"\\'), st.text(alphabet=HIDDEN + "ab")))
def test_json_reads_back_as_it_was(value: dict[str, str]) -> None:
    text = json_visible(json.dumps(value, ensure_ascii=False, indent=2))
    assert not set(text) & set(HIDDEN)
    assert json.loads(text) == value


@given(st.text(alphabet="ab <>[]()!&#;|`*_~$\\\n\x1b-+=:/.'\"{}x3") | st.text())
def test_markdown_shows_it_as_it_is(text: str) -> None:
    """A renderer of Markdown, HTML and tables in it on, finds text and nothing else."""
    rendered = MARKDOWN.parse(f"start {as_markdown(text)} end")
    (inline,) = [token for token in rendered if token.type == "inline"]
    assert {child.type for child in inline.children or ()} <= {"text", "text_special"}
    shown = "".join(child.content for child in inline.children or ())
    assert shown == f"start {visible(text.replace(chr(10), ' '))} end"


def test_in_a_table_it_is_one_cell() -> None:
    table = f"| a | b |\n|---|---|\n| {as_markdown('x | y <img src=x> [l](h) `c`')} | z |"
    cells = [token.content for token in MARKDOWN.parse(table) if token.type == "inline"]
    assert len(cells) == 4
    assert "<img" not in MARKDOWN.render(table)
