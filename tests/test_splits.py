"""Splitting prompts: the same side in every file, in whatever order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.errors import CharmError, ConfigError, NoOverlap, SchemaError
from charm_rm.splits import Split, fold_of, on_side, only_prompts, read_prompt_ids
from charm_rm.tables import Ratings, Scores

IDS = [f"p{i}" for i in range(500)]


@given(st.floats(0.05, 0.95), st.integers(0, 100), st.permutations(IDS[:20]))
def test_sides_part_the_prompts_whatever_the_order_and_the_company(
    fraction: float, seed: int, some: list[str]
) -> None:
    train, test = (Split(side, fraction, seed) for side in ("train", "test"))
    assert sorted(train.of(IDS) + test.of(IDS)) == sorted(IDS)
    assert set(test.of(some)) == set(test.of(IDS)) & set(some)


def test_the_fraction_is_that_of_the_test_side_and_sides_do_not_change() -> None:
    assert len(Split("test", 0.2).of(IDS)) == pytest.approx(100, abs=25)
    assert Split("test", 0.2).of(["a", "b", "c", "d", "e", "f", "g", "h"]) == [
        "h"
    ]  # pinned: files out there rely on it


@pytest.mark.parametrize("bad", [0.0, 1.0, -1.0, float("nan")])
def test_fractions_that_leave_a_side_empty_are_refused(bad: float) -> None:
    with pytest.raises(ConfigError, match="side empty"):
        Split("train", bad)
    with pytest.raises(ConfigError, match="not known"):
        Split("dev")  # type: ignore[arg-type]


def test_folds_are_of_equal_size_and_go_by_id() -> None:
    fold = fold_of(IDS, 5, seed=1)
    assert np.bincount(fold).tolist() == [100] * 5
    turned = fold_of(IDS[::-1], 5, seed=1)
    np.testing.assert_array_equal(turned[::-1], fold)


def test_prompts_are_chosen_in_a_table() -> None:
    scores = Scores(pl.DataFrame({"prompt_id": IDS, "policy": "A", "score": 1.0}), provenance={"verb": "x"})
    assert only_prompts(scores, ["p3", "p5", "unknown"]).frame["prompt_id"].to_list() == ["p3", "p5"]
    assert only_prompts(scores, ["p3"]).provenance == {"verb": "x"}
    assert len(on_side(scores, Split("train"))) + len(on_side(scores, Split("test"))) == 500
    with pytest.raises(NoOverlap, match="none of the 1 chosen prompts"):
        only_prompts(scores, ["unknown"])
    for choose in (lambda t: only_prompts(t, ["p"]), lambda t: on_side(t, Split("train"))):
        with pytest.raises(SchemaError, match="name no prompts"):
            choose(Ratings(pl.DataFrame({"policy": ["A"], "rating": [1.0]})))


def test_lists_of_prompts(tmp_path: Path) -> None:
    table = pl.DataFrame({"prompt_id": ["a", "b", "b", "c"], "split": ["train", "test", "test", "train"]})
    table.write_csv(tmp_path / "s.csv")
    table.write_parquet(tmp_path / "s.parquet")
    (tmp_path / "s.txt").write_text("a\n\n b\nb\n", encoding="utf-8")
    for name in ("s.csv", "s.parquet"):
        assert read_prompt_ids(tmp_path / name) == ["a", "b", "c"]
        assert read_prompt_ids(tmp_path / name, side="train") == ["a", "c"]
    assert read_prompt_ids(tmp_path / "s.txt") == ["a", "b"]


def test_bad_lists_are_named(tmp_path: Path) -> None:
    pl.DataFrame({"id": ["a"]}).write_csv(tmp_path / "no_id.csv")
    pl.DataFrame({"prompt_id": ["a"]}).write_csv(tmp_path / "no_split.csv")
    pl.DataFrame({"prompt_id": ["a"], "split": ["dev"]}).write_csv(tmp_path / "other.csv")
    (tmp_path / "empty.txt").write_text("\n", encoding="utf-8")
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\xfa")
    for name, side, error in [
        ("no_id.csv", None, SchemaError),
        ("no_split.csv", "train", SchemaError),
        ("other.csv", "train", NoOverlap),
        ("empty.txt", None, NoOverlap),
        ("bad.txt", None, CharmError),
        ("missing.txt", None, CharmError),
    ]:
        with pytest.raises(error):
            read_prompt_ids(tmp_path / name, side=side)
    (tmp_path / "one.txt").write_text("a\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="no column 'split'"):
        read_prompt_ids(tmp_path / "one.txt", side="train")
