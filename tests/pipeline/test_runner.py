"""Stages run once, again only if what they depend on changed, and go on where a killed run stopped."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import replace

import polars as pl
import pytest
import yaml

from charm_rm import store
from charm_rm.errors import CharmWarning, ConfigError, NoOverlap, OutputExists, StageFailed, UnknownPolicy
from charm_rm.locks import locked
from charm_rm.pipeline import load_config, plan_run, run_pipeline
from charm_rm.pipeline.graph import planned_stages
from charm_rm.pipeline.manifest import LOCK
from charm_rm.tables import Mismatch, Offsets, Preferences
from pipeline.conftest import small

STAGES = ("ratings", "responses", "score", "audit", "calibrate", "relabel")
CHARM = [sys.executable, "-c", "from charm_rm.cli import main; main()"]

# A handful of policies leaves the sharpness loose, and an audit says so; that is not what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:the sharpness is imprecise")


@pytest.fixture(scope="module")
def finished(arena_files, tmp_path_factory):
    """The directory of a small run that went through; to be copied, not changed."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "config.yaml").write_text(yaml.safe_dump(small(arena_files)))
    result = run_pipeline(load_config(folder / "config.yaml"), folder / "run")
    assert result.ran == STAGES
    return folder / "run"


@pytest.fixture
def done(finished, configure, tmp_path):
    """A finished small run of one's own: its configuration and directory."""
    return configure(), shutil.copytree(finished, tmp_path / "run")


def test_a_run_leaves_the_promised_files(done):
    _, run = done
    prompts = store.read_frame(run / "prompts.parquet")
    assert dict(prompts["split"].value_counts().iter_rows()) == {"train": 60, "test": 40}
    test = set(prompts.filter(pl.col("split") == "test")["prompt_id"])
    assert (store.load(Mismatch, run / "before/mismatch.parquet").frame["n"] == len(test)).all()
    preferences = store.load(Preferences, run / "prefs/preferences.parquet")
    assert not set(preferences.frame["prompt_id"]) & test
    offsets = store.load(Offsets, run / "offsets.parquet")
    assert offsets.provenance["over"] == "velvet"
    assert set(preferences.frame["chosen_policy"]) | set(preferences.frame["rejected_policy"]) == set(
        offsets.policies
    )
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["simulated"] is False
    record = manifest["stages"]["calibrate"]
    assert set(record["inputs"]) == {"before/scores.parquet", "ratings.parquet", "prompts.parquet"}
    assert set(record["outputs"]) == {"offsets.parquet"}
    assert record["seconds"] >= 0
    assert record["versions"]["polars"]


def test_second_run_skips_everything_and_writes_nothing(done):
    config, run = done
    before = {p: p.stat().st_mtime_ns for p in run.rglob("*.parquet")}
    result = run_pipeline(config, run)
    assert (result.ran, result.skipped) == ((), STAGES)
    assert before == {p: p.stat().st_mtime_ns for p in run.rglob("*.parquet")}


@pytest.mark.parametrize(
    ("changes", "ran"),
    [
        (
            {"audit": {"draws": 120}},
            ("audit", "calibrate", "relabel"),
        ),  # intervals of the offsets change with it
        ({"relabel": {"temperature": 2.0}}, ("relabel",)),
        ({"calibrate": {"over": "satin"}}, ("calibrate", "relabel")),
        ({"ratings": {"prior": 0.5}}, ("ratings", "audit", "calibrate", "relabel")),
        ({"name": "other"}, ()),
        ({"score": {"token_budget": 7}}, ()),
    ],
)
def test_a_changed_setting_reruns_its_stage_and_what_follows_from_it(done, configure, changes, ran):
    _, run = done
    config = configure(**changes)
    assert run_pipeline(config, run).ran == ran
    assert run_pipeline(config, run).ran == ()


def test_touching_an_input_reruns_nothing_changing_it_does(done, configure, arena_files, tmp_path):
    _, run = done
    scores = tmp_path / "scores.parquet"
    shutil.copy(arena_files / "scores.parquet", scores)
    config = configure(score={"scores": str(scores)})
    run_pipeline(config, run)
    os.utime(scores)
    assert run_pipeline(config, run).ran == ()
    frame = store.read_frame(scores).with_columns(pl.col("score") + 1.0)
    frame.write_parquet(scores)
    steps = {s.stage.name: s.why for s in plan_run(config, run)}
    assert steps["ratings"] is steps["responses"] is None
    assert steps["score"] == "input changed: scores.parquet"
    assert steps["audit"] == "input comes from score, which runs"
    # A constant added to every score changes no margin: the audit is the same, and what follows is skipped.
    assert run_pipeline(config, run).ran[:2] == ("score", "audit")


def test_a_damaged_or_missing_output_is_made_again(done):
    config, run = done
    whole = (run / "offsets.parquet").read_bytes()
    (run / "offsets.parquet").write_bytes(whole[:100])
    assert run_pipeline(config, run).ran == ("calibrate",)
    assert (run / "offsets.parquet").read_bytes() == whole
    (run / "prefs/ledger.parquet").unlink()
    assert run_pipeline(config, run).ran == ("relabel",)


