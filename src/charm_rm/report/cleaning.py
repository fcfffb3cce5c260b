"""Text from data made fit for the page, before anything reads it: whole tables, and an analysis of a study."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from ..study.results import StudyAnalysis
from .words import clean


def cleaned(frame: pl.DataFrame) -> pl.DataFrame:
    """All text cleaned before it meets the renderer, which a NUL would abort, and our process with it."""
    return frame.with_columns(pl.col(pl.String).map_elements(clean, return_dtype=pl.String))


def clean_study(found: StudyAnalysis) -> StudyAnalysis:
    """The analysis with all of its text fit for a page."""
    return replace(
        found,
        name=clean(found.name),
        warnings=tuple(clean(text) for text in found.warnings),
        agreement=cleaned(found.agreement),
        differences=cleaned(found.differences),
        people=cleaned(found.people),
        raters=cleaned(found.raters),
        ratings=cleaned(found.ratings),
        model_ratings=cleaned(found.model_ratings),
        favour=cleaned(found.favour),
    )
