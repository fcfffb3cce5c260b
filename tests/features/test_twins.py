"""The expressions against slow twins, and against a CommonMark parser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from charm_rm.features import FEATURES
from charm_rm.features.code import split_code
from charm_rm.features.measure import measure_raw
from charm_rm.features.texts import prepare, text_frame
from reference import slow_features as slow

PIECES = ["```", "```py", "````", "~~~", "\n", "\n\n", " ", "  ", "# ", "## x", "- a", "1. b", "12) c", "word", "It's", "’", "'", "你好",
          "né", "\u0301", "٣", "กำ", "ー", "_", "²", ".", "\r\n", "\t", "12", "Ω"]  # fmt: skip
TEXT = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


def raw(name: str, response: str, prompt: str = "") -> float:
    """The raw number of one feature of one response."""
    return float(measure_raw(text_frame([prompt], [response]), [FEATURES[name]])[0, 0])


@given(TEXT)
@example("a'’b 'c' d''e f'")
@example("你'a 1ー's")
def test_words(text: str) -> None:
    found = prepare(text_frame([""], [text]), {"words"})["words"]
    assert found.to_list() == [slow.words(text)]


@given(TEXT)
@example("````\n```\n- a\n````\nb")
@example("```a`b\n- c")
@example("~~~ `x\n```\n~~~~\nout\n```")
def test_code_and_prose(text: str) -> None:
    lines, blocks, is_open = slow.prose_lines(text)
    found = split_code(text.replace("\r\n", "\n").replace("\r", "\n"))
    assert (found.n_blocks, found.is_open) == (blocks, is_open)
    assert [line for line in found.prose.split("\n") if line] == [line for line in lines if line]
    assert raw("code_blocks", text) == blocks
    assert raw("headers", text) == slow.headers("\n".join(lines))
    assert raw("numbered", text) == slow.numbered("\n".join(lines))


@given(TEXT, TEXT)
def test_different_words(prompt: str, response: str) -> None:
    assert raw("type_token_ratio", response) == pytest.approx(slow.type_token_ratio(response))
    assert raw("prompt_overlap", response, prompt) == pytest.approx(slow.prompt_overlap(prompt, response))


@given(st.text(alphabet="aAb,.!*1٣- \n\t", max_size=60))
def test_tokens_and_digits(text: str) -> None:
    assert raw("distinct_tokens", text) == pytest.approx(slow.distinct_tokens(text))
    assert raw("digits", text) == slow.digits(text)


DOCUMENT = """# Title

Some **bold** and **more bold** text, a [link](https://a.b) and ![image](c.png).

- one
- two
  - within **two**

1. first
2. second

```python
# no header
- no bullet
[no](link) **bold**
```

~~~
open ``` within
~~~

| a | b |
|---|---|
| 1 | 2 |
| 3 | 4 |

### End
"""
COUNTS = ("headers", "bold", "bullets", "numbered", "code_blocks", "table_rows", "links")


def test_a_document_is_counted_as_commonmark_does() -> None:
    theirs = slow.markdown_counts(DOCUMENT)
    assert {name: raw(name, DOCUMENT) for name in COUNTS} == {name: theirs[name] for name in COUNTS}
    assert all(theirs.values())


@pytest.mark.realdata
def test_real_responses_are_counted_as_commonmark_does(real_data: Path) -> None:
    """All but bare addresses, which CommonMark takes for text, and bullets of other signs; a few odd documents aside."""
    frame = pl.read_parquet(real_data / "alpaca_eval" / "responses.parquet").sample(500, seed=0)
    names = [name for name in COUNTS if name != "links"]
    theirs = np.array([[slow.markdown_counts(text).get(n, 0) for n in names] for text in frame["response"]])
    ours = measure_raw(frame.select("prompt", "response"), [FEATURES[n] for n in names])
    assert ((ours == theirs).mean(axis=0) > 0.99).all()
    assert (theirs > 0).any(axis=0).all()
