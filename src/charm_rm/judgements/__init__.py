"""Judgements that exist already -> Margins, Scores or WinRates: AlpacaEval, Arena-Hard, MT-Bench, tables of one's own."""

from __future__ import annotations

from .folder import holds_judgements
from .layouts import layout_of
from .load import holds_grades, judged_from_frame, load_judged, load_judgements
from .margins import MARGIN_BOUND, SURE
from .pair_rows import VERDICTS

__all__ = [
    "MARGIN_BOUND",
    "SURE",
    "VERDICTS",
    "holds_grades",
    "holds_judgements",
    "judged_from_frame",
    "layout_of",
    "load_judged",
    "load_judgements",
]
