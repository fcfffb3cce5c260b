"""A result as HTML for notebooks: its few lines and the head of its main table. All text in it is escaped."""

from __future__ import annotations

from html import escape
from typing import Any

import polars as pl

from ..shown import Shown
from ..visible import visible
from .short import short

_ROWS, _COLUMNS, _LONGEST = 10, 12, 120


def html(result: Shown) -> str:
    """The result as one ``<div>``: nothing in it runs or is fetched, whatever a policy is called."""
    first, *more = short(result).split("\n")
    lines = "".join(f"<br/>{_safe(line.strip())}" for line in more)
    frame = next(iter(result.tables().values()))
    return f'<div class="charm"><p><b>{_safe(first)}</b>{lines}</p>{_table(frame)}</div>'


def _table(frame: pl.DataFrame) -> str:
    shown = frame[:_ROWS, :_COLUMNS]
    head = "".join(f"<th>{_safe(name)}</th>" for name in shown.columns)
    rows = "".join(f"<tr>{''.join(_cell(v) for v in row)}</tr>" for row in shown.iter_rows())
    more = [
        f"{left:,} more {what}"
        for left, what in ((frame.height - shown.height, "rows"), (frame.width - shown.width, "columns"))
        if left
    ]
    note = f"<p>... {' and '.join(more)}</p>" if more else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{note}"


def _cell(value: Any) -> str:
    if value is None:
        return "<td></td>"
    if isinstance(value, float):
        return f'<td style="text-align:right">{value:.4g}</td>'
    if isinstance(value, int) and not isinstance(value, bool):
        return f'<td style="text-align:right">{value:,}</td>'
    text = value if isinstance(value, str) else repr(value)
    return f"<td>{_safe(text if len(text) <= _LONGEST else text[:_LONGEST] + '...')}</td>"


def _safe(text: str) -> str:
    return escape(visible(text))
