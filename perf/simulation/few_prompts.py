"""Few prompts and many votes on each: intervals of a share, and of a difference that is a share of the votes where models disagree.

Prompts differ in how often people agree (``spread``: standard deviation, beta distributed; or a share of them is ``odd``, at ``at``). Ties agree by
half. ``narrower``: the width beside that with one further prompt of G, in place of one of up to 1.5 G.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from charm_rm.statistics import FloatArray
from charm_rm.study.estimates.clusters import effective_number
from charm_rm.study.estimates.intervals import Ranged, ranged_difference, ranged_share

from .cell import Cell, coverage, figure

BOUND = 0.3  # how often two models disagree


def one_study(
    rng: np.random.Generator,
    *,
    prompts: int,
    votes: int,
    agree: float,
    spread: float,
    ties: float = 0.0,
    odd: float = 0.0,
    at: float = 0.0,
) -> Mapping[str, float]:
    """Whether the intervals of one study hold the truth, and how wide they are."""
    sided = _of_prompts(rng, prompts, (agree - ties / 2) / (1 - ties), spread / (1 - ties))
    sided = np.where(rng.random(prompts) < odd, at, sided)
    truth = (1 - odd) * agree + odd * ((1 - ties) * at + ties / 2)
    size = votes if not ties else 1 + rng.poisson(votes * rng.gamma(2.0, 0.5, prompts))  # ties: uneven, too
    size = np.broadcast_to(size, (prompts,))
    tied = rng.binomial(size, ties)
    share, *known = _told(rng.binomial(size - tied, sided) + 0.5 * tied, size.astype(np.float64))
    variance, df, n_prompts, n_votes = known
    found = ranged_share(share, variance, df, n_prompts, votes=n_votes)
    before = ranged_share(share, variance, df, n_prompts, votes=n_prompts)
    delta = BOUND * (2 * share - 1)
    gap = ranged_difference(delta, BOUND, variance * (2 * BOUND) ** 2, df, n_prompts, votes=n_votes)
    return {
        "share": _holds(found, truth),
        "with one of G": _holds(before, truth),
        "difference": _holds(gap, BOUND * (2 * truth - 1)),
        "width, points": 100 * (found.ci_high - found.ci_low),
        "narrower": (found.ci_high - found.ci_low) / (before.ci_high - before.ci_low),
    }


def _of_prompts(rng: np.random.Generator, n: int, mean: float, spread: float) -> FloatArray:
    """(n,) agreement of each prompt: beta distributed with that mean and standard deviation."""
    if spread == 0:
        return np.full(n, mean)
    size = mean * (1 - mean) / spread**2 - 1
    return rng.beta(mean * size, (1 - mean) * size, n)


def _told(agreed: FloatArray, size: FloatArray) -> tuple[float, float, float, float, float]:
    """Share, variance by prompt, degrees of freedom, prompts and votes in effect."""
    n = len(size)
    share = float(agreed.sum() / size.sum())
    influence = (agreed - share * size) / size.sum()
    variance = float(influence @ influence) * n / (n - 1)
    return share, variance, n - 1.0, effective_number(size), float(size.sum())


def _holds(found: Ranged, truth: float) -> float:
    return float(found.ci_low <= truth + 1e-12 and truth - 1e-12 <= found.ci_high)


def cell(*, band: tuple[float, float] = (0.935, 1.0), **settings: float) -> Cell:
    """One world; ``band`` of the coverage."""
    figures = (
        coverage("share", band=band),
        coverage("with one of G", band=band),
        coverage("difference", band=band),
        figure("width, points"),
        figure("narrower", band=(0.6, 1.0001)),
    )
    return Cell(dict(settings), one_study, figures, replicates=3000, small=60)


def cells() -> list[Cell]:
    """From 8 prompts to 40; prompts alike and very different; the worlds that decided; and some odd prompts, which nobody may have seen."""
    return [
        *(
            cell(prompts=n, votes=170, agree=agree, spread=spread)
            for n in (8, 13, 20, 40)
            for agree, spread in ((0.6, 0.0), (0.6, 0.1), (0.6, 0.2), (0.95, 0.05))
        ),
        cell(prompts=13, votes=30, agree=0.6, spread=0.1),
        cell(prompts=13, votes=30, agree=0.98, spread=0.0),
        cell(prompts=40, votes=170, agree=0.95, spread=0.2),
        cell(prompts=40, votes=170, agree=0.98, spread=0.1),
        cell(prompts=13, votes=170, agree=0.7, spread=0.2, ties=0.3),
        cell(prompts=20, votes=170, agree=0.7, spread=0.2, ties=0.3),
        cell(prompts=8, votes=170, agree=0.8, spread=0.1, ties=0.3),
        cell(prompts=13, votes=170, agree=0.7, spread=0.0, odd=0.1, at=0.3, band=(0.9, 1.0)),
        cell(prompts=20, votes=170, agree=0.95, spread=0.0, odd=0.05, at=0.5, band=(0.9, 1.0)),
        cell(prompts=13, votes=170, agree=0.65, spread=0.0, odd=0.1, at=0.0, band=(0.75, 1.0)),
    ]
