"""A run of judgements, made elsewhere or by a judge: the same tables that the commands give, up to preferences."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from click.testing import Result

from charm_rm import store
from charm_rm.errors import ConfigError, NoOverlap
from charm_rm.pipeline import load_config, run_pipeline
from charm_rm.tables import Margins, Mismatch, Offsets, Preferences
from judge_fakes import write_annotations

Charm = Callable[..., Result]
STAGES = ("ratings", "responses", "judge", "audit", "calibrate", "relabel")
JUDGE = '''
def longer(prompts, first, second):
    """Prefers the longer of two responses, by half."""
    return [0.75 if len(a) > len(b) else 0.25 if len(a) < len(b) else 0.5 for a, b in zip(first, second)]
'''

pytestmark = pytest.mark.filterwarnings("ignore::charm_rm.errors.CharmWarning")  # small data


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """AlpacaEval's annotations of four policies against a baseline by two judges; responses; ratings."""
    return write_annotations(tmp_path)


def configure(folder: Path, **sections: Any) -> Path:
    values: dict[str, Any] = {
        "responses": {"source": "responses.json", "test_fraction": 0.4},
        "ratings": {"source": "ratings.csv"},
        "audit": {"draws": 100, "outcome": "soft"},
        "calibrate": {"over": "elm", "references": ["base"]},
        "report": {"enabled": False},
        **sections,
    }
    path = folder / "charm.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def test_existing_judgements_give_what_the_commands_give(charm: Charm, inputs: Path) -> None:
    path = configure(inputs, score={"judgements": "annotations.json", "annotator": "mild"})
    run = inputs / "run"
    assert run_pipeline(load_config(path), run).ran == STAGES
    prompts = store.read_frame(run / "prompts.parquet")
    margins = store.load(Margins, run / "before/margins.parquet")
    assert margins.provenance["annotator"] == "mild"
    for side in ("train", "test"):
        of_side = prompts.filter(pl.col("split") == side)["prompt_id"].to_list()
        store.save(
            Margins(margins.frame.filter(pl.col("prompt_id").is_in(of_side)), margins.provenance),
            inputs / f"{side}.parquet",
        )
    common = ("--ratings", inputs / "ratings.csv", "--draws", 100)
    done = charm("audit", inputs / "test.parquet", *common, "--outcome", "soft", "-o", inputs / "audit")
    assert done.exit_code == 0, done.output
    for name in ("mismatch", "favouritism"):
        ours, theirs = (pl.read_parquet(f / f"{name}.parquet") for f in (run / "before", inputs / "audit"))
        assert ours.equals(theirs)
    offsets, prefs = inputs / "o.parquet", inputs / "prefs"
    done = charm(
        "calibrate", inputs / "train.parquet", *common, "--over", "elm", "--ref", "base", "-o", offsets
    )
    assert done.exit_code == 0, done.output
    assert pl.read_parquet(offsets).equals(pl.read_parquet(run / "offsets.parquet"))
    responses = run / "responses.parquet"
    done = charm(
        "relabel",
        inputs / "train.parquet",
        responses,
        offsets,
        "--policy",
        "elm",
        "--policy",
        "base",
        "-o",
        prefs,
    )
    assert done.exit_code == 0, done.output
    assert pl.read_parquet(prefs / "ledger.parquet").equals(pl.read_parquet(run / "prefs/ledger.parquet"))
    assert store.load(Offsets, run / "offsets.parquet").provenance["unit"] == "log-odds"


