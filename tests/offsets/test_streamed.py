"""Joint offsets of streamed scores beside those in memory: the same equations, met as nearly; intervals as wide."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from charm_rm.errors import CharmWarning, ConfigError, NoOverlap
from charm_rm.offsets import solve_joint_offsets, solve_streamed_joint_offsets
from charm_rm.streaming import ScoreStream, stream_scores
from charm_rm.tables import Offsets, Ratings, Scores

K, N = 7, 6000  # more prompts than the sample that slopes are taken from
NAMES = [f"p{i}" for i in range(K)]
RATINGS = Ratings(pl.DataFrame({"policy": NAMES, "rating": 1100 + 40.0 * np.arange(K), "std_err": 4.0}))


def _table(kept: float, *, grid: float = 0.0) -> pl.DataFrame:
    rng = np.random.default_rng(2)
    values = rng.gumbel(size=(N, K)) + np.arange(K) / 3 + rng.normal(size=K) / 2
    values = np.round(values / grid) * grid if grid else values
    ids = np.repeat([f"q{i}" for i in range(N)], K)
    frame = pl.DataFrame({"prompt_id": ids, "policy": NAMES * N, "score": values.ravel()})
    return frame.sample(fraction=kept, shuffle=True, seed=1)


@contextmanager
def _streamed(folder: Path, frame: pl.DataFrame) -> Iterator[ScoreStream]:
    frame.write_parquet(folder / "scores.parquet")
    with stream_scores(folder / "scores.parquet") as scores:
        yield scores


@pytest.mark.parametrize("kept", [1.0, 0.7])
@pytest.mark.parametrize("how", [{}, {"references": "p3"}, {"link": "sigmoid", "temperature": 0.5}])
def test_the_offsets_are_those_in_memory(tmp_path: Path, kept: float, how: dict[str, Any]) -> None:
    frame = _table(kept)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)  # of both alike: that an interval covers 0
        known = solve_joint_offsets(Scores(frame), RATINGS, **how)
        with _streamed(tmp_path, frame) as scores:
            found = solve_streamed_joint_offsets(scores, RATINGS, **how)
    a, b = found.frame, known.frame
    assert a.columns == b.columns
    assert a["policy"].to_list() == b["policy"].to_list()
    # A prompt's wins turn within some 1e-3 of score units here; the sigmoid link has no such grain.
    exact = how.get("link") == "sigmoid"
    assert a["delta"].to_numpy() == pytest.approx(b["delta"].to_numpy(), abs=1e-7 if exact else 2e-3)
    assert a["target"].to_numpy() == pytest.approx(b["target"].to_numpy())
    turn = 1 / (N * kept**2)  # one prompt's, of those that a pair shares
    assert a["attained"].to_numpy() == pytest.approx(a["target"].to_numpy(), abs=1e-8 if exact else turn)
    assert found.provenance["largest_total_wins_residual"] <= (1e-9 if exact else turn)
    moved = ~b["is_reference"]
    ratio = (a["std_err"] / b["std_err"]).filter(moved)
    assert ratio.to_numpy() == pytest.approx(1, abs=0.12)
    half = (b["ci_high"] - b["ci_low"]).filter(moved) / 2
    for name in ("ci_low", "ci_high"):
        assert ((a[name] - b[name]).abs().filter(moved) / half).max() < 0.25
    _assert_residuals_agree(found, known)


def _assert_residuals_agree(found: Offsets, known: Offsets) -> None:
    assert found.residuals is not None
    assert known.residuals is not None
    one, other = found.residuals, known.residuals
    assert one.select("policy", "reference", "n", "before").equals(
        other.select("policy", "reference", "n", "before")
    )
    assert (one["after"] - other["after"]).abs().max() < 2e-3  # type: ignore[operator]
    missed = [(x["after_cross_fitted"] - x["target"]).abs().mean() for x in (one, other)]
    assert 0.5 < missed[0] / missed[1] < 2  # type: ignore[operator]


def test_without_draws_and_halves(tmp_path: Path) -> None:
    with _streamed(tmp_path, _table(1.0)) as scores:
        found = solve_streamed_joint_offsets(scores, RATINGS, draws=0, cross_fit=False)
    assert found.frame["std_err"].null_count() == K
    assert found.frame["attained_cross_fitted"].null_count() == K
    assert found.frame["delta"].mean() == pytest.approx(0, abs=1e-12)


@pytest.mark.filterwarnings("ignore::charm_rm.errors.CharmWarning")
def test_scores_that_tie_are_refused_and_solved_under_the_sigmoid(tmp_path: Path) -> None:
    with _streamed(tmp_path, _table(1.0, grid=1.0)) as scores:
        with pytest.raises(ConfigError, match="of all comparisons tie"):
            solve_streamed_joint_offsets(scores, RATINGS)
        assert len(solve_streamed_joint_offsets(scores, RATINGS, link="sigmoid", draws=0)) == K


def test_policies_apart_and_nothing_to_solve_are_refused(tmp_path: Path) -> None:
    frame = _table(1.0)
    half = pl.col("policy").is_in(NAMES[:3])
    apart = frame.with_columns(
        pl.when(half).then(pl.col("prompt_id") + "x").otherwise("prompt_id").alias("prompt_id")
    )
    with (
        _streamed(tmp_path, apart) as scores,
        pytest.raises(NoOverlap, match="share no prompts with the other"),
    ):
        solve_streamed_joint_offsets(scores, RATINGS)
    with _streamed(tmp_path, frame) as scores, pytest.raises(ConfigError, match="nothing to solve"):
        solve_streamed_joint_offsets(scores, RATINGS, references=NAMES)
