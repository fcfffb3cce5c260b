"""Judgements that exist already -> Margins: AlpacaEval, Arena-Hard, MT-Bench pairs, a table of one's own."""

from __future__ import annotations

from .layouts import VERDICTS, layout_of
from .load import judgement_frame, judgements_from_frame, load_judgements
from .margins import MARGIN_BOUND, SURE

__all__ = [
    "MARGIN_BOUND",
    "SURE",
    "VERDICTS",
    "judgement_frame",
    "judgements_from_frame",
    "layout_of",
    "load_judgements",
]