def test_auto_is_the_same_by_command_and_by_run(charm: Charm, inputs: Path) -> None:
    path = configure(
        inputs,
        score={"judgements": "annotations.json", "annotator": "stern"},
        calibrate={},
        audit={"draws": 100},
    )
    run = inputs / "run"
    run_pipeline(load_config(path), run, until="calibrate")
    prompts = store.read_frame(run / "prompts.parquet").filter(pl.col("split") == "train")["prompt_id"]
    margins = store.load(Margins, run / "before/margins.parquet")
    train = Margins(margins.frame.filter(pl.col("prompt_id").is_in(prompts.to_list())), margins.provenance)
    store.save(train, inputs / "train.parquet")
    done = charm(
        "calibrate", inputs / "train.parquet", "--ratings", inputs / "ratings.csv", "--over", "auto", "--ref", "auto",
        "--draws", 0, "-o", inputs / "o.parquet",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    by_command, by_run = (store.load(Offsets, p) for p in (inputs / "o.parquet", run / "offsets.parquet"))
    assert by_command.frame["policy"].to_list() == by_run.frame["policy"].to_list()


def test_a_judge_is_asked_and_what_follows_is_of_its_margins(
    inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (inputs / "judge_of_length.py").write_text(JUDGE)
    monkeypatch.syspath_prepend(str(inputs))
    spec = {"spec": "python:judge_of_length:longer", "pairs": "sampled:4"}
    path = configure(inputs, judge=spec, calibrate={"method": "joint", "references": ["base"]})
    run = inputs / "run"
    assert run_pipeline(load_config(path), run).ran == STAGES
    margins = store.load(Margins, run / "before/margins.parquet")
    assert margins.provenance["pair_spec"] == "sampled:4"
    assert len(margins) == 4 * 60
    mismatch = store.load(Mismatch, run / "before/mismatch.parquet").frame
    assert (mismatch["n"] <= 24).all()
    assert len(store.load(Preferences, run / "prefs/preferences.parquet")) > 0
    assert run_pipeline(load_config(path), run).ran == ()
    path = configure(inputs, judge=spec | {"pairs": "all"}, calibrate=None)
    assert run_pipeline(load_config(path), run, progress=False).ran == ("judge", "audit")


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"score": {"judgements": "ratings.csv"}}, Exception, "ratings.csv"),
        ({"score": {"judgements": "scores.csv"}}, ConfigError, "judgements were expected, these are scores"),
        ({"score": {"judgements": "other.csv"}}, NoOverlap, "none of the judgements is of these responses"),
    ],
)
def test_what_are_no_judgements_of_these_responses(
    inputs: Path, changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    (inputs / "scores.csv").write_text("prompt_id,policy,score\np,oak,1\np,elm,2\n")
    (inputs / "other.csv").write_text("prompt_id,policy,reference,margin\np,oak,elm,1\n")
    with pytest.raises(error, match=words):
        run_pipeline(load_config(configure(inputs, **changes)), inputs / "run")


def test_one_origin_of_scores_or_judgements(inputs: Path) -> None:
    with pytest.raises(ConfigError, match="exactly one of rm and score.scores"):
        load_config(configure(inputs, judge={"spec": "openai:m"}, rm={"model": "x"}))
    with pytest.raises(ConfigError, match="either scores or judgements"):
        load_config(configure(inputs, score={"scores": "a", "judgements": "b"}))


def test_a_judge_is_evaluated_on_benchmarks_too(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked in both orders, as `charm evaluate --judge` asks."""
    (inputs / "own_judge.py").write_text(JUDGE)
    monkeypatch.syspath_prepend(str(inputs))
    rows = [{"prompt": f"p{i}", "chosen": "long " * (2 + i), "rejected": "short"} for i in range(8)]
    pl.DataFrame(rows).write_ndjson(inputs / "pairs.jsonl")
    judge = {"spec": "python:own_judge:longer"}
    path = configure(inputs, judge=judge, evaluate={"pairs": "pairs.jsonl"})
    assert "evaluate" in run_pipeline(load_config(path), inputs / "run").ran
    found = store.read_frame(inputs / "run/evaluation/benchmarks.parquet")
    assert found["accuracy"].to_list() == [1.0] * found.height
    assert run_pipeline(load_config(path), inputs / "run").ran == ()


def test_an_evaluation_that_nothing_could_come_of_is_refused(inputs: Path) -> None:
    judge, given = {"spec": "python:own_judge:longer"}, {"judgements": "annotations.json"}
    with pytest.raises(ConfigError, match=r"evaluate would do nothing(?s:.*)or give benchmarks or pairs"):
        load_config(configure(inputs, judge=judge, evaluate={}))
    with pytest.raises(ConfigError, match="evaluate would do nothing"):
        load_config(configure(inputs, score=given, evaluate={}))
    with pytest.raises(ConfigError, match="ask a model, and this run has none"):
        load_config(configure(inputs, score=given, evaluate={"pairs": "pairs.jsonl"}))
