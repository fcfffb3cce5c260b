"""Two small charts of the admin page, drawn here as SVG: no script, no style attribute, colours by class alone."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from markupsafe import Markup

_WIDTH, _HEIGHT, _BASE = 480, 122, 100


def votes_chart(periods: pl.DataFrame, period: str) -> Markup:
    """Bars of votes per period (``start``, ``votes``), oldest first; the table beside it says the same in numbers."""
    votes = periods["votes"].to_list()
    top = max([*votes, 1])
    step = _WIDTH / max(len(votes), 12)
    bars = [
        Markup('<rect class="column" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"></rect>').format(
            i * step, _BASE - _BASE * 0.82 * n / top, max(step - 2, 1), _BASE * 0.82 * n / top
        )
        for i, n in enumerate(votes)
        if n
    ]
    first, last = (_day(periods["start"][i]) for i in (0, -1)) if votes else ("", "")
    words = (
        f"Votes per {period}, from {first} to {last}; at most {top:,} in one." if votes else "No votes yet."
    )
    texts = [
        Markup('<text x="0" y="10">{}</text>').format(f"{top:,} per {period}"),
        Markup('<text x="0" y="116">{}</text>').format(first),
        Markup('<text x="{:.0f}" y="116" text-anchor="end">{}</text>').format(
            max(len(votes), 12) * step, last if len(votes) > 6 else ""
        ),
        Markup('<line class="axis" x1="0" y1="{0}" x2="{1}" y2="{0}"></line>').format(_BASE, _WIDTH),
    ]
    return _svg("votes-chart", "Votes over time", words, (_WIDTH, _HEIGHT), [*bars, *texts])


def interval_chart(
    rows: Sequence[tuple[str, float, float, float]], *, name: str, title: str, unit: str
) -> Markup:
    """A dot with its interval for each row (label, value, low, high), on one scale; labels stand in the table beside it."""
    low, high = min(r[2] for r in rows), max(r[3] for r in rows)
    pad = (high - low) * 0.04 or 1.0
    low, high = low - pad, high + pad

    def x(value: float) -> float:
        return (value - low) / (high - low) * _WIDTH

    marks = []
    for i, (label, value, start, end) in enumerate(rows):
        y = 20 + i * 26
        marks += [
            Markup('<text x="{:.1f}" y="{}"{}>{}</text>').format(
                min(max(x(value), 2), _WIDTH - 2), y - 6, _anchor(x(value)), label
            ),
            Markup('<line class="whisker" x1="{:.1f}" y1="{y}" x2="{:.1f}" y2="{y}"></line>').format(
                x(start), x(end), y=y
            ),
            Markup('<circle class="dot" cx="{:.1f}" cy="{}" r="4"></circle>').format(x(value), y),
        ]
    bottom = 20 + len(rows) * 26
    ends = [
        Markup('<line class="axis" x1="0" y1="{0}" x2="{1}" y2="{0}"></line>').format(bottom - 12, _WIDTH),
        Markup('<text x="0" y="{}">{}</text>').format(bottom + 4, f"{low:.0f} {unit}".strip()),
        Markup('<text x="{}" y="{}" text-anchor="end">{}</text>').format(
            _WIDTH, bottom + 4, f"{high:.0f} {unit}".strip()
        ),
    ]
    words = "; ".join(
        f"{label} {value:.0f}, 95 % interval {start:.0f} to {end:.0f}" for label, value, start, end in rows
    )
    return _svg(name, title, words, (_WIDTH, bottom + 10), [*marks, *ends])


def _anchor(x: float) -> Markup:
    """Labels near an end are kept inside the drawing."""
    where = "start" if x < _WIDTH * 0.2 else "end" if x > _WIDTH * 0.8 else "middle"
    return Markup(' text-anchor="{}"').format(where)


def _day(moment: object) -> str:
    return f"{moment:%d %b %H:%M}" if hasattr(moment, "strftime") else str(moment)


def _svg(name: str, title: str, words: str, size: tuple[int, int], parts: Sequence[Markup]) -> Markup:
    opening = Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-labelledby="{name}-title {name}-desc">'
        '<title id="{name}-title">{}</title><desc id="{name}-desc">{}</desc>'
    ).format(*size, title, words, name=name)
    return opening + Markup("").join(parts) + Markup("</svg>")
