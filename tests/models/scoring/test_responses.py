"""Scoring tables: agreement with calling the model, scoring once, going on after a kill."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from charm_rm.errors import CharmWarning, ConfigError, ModelError, UnreadableFile, WriteFailed
from charm_rm.memo import Memo
from charm_rm.models import ResponseEncoder, load_reward_model, score_responses, score_texts
from charm_rm.models.scoring.launched import Launched
from charm_rm.models.scoring.reward import RewardModel
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
        whole = RewardModel.launch

        def counted(model: RewardModel, batch: Any) -> Any:
            if self.batches == self.stop_after:
                raise KeyboardInterrupt
            self.rows, self.batches = self.rows + len(batch), self.batches + 1
            return whole(model, batch)

        monkeypatch.setattr(RewardModel, "launch", counted)


def infinite(_model: RewardModel, batch: Any) -> Launched:
    return Launched(pytest.importorskip("torch").full((len(batch),), np.inf).double())


def test_agrees_with_calling_the_model_row_by_row(model: RewardModel) -> None:
    responses = table()
    scores = score_responses(model, responses, token_budget=64, progress=False)
    expected = model(responses.frame["prompt"].to_list(), responses.frame["response"].to_list())
    np.testing.assert_allclose(scores.frame["score"], expected, atol=1e-4, rtol=0)
    assert scores.frame.select("prompt_id", "policy").equals(responses.frame.select("prompt_id", "policy"))
    assert scores.frame["n_tokens"].to_list() == [
        len(model.encoder.encode(p, r)) for p, r in responses.frame.select("prompt", "response").iter_rows()
    ]
    about = scores.provenance
    assert about["rm_fingerprint"] == model.fingerprint
    assert (about["dtype"], about["attention"], about["device"]) == ("float32", "sdpa", "cpu")
    assert (about["token_budget"], about["from_store"], about["truncated"]) == (64, 0, 0)
    assert 0 < about["padding_share"] < 0.3


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


def test_progress_counts_rows_and_says_how_many_texts_they_are(
    model: RewardModel, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = table(10, policies=("one",)).frame
    twin = frame.with_columns(pl.lit("twin").alias("policy"))
    score_responses(model, Responses(pl.concat([frame, twin])))
    assert "scored 20 of 20 responses (10 different texts)" in capsys.readouterr().err


def test_system_messages_that_the_template_leaves_out_are_counted(make_rm: Any, tmp_path: Path) -> None:
    loses = "{{ bos_token }}{% for m in messages if m['role'] != 'system' %}<{{ m['role'] }}> {{ m['content'] }} {{ eos_token }}{% endfor %}"
    asked = [{"role": "system", "content": "p1"}, {"role": "user", "content": "p2"}]
    model = load_reward_model(make_rm(tmp_path / "rm", loses))
    with pytest.warns(
        CharmWarning,
        match="1 of 2 conversations has a system message, which the model's chat template leaves out",
    ):
        score_texts(model, [asked, "p2"], ["r1", "r1"], progress=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error", CharmWarning)
        score_texts(
            load_reward_model(make_rm(tmp_path / "keeps")), [asked, "p2"], ["r1", "r1"], progress=False
        )


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
    monkeypatch.setattr(RewardModel, "launch", infinite)
    with pytest.raises(ModelError, match=r"40 of 40 scores are not finite: \(q0, one\), \(q0, two\)"):
        score_responses(model, table(), progress=False)


class TestStore:
    def test_a_stopped_run_goes_on_and_gives_the_very_same_scores(
        self, model: RewardModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        whole = score_responses(model, table(), token_budget=64, progress=False)
        memo = tmp_path / "deep" / "memo.sqlite"
        with monkeypatch.context() as patched:
            first = Counting(patched, stop_after=3)
            with pytest.raises(KeyboardInterrupt):
                score_responses(model, table(), token_budget=64, progress=False, memo=memo)
        count = Counting(monkeypatch)
        resumed = score_responses(model, table(), token_budget=64, progress=False, memo=memo)
        assert first.rows > 0
        assert count.rows == 40 - first.rows
        assert resumed.frame.equals(whole.frame)
        assert resumed.provenance == whole.provenance

    def test_a_second_run_scores_and_tokenises_nothing(
        self, model: RewardModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        memo = tmp_path / "memo.sqlite"
        first = score_responses(model, table(), progress=False, memo=memo)
        count = Counting(monkeypatch)
        monkeypatch.setattr(model.encoder, "_encode", lambda _rows: pytest.fail("texts were tokenised"))
        second = score_responses(model, table(), progress=False, memo=memo)
        assert count.batches == 0
        assert second.frame.equals(first.frame)
        assert second.provenance == first.provenance

    def test_another_table_takes_what_the_first_had(
        self, model: RewardModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        memo = tmp_path / "memo.sqlite"
        score_responses(model, table(12), progress=False, memo=memo)
        count = Counting(monkeypatch)
        whole = score_responses(model, table(20), progress=False, memo=memo)
        assert (count.rows, whole.provenance["from_store"]) == (16, 24)
        alone = score_responses(model, table(20), progress=False)
        np.testing.assert_allclose(whole.frame["score"], alone.frame["score"], atol=1e-5, rtol=0)
        assert whole.frame.drop("score").equals(alone.frame.drop("score"))

    def test_bare_text_and_one_user_turn_are_the_same_text(
        self, model: RewardModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        memo = tmp_path / "memo.sqlite"
        score_texts(model, ["p1"], ["r1"], progress=False, memo=memo)
        count = Counting(monkeypatch)
        score_texts(model, [[{"role": "user", "content": "p1"}]], ["r1"], progress=False, memo=memo)
        assert count.rows == 0

    @pytest.mark.parametrize("changed", ["fingerprint", "dtype", "attention", "max_length", "layout"])
    def test_what_decides_a_score_is_in_its_key(
        self, tiny_rm_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, changed: str
    ) -> None:
        memo, model = tmp_path / "memo.sqlite", load_reward_model(tiny_rm_dir)
        score_responses(model, table(4), progress=False, memo=memo)
        if changed == "layout":
            encoder = ResponseEncoder(model.encoder.tokenizer, model.encoder.max_length, layout="plain")
            other = replace(model, encoder=encoder)
        elif changed == "max_length":
            other = load_reward_model(tiny_rm_dir, max_length=200)
        else:
            other = replace(model, **{changed: "another"})
        count = Counting(monkeypatch)
        score_responses(other, table(4), progress=False, memo=memo)
        assert count.rows == 8

    def test_another_model_takes_nothing_from_it(
        self, model: RewardModel, minilm_rm_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        memo = tmp_path / "memo.sqlite"
        score_responses(model, table(4), progress=False, memo=memo)
        count = Counting(monkeypatch)
        score_responses(load_reward_model(minilm_rm_dir), table(4), progress=False, memo=memo)
        assert count.rows == 8

    def test_runs_that_crossed_leave_whole_batches(
        self, model: RewardModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        memo = tmp_path / "memo.sqlite"
        with monkeypatch.context() as patched:
            Counting(patched, stop_after=2)
            with pytest.raises(KeyboardInterrupt):
                score_responses(model, table(), token_budget=64, progress=False, memo=memo)
        # Another run scores some of the rest, so that the first one's batches now fall otherwise.
        score_responses(model, table(7), token_budget=5000, progress=False, memo=memo)
        resumed = score_responses(model, table(), token_budget=64, progress=False, memo=memo)
        whole = score_responses(model, table(), token_budget=64, progress=False)
        np.testing.assert_allclose(resumed.frame["score"], whole.frame["score"], atol=1e-5, rtol=0)
        assert resumed.frame.drop("score").equals(whole.frame.drop("score"))

    def test_scores_that_are_not_finite_are_not_kept(
        self, model: RewardModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        memo = tmp_path / "memo.sqlite"
        with monkeypatch.context() as patched:
            patched.setattr(RewardModel, "launch", infinite)
            with pytest.raises(ModelError):
                score_responses(model, table(20), token_budget=20, progress=False, memo=memo)
            assert not [t for t in threading.enumerate() if t.name.startswith("charm-")]
        assert score_responses(model, table(2), progress=False, memo=memo).frame["score"].is_finite().all()

    def test_a_file_of_another_kind_is_refused(self, model: RewardModel, tmp_path: Path) -> None:
        memo = tmp_path / "notes.txt"
        memo.write_text("not a store at all, but long enough to look like one to nobody\n" * 20)
        before = memo.read_bytes()
        with pytest.raises(UnreadableFile, match="not a store of scores"):
            score_responses(model, table(2), progress=False, memo=memo)
        assert memo.read_bytes() == before

    def test_a_full_disk_is_a_typed_error_and_what_was_written_stays(
        self, model: RewardModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        memo = tmp_path / "memo.sqlite"
        whole = score_responses(model, table(), token_budget=64, progress=False)
        add, calls = Memo.add, []

        def full(opened: Memo, values: Any, *, run: str = "") -> None:
            calls.append(run)
            if len(calls) == 4:  # SQLite's own limit, as a disk that fills up: its next page is refused
                opened._connection.execute("PRAGMA max_page_count = 1")
                values = {**values, "long": "x" * 200_000}
            add(opened, values, run=run)

        with monkeypatch.context() as patched:
            patched.setattr(Memo, "add", full)
            with pytest.raises(WriteFailed, match="full"):
                score_responses(model, table(), token_budget=64, progress=False, memo=memo)
        count = Counting(monkeypatch)
        resumed = score_responses(model, table(), token_budget=64, progress=False, memo=memo)
        assert 0 < count.rows < 40
        assert resumed.frame.equals(whole.frame)


class Asked:
    """A reward that is no RewardModel: the response's length in letters."""

    source, fingerprint = "letters", "letters/1"

    def __init__(self) -> None:
        self.calls: list[int] = []

    def __call__(self, prompts: Sequence[Any], responses: Sequence[str]) -> Any:
        assert len(prompts) == len(responses)
        self.calls.append(len(responses))
        return np.array([len(r) for r in responses], dtype=float)


