"""Hidden characters are written out, and nothing else is touched."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from charm_rm.visible import json_visible, visible

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
