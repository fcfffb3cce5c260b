"""``--calibrator`` wherever a model is named: score, evaluate, judge, doctor and run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from click.testing import Result

from calibrator_fakes import a_calibrator
from charm_rm.features import measure_features
from charm_rm.pipeline import check_config
from charm_rm.pipeline.run import SCORES
from charm_rm.solved_on import in_sample, solved_on
from charm_rm.specs import load_judge, load_scorer
from charm_rm.store import load, save
from charm_rm.style import load_calibrator, save_calibrator
from charm_rm.tables import Margins, Responses, Scores
from charm_rm.testbed import simulate_arena
from models.doctor.patients import decoder

Charm = Callable[..., Result]
RM, JUDGE = "python:calibrator_fakes:lengths", "python:calibrator_fakes:preferences"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    said = {"one": "plain {}", "two": "**bold** {}\n\n- more", "three": "{0} {0} {0}"}
    rows = [
        {
            "prompt_id": f"q{q}",
            "prompt": f"Name {q} things.",
            "policy": p,
            "response": form.format("thing " * q),
        }
        for q in range(6)
        for p, form in said.items()
    ]
    return save(Responses(pl.DataFrame(rows)), tmp_path / "responses.parquet")


@pytest.fixture
def calibrator(table: Path, tmp_path: Path) -> Path:
    known = solved_on(load(Responses, table), ["one", "two"])
    return save_calibrator(a_calibrator(load_scorer(RM), solved_on=known), tmp_path / "calibrator.json")


@pytest.fixture
def judge_calibrator(tmp_path: Path) -> Path:
    return save_calibrator(a_calibrator(load_judge(JUDGE), unit="log-odds"), tmp_path / "judge.json")


def added(table: Path, calibrator: Path) -> list[float]:
    known = load_calibrator(calibrator)
    features = measure_features(load(Responses, table), features=list(known.names))
    return [float(x) for x in known.adjust_table(features)]


def test_scores_are_calibrated_and_keep_it(
    charm: Charm, table: Path, calibrator: Path, tmp_path: Path
) -> None:
    plain, moved = tmp_path / "plain.parquet", tmp_path / "moved.parquet"
    assert charm("score", table, "--rm", RM, "-o", plain).exit_code == 0
    result = charm("score", table, "--rm", RM, "--calibrator", calibrator, "-o", moved)
    assert result.exit_code == 0, result.output
    before, after = load(Scores, plain), load(Scores, moved)
    assert (after.frame["score"] - before.frame["score"]).to_list() == pytest.approx(added(table, calibrator))
    said = in_sample(after)
    assert said is not None
    assert "in-sample: all of the 6 prompts" in str(said)
    again = charm("apply", moved, calibrator, "--responses", table, "-o", tmp_path / "twice.parquet")
    assert again.exit_code == 2
    assert "carry this style calibration already" in again.output
    assert not (tmp_path / "twice.parquet").exists()


def test_a_calibrator_of_another_model_is_refused(
    charm: Charm, table: Path, calibrator: Path, tmp_path: Path
) -> None:
    other = "python:benchmark_fakes:reward"
    result = charm("score", table, "--rm", other, "--calibrator", calibrator, "-o", tmp_path / "s.parquet")
    assert result.exit_code == 2
    assert "another model" in result.output
    assert not (tmp_path / "s.parquet").exists()


@pytest.mark.parametrize(
    "content", ["{}", "[1]", "{", '{"format": "charm-calibrator", "version": 99}', "__import__('os')"]
)
def test_a_file_that_is_no_calibrator_is_refused(
    charm: Charm, table: Path, content: str, tmp_path: Path
) -> None:
    path = tmp_path / "c.json"
    path.write_text(content, encoding="utf-8")
    result = charm("score", table, "--rm", RM, "--calibrator", path, "-o", tmp_path / "s.parquet")
    assert result.exit_code == 2
    assert "c.json" in result.output
    absent = charm(
        "score", table, "--rm", RM, "--calibrator", tmp_path / "absent.json", "-o", tmp_path / "s.parquet"
    )
    assert absent.exit_code == 2


def test_margins_of_a_judge_are_calibrated(
    charm: Charm, table: Path, judge_calibrator: Path, tmp_path: Path
) -> None:
    plain, moved = tmp_path / "plain.parquet", tmp_path / "moved.parquet"
    assert charm("judge", table, "--judge", JUDGE, "-o", plain).exit_code == 0
    result = charm("judge", table, "--judge", JUDGE, "--calibrator", judge_calibrator, "-o", moved)
    assert result.exit_code == 0, result.output
    before, after = load(Margins, plain), load(Margins, moved)
    assert after.provenance["calibrations"]
    assert (before.frame["margin"] != after.frame["margin"]).any()


# --- evaluate -----------------------------------------------------------------------------------


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """The longer, bold response is rejected: a model that likes length is wrong, a distaste for bold puts it right."""
    rows = [
        {"prompt": f"Q{i}?", "chosen": f"Plain {i}.", "rejected": f"**Bold** words {i}."} for i in range(8)
    ]
    path = tmp_path / "pairs.jsonl"
    pl.DataFrame(rows).write_ndjson(path)
    return path


def distaste(model: Any, path: Path, **more: Any) -> Path:
    return save_calibrator(a_calibrator(model, weights={"bold": -60.0}, **more), path)


def test_a_benchmark_compares_the_calibrated_model_with_the_plain_one(
    charm: Charm, pairs: Path, tmp_path: Path
) -> None:
    path = distaste(load_scorer(RM), tmp_path / "c.json")
    result = charm("evaluate", "--rm", RM, "--calibrator", path, "--baseline", RM, "--pairs", pairs, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert headline(found) == 1.0
    assert found["benchmarks"][0]["metrics"][0]["baseline_accuracy"] == 0.0
    assert found["provenance"]["settings"]["calibrator"] == path.name  # no path of this machine


def test_a_benchmark_takes_a_calibrated_judge(charm: Charm, pairs: Path, tmp_path: Path) -> None:
    path = distaste(load_judge(JUDGE), tmp_path / "j.json", unit="log-odds")
    ask = ("evaluate", "--judge", JUDGE, "--pairs", pairs, "--json")
    before, after = (json.loads(charm(*ask, *more).stdout) for more in ((), ("--calibrator", path)))
    assert (headline(before), headline(after)) == (0.0, 1.0)


def headline(found: dict[str, Any]) -> float:
    return float(found["benchmarks"][0]["metrics"][0]["accuracy"])


# --- run ----------------------------------------------------------------------------------------


def test_a_run_scores_by_the_calibrator_and_again_when_it_changes(charm: Charm, tmp_path: Path) -> None:
    arena = simulate_arena(seed=0, n_prompts=40, n_votes=2000)
    save(arena.responses, tmp_path / "responses.parquet")
    save(arena.true_ratings, tmp_path / "ratings.parquet")
    path = save_calibrator(a_calibrator(load_scorer(RM)), tmp_path / "c.json")
    config = {
        "name": "run",
        "responses": {"source": "responses.parquet"},
        "ratings": {"source": str(tmp_path / "ratings.parquet")},
        "rm": {"model": RM, "calibrator": "c.json"},
        "audit": {"draws": 0},
        "calibrate": None,
        "relabel": None,
        "train": None,
        "report": {"enabled": False},
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    run = ("run", tmp_path / "run.yaml", "-o", tmp_path / "out")
    assert charm(*run).exit_code == 0
    first = load(Scores, tmp_path / "out" / SCORES)
    assert [one["style"] for one in first.provenance["calibrations"]] == [load_calibrator(path).fingerprint]
    assert charm(*run).exit_code == 0
    assert load(Scores, tmp_path / "out" / SCORES).frame.equals(first.frame)
    save_calibrator(a_calibrator(load_scorer(RM), weights={"words": 9.0}), path, force=True)
    assert charm(*run).exit_code == 0
    assert not load(Scores, tmp_path / "out" / SCORES).frame.equals(first.frame)


def test_a_calibrator_needs_a_model_that_exists() -> None:
    train = {"base": "b", "preferences": "p"}
    with pytest.raises(Exception, match="calibrator belongs to a model that exists"):
        check_config({"responses": {"source": "r"}, "rm": {"train_from": train, "calibrator": "c.json"}})


# --- doctor -------------------------------------------------------------------------------------


@pytest.mark.models
class TestDoctor:
    @pytest.fixture(scope="class")
    def rm(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        pytest.importorskip("torch", reason="needs the [hf] extra")
        return decoder(tmp_path_factory.mktemp("sound"))

    def examine(self, charm: Charm, rm: Path, table: Path, path: Path) -> tuple[int, dict[str, Any]]:
        result = charm("doctor", "--rm", rm, "--calibrator", path, "--responses", table, "--quick", "--json")
        found = json.loads(result.stdout)
        return result.exit_code, next(c for c in found["checks"] if c["id"] == "calibrator")

    def test_the_models_own_calibrator_is_well(
        self, charm: Charm, rm: Path, table: Path, tmp_path: Path
    ) -> None:
        path = save_calibrator(a_calibrator(load_scorer(str(rm))), tmp_path / "c.json")
        code, check = self.examine(charm, rm, table, path)
        assert (code, check["status"]) == (0, "ok")
        assert "scores are calibrated: 3 features" in check["found"]
        assert check["details"][0] == "bold: -0.7 for one sd"

    @pytest.mark.parametrize(
        ("model", "more", "status", "words"),
        [
            ("other", {}, "fail", "another model"),
            ("own", {"versions": {"bold": 7}}, "fail", "version 1 here"),
            ("own", {"unit": "log-odds"}, "fail", "is a reward model"),
            (None, {}, "warn", "does not say which model"),
            ("own", {"offsets": {"one": 1.0}}, "warn", "offsets of 1 rated"),
            ("own", {"limit": 0.5}, "warn", "beyond 0.5 sd"),
        ],
    )
    def test_what_does_not_fit_is_told(
        self,
        model: str | None,
        more: dict[str, Any],
        status: str,
        words: str,
        charm: Charm,
        rm: Path,
        table: Path,
        tmp_path: Path,
    ) -> None:
        solved = {"own": load_scorer(str(rm)), "other": load_scorer(RM), None: None}[model]
        path = save_calibrator(a_calibrator(solved, **more), tmp_path / "c.json")
        code, check = self.examine(charm, rm, table, path)
        assert (code, check["status"]) == (1 if status == "fail" else 0, status)
        assert words in check["found"]
        assert check["fix"]
