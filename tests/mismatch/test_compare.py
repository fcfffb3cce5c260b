"""Favour compared between two models: identities, pairing, planted differences, what cannot be compared."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charm_rm import compare_favour
from charm_rm.errors import BadSetting, CharmWarning, ConfigError, NoOverlap
from charm_rm.margins import margins_from_scores
from charm_rm.mismatch import audit, save_comparison
from charm_rm.sources import load_example
from charm_rm.tables import Scores

from .planted import POLICIES, noise, ratings, scores


def row(found, policy: str) -> dict:
    return found.frame.row(by_predicate=pl.col("policy") == policy, named=True)


def test_favours_are_those_of_two_audits() -> None:
    one, other = scores(noise(0), favour={"bee": 80}), scores(noise(1))
    found = compare_favour(one, other, ratings(), draws=0)
    for source, column in ((one, "first_favour"), (other, "second_favour")):
        table = audit(source, ratings(), draws=0).favouritism.frame
        expected = dict(table.select("policy", "favour").iter_rows())
        assert dict(found.frame.select("policy", column).iter_rows()) == pytest.approx(expected)
    errors = [
        audit(s, ratings(), draws=0).favouritism.frame.sort("policy")["std_err"].to_numpy()
        for s in (one, other)
    ]
    np.testing.assert_allclose(found.frame.sort("policy")["std_err_unpaired"], np.hypot(*errors))
    difference = found.frame["first_favour"] - found.frame["second_favour"]
    np.testing.assert_allclose(found.frame["difference"], difference)


def test_a_model_does_not_differ_from_itself() -> None:
    one = scores(noise(0))
    found = compare_favour(one, one, ratings())
    assert found.frame["difference"].abs().max() == 0
    assert found.frame["std_err"].max() == pytest.approx(0, abs=1e-6)
    assert found.frame["p_value"].min() == 1
    assert set(found.frame["verdict"]) == {"no evidence"}
    assert found.figures["difference"].to_list() == [0, 0, 0]


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_the_two_changes_signs_alone(seed: int) -> None:
    one, other = scores(noise(seed)), scores(noise(seed + 1), sharpness=1.0)
    there = compare_favour(one, other, ratings(), draws=0)
    back = compare_favour(other, one, ratings(), draws=0)
    for p in POLICIES:
        a, b = row(there, p), row(back, p)
        assert a["difference"] == pytest.approx(-b["difference"])
        assert a["std_err"] == pytest.approx(b["std_err"])
        assert a["ci_low"] == pytest.approx(-b["ci_high"])
    assert there.figures["difference"].to_list() == pytest.approx([-d for d in back.figures["difference"]])


def test_a_planted_difference_is_found_though_sharpness_differs() -> None:
    shared = noise(5, 600)
    one = scores(shared, favour={"dog": 150, "hen": -60})
    other = scores(shared, favour={"hen": -60}, sharpness=0.9)
    found = compare_favour(one, other, ratings(), seed=3)
    top = found.frame.row(0, named=True)
    assert (top["policy"], top["verdict"]) == ("dog", "first favours it more")
    assert top["ci_low"] < 150 < top["ci_high"]
    hen = row(found, "hen")
    assert hen["verdict"] in ("no evidence", "underpowered")
    # dog's own difference tilts the line that hen is held against: of these policies alone that is a difference
    alone = row(compare_favour(one, other, ratings(), scope="these", draws=0), "hen")
    assert alone["difference"] == hen["difference"]
    assert alone["std_err"] < 0.7 * hen["std_err"]
    assert found.summary["verdicts"]["first favours it more"] == 1
    figures = {f["figure"]: f for f in found.figures.iter_rows(named=True)}
    assert figures["sharpness"]["ci_low"] < 0.6 < figures["sharpness"]["ci_high"]
    assert set(figures) == {"sharpness", "spearman", "kendall"}


def test_pairing_takes_out_what_both_share() -> None:
    """The same noise but for a little: paired errors are far below those of two audits, whose ratings part is the same besides."""
    common = noise(7, 300)
    one, other = (scores(common + 0.2 * noise(s, 300)) for s in (8, 9))
    found = compare_favour(one, other, ratings(20.0), draws=0)
    assert found.summary["mean_std_err"] < 0.45 * found.summary["mean_std_err_unpaired"]
    how = {"scope": "these", "draws": 0}
    apart = compare_favour(scores(noise(8, 300)), scores(noise(9, 300)), ratings(0.1), **how)
    assert apart.summary["mean_std_err"] == pytest.approx(apart.summary["mean_std_err_unpaired"], rel=0.1)


def test_only_what_both_have_is_compared() -> None:
    one, other = scores(noise(0)), scores(noise(1))
    fewer = Scores(other.frame.filter((pl.col("policy") != "ant") & (pl.col("prompt_id") < "p0100")))
    holes = Scores(one.frame.filter(~((pl.col("policy") == "bee") & (pl.col("prompt_id") == "p0003"))))
    with pytest.warns(CharmWarning, match="100 prompts and 7 policies that both have; 261 rows are left out"):
        found = compare_favour(holes, fewer, ratings(), draws=0, unrated="skip")
    assert "ant" not in found.frame["policy"].to_list()
    assert found.summary["prompts"] == 100


def test_scores_compare_with_judgements() -> None:
    one, other = scores(noise(0)), scores(noise(1), favour={"bee": 100})
    direct = compare_favour(one, other, ratings(), draws=0)
    judged = compare_favour(one, margins_from_scores(other), ratings(), draws=0)
    np.testing.assert_allclose(judged.frame["difference"], direct.frame["difference"])
    np.testing.assert_allclose(judged.frame["std_err"], direct.frame["std_err"])


def test_what_cannot_be_compared() -> None:
    one = scores(noise(0))
    with pytest.raises(ConfigError, match="published win rates are not per prompt"):
        compare_favour(one, load_example().win_rates, ratings())
    apart = Scores(one.frame.with_columns(prompt_id=pl.lit("x") + pl.col("prompt_id")))
    with pytest.raises(NoOverlap, match="share 8 policies and 0 prompts"):
        compare_favour(one, apart, ratings())
    with pytest.raises(BadSetting):
        compare_favour(one, one, ratings(), draws=7)
    with pytest.raises(BadSetting):
        compare_favour(one, one, ratings(), temperature=0)


def test_the_comparison_is_saved_whole(tmp_path: Path) -> None:
    found = compare_favour(scores(noise(0)), scores(noise(1)), ratings(), draws=0)
    save_comparison(found, tmp_path)
    assert pl.read_parquet(tmp_path / "favour.parquet").equals(found.frame)
    document = json.loads((tmp_path / "comparison.json").read_text())
    assert document["figures"][1]["p_value"] is None
    assert document["provenance"]["verb"] == "compare_favour"


def test_three_policies_have_tests_for_themselves_alone() -> None:
    three = [
        Scores(scores(noise(s)).frame.filter(pl.col("policy").is_in(["ant", "dog", "hen"]))) for s in (0, 1)
    ]
    with pytest.warns(CharmWarning, match="no scatter to estimate noise from"):
        sample = compare_favour(*three, ratings(), draws=0)
    assert sample.frame["p_value"].null_count() == 3
    assert set(sample.frame["verdict"]) == {"underpowered"}
    assert compare_favour(*three, ratings(), draws=0, scope="these").frame["p_value"].null_count() == 0
