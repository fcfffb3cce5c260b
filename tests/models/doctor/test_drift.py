"""Drift: what counts as a flip, which pairs are watched, and that a precision is what scoring would load."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.models import RewardModel, load_reward_model
from charm_rm.models.doctor.drift import (
    ALONE,
    Texts,
    attention_of,
    by_budget,
    by_size,
    choose_pairs,
    copied,
    drift_rows,
    flipped,
    in_precision,
    measure,
    score_rows,
)
from charm_rm.models.doctor.verdicts import check_batching, check_precision
from charm_rm.models.scoring.encoding import Encoded

HOW = {"dtype": "float32", "attention": "sdpa", "batches": "8 rows", "padding": "right"}
scores = st.lists(st.floats(-1e3, 1e3).map(lambda x: round(x, 3)), min_size=2, max_size=12)


def rows(n: int) -> list[Encoded]:
    return [Encoded([i]) for i in range(n)]


@given(scores, st.floats(0.01, 50), st.floats(-50, 50))
def test_a_rising_line_turns_no_winner_round(values: list[float], slope: float, level: float) -> None:
    before = np.array(values)
    pairs = choose_pairs(["q"] * len(values), rows(len(values)))
    row = measure(before, slope * before + level, pairs, **HOW)
    assert row.flips == 0
    assert row.spearman is None if len(set(values)) == 1 else row.spearman == pytest.approx(1)


@given(scores)
def test_the_other_way_round_turns_all_that_are_no_ties(values: list[float]) -> None:
    before = np.array(values)
    pairs = choose_pairs(["q"] * len(values), rows(len(values)))
    ties = np.mean([before[a] == before[b] for a, b in pairs])
    assert flipped(before, -before, pairs) == pytest.approx(1 - ties)


def test_a_tie_on_one_side_counts_half_and_a_lost_score_whole() -> None:
    pairs = np.array([[0, 1], [1, 2]])
    assert flipped(np.array([1.0, 0.0, 2.0]), np.array([1.0, 1.0, 2.0]), pairs) == 0.25
    lost = measure(np.array([1.0, 0.0, 2.0]), np.array([1.0, np.nan, 2.5]), pairs, **HOW)
    assert (lost.lost, lost.flips, lost.max_abs) == (1, 1.0, 0.5)
    nothing = measure(np.array([1.0, 2.0]), np.array([np.nan, np.inf]), pairs[:1], **HOW)
    assert (nothing.max_abs, nothing.spearman, nothing.lost) == (None, None, 2)


def test_pairs_are_of_one_prompt_and_of_different_tokens() -> None:
    some = [Encoded([1]), Encoded([1]), Encoded([2]), Encoded([3])]
    assert choose_pairs(["q", "q", "q", "other"], some).tolist() == [[0, 2], [1, 2]]
    assert choose_pairs(["a", "b", "c", "d"], some).tolist() == [[0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
    assert choose_pairs(["a"], some[:1]).shape == (0, 2)
    assert choose_pairs(["q"] * 100, rows(100)).shape == (2000, 2)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40), st.integers(1, 64))
def test_plans_hold_every_row_once(lengths: list[int], size: int) -> None:
    for plan in (by_size(size), by_budget(size)):
        assert sorted(np.concatenate(plan(lengths)).tolist()) == list(range(len(lengths)))


@pytest.mark.models
def test_what_memory_does_not_hold_is_left_out(healthy: RewardModel, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")

    def full(_model: RewardModel, batch: list[Encoded]) -> np.ndarray:
        if len(batch) > 8:
            raise torch.OutOfMemoryError("full")
        return np.zeros(len(batch))

    monkeypatch.setattr(RewardModel, "score_batch", full)
    texts, said = Texts(rows(20), choose_pairs(["q"] * 20, rows(20))), list[str]()
    plans = (("8 rows", by_size(8)), ("64 rows", by_size(64)))
    left = drift_rows(healthy, texts, np.zeros(20), plans=plans, dtype="float32", tell=said.append)
    assert [(row.batches, row.padding) for row in left] == [("8 rows", "right"), ("8 rows", "left")]
    assert any("64 rows: out of memory" in step for step in said)
    assert check_batching([], sd=1.0, side="right").status == "skipped"
    assert check_precision([], "bfloat16", side="right", chosen=False).status == "skipped"


@pytest.mark.models
def test_a_precision_is_what_scoring_would_load(healthy_dir: Path, smollm2_rm_dir: Path) -> None:
    for folder in (healthy_dir, smollm2_rm_dir):
        model = load_reward_model(folder)
        texts = [model.encoder.encode("Name a tree.", r) for r in ("An oak.", "No, a very old fir.")]
        converted = in_precision(copied(model), "bfloat16")
        loaded = load_reward_model(folder, dtype="bfloat16")
        assert converted.dtype == loaded.dtype
        expected = score_rows(loaded, texts, ALONE[1])
        # The head's sums may be taken in another order; bfloat16 itself moves these scores by 1e-3 and more.
        np.testing.assert_allclose(score_rows(converted, texts, ALONE[1]), expected, atol=1e-6, rtol=0)
        before = score_rows(model, texts, ALONE[1])  # the copy was changed, not the model
        assert attention_of(model) == attention_of(loaded)
        assert np.abs(before - expected).max() > 1e-4