class TestOtherRewards:
    def test_is_asked_in_chunks_each_text_once(self) -> None:
        reward = Asked()
        scores = score_responses(reward, table(50), progress=False)
        assert scores.frame["score"].to_list() == [len(r) for r in table(50).frame["response"]]
        assert scores.frame.columns == ["prompt_id", "policy", "score", "text_hash"]
        distinct = table(50).frame.select("prompt", "response").unique().height
        assert sum(reward.calls) == distinct
        assert max(reward.calls) == 64
        assert scores.provenance["rm_fingerprint"] == "letters/1"

    def test_says_itself_how_many_at_once(self) -> None:
        reward = Asked()
        reward.chunk_size = 7  # type: ignore[attr-defined]
        score_responses(reward, table(10), progress=False)
        assert reward.calls == [7, 7, 6]

    def test_is_remembered_and_goes_on(self, tmp_path: Path) -> None:
        class Failing(Asked):
            def __call__(self, prompts: Sequence[Any], responses: Sequence[str]) -> Any:
                if len(self.calls) == 2:
                    raise ConnectionError("gone")
                return super().__call__(prompts, responses)

        failing, working, memo = Failing(), Asked(), tmp_path / "memo.sqlite"
        failing.chunk_size = working.chunk_size = 10  # type: ignore[attr-defined]
        with pytest.raises(ConnectionError):
            score_responses(failing, table(20), progress=False, memo=memo)
        scores = score_responses(working, table(20), progress=False, memo=memo)
        assert (failing.calls, working.calls) == ([10, 10], [10, 10])
        assert scores.frame["score"].to_list() == [len(r) for r in table(20).frame["response"]]

    @pytest.mark.parametrize("given", [[1.0], [[1.0], [2.0]]])
    def test_rewards_of_another_number_are_refused(self, given: Any) -> None:
        class Wrong(Asked):
            def __call__(self, prompts: Sequence[Any], responses: Sequence[str]) -> Any:
                return np.array(given)

        with pytest.raises(ModelError, match="for 2 responses"):
            score_responses(Wrong(), table(1), progress=False)

    def test_not_finite_names_prompt_and_policy(self) -> None:
        class Broken(Asked):
            def __call__(self, prompts: Sequence[Any], responses: Sequence[str]) -> Any:
                return [1.0, float("nan")]

        with pytest.raises(ModelError, match=r"1 of 2 scores are not finite: \(q0, two\)"):
            score_responses(Broken(), table(1), progress=False)


def test_a_budget_of_nothing_is_refused(model: RewardModel) -> None:
    with pytest.raises(ConfigError, match="token_budget is 0"):
        score_texts(model, ["p1"], ["r1"], token_budget=0, progress=False)


def test_no_texts_at_all(model: RewardModel) -> None:
    assert score_texts(model, [], [], progress=False).values.shape == (0,)
    assert score_texts(Asked(), [], [], progress=False).values.shape == (0,)
