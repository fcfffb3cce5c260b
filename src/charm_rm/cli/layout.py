"""Tables as lines of text for a screen of any width. A number is never cut or folded.

Where a table is wider than the screen, first its text columns wrap between words; then the columns marked ``extra`` are left out,
which is said below it; and where that does not suffice every row becomes a few lines of ``name value``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

Style = Callable[[str, str], str]  # (column, text) -> the text with colours

_GAP = 2  # blanks between columns, and before the lines of a stacked row
_PROSE = 24  # a text column is not made narrower than this, unless all of it is
_WIDEST = 80  # of a text column where there is no screen: prose stays readable


@dataclass(frozen=True)
class Column:
    """One column: its cells as shown, one a row.

    ``number``: set to the right, each cell on one line. ``extra``: left out first where the screen is narrow.
    """

    name: str
    cells: tuple[str, ...]
    number: bool = False
    extra: bool = False


@dataclass(frozen=True)
class Layout:
    """Columns of equal length; ``left_out`` rows are missing before row ``gap``."""

    columns: tuple[Column, ...]
    left_out: int = 0
    gap: int = 0


def table_lines(table: Layout, width: int | None, *, more: str = "", style: Style | None = None) -> list[str]:
    """The table in lines of at most ``width`` cells (``None``: no limit); only a single word longer than that goes beyond.

    ``more`` says how to see the rows left out. ``style`` colours a cell.
    """
    style = style or (lambda _column, text: text)
    shown, dropped = _that_fit(table.columns, width)
    rows = len(table.columns[0].cells) if table.columns else 0
    gap = f"... {table.left_out} more{more}" if table.left_out else None
    if shown is None:
        return _stacked(table, rows, width or 0, gap, style)
    widths = _widths(shown, width)
    lines = [*_header(shown, widths), " ".join(("-" * w).ljust(w + 1) for w in widths).rstrip()]
    for row in range(rows):
        if gap and row == table.gap:
            lines.append(gap)
        lines += _row(shown, widths, row, style)
    if gap and table.gap >= rows:
        lines.append(gap)
    if dropped:
        note = f"(too narrow for: {', '.join(dropped)}; widen the window, or see --csv or --json)"
        lines += wrapped(note, width)
    return lines


def wrapped(text: str, width: int | None, *, hang: int = 0) -> list[str]:
    """The text in lines of at most ``width`` cells, broken between words; further lines are set in by its own indent and ``hang``.

    A word longer than a line has a line of its own, whole.
    """
    if width is None or cell_width(text) <= width:
        return [text]
    indent = text[: len(text) - len(text.lstrip(" "))]
    lines, line, start = [], indent, True
    for word in _words(text):
        if not start and cell_width(line) + 1 + cell_width(word) > width:
            lines.append(line)
            line, start = indent + " " * hang, True
        line, start = line + ("" if start else " ") + word, False
    return [*lines, line]


# An interval is one word: never broken between its ends.
_INTERVAL = re.compile(r"[\[(][^\s\[\]()]{1,30}, [^\s\[\]()]{1,30}[\])]")


def _words(text: str) -> list[str]:
    glued = _INTERVAL.sub(lambda found: found[0].replace(" ", "\0"), text.strip(" "))
    return [word.replace("\0", " ") for word in glued.split(" ")]


def cell_width(text: str) -> int:
    """How many cells of a terminal the text takes: two for a wide character."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


# --- which columns, how wide ---------------------------------------------------------------------


def _that_fit(columns: Sequence[Column], width: int | None) -> tuple[tuple[Column, ...] | None, list[str]]:
    """The columns that fit side by side, and the names of those left out for it; ``None`` where they do not."""
    kept = list(columns)
    dropped: list[str] = []
    extras = [c for c in columns if c.extra]
    while width is not None and _total([_narrowest(c) for c in kept]) > width:
        if not extras:
            return None, []
        last = extras.pop()
        kept = [c for c in kept if c is not last]
        dropped.insert(0, last.name)
    return tuple(kept), dropped


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _narrowest(column: Column) -> int:
    head = max(map(cell_width, _parts(column.name)), default=0)
    if column.number:
        return max(head, _natural(column))
    words = max((cell_width(w) for cell in column.cells for w in _words(cell)), default=0)
    return max(head, words, min(_natural(column), _PROSE))


