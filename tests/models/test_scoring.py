"""Scoring tables: agreement with calling the model, scoring once, going on after a kill."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from charm_rm.errors import CharmWarning, ModelError, UnreadableFile, WriteFailed
from charm_rm.models import load_reward_model, score_responses, scoring
from charm_rm.models.reward import RewardModel
from charm_rm.store import save
from charm_rm.tables import Responses

pytestmark = pytest.mark.models
pytest.importorskip("torch", reason="needs the [hf] extra")


@pytest.fixture(scope="module")
def model(tiny_rm_dir: Path) -> RewardModel:
    return load_reward_model(tiny_rm_dir)


def table(n_prompts: int = 20, *, policies: tuple[str, ...] = ("one", "two")) -> Responses:
    rng = np.random.default_rng(5)
    rows = [
        {
            "prompt_id": f"q{q}",
            "prompt": [{"role": "user", "content": f"p{q} p{q + 1}"}],
            "policy": policy,
            "response": " ".join(f"r{i}" for i in rng.integers(0, 200, 1 + (7 * q) % 11)),
        }
        for q in range(n_prompts)
        for policy in policies
    ]
    return Responses(pl.DataFrame(rows))


class Counting:
    """Count the rows that a model scores, and stop it after some batches where asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, stop_after: int | None = None) -> None:
        self.rows, self.batches, self.stop_after = 0, 0, stop_after
        whole = RewardModel.score_batch

        def counted(model: RewardModel, batch: Any) -> Any:
            if self.batches == self.stop_after:
                raise KeyboardInterrupt
            self.rows, self.batches = self.rows + len(batch), self.batches + 1
            return whole(model, batch)

        monkeypatch.setattr(RewardModel, "score_batch", counted)


def test_agrees_with_calling_the_model_row_by_row(model: RewardModel) -> None:
    responses = table()
    scores = score_responses(model, responses, token_budget=64, progress=False)
    expected = model(responses.frame["prompt"].to_list(), responses.frame["response"].to_list())
    np.testing.assert_allclose(scores.frame["score"], expected, atol=1e-4, rtol=0)
    assert scores.frame.select("prompt_id", "policy").equals(responses.frame.select("prompt_id", "policy"))
    assert scores.frame["n_tokens"].to_list() == [
        len(model.encoder.encode(p, r)) for p, r in responses.frame.select("prompt", "response").iter_rows()
    ]
    assert scores.provenance["rm_fingerprint"] == model.fingerprint


def test_the_token_budget_changes_no_score(model: RewardModel) -> None:
    few, many = (score_responses(model, table(), token_budget=b, progress=False) for b in (30, 5000))
    np.testing.assert_allclose(few.frame["score"], many.frame["score"], atol=1e-4, rtol=0)


