"""No cell that a spreadsheet would run leaves as CSV."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.study.sheets import spreadsheet_safe

RUNS = ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠x"]


def test_what_would_run_gets_an_apostrophe_and_nothing_else_changes() -> None:
    frame = pl.DataFrame(
        {"=a": RUNS, "n": [-1] * len(RUNS), "fine": ["a=b"] * len(RUNS), "none": [None] * len(RUNS)}
    )
    safe = spreadsheet_safe(frame)
    assert safe.columns == ["'=a", "n", "fine", "none"]
    assert safe["'=a"].to_list() == ["'" + text for text in RUNS]
    assert safe.drop("'=a").equals(frame.drop("=a"))


@given(st.lists(st.text()))
def test_no_text_begins_a_formula(texts: list[str]) -> None:
    frame = pl.DataFrame({"text": texts}, schema={"text": pl.String})
    safe = spreadsheet_safe(frame)
    assert not any(text[:1] in {t[0] for t in RUNS} for text in safe["text"].to_list() if text)
    assert [
        text.removeprefix("'") if a != text else text for text, a in zip(safe["text"], texts, strict=True)
    ] == texts
