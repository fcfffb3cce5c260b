"""Tables of before and after: intervals of the three figures of mismatch, of their differences, and the permutation test."""

from __future__ import annotations

import numpy as np

from charm_rm.margins import ScoreMargins, Tally, all_pairs, swap_models, tally_margins
from charm_rm.mismatch.effect import debiased_root_mean_square, mean_absolute, measure_effect
from charm_rm.mismatch.sharpening import fit_exponent, sharpened
from charm_rm.ratings import Yardstick, expected_win_rate
from charm_rm.statistics import ELO_PER_LOGIT, FloatArray, PromptWeights, draw_prompt_weights

from .cell import Cell, coverage, figure, size
from .world import World, draw_world

DRAWS = 500
RAW, FITTED, DEBIASED = "mean_abs_mismatch", "sharpness_fitted_mismatch", "debiased_mismatch"


def cells() -> list[Cell]:
    """Aligned, favouring and sharp models; then two models of the same kind, and two of different kinds."""
    one = (
        coverage(f"interval: {RAW}", band=(0.92, 1.0)),
        coverage(f"interval: {FITTED}", band=(0.92, 1.0)),
        coverage(f"interval: {DEBIASED}", band=(0.92, 1.0)),
        figure("debiased less its true value"),
        figure("raw value over its floor"),
    )
    two = (
        *(coverage(f"difference: {m}", band=(0.91, 1.0)) for m in (RAW, FITTED, DEBIASED)),
        *(size(f"false difference: {m}") for m in (RAW, FITTED, DEBIASED)),
    )
    apart = tuple(coverage(f"difference: {m}", band=(0.90, 1.0)) for m in (RAW, FITTED, DEBIASED))
    worlds = [
        {"policies": k, "prompts": n, "favour": favour, "sharpness": a, "rating_se": se}
        for k, n, favour, a, se in (
            (5, 50, 0, 1.0, 5),
            (10, 200, 0, 1.0, 5),
            (20, 100, 0, 1.0, 5),
            (10, 100, 0, 1.0, 40),
            (10, 200, 50, 1.0, 5),
            (20, 100, 50, 1.5, 5),
            (10, 100, 0, 2.0, 5),
        )
    ]
    return (
        [Cell(w, measure_one, one, replicates=300, small=25) for w in worlds]
        + [Cell(w, compare_alike, two, replicates=700, small=25) for w in worlds[1:6:2]]
        + [
            Cell(
                {"policies": k, "prompts": n, "before": 80, "after": 20},
                compare_apart,
                apart,
                replicates=300,
                small=25,
            )
            for k, n in ((10, 100), (20, 200))
        ]
    )


def measure_one(rng: np.random.Generator, **settings: float) -> dict[str, float]:
    """One model's figures against their true values."""
    world = _world(rng, **settings)
    drawn, rating_draws = _draws(world, rng)
    found = measure_effect(_tally(world.score, drawn), _yardstick(world), rating_draws=rating_draws)
    true = true_figures(world)
    covered = {f"interval: {m}": _holds(found.row(m).ci_low, found.row(m).ci_high, true[m]) for m in true}
    raw = found.row(RAW)
    return covered | {
        "debiased less its true value": found.row(DEBIASED).value - true[DEBIASED],
        "raw value over its floor": raw.value / raw.floor if raw.floor else np.nan,
    }


def compare_alike(rng: np.random.Generator, **settings: float) -> dict[str, float]:
    """Two models with the same true win rates and separate noise."""
    world = _world(rng, **settings)
    other = _again(world, rng, world.true_favour)
    return _compare(world, other, rng)


def compare_apart(
    rng: np.random.Generator, *, policies: int, prompts: int, before: float, after: float
) -> dict[str, float]:
    """Favour of another size before than after, on the same ratings."""
    world = draw_world(rng, policies=policies, prompts=prompts, favour=after)
    other = _again(world, rng, before * rng.standard_normal(policies))
    return _compare(world, other, rng)


def _compare(world: World, other: World, rng: np.random.Generator) -> dict[str, float]:
    drawn, rating_draws = _draws(world, rng)
    paired, base = (_paired(w.score) for w in (world, other))
    found = measure_effect(
        tally_margins(paired, drawn=drawn),
        _yardstick(world),
        rating_draws=rating_draws,
        baseline=tally_margins(base, drawn=drawn),
        swapped=swap_models(paired, base, permutations=299, rng=rng),
    )
    true, before = true_figures(world), true_figures(other)
    measured = {}
    for m in true:
        row = found.row(m)
        measured[f"difference: {m}"] = _holds(row.diff_ci_low, row.diff_ci_high, true[m] - before[m])
        measured[f"false difference: {m}"] = float(row.p_value is not None and row.p_value <= 0.05)
    return measured


def true_figures(world: World) -> dict[str, float]:
    """The figures with endless prompts and the true ratings."""
    k, r = all_pairs(len(world.rating)).T
    expected = expected_win_rate(world.true_rating[k], world.true_rating[r])
    theta = world.sharpness * (world.true_rating + world.true_favour)
    rate = expected_win_rate(theta[k], theta[r])
    many = np.full(len(k), 1e12)
    fitted = sharpened(rate, fit_exponent(rate, expected, many), many)
    none = np.zeros(len(k))
    return {
        RAW: float(mean_absolute(rate - expected, none)),
        FITTED: float(mean_absolute(fitted - expected, none)),
        DEBIASED: float(debiased_root_mean_square(rate - expected, none)),
    }


def _world(
    rng: np.random.Generator,
    *,
    policies: float,
    prompts: float,
    favour: float,
    sharpness: float,
    rating_se: float,
) -> World:
    return draw_world(
        rng,
        policies=int(policies),
        prompts=int(prompts),
        favour=favour,
        sharpness=sharpness,
        rating_se=rating_se,
    )


def _again(world: World, rng: np.random.Generator, favour: FloatArray) -> World:
    """Another model of the same policies, prompts and ratings."""
    theta = world.sharpness * (world.true_rating + favour) / ELO_PER_LOGIT
    return World(
        world.true_rating,
        favour,
        world.sharpness,
        world.rating,
        world.rating_se,
        theta + rng.gumbel(size=world.score.shape),
    )


def _draws(world: World, rng: np.random.Generator) -> tuple[PromptWeights, FloatArray]:
    drawn = draw_prompt_weights(len(world.score), draws=DRAWS, rng=rng)
    return drawn, _yardstick(world).draw(DRAWS, rng)


def _yardstick(world: World) -> Yardstick:
    size = len(world.rating)
    return Yardstick(tuple(world.policies), world.rating, np.full(size, float(world.rating_se) ** 2), True)


def _paired(score: FloatArray) -> ScoreMargins:
    size = score.shape[1]
    return ScoreMargins(
        tuple(f"m{k:02d}" for k in range(size)), all_pairs(size), np.ascontiguousarray(score.T)
    )


def _tally(score: FloatArray, drawn: PromptWeights) -> Tally:
    return tally_margins(_paired(score), drawn=drawn)


def _holds(low: float | None, high: float | None, true: float) -> float:
    return float(low is not None and high is not None and low - 1e-9 <= true <= high + 1e-9)
