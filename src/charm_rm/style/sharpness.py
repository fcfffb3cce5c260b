"""Only the scale: the temperature at which a model's soft win rates are people's, with no feature corrected.

The scores stay as they are; what is learned is T, so that σ(margin / T) is the probability that people prefer a response.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CharmWarning, NoOverlap, NotIdentifiable, counted, noting_warnings
from ..given import ComparableLike, as_comparable
from ..margins import PairedMargins, blocks, only_policies, pair_margins
from ..offsets.results import measured_in
from ..ratings import Aliases, RatingsLike, Yardstick, as_ratings, expected_win_rate, match_ratings, yardstick
from ..settings import Unrated, check_draws
from ..solved_on import solved_on, warn_if_in_sample
from ..splits import fold_of
from ..statistics import FloatArray, IntArray, percentile_interval, sigmoid
from ..tables import Scores
from .calibrator import Calibrator
from .comparisons import Part, SomePairs, spread_of_margins, thinned
from .models import model_of
from .temperature import mean_soft, people_temperature

SOFT = "soft_mismatch"  # mean |mean_i σ(m_i / T) - P| over pairs
_CELLS = 20_000_000


def solve_sharpness(
    source: ComparableLike,
    ratings: RatingsLike,
    *,
    folds: int = 5,
    draws: int = 1000,
    seed: int = 0,
    aliases: Aliases | None = None,
    unrated: Unrated = "error",
) -> Calibrator:
    """Find the T that minimises Σ_kl (mean_i σ(m_kl,i / T) - P_kl)², and what it does on policies and prompts that were left out.

    Args:
        source: scores, or a judge's margins.
        ratings: of the policies.
        folds: of policies, for the figures.
        draws: for the interval of T, over prompts, policies and ratings; 0: none.
        seed: of folds and draws.
        aliases, unrated: as :func:`charm_rm.ratings.match_ratings`.

    Returns:
        A calibrator without features. ``held_out`` has one row, ``soft_mismatch``: mean abs(soft win rate - P) at T = 1 in the unit of the
        margins (``before``), and at temperatures fitted without the pair's fold and the prompt's half (``after``). The interval of T is
        in the provenance (``temperature_ci``).

    Raises:
        UnknownPolicy: a policy has no rating.
        NoOverlap: fewer than two rated policies.
        NotIdentifiable: all margins are 0, or no scale brings win rates nearer to people's.
    """
    source = as_comparable(source)
    ratings = as_ratings(ratings)
    check_draws(draws)
    with noting_warnings() as notes:
        warn_if_in_sample(source)
        matched = match_ratings(ratings, source.policies, aliases=aliases, unrated=unrated)
        source = only_policies(source, set(matched.policies))
        if len(source.policies) < 2:
            raise NoOverlap(
                f"{counted(len(source.policies), 'rated policy', 'rated policies')}: a scale needs at least 2",
                where="sharpness",
                fix="score the responses of more rated policies",
            )
        paired = pair_margins(source)
        spread = spread_of_margins(paired)
        if not spread > 0:
            raise NotIdentifiable(
                "all scores of a prompt are equal",
                where="sharpness",
                fix="check the scores (a constant model?)",
            )
        rated = yardstick(matched, paired.policies)
        expected = _expected(rated, paired)
        temperature = people_temperature(paired, expected, spread)
        ends = _interval(paired, rated, temperature, draws=draws, seed=seed)
        held_out = _held_out(paired, expected, spread, folds=folds, seed=seed)
    about: dict[str, Any] = {
        "verb": "solve_sharpness",
        "folds": folds,
        "draws": draws,
        "seed": seed,
        **measured_in(source),
        "n_prompts": paired.n_prompts,
        "n_policies": len(paired.policies),
        "temperature_ci": ends,
        "model": model_of(source),
        "warnings": notes,
    }
    return Calibrator(
        unit="score" if isinstance(source, Scores) else "log-odds",
        features=(),
        spread=spread,
        temperature=temperature,
        fit_temperature=temperature / spread,
        penalty=0.0,
        kept=1.0,
        solved_on=solved_on(source, paired.policies),
        held_out=tuple(held_out),
        provenance=about,
    )


def _expected(rated: Yardstick, paired: PairedMargins) -> FloatArray:
    k, r = paired.pairs.T
    return np.asarray(expected_win_rate(rated.rating[k], rated.rating[r]))


def _interval(
    paired: PairedMargins, rated: Yardstick, temperature: float, *, draws: int, seed: int
) -> list[float] | None:
    """The 95 % interval of T by one Gauss-Newton step in log T a draw: prompts and policies re-weighted, ratings drawn.

    d mean_i σ(m_i / T) / d log T = -mean_i σ'(m_i / T) m_i / T.
    """
    if not draws:
        return None
    rng = np.random.default_rng(seed)
    ratings = rated.draw(draws, rng)
    policies = rng.standard_exponential((draws, len(rated.policies)))
    top, bottom = np.zeros(draws), np.zeros(draws)
    whole = Part(
        paired,
        np.zeros((len(paired.policies), paired.n_prompts, 0)),
        _expected(rated, paired),
        np.ones(len(paired.pairs)),
    )
    for part in thinned(whole, _CELLS, rng):
        k, r = part.paired.pairs.T
        margins = part.paired.rows(slice(None)) / temperature
        there = ~np.isnan(margins)
        soft = np.where(there, sigmoid(np.where(there, margins, 0.0)), 0.0)
        steep = soft * (1.0 - soft) * np.where(there, margins, 0.0)
        slope = -steep.sum(axis=1) / np.maximum(there.sum(axis=1), 1)
        prompts = rng.standard_exponential((draws, part.paired.n_prompts))
        rate = (prompts @ soft.T) / np.maximum(prompts @ there.T.astype(np.float64), 1e-300)
        count = policies[:, k] * policies[:, r]
        gap = expected_win_rate(ratings[:, k], ratings[:, r]) - rate
        top += (count * gap) @ slope
        bottom += count @ slope**2
    drawn = temperature * np.exp(np.clip(top / np.maximum(bottom, 1e-300), -20, 20))
    low, high = percentile_interval(drawn)
    return [float(low), float(high)]


def _held_out(
    paired: PairedMargins, expected: FloatArray, spread: float, *, folds: int, seed: int
) -> list[dict[str, Any]]:
    """One row of mean |soft win rate - P|: before (T = 1), and after, cross-fitted over policies and prompts; none where nothing can be left out."""
    fold = _dealt(paired, folds, seed)
    halves = fold_of(paired.prompts, 2, seed=seed)
    gaps: list[FloatArray] = []
    before: list[FloatArray] = []
    if fold is not None and len(set(halves.tolist())) == 2:
        for one in range(int(fold.max()) + 1):
            inside = (fold == one)[paired.pairs].any(axis=1)
            for half in (0, 1):
                found = _gaps(paired, expected, spread, inside, halves == half)
                if found is not None:
                    before.append(found[0])
                    gaps.append(found[1])
    if not gaps:
        warnings.warn(
            "too few policies or prompts to leave any out: no figures of what the scale does on others",
            CharmWarning,
            stacklevel=3,
        )
        return []
    return [
        {
            "metric": SOFT,
            "n": len(expected),
            "before": float(np.concatenate(before).mean()),
            "after": float(np.concatenate(gaps).mean()),
        }
    ]


def _gaps(
    paired: PairedMargins,
    expected: FloatArray,
    spread: float,
    inside: NDArray[np.bool_],
    here: NDArray[np.bool_],
) -> tuple[FloatArray, FloatArray] | None:
    """|soft win rate - P| of the pairs inside on the prompts here, at T = 1 and at the T of the other pairs on the other prompts."""
    used, left_out = paired.at(~here), paired.at(here)
    train, test = np.flatnonzero(~inside & _met(used)), np.flatnonzero(inside & _met(left_out))
    if not len(train) or not len(test):
        return None
    try:
        temperature = people_temperature(SomePairs(used, train), expected[train], spread)
    except NotIdentifiable:
        return None
    before, after = (
        np.abs(mean_soft(SomePairs(left_out, test), t) - expected[test]) for t in (1.0, temperature)
    )
    return before, after


def _met(paired: PairedMargins) -> NDArray[np.bool_]:
    """(m,) whether a pair has any prompt."""
    return np.concatenate([~np.isnan(paired.rows(some)).all(axis=1) for some in blocks(paired)])


def _dealt(paired: PairedMargins, folds: int, seed: int) -> IntArray | None:
    """The fold of each policy; -1 for one that is in every pair (a judge's baseline), which cannot be left out."""
    k = len(paired.policies)
    met = np.bincount(paired.pairs.ravel(), minlength=k)
    dealt = np.flatnonzero(met < len(paired.pairs))
    some = min(folds, len(dealt) // 2)
    if some < 2:
        return None
    fold = np.full(k, -1, dtype=np.int64)
    fold[np.random.default_rng(seed).permutation(dealt)] = np.arange(len(dealt)) % some
    return fold
