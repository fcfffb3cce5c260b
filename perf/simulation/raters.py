"""Verdicts on raters: how often careful ones look careless, whatever their taste, and how often careless ones are found.

One odd rater among careful ones who are alike (``tastes 0``) or differ (``tastes 1``, a standard deviation of a taste, in log-odds). ``told``: the
share of what a rater sees that is attention checks, and as much again that is repeats. ``shared``: the share of votes on comparisons of two
raters. ``model``: whether a model and the lengths of answers are there to hold votes against.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from charm_rm.study.raters.judging import judge_raters
from charm_rm.study.results import CARELESS, OTHER_TASTE, UNCLEAR

from ._raters import ODD, careful, draw_study
from .cell import Cell, Figure, figure, size

_HONEST = ("opposite", "own taste", "shorter")


def one_study(
    rng: np.random.Generator, *, odd: str, raters: int, votes: int, told: float, tastes: float = 0.0, shared: float = 0.5, model: bool = False
) -> Mapping[str, float]:  # fmt: skip
    """What one study says of the odd rater, who comes first, and of the careful ones."""
    people = careful(rng, raters, tastes=tastes)
    if odd != "none":
        people[0] = ODD[odd]
    study = draw_study(rng, people, votes=votes, shared=shared, told=told, model=model)
    verdict = dict(judge_raters(study).select("rater", "verdict").iter_rows())
    mine = verdict.pop("r0") if odd != "none" else ""
    others = list(verdict.values())
    return {
        "a careful one looks careless": float(CARELESS in others),
        "a careful one has any verdict": float(any(others)),
        **{one: float(mine == one) for one in (CARELESS, OTHER_TASTE, UNCLEAR)},
        "any verdict": float(bool(mine)),
    }


# Who is found at least so often, by odd rater and ``told``, among eight of 120 votes: a rerun sees where it is lost.
_FOUND = {
    ("opposite", 0.05): (OTHER_TASTE, 0.7),
    ("left", 0.05): (CARELESS, 0.8),
    ("ties", 0.05): (CARELESS, 0.8),
    ("hasty", 0.05): (CARELESS, 0.8),
    ("clicker", 0.1): (CARELESS, 0.6),
}


def cell(odd: str, *, any_verdict: float = 0.06, **settings: object) -> Cell:
    """One setting; ``any_verdict``: how often, at most, a careful rater has any verdict, where that is known to be more."""
    whole = {"odd": odd, "raters": 8, "votes": 120, "told": 0.05, **settings}
    plain = whole == {"odd": odd, "raters": 8, "votes": 120, "told": whole["told"]}
    verdict, least = _FOUND.get((odd, whole["told"]), ("", 0.0)) if plain else ("", 0.0)

    def share(name: str) -> Figure:
        return figure(name, band=(least if name == verdict else 0.0, 1.0))

    figures: list[Figure] = [size("a careful one looks careless")]
    if odd == "none":
        figures.append(size("a careful one has any verdict", band=(0.0, any_verdict)))
    elif odd in _HONEST:
        figures += [size(CARELESS), share(OTHER_TASTE), share(UNCLEAR)]
    else:
        figures += [share(CARELESS), size(OTHER_TASTE), share("any verdict")]
    return Cell(whole, one_study, tuple(figures), replicates=200, small=12 if verdict else 3)


def cells() -> list[Cell]:
    """Careful raters, few and many, with few votes and many; one of another taste among them; one who clicks, leans left, ties or rushes."""
    usual = [
        {"raters": n, "votes": v} for n, v in ((3, 60), (3, 200), (8, 30), (8, 120), (15, 60), (15, 200))
    ]
    with_and_without = [{"told": 0.05}, {"told": 0.0}]
    return [
        *(cell("none", **one, **told) for one in usual for told in with_and_without),
        *(cell("none", **one, tastes=1.0, any_verdict=1.0) for one in usual),
        cell("none", tastes=1.0, told=0.0, any_verdict=1.0),
        cell("none", tastes=1.0, model=True, any_verdict=1.0),
        *(cell("opposite", **one, **told) for one in usual for told in with_and_without),
        *(cell("own taste", **one, **told) for one in usual[1::2] for told in with_and_without),
        *(cell(odd, model=True, **told) for odd in _HONEST for told in with_and_without),
        *(cell("clicker", **one, **told) for one in usual for told in with_and_without),
        *(
            cell("clicker", shared=0.3, model=model, **told)
            for model in (False, True)
            for told in with_and_without
        ),
        *(
            cell(odd, **told)
            for odd in ("half clicker", "left", "ties", "hasty")
            for told in with_and_without
        ),
        cell("clicker", told=0.1),
    ]