def test_only_until_and_force(configure, tmp_path):
    config, run = configure(), tmp_path / "run"
    assert run_pipeline(config, run, until="score").ran == STAGES[:3]
    with pytest.raises(ConfigError, match=r"needs offsets\.parquet"):
        run_pipeline(config, run, only="relabel")
    assert run_pipeline(config, run, only="audit").ran == ("audit",)
    assert run_pipeline(config, run, force_stages=["score"]).ran == ("score", "calibrate", "relabel")
    with pytest.raises(ConfigError, match="Did you mean 'audit'"):
        run_pipeline(config, run, until="audits")
    with pytest.raises(ConfigError, match="no stage 'train'"):
        run_pipeline(config, run, force_stages=["train"])
    with pytest.raises(ConfigError, match="exclude each other"):
        run_pipeline(config, run, only="audit", until="score")


def test_planning_writes_nothing(configure, tmp_path):
    steps = plan_run(configure(), tmp_path / "run")
    assert [(s.stage.name, s.why) for s in steps] == [(name, "has not run") for name in STAGES]
    assert not (tmp_path / "run").exists()


def test_sections_that_are_off_take_their_stages_along(configure):
    assert [s.name for s in planned_stages(configure(calibrate=None))] == [
        "ratings",
        "responses",
        "score",
        "audit",
    ]
    assert [s.name for s in planned_stages(configure(relabel=None))][-1] == "calibrate"


def test_held_out_policies_take_no_part(configure, tmp_path):
    run = tmp_path / "run"
    run_pipeline(configure(calibrate={"held_out": ["velvet"]}), run)
    assert "velvet" not in store.load(Offsets, run / "offsets.parquet").policies
    assert "velvet" in store.load(Mismatch, run / "before/mismatch.parquet").policies
    with pytest.raises(UnknownPolicy, match=r"held_out.*Did you mean 'velvet'"):
        run_pipeline(configure(calibrate={"held_out": ["velvett"]}), run)


def test_joint_offsets(configure, tmp_path):
    run = tmp_path / "run"
    config = configure(
        calibrate={"method": "joint", "held_out": ["reed"]}, relabel={"strategy": "best-vs-worst"}
    )
    with pytest.warns(CharmWarning, match="covers 0"):
        run_pipeline(config, run)
    warned = json.loads((run / "manifest.json").read_text())["warnings"]
    assert any("covers 0" in w for w in warned)
    offsets = store.load(Offsets, run / "offsets.parquet").frame
    assert offsets.height == 11
    assert offsets["is_reference"].sum() == 1


def test_a_failing_stage_is_named_and_leaves_the_others_done(configure, tmp_path):
    run = tmp_path / "run"
    with pytest.raises(UnknownPolicy, match=r"(?s)stage calibrate.*'velvett'.*Did you mean 'velvet'"):
        run_pipeline(configure(calibrate={"over": "velvett"}), run)
    assert run_pipeline(configure(), run).skipped == STAGES[:4]


def test_what_a_failing_stage_warned_of_is_said(configure, tmp_path, monkeypatch):
    from charm_rm.pipeline import runner

    def fails(_run):
        warnings.warn("only three prompts are shared", CharmWarning, stacklevel=1)
        raise NoOverlap("too few prompts", fix="score more of them")

    stages = [replace(s, run=fails) if s.name == "audit" else s for s in planned_stages(configure())]
    monkeypatch.setattr(runner, "planned_stages", lambda _config: tuple(stages))
    with (
        pytest.warns(CharmWarning, match="only three prompts are shared"),
        pytest.raises(NoOverlap, match="stage audit: too few prompts"),
    ):
        run_pipeline(configure(), tmp_path / "run")


def test_a_stage_without_its_output_is_a_failure_of_ours(configure, tmp_path, monkeypatch):
    from charm_rm.pipeline import runner

    monkeypatch.setattr(runner, "_work", lambda _stage, _run: ("nothing", []))
    with pytest.raises(StageFailed, match=r"without ratings\.parquet"):
        run_pipeline(configure(), tmp_path / "run")


@pytest.mark.filterwarnings("ignore::charm_rm.errors.CharmWarning")  # few prompts
def test_scores_of_part_of_the_prompts_are_enough(configure, arena_files, tmp_path):
    """Those of 60 of 100 prompts, with three scores more missing; the rest is left out of every stage, and said."""
    frame = store.read_frame(arena_files / "scores.parquet")
    some = frame["prompt_id"].unique(maintain_order=True)[:60].to_list()
    frame.filter(pl.col("prompt_id").is_in(some))[:-3].write_parquet(tmp_path / "few.parquet")
    with pytest.warns(
        CharmWarning, match=r"483 of 1,200 responses have no score and are left out, 40 prompts altogether"
    ):
        done = run_pipeline(configure(score={"scores": str(tmp_path / "few.parquet")}), tmp_path / "run")
    assert done.ran == STAGES
    scored = store.read_frame(tmp_path / "run/before/scores.parquet")
    assert scored.height == 717
    preferences = store.read_frame(tmp_path / "run/prefs/preferences.parquet")
    assert set(preferences["prompt_id"]) <= set(some)
    assert any(
        "483 of 1,200" in w for w in json.loads((tmp_path / "run/manifest.json").read_text())["warnings"]
    )


