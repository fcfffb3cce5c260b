"""A run that begins with instructions: prompts drawn, policies that answer them, a candidate among them; what is asked again and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
import yaml

from charm_rm.errors import ConfigError, SeveralSamples
from charm_rm.pipeline import check_config, load_config, plan_run, run_pipeline
from charm_rm.pipeline.config import GENERATED, INSTRUCTIONS
from charm_rm.pipeline.portable import portable
from charm_rm.pipeline.schema import config_schema
from charm_rm.store import load
from charm_rm.tables import Candidates, Prompts, Responses

pytestmark = pytest.mark.filterwarnings("ignore::charm_rm.errors.CharmWarning")

MODULE = """
ASKED = []
def reward(prompts, responses): return [float(sum(map(ord, r)) % 97) + 40 * len(r.split()) for r in responses]
def answers(name, n):
    def policy(prompts):
        ASKED.extend([name] * len(prompts))
        return [" ".join([name] * (n + len(str(p)) % 5)) for p in prompts]
    return policy
oak, elm, ash, fir = (answers(name, n) for n, name in enumerate(("oak", "elm", "ash", "fir"), 1))
"""
KINDS = ("rivers", "kings", "birds", "boats")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    """A preference set, ratings of three policies, functions that answer; the fourth policy has no rating."""
    (tmp_path / "own_instructions.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    rows = [f"What is {i} plus {i * 7 % 13}, and why does it matter to {KINDS[i % 4]}?" for i in range(50)]
    pl.DataFrame({"prompt": rows, "chosen": "yes", "rejected": "no"}).write_parquet(
        tmp_path / "prefs.parquet"
    )
    (tmp_path / "ratings.csv").write_text("policy,rating,std_err\noak,1000,5\nelm,1050,5\nash,1120,5\n")
    spec = "python:own_instructions:"
    return {
        "prompts": {"sources": ["prefs.parquet"], "n": 30},
        "policies": [{"name": n, "spec": spec + n} for n in ("oak", "elm", "ash", "fir")],
        "ratings": {"source": "ratings.csv"},
        "rm": {"model": spec + "reward"},
        "audit": {"candidates": ["fir"], "draws": 0},
        "calibrate": {"method": "joint", "references": ["elm"]},
        "relabel": {"strategy": "sampled"},
        "train": None,
        "report": {"enabled": False},
    }


def _config(tmp_path: Path, settings: dict):
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(settings))
    return load_config(path)


def test_from_a_preference_set_to_labels(tmp_path: Path, settings: dict) -> None:
    pytest.importorskip("torch", reason="scoring needs the [hf] extra")
    import own_instructions

    config, folder = _config(tmp_path, settings), tmp_path / "run"
    done = run_pipeline(config, folder, progress=False)
    assert done.ran[:4] == ("prompts", "generate", "ratings", "responses")
    assert (folder / INSTRUCTIONS).exists()
    responses = load(Responses, folder / "responses.parquet")
    assert (len(responses), responses.policies) == (120, ["ash", "elm", "fir", "oak"])
    placed = load(Candidates, folder / "before" / "candidates.parquet")
    assert placed.policies == ["fir"]
    labels = pl.read_parquet(folder / "prefs" / "preferences.parquet")
    assert "fir" not in set(labels["chosen_policy"]) | set(labels["rejected_policy"])  # it has no offset
    told = json.loads((folder / GENERATED / "_manifest.json").read_text())
    assert [one["policy"] for one in told["policies"]] == ["oak", "elm", "ash", "fir"]
    written = [one for one in folder.rglob("*") if one.is_file()]
    assert not [one for one in written if str(tmp_path).encode() in one.read_bytes()]
    assert load(Prompts, folder / INSTRUCTIONS).provenance["sources"][0]["source"] == "prefs.parquet"
    assert run_pipeline(config, folder, progress=False).ran == ()
    # Another answer of one policy: that one is asked again, the others are not.
    own_instructions.ASKED.clear()
    settings["policies"][1]["system"] = "Be brief."
    again = _config(tmp_path, settings)
    steps = {step.stage.name: step.why for step in plan_run(again, folder)}
    assert steps["generate"] == "setting changed: policies"
    assert steps["prompts"] is None
    run_pipeline(again, folder, until="generate", progress=False)
    assert own_instructions.ASKED == ["elm"] * 30


def test_what_cannot_be_trained_is_told_before_anything_runs(tmp_path: Path, settings: dict) -> None:
    config = _config(tmp_path, {k: v for k, v in settings.items() if k != "train"})
    for ask in (plan_run, run_pipeline):
        with pytest.raises(
            ConfigError, match=r"(?s)stage train.*python:\.\.\., which scores.*--until relabel"
        ):
            ask(config, tmp_path / "run")
    assert not (tmp_path / "run" / INSTRUCTIONS).exists()
    assert "relabel" in {step.stage.name for step in plan_run(config, tmp_path / "run", until="relabel")}


def test_several_samples_need_a_choice(tmp_path: Path, settings: dict) -> None:
    pytest.importorskip("torch", reason="scoring needs the [hf] extra")
    rows = [
        (f"Say {p}", policy, f"{policy} {'and again ' * (p % 4 + k)}", k)
        for p in range(30)
        for policy in ("oak", "elm", "ash", "fir")
        for k in range(2 if policy == "oak" else 1)
    ]
    frame = pl.DataFrame(rows, schema=["prompt", "policy", "response", "sample"], orient="row")
    frame.write_parquet(tmp_path / "responses.parquet")
    settings = {k: v for k, v in settings.items() if k not in ("prompts", "policies")}
    settings["responses"] = {"source": "responses.parquet"}
    folder = tmp_path / "run"
    with pytest.raises(SeveralSamples, match=r"(?s)score.*score\.sample"):
        run_pipeline(_config(tmp_path, settings), folder, progress=False)
    settings["score"] = {"sample": "first"}
    run_pipeline(_config(tmp_path, settings), folder, until="audit", progress=False)
    settings["score"] = {"sample": "all"}
    run_pipeline(_config(tmp_path, settings), folder, until="audit", progress=False)
    told = json.loads((folder / "before" / "audit.json").read_text())
    assert told["summary"]["samples"] == {"least": 1, "most": 2, "mean": pytest.approx(4 / 3)}


def test_paths_start_at_the_file(tmp_path: Path, settings: dict) -> None:
    (tmp_path / "board").mkdir()
    settings["policies"].append({"spec": "outputs:board"})
    config = _config(tmp_path, settings)
    assert config.policies is not None
    assert config.policies[-1].spec == f"outputs:{tmp_path / 'board'}"
    assert config.prompts is not None
    assert config.prompts.sources == (str(tmp_path / "prefs.parquet"),)
    shown = portable(config)
    assert shown.policies is not None
    assert shown.policies[-1].spec == "outputs:board"
    assert str(tmp_path) not in str(shown)


def test_a_folder_called_like_a_kind_is_not_the_kind(tmp_path: Path, settings: dict) -> None:
    for name in ("outputs", "hf", "board"):
        (tmp_path / name).mkdir()
    specs = (
        "outputs:outputs",
        "hf:hf",
        "hf:some/model",
        "board=outputs:board",
        "hf=hf:hf",
        "hf=openai:m@http://h/v1",
    )
    settings["policies"] = [{"spec": one} for one in specs]
    config = _config(tmp_path, settings)
    here = str(tmp_path)
    assert [one.spec for one in config.policies or ()] == [
        f"outputs:{here}/outputs", f"hf:{here}/hf", "hf:some/model", f"board=outputs:{here}/board", f"hf=hf:{here}/hf", specs[-1],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"policies": None}, "prompts and policies go together"),
        ({"prompts": None}, "prompts and policies go together"),
        ({"prompts": None, "policies": None}, "'responses.source' is missing"),
        ({"responses": {"source": "r.parquet"}}, "not both"),
        ({"rm": None, "score": {"scores": "s.parquet"}}, "this run makes its own"),
        ({"policies": [{"spec": "python:m:f", "temperature": -1}]}, "temperature must be at least 0"),
    ],
)
def test_what_does_not_fit_is_named(settings: dict, change: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        check_config(settings | change)


def test_the_schema_knows_policies() -> None:
    policy = config_schema()["$defs"]["PolicySettings"]["properties"]
    assert policy["temperature"]["minimum"] == 0