def test_identical_texts_are_scored_once(model: RewardModel, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = table(10, policies=("one",)).frame
    twin = frame.with_columns(pl.lit("twin").alias("policy"))
    count = Counting(monkeypatch)
    scores = score_responses(model, Responses(pl.concat([frame, twin])), progress=False).frame
    assert count.rows == 10
    assert scores.filter(policy="one")["score"].equals(scores.filter(policy="twin")["score"])


def test_truncation_is_counted_per_row(tiny_rm_dir: Path) -> None:
    short = load_reward_model(tiny_rm_dir, max_length=14)
    with pytest.warns(CharmWarning, match="longer than 14 tokens"):
        scores = score_responses(short, table(), progress=False)
    assert 0 < scores.frame["truncated"].sum() < len(scores)
    assert scores.frame["n_tokens"].max() <= 14
    assert scores.provenance["truncated"] == scores.frame["truncated"].sum()


def test_scores_that_are_not_finite_name_prompt_and_policy(
    model: RewardModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RewardModel, "score_batch", lambda _model, batch: np.full(len(batch), np.inf))
    with pytest.raises(ModelError, match=r"40 of 40 scores are not finite: \(q0, one\), \(q0, two\)"):
        score_responses(model, table(), progress=False)


class TestCheckpoint:
    def test_a_stopped_run_goes_on_and_gives_the_very_same_scores(
        self, model: RewardModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        whole = score_responses(model, table(), token_budget=64, progress=False)
        part = tmp_path / "deep" / "part.jsonl"
        with monkeypatch.context() as patched:
            Counting(patched, stop_after=3)
            with pytest.raises(KeyboardInterrupt):
                score_responses(model, table(), token_budget=64, progress=False, checkpoint=part)
        kept = len(part.read_text().splitlines())
        count = Counting(monkeypatch)
        resumed = score_responses(model, table(), token_budget=64, progress=False, checkpoint=part)
        assert kept > 0
        assert count.rows == 40 - kept
        assert resumed.frame.equals(whole.frame)

    def test_a_torn_last_line_is_scored_again(
        self, model: RewardModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        part = tmp_path / "part.jsonl"
        whole = score_responses(model, table(), token_budget=64, progress=False, checkpoint=part)
        part.write_bytes(part.read_bytes()[:-10])
        count = Counting(monkeypatch)
        resumed = score_responses(model, table(), token_budget=64, progress=False, checkpoint=part)
        assert count.batches == 1
        assert resumed.frame.equals(whole.frame)
        assert all(json.loads(line)["key"] for line in part.read_text().splitlines())

    def test_another_model_takes_nothing_from_it(
        self, model: RewardModel, minilm_rm_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        part = tmp_path / "part.jsonl"
        score_responses(model, table(4), progress=False, checkpoint=part)
        count = Counting(monkeypatch)
        score_responses(load_reward_model(minilm_rm_dir), table(4), progress=False, checkpoint=part)
        assert count.rows == 8

    def test_a_file_of_another_kind_is_refused(self, model: RewardModel, tmp_path: Path) -> None:
        part = tmp_path / "notes.jsonl"
        part.write_text('{"note": "not ours"}\n')
        with pytest.raises(UnreadableFile, match="not a scoring checkpoint"):
            score_responses(model, table(2), progress=False, checkpoint=part)
        assert part.read_text() == '{"note": "not ours"}\n'

    def test_a_full_disk_is_a_typed_error_and_what_was_written_stays(
        self, model: RewardModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        def full(_descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        part = tmp_path / "part.jsonl"
        monkeypatch.setattr(scoring, "_SYNC_SECONDS", -1.0)
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(WriteFailed, match="No space left"):
            score_responses(model, table(2), progress=False, checkpoint=part)
        monkeypatch.undo()
        assert score_responses(model, table(2), progress=False, checkpoint=part).frame.height == 4

    @pytest.mark.slow
    def test_a_run_killed_outright_goes_on(
        self, tiny_rm_dir: Path, model: RewardModel, tmp_path: Path
    ) -> None:
        responses, part = save(table(), tmp_path / "r.parquet"), tmp_path / "part.jsonl"
        script = (
            "import sys, time; from charm_rm.models import *; from charm_rm.store import load\n"
            "from charm_rm.tables import Responses; whole = RewardModel.score_batch\n"
            "RewardModel.score_batch = lambda m, b: (time.sleep(0.3), whole(m, b))[1]\n"
            "score_responses(load_reward_model(sys.argv[1]), load(Responses, sys.argv[2]), token_budget=64,"
            " progress=False, checkpoint=sys.argv[3])"
        )
        command = [sys.executable, "-c", script, str(tiny_rm_dir), str(responses), str(part)]
        source = str(Path(__file__).resolve().parents[2] / "src")
        process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": source})
        deadline = time.monotonic() + 120
        while not (part.exists() and part.read_bytes().count(b"\n") >= 4):
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        kept = part.read_bytes().count(b"\n")
        assert kept < 40
        resumed = score_responses(model, table(), token_budget=64, progress=False, checkpoint=part)
        whole = score_responses(model, table(), token_budget=64, progress=False)
        np.testing.assert_allclose(resumed.frame["score"], whole.frame["score"], atol=1e-6, rtol=0)
