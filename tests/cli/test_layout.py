"""Tables at any width: a number is whole or absent, no line is longer than the screen, what is left out is said."""

from __future__ import annotations

import re

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.cli.layout import Column, Layout, cell_width, table_lines, wrapped
from charm_rm.cli.tables import framed

WORDS = st.lists(st.text("abcXYZ-._0139", min_size=1, max_size=12), min_size=1, max_size=6).map(" ".join)
NUMBERS = st.floats(-1e6, 1e6).map(lambda x: f"{x:.3g}") | st.tuples(st.floats(-9, 9), st.floats(-9, 9)).map(
    lambda ends: f"[{ends[0]:+.2f}, {ends[1]:+.2f}]"
)


@st.composite
def tables(draw: st.DrawFn) -> Layout:
    rows = draw(st.integers(1, 4))

    def column(name: str, cells: st.SearchStrategy[str], *, number: bool) -> Column:
        shown = tuple(draw(st.lists(cells, min_size=rows, max_size=rows)))
        return Column(name, shown, number=number, extra=draw(st.booleans()))

    key = Column("policy", tuple(f"k{i}" for i in range(rows)))
    some = [column(f"text {i}", WORDS, number=False) for i in range(draw(st.integers(0, 2)))]
    some += [column(f"figure_{i}", NUMBERS, number=True) for i in range(draw(st.integers(0, 5)))]
    left_out = draw(st.sampled_from([0, 17]))
    return Layout((key, *some), left_out=left_out, gap=draw(st.integers(0, rows)))


def tokens(text: str) -> set[str]:
    return set(re.findall(r"[^\s\[\](),;|]+", text))


@given(tables(), st.integers(40, 200))
def test_every_figure_is_whole_and_every_line_fits(table: Layout, width: int) -> None:
    lines = table_lines(table, width)
    assert all(cell_width(line) <= width for line in lines)
    whole = tokens("\n".join(table_lines(table, None)))
    note = re.compile(r"\(too narrow for: .*", re.DOTALL)
    text = "\n".join(lines)
    rule = {t for t in tokens(text) if set(t) == {"-"}}
    names = {part for c in table.columns for part in re.split(r"(?<=_)| ", c.name)}
    assert tokens(note.sub("", text)) - rule <= whole | names


@given(tables(), st.integers(40, 200))
def test_a_column_is_shown_or_named_as_left_out(table: Layout, width: int) -> None:
    text = "\n".join(table_lines(table, width))
    note = text.partition("(too narrow for:")[2]
    for column in table.columns:
        told = re.search(rf"\b{column.name}\b", " ".join(note.split())) is not None
        assert column.extra if told else all(cell in text for cell in _one_line(column))


def _one_line(column: Column) -> list[str]:
    """Cells that are never broken."""
    return [c for c in column.cells if column.number or " " not in c]


@given(WORDS, st.integers(1, 30))
def test_wrapping_keeps_every_word(text: str, width: int) -> None:
    assert " ".join(wrapped(text, width)).split() == text.split()


def test_an_interval_is_one_word() -> None:
    assert wrapped("sharpness 2.03 [1.79, 2.27]", 22) == ["sharpness 2.03", "[1.79, 2.27]"]
    assert wrapped("    figure: 0.1 (open, +2.1]", 20, hang=2) == ["    figure: 0.1", "      (open, +2.1]"]


def test_side_by_side_then_without_extras_then_stacked() -> None:
    frame = pl.DataFrame(
        {"policy": ["gpt-4"], "favour": [12.25], "q": ["2.4e-179"], "verdict": ["wins too often"]}
    )
    table = framed(frame, digits=1, extra=("q",))
    assert table_lines(table, 42) == [
        "policy  favour         q  verdict",
        "------  ------  --------  --------------",
        "gpt-4     12.2  2.4e-179  wins too often",
    ]
    assert table_lines(table, 32) == [
        "policy  favour  verdict",
        "------  ------  --------------",
        "gpt-4     12.2  wins too often",
        "(too narrow for: q; widen the",
        "window, or see --csv or --json)",
    ]
    assert table_lines(table, 26) == [
        "gpt-4",
        "  favour 12.2   q 2.4e-179",
        "  verdict wins too often",
    ]


def test_rows_left_out_are_counted_where_they_are_missing() -> None:
    frame = pl.DataFrame({"policy": list("abcdef"), "n": range(6)})
    lines = table_lines(framed(frame, digits=1, limit=2, tail=1), None, more=" (--all shows all)")
    assert lines[2:] == ["a       0", "b       1", "... 3 more (--all shows all)", "f       5"]


def test_wide_characters_count_twice() -> None:
    table = framed(pl.DataFrame({"policy": ["通义千问", "b"], "n": [1, 22]}), digits=0)
    assert [cell_width(line) for line in table_lines(table, None)[2:]] == [12, 12]
