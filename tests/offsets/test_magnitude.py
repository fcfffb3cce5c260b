"""Scores of any size: offsets scale with them, or an error says why not."""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charm_rm import store
from charm_rm.errors import CharmError, CharmWarning, ConfigError, NotConverged, NotIdentifiable
from charm_rm.offsets import solve_joint_offsets, solve_offsets
from charm_rm.offsets.magnitude import brought_near_1
from charm_rm.offsets.roots import rising_root
from charm_rm.tables import Offsets, Scores
from simulated_offsets import arena, ratings_of, scores_of

VERBS = [(solve_offsets, {"over": "A", "references": "B"}), (solve_joint_offsets, {"references": "B"})]


def solve(verb: Any, scores: Scores, ratings: Any, **how: Any) -> Offsets:
    """Warnings of NumPy are errors, as everywhere in the tests; only our own are let through."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", CharmWarning)
        return verb(scores, ratings, **how)


def times(scores: Scores, factor: float) -> Scores:
    return Scores(scores.frame.with_columns(pl.col("score") * factor))


@given(st.integers(-1000, 1015), st.sampled_from([0, 1]), st.sampled_from(["hard", "sigmoid"]))
@settings(max_examples=40, deadline=None)
def test_scaling_the_scores_scales_the_offsets(power: int, which: int, link: str) -> None:
    """By a power of two: exactly, as nothing is rounded."""
    verb, how = VERBS[which]
    scores, ratings = arena(40, 3, seed=5)
    factor = float(np.ldexp(1.0, power))
    one = solve(verb, scores, ratings, draws=100, link=link, temperature=0.5, **how)
    other = solve(verb, times(scores, factor), ratings, draws=100, link=link, temperature=0.5 * factor, **how)
    exact = 1e-9 if link == "sigmoid" else 1e-12
    for column in ("delta", "std_err", "ci_low", "ci_high"):
        scaled = np.ldexp(other.frame[column].fill_null(0).to_numpy(), -power)
        np.testing.assert_allclose(scaled, one.frame[column].fill_null(0), rtol=exact, atol=exact)
    assert one.residuals.drop("after_cross_fitted").equals(other.residuals.drop("after_cross_fitted"))


@given(st.floats(-300, 308), st.sampled_from([0, 1]), st.sampled_from(["hard", "sigmoid"]), st.booleans())
@settings(max_examples=40, deadline=None)
def test_any_magnitude_ends_in_offsets_or_a_typed_error(
    power: float, which: int, link: str, mixed: bool
) -> None:
    verb, how = VERBS[which]
    scores, ratings = arena(30, 3, seed=6)
    frame = scores.frame.with_columns((pl.col("score") / 10 * 10.0**power).alias("big"))
    if mixed:  # one prompt of that size among ordinary ones
        frame = frame.with_columns(
            pl.when(pl.col("prompt_id") == "p0007").then("big").otherwise("score").alias("big")
        )
    sized = Scores(frame.select("prompt_id", "policy", pl.col("big").alias("score")))
    started = time.process_time()
    try:
        found = solve(verb, sized, ratings, draws=100, link=link, **how)
        assert np.isfinite(found.frame["delta"].to_numpy()).all()
    except CharmError:
        pass
    assert time.process_time() - started < 5


def test_scores_that_no_calculation_holds_together_are_refused() -> None:
    with pytest.raises(NotIdentifiable, match="no calculation holds both"):
        brought_near_1(scores_of({"A": [1e308, 2.0], "B": [5e-324, 1.0]}), None)


def test_offsets_beyond_any_number_are_refused() -> None:
    scores = scores_of(
        {"A": [1.7e308 - i * 1e306 for i in range(20)], "B": [-1.7e308 + i * 1e306 for i in range(20)]}
    )
    with pytest.raises(NotIdentifiable, match="larger than any number"):
        solve(solve_offsets, scores, ratings_of({"A": 1000, "B": 1000}), over="A", references="B", draws=0)


@pytest.mark.parametrize(("verb", "how"), VERBS)
def test_a_temperature_far_below_the_margins_is_refused(verb: Any, how: dict[str, Any]) -> None:
    scores, ratings = arena(30, 3, seed=6)
    with pytest.raises(ConfigError, match="billionth"):
        solve(verb, times(scores, 1e154), ratings, link="sigmoid", **how)


def test_loose_roots_are_an_error() -> None:
    """A step is no root: the bracket shrinks to it, and the target is missed."""
    step = lambda x: (np.where(x < 1, 0.2, 0.8), np.zeros_like(x))  # noqa: E731
    with pytest.raises(NotConverged, match="met to"):
        rising_root(step, np.array([0.5]), np.array([0.0]), np.array([3.0]), tolerance=1e-14)


def test_the_case_that_hung_ends(tmp_path: Path) -> None:
    scores, ratings = arena(60, 4, seed=1)
    path = store.save(times(scores, 1e154), tmp_path / "s.csv")
    with pytest.raises(ConfigError, match="use --link hard|billionth"):
        solve(solve_joint_offsets, store.load(Scores, path), ratings, link="sigmoid", draws=0)
    assert solve(solve_joint_offsets, store.load(Scores, path), ratings, draws=0).frame.height == 4