def test_scores_of_other_prompts_or_without_a_policy_are_refused(configure, arena_files, tmp_path):
    frame = store.read_frame(arena_files / "scores.parquet")
    frame.with_columns(pl.format("other {}", "prompt_id").alias("prompt_id")).write_parquet(
        tmp_path / "others.parquet"
    )
    with pytest.raises(NoOverlap, match="none of the scores is of these responses"):
        run_pipeline(configure(score={"scores": str(tmp_path / "others.parquet")}), tmp_path / "run")
    renamed = frame.with_columns(pl.col("policy").replace("velvet", "Velvet-1"))
    renamed.write_parquet(tmp_path / "renamed.parquet")
    with pytest.raises(
        UnknownPolicy, match=r"'velvet' has responses and no score\.(?s:.*)responses\.policies"
    ):
        run_pipeline(configure(score={"scores": str(tmp_path / "renamed.parquet")}), tmp_path / "run")


def test_an_evaluation_of_given_scores_is_their_alignment(configure, tmp_path):
    assert run_pipeline(configure(evaluate={}), tmp_path / "run").ran == (*STAGES, "evaluate")
    found = json.loads((tmp_path / "run/evaluation/evaluation.json").read_text())
    assert {row["metric"] for row in found["alignment"]} >= {"spearman", "mean_abs_mismatch"}
    with pytest.raises(ConfigError, match="ask a model, and this run has none"):
        configure(evaluate={"pairs": "pairs.jsonl"})


# --- two runs, killed runs ----------------------------------------------------------------------


def test_a_second_run_in_the_same_directory_is_refused(configure, tmp_path):
    run = tmp_path / "run"
    with (
        locked(run / LOCK),
        pytest.raises(ConfigError, match=rf"another run is using this output \(process {os.getpid()}\)"),
    ):
        run_pipeline(configure(), run)
    assert run_pipeline(configure(), run, until="ratings").ran == ("ratings",)


def test_a_lock_file_left_behind_is_stale(configure, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / ".lock").write_text("999999\n")
    assert run_pipeline(configure(), run, until="ratings").ran == ("ratings",)


def test_a_foreign_manifest_is_not_overwritten(configure, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "manifest.json").write_text('{"other": 1}')
    with pytest.raises(ConfigError, match="not the manifest of a run"):
        run_pipeline(configure(), run)
    assert (run / "manifest.json").read_text() == '{"other": 1}'


def _wait_for(condition, process: subprocess.Popen, *, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < end, "the run did not get there"
        time.sleep(0.01)


@pytest.mark.parametrize("name", ["scores.parquet", "link.parquet"])
def test_a_run_does_not_write_over_what_it_is_given(configure, arena_files, tmp_path, name):
    """The scores of an older run in this directory, given to the next one there."""
    run = tmp_path / "run"
    given = run / "before" / name
    given.parent.mkdir(parents=True)
    shutil.copy(arena_files / "scores.parquet", run / "before" / "scores.parquet")
    if name == "link.parquet":
        given = tmp_path / name
        given.symlink_to(run / "before" / "scores.parquet")
    before = given.read_bytes()
    with pytest.raises(OutputExists, match="would write over its own input"):
        run_pipeline(configure(score={"scores": str(given)}), run)
    assert given.read_bytes() == before
    assert [p.name for p in run.iterdir()] == ["before"]


def test_a_killed_run_goes_on_where_it_stopped(configure, tmp_path):
    """SIGKILL in the audit, which 100,000 draws make long; what comes out equals a run that was not killed."""
    config = configure(audit={"draws": 100_000})
    run = tmp_path / "killed"
    process = subprocess.Popen(
        [*CHARM, "run", str(tmp_path / "config.yaml"), "-o", str(run)], stderr=subprocess.DEVNULL
    )
    manifest = run / "manifest.json"
    _wait_for(lambda: manifest.exists() and "score" in json.loads(manifest.read_text())["stages"], process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    stopped = json.loads(manifest.read_text())["stages"]
    assert set(stopped) == set(STAGES[:3])
    assert not (run / "before/mismatch.parquet").exists()

    config = configure(audit={"draws": 100})
    result = run_pipeline(config, run)
    assert (result.skipped, result.ran) == (STAGES[:3], STAGES[3:])
    run_pipeline(config, tmp_path / "whole")
    for path in sorted((tmp_path / "whole").rglob("*.parquet")):
        assert path.read_bytes() == (run / path.relative_to(tmp_path / "whole")).read_bytes(), path.name
