"""Before and after, by hand: pairs whichever way round, policies used and not used, what got worse."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from charm_rm import store
from charm_rm.pipeline import check_config, summarise
from charm_rm.pipeline.measures import Measure
from charm_rm.tables import Mismatch, Offsets

CONFIG = {"responses": {"source": "r.parquet"}, "score": {"scores": "s.parquet"}, "simulated": True}


def _mismatch(path: Path, gaps: dict[tuple[str, str], float]) -> None:
    columns = ("ci_low", "ci_high", "mismatch_degree_ci_low", "mismatch_degree_ci_high", "p_value", "q_value")
    soft = ("win_rate_soft", "mismatch_soft", "mismatch_degree_soft")
    rows = [
        {"policy": p, "reference": r, "n": 10, "win_rate": 0.5 + gap, "expected": 0.5, "mismatch": gap}
        | {"mismatch_degree": abs(gap) / 0.5, "verdict": "-"}
        for (p, r), gap in gaps.items()
    ]
    nulls = [pl.lit(None, pl.Float64).alias(c) for c in (*columns, *soft)]
    store.save(Mismatch(pl.DataFrame(rows).with_columns(nulls)), path)


@pytest.fixture
def run(tmp_path):
    """Calibrated: a over b. c and d were never used."""
    pairs = [("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"), ("c", "d")]
    _mismatch(
        tmp_path / "before/mismatch.parquet", dict(zip(pairs, [0.4, 0.3, 0.2, 0.1, 0.0, 0.05], strict=True))
    )
    turned = {
        ("b", "a"): 0.1,
        ("c", "a"): -0.3,
        ("a", "d"): 0.0,
        ("b", "c"): 0.0,
        ("d", "b"): 0.2,
        ("d", "c"): 0.15,
    }
    _mismatch(tmp_path / "after/mismatch.parquet", turned)
    offsets = pl.DataFrame(
        {"policy": ["a", "b"], "delta": [-1.0, 0.0], "is_reference": [False, True]}
    ).with_columns(
        pl.lit(None, pl.Float64).alias(c) for c in ("std_err", "ci_low", "ci_high", "target", "attained")
    )
    store.save(Offsets(offsets, {"over": "a"}), tmp_path / "offsets.parquet")
    return tmp_path


def test_means_by_group_whichever_way_round_a_pair_is_told(run):
    summary = summarise(check_config(CONFIG), run)
    rows = {r["measure"]: r for r in summary.frame.iter_rows(named=True)}
    pair = rows["mean |P̂ - P|, raw, calibrated pairs"]
    assert (pair["n"], pair["before"], pair["after"], pair["better"]) == (1, 0.4, 0.1, "yes")
    unused = rows["mean |P̂ - P|, raw, pairs never used in calibration"]
    assert (unused["n"], unused["before"], unused["after"], unused["better"]) == (1, 0.05, 0.15, "no")
    every = rows["mean |P̂ - P|, raw, all pairs"]
    assert every["before"] == pytest.approx(1.05 / 6)
    assert every["after"] == pytest.approx(0.75 / 6)


def test_what_did_not_carry_over_is_said(run):
    remarks = "\n".join(summarise(check_config(CONFIG), run).remarks)
    assert "SIMULATED" in remarks
    assert "Calibrated: a against b." in remarks
    assert "NOT everything carried over" in remarks
    assert "Got worse" in remarks


def test_without_an_after_there_is_nothing_to_compare(run):
    (run / "after/mismatch.parquet").unlink()
    summary = summarise(check_config(CONFIG), run)
    assert summary.frame.columns == ["measure", "n", "before"]
    assert "worse" not in "\n".join(summary.remarks)


def test_an_empty_directory_gives_an_empty_summary(tmp_path):
    assert summarise(check_config(CONFIG), tmp_path).frame.height == 0


def test_the_raw_mean_stands_beside_what_sharpness_and_noise_leave_of_it(run):
    metrics = ["mean_abs_mismatch", "sharpness_fitted_mismatch", "debiased_mismatch", "spearman"]
    rows = [
        {"metric": m, "n": 6, "value": 0.1, "floor": 0.02, "baseline_value": 0.2, "difference": -0.1}
        | {"diff_ci_low": -0.15, "diff_ci_high": 0.05 if m == "debiased_mismatch" else -0.05}
        for m in metrics
    ]
    store.write_frame(pl.DataFrame(rows), run / "after/alignment.parquet")
    shown = {r["measure"]: r for r in summarise(check_config(CONFIG), run).frame.iter_rows(named=True)}
    fitted = next(r for m, r in shown.items() if "sharpness fitted" in m)
    assert (fitted["before"], fitted["after"], fitted["better"]) == (0.2, 0.1, "yes")
    assert fitted["change_95_ci"] == "-0.150 to -0.050"
    noise = next(r for m, r in shown.items() if "debiased" in m)
    assert noise["better"] == "unclear"
    assert "noise floor 0.020" in noise["measure"]
    assert shown["mean |P̂ - P|, raw (noise floor 0.020)"]["change_95_ci"] == "-0.150 to -0.050"


@pytest.mark.parametrize(
    ("ci", "p", "better"),
    [
        ((-0.2, -0.1), 0.01, "yes"),
        ((-0.2, -0.1), 0.20, "unclear"),
        ((-0.2, 0.1), 0.001, "unclear"),
        ((-0.2, 0.0), 0.001, "unclear"),
        ((None, None), 0.001, "unclear"),
        ((None, None), None, "yes"),
    ],
)
def test_better_needs_interval_and_test(ci, p, better):
    """p says that the models score unlike each other, which two models of other sharpness do without being better."""
    assert Measure("m", 5, 0.3, 0.2, goal=0, ci=ci, p_value=p).better == better


def test_what_better_needs_is_said_where_there_are_tests(run):
    row = {
        "metric": "spearman",
        "n": 6,
        "value": 0.9,
        "floor": None,
        "baseline_value": 0.8,
        "difference": 0.1,
    }
    row |= {"diff_ci_low": -0.01, "diff_ci_high": 0.2, "p_value": 0.001}
    store.write_frame(pl.DataFrame([row]), run / "after/alignment.parquet")
    summary = summarise(check_config(CONFIG), run)
    shown = next(r for r in summary.frame.to_dicts() if r["measure"].startswith("Spearman"))
    assert shown["better"] == "unclear"
    assert any("both models score alike" in remark for remark in summary.remarks)
