"""A frame as the cells of a table on the screen, and as a table of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..visible import as_markdown, visible
from .layout import Column, Layout

if TYPE_CHECKING:
    import polars as pl

# Text that is numbers: an interval, a figure with its interval, wins:losses. Never broken, set to the right.
_NUMBERS = re.compile(r"(?:[\s\d.,:;<>+()\[\]%/-]|open|inf|nan|e(?=[+-]\d))*")


def framed(
    frame: pl.DataFrame, *, digits: int, limit: int | None = None, tail: int = 0, extra: Sequence[str] = ()
) -> Layout:
    """The rows that are shown: the first ``limit`` and the last ``tail``, all where there are no more."""
    first = limit if limit and frame.height > limit + tail else frame.height
    left_out = max(0, frame.height - first - tail)
    shown = frame.head(first).vstack(frame.tail(tail)) if left_out else frame
    columns = tuple(
        _column(shown[name], digits, extra=name in extra, key=i == 0) for i, name in enumerate(frame.columns)
    )
    return Layout(columns, left_out=left_out, gap=first)


def _column(values: pl.Series, digits: int, *, extra: bool, key: bool) -> Column:
    cells = tuple(shown(value, digits) for value in values)
    numbers = not key and any(cells) and all(_NUMBERS.fullmatch(cell) for cell in cells)
    return Column(visible(values.name), cells, number=values.dtype.is_numeric() or numbers, extra=extra)


def shown(value: Any, digits: int) -> str:
    """A value as the text of a cell: of one too small for the digits its first one."""
    if value is None:
        return "-"
    if isinstance(value, float):
        small = 0 < abs(value) < 0.5 * 10**-digits
        return f"{value:.0e}" if small else f"{value:.{digits}f}"
    return visible(str(value))


def markdown_table(table: Layout, *, more: str = "") -> Iterator[str]:
    """The table as GitHub-flavoured Markdown: no name in it is markup, HTML or a further cell."""
    yield _markdown_row([as_markdown(c.name) for c in table.columns])
    yield _markdown_row(["---:" if c.number else "---" for c in table.columns])
    for row in range(len(table.columns[0].cells) + 1 if table.columns else 0):
        if table.left_out and row == table.gap:
            words = f"... {table.left_out} more{more}"
            yield _markdown_row([words, *[""] * (len(table.columns) - 1)])
        if row < len(table.columns[0].cells):
            yield _markdown_row([_markdown_cell(c, row) for c in table.columns])


def _markdown_cell(column: Column, row: int) -> str:
    text = column.cells[row]
    return text.replace("<", "&lt;") if column.number and _NUMBERS.fullmatch(text) else as_markdown(text)


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