def _natural(column: Column) -> int:
    return max(map(cell_width, column.cells), default=0)


def _widths(columns: Sequence[Column], width: int | None) -> list[int]:
    """Widths of columns that fit: what is left over goes to cells first, then to names."""
    widths = [_narrowest(c) for c in columns]
    left = None if width is None else width - _total(widths)
    for wanted in ([_natural(c) for c in columns], [cell_width(c.name) for c in columns]):
        for i, want in enumerate(wanted):
            most = want if columns[i].number or left is not None else min(want, _WIDEST)
            more = max(0, most - widths[i])
            if left is not None:
                more = min(more, left)
                left -= more
            widths[i] += more
    return widths


# --- lines ----------------------------------------------------------------------------------------


def _parts(name: str) -> list[str]:
    """A column's name where it may be broken: at blanks, and after underscores."""
    return [part for part in re.split(r" |(?<=_)", name) if part]


def _header(columns: Sequence[Column], widths: Sequence[int]) -> list[str]:
    stacks = [_name_lines(c.name, w) for c, w in zip(columns, widths, strict=True)]
    height = max(map(len, stacks), default=0)
    rows = [[""] * (height - len(stack)) + stack for stack in stacks]
    return [
        _line([_padded(row[i], w, c.number) for row, c, w in zip(rows, columns, widths, strict=True)])
        for i in range(height)
    ]


def _name_lines(name: str, width: int) -> list[str]:
    if cell_width(name) <= width:
        return [name]
    lines: list[str] = []
    for part in _parts(name):
        joint = "" if lines and lines[-1].endswith("_") else " "
        if lines and cell_width(lines[-1] + joint + part) <= width:
            lines[-1] += joint + part
        else:
            lines.append(part)
    return lines


def _row(columns: Sequence[Column], widths: Sequence[int], row: int, style: Style) -> list[str]:
    cells = [
        [c.cells[row]] if c.number else wrapped(c.cells[row], w) for c, w in zip(columns, widths, strict=True)
    ]
    return [
        _line(
            [
                _padded(cell[i] if i < len(cell) else "", w, c.number, style=partial(style, c.name))
                for cell, c, w in zip(cells, columns, widths, strict=True)
            ]
        )
        for i in range(max(map(len, cells)))
    ]


def _line(cells: Sequence[str]) -> str:
    return (" " * _GAP).join(cells).rstrip()


def _padded(
    text: str, width: int, to_the_right: bool, *, style: Callable[[str], str] = lambda text: text
) -> str:
    blanks = " " * (width - cell_width(text))
    return blanks + style(text) if to_the_right else style(text) + blanks


def _stacked(table: Layout, rows: int, width: int, gap: str | None, style: Style) -> list[str]:
    """Every row as its first cell, and under it ``name value`` for the others, as many to a line as fit."""
    lines: list[str] = []
    for row in range(rows + 1):
        if gap and row == table.gap:
            lines.append(gap)
        if row < rows:
            first, *others = (replace(c, cells=(c.cells[row],)) for c in table.columns)
            lines += [*wrapped(first.cells[0], width, hang=_GAP), *_items(others, width, style)]
    return lines


def _items(columns: Sequence[Column], width: int, style: Style) -> list[str]:
    indent, lines, line, used = " " * _GAP, [], "", 0
    for column in columns:
        if not column.cells[0].strip():
            continue
        item = f"{column.name} {column.cells[0]}"
        size = cell_width(item)
        if line and used + _GAP + 1 + size > width:
            lines.append(line)
            line = ""
        coloured = f"{column.name} {style(column.name, column.cells[0])}"
        if size + _GAP > width:  # longer than a line: broken between words
            lines += wrapped(f"{indent}{item}", width, hang=_GAP)
        elif line:
            line, used = f"{line}{' ' * (_GAP + 1)}{coloured}", used + _GAP + 1 + size
        else:
            line, used = f"{indent}{coloured}", _GAP + size
    return [*lines, line] if line else lines
