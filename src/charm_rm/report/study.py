"""What a study's votes say, as one self-contained page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from markupsafe import Markup

from .. import store
from ..provenance import versions
from ..study import words as said
from ..study.results import StudyAnalysis
from . import words
from .cleaning import clean_study
from .figures._registry import Figure
from .figures.study import study_agreement, study_difference, study_raters, study_ratings
from .listings import Listing
from .page import asset, content_policy, environment
from .study_section import capital, study_section
from .theme import css_variables

_FIGURES = {
    "study_agreement": ("Agreement with people", study_agreement),
    "study_difference": ("Differences of agreement", study_difference),
    "study_ratings": ("Ratings by people", study_ratings),
    "study_raters": ("Raters", study_raters),
}


def write_study(found: StudyAnalysis, path: Path, *, force: bool = True) -> Path:
    """Write the page of an analysis.

    Raises:
        OutputExists: there is one, and ``force`` is off.
        WriteFailed: the file system refused.
    """
    return store.write_text(render_study(found), path, force=force)


def render_study(found: StudyAnalysis) -> str:
    """The page as HTML text: it fetches nothing, and text from data is escaped."""
    found = clean_study(found)
    css, script = css_variables() + asset("style.css"), asset("page.js")
    page = environment().get_template("study.html.j2")
    return page.render(
        heading=found.name,
        finding=capital(said.headline(found)),
        section=study_section(found),
        figures=list(_figures(found)),
        warnings=found.warnings,
        provenance=Listing(
            "provenance", "Provenance", [("Key", False), ("Value", False)], words.flatten(found.provenance)
        ),
        css=Markup(css),
        script=Markup(script),
        policy=content_policy(css, script),
        version=versions().get("charm-rm", ""),
        count=words.count,
    )


def _figures(found: StudyAnalysis) -> Iterator[Figure]:
    for key, (title, draw) in _FIGURES.items():
        for picture in draw(None, found):
            yield Figure(key, title, "study", picture)
