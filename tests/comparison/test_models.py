"""Several models side by side: figures as in audits, planted differences, one family of q-values, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from charm_rm import audit
from charm_rm.comparison import ModelComparison, compare_models, save_models
from charm_rm.errors import CharmWarning, ConfigError
from charm_rm.margins import margins_from_scores
from charm_rm.mismatch import compare_favour
from charm_rm.statistics import benjamini_hochberg
from charm_rm.tables import Scores
from mismatch.planted import noise, ratings, scores

from .worlds import evaluation

SHARED = noise(5, 300)
A, B, C = (
    scores(SHARED + 0.3 * noise(1, 300)),
    scores(SHARED + 0.3 * noise(2, 300), favour={"dog": 150}),
    scores(SHARED + 0.3 * noise(3, 300), sharpness=0.8),
)


@pytest.fixture(scope="module")
def found() -> ModelComparison:
    return compare_models({"a": A, "b": B, "c": C}, ratings(), all_pairs=True, draws=400)


def _row(frame: pl.DataFrame, **names: str) -> dict:
    return frame.row(by_predicate=pl.all_horizontal(pl.col(k) == v for k, v in names.items()), named=True)


def test_figures_are_those_of_an_audit(found: ModelComparison) -> None:
    alone = audit(B, ratings(), draws=0)
    effect = {r["metric"]: r["value"] for r in alone.summary["effect"]}
    for figure in ("sharpness_fitted_mismatch", "spearman", "mean_abs_favour"):
        assert _row(found.figures, model="b", figure=figure)["value"] == pytest.approx(effect[figure])
    assert _row(found.figures, model="b", figure="sharpness")["value"] == pytest.approx(alone.sharpness.value)
    mine = dict(found.favour.filter(pl.col("model") == "b").select("policy", "favour").iter_rows())
    assert mine == pytest.approx(dict(alone.favouritism.frame.select("policy", "favour").iter_rows()))


def test_differences_of_favour_are_those_of_two(found: ModelComparison) -> None:
    two = compare_favour(B, A, ratings(), draws=0).frame
    mine = found.favour_differences.filter((pl.col("model") == "b") & (pl.col("baseline") == "a"))
    both = two.join(mine, on="policy", suffix="_mine")
    np.testing.assert_allclose(both["difference"], both["difference_mine"])
    np.testing.assert_allclose(both["std_err"], both["std_err_mine"])


def test_planted_differences_are_found(found: ModelComparison) -> None:
    gap = _row(found.favour_differences, model="b", baseline="a", policy="dog")
    assert gap["verdict"] == "favours it more"
    assert gap["ci_low"] < 150 < gap["ci_high"]
    assert (
        _row(found.favour_differences, model="c", baseline="b", policy="dog")["verdict"] == "favours it less"
    )
    assert _row(found.differences, model="b", baseline="a", figure="mean_abs_favour")["reading"] == "worse"
    assert _row(found.differences, model="c", baseline="a", figure="sharpness")["reading"] == "less sharp"
    assert _row(found.differences, model="c", baseline="a", figure="spearman")["reading"] == "within chance"


def test_q_is_over_all_that_is_shown(found: ModelComparison) -> None:
    for frame in (found.differences, found.favour_differences):
        np.testing.assert_allclose(frame["q_value"], benjamini_hochberg(frame["p_value"].to_numpy()))
    assert found.differences.select("model", "baseline").unique().sort("model", "baseline").rows() == [
        ("b", "a"),
        ("c", "a"),
        ("c", "b"),
    ]
    fewer = compare_models({"a": A, "b": B, "c": C}, ratings(), reference="b", draws=0)
    assert fewer.differences.select("model", "baseline").unique().sort("model").rows() == [
        ("a", "b"),
        ("c", "b"),
    ]
    assert fewer.differences.filter(pl.col("figure") == "spearman")["reading"].to_list() == ["not tested"] * 2


def test_the_order_of_the_models_turns_signs_alone(found: ModelComparison) -> None:
    back = compare_models({"b": B, "a": A}, ratings(), draws=400)
    there = _row(found.differences, model="b", baseline="a", figure="mean_abs_favour")
    here = _row(back.differences, model="a", baseline="b", figure="mean_abs_favour")
    assert here["difference"] == pytest.approx(-there["difference"])


def test_a_judge_beside_two_models() -> None:
    judge = margins_from_scores(B)
    mixed = compare_models({"rm": A, "judge": judge}, ratings(), draws=0)
    plain = compare_models({"rm": A, "judge": B}, ratings(), draws=0)
    np.testing.assert_allclose(mixed.favour["favour"], plain.favour["favour"])
    np.testing.assert_allclose(mixed.favour_differences["std_err"], plain.favour_differences["std_err"])


def test_a_model_upside_down_has_no_favour_and_does_not_stop_the_others() -> None:
    wrong = Scores(A.frame.with_columns(score=-pl.col("score")))
    with pytest.warns(CharmWarning, match="wrong: its ranking does not agree"):
        found = compare_models({"a": A, "wrong": wrong, "c": C}, ratings(), draws=200)
    assert set(found.favour["model"]) == {"a", "c"}
    assert _row(found.differences, model="wrong", baseline="a", figure="spearman")["reading"] == "worse"


def test_alignment_against_accuracy(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    good, poor = rng.random(300) < 0.9, rng.random(300) < 0.6
    folders = {"a": evaluation(tmp_path / "a", good), "b": evaluation(tmp_path / "b", poor)}
    found = compare_models({"a": A, "b": B}, ratings(), evaluations=folders, draws=400)
    assert _row(found.pareto, model="b")["standing"] == "dominated"
    assert _row(found.pareto, model="b")["by"] == ["a"]
    turned = compare_models(
        {"a": A, "b": B}, ratings(), evaluations={"a": folders["b"], "b": folders["a"]}, draws=400
    )
    assert set(turned.pareto["standing"]) == {"not dominated"}


def test_a_model_with_one_kind_of_evidence_is_left_out_of_the_other(tmp_path: Path) -> None:
    folders = {n: evaluation(tmp_path / n, np.arange(60) % k != 0) for n, k in (("a", 5), ("b", 3))}
    with pytest.warns(CharmWarning, match="c: without an evaluation it is left out of the benchmarks"):
        found = compare_models({"a": A, "b": B, "c": C}, ratings(), evaluations=folders, draws=0)
    assert found.models == ("a", "b", "c")
    assert set(found.figures.filter(pl.col("kind") == "benchmark")["model"]) == {"a", "b"}
    assert set(found.pareto["model"]) == {"a", "b"}


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="1 model to compare: two are needed"):
        compare_models({"a": A}, ratings())
    with pytest.raises(ConfigError, match="the very same numbers"):
        compare_models({"a": A, "b": A}, ratings())
    with pytest.raises(ConfigError, match="give --ratings|how they agree with human ratings"):
        compare_models({"a": A, "b": B})
    with pytest.raises(ConfigError, match="there is no model 'ab' to compare with"):
        compare_models({"a": A, "b": B}, ratings(), reference="ab")
    with pytest.raises(ConfigError, match="only 'b' has scores"):
        compare_models({"b": B}, ratings(), evaluations={"a": evaluation(tmp_path / "a", [True] * 60)})


def test_many_differences_need_many_draws() -> None:
    with pytest.warns(CharmWarning, match="12 differences with 100 draws: one alone could not be told"):
        compare_models({"a": A, "b": B, "c": C}, ratings(), all_pairs=True, draws=100)


def test_it_is_saved_whole(found: ModelComparison, tmp_path: Path) -> None:
    save_models(found, tmp_path)
    assert pl.read_parquet(tmp_path / "differences.parquet").equals(found.differences)
    document = json.loads((tmp_path / "comparison.json").read_text())
    assert document["models"] == ["a", "b", "c"]
    assert document["differences"][0]["figure"] == "sharpness"
    assert not (tmp_path / "pareto.parquet").exists()
    assert "3 models" in repr(found)
    assert "a, b and c compared" in found.summary()
