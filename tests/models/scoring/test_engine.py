"""Windows, batches, devices, and memory that runs out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.errors import CharmWarning, ConfigError, ModelError
from charm_rm.models import load_reward_model, score_texts
from charm_rm.models.scoring import engine, windows
from charm_rm.models.scoring.reward import RewardModel

pytestmark = pytest.mark.models
torch = pytest.importorskip("torch", reason="needs the [hf] extra")


@pytest.fixture(scope="module")
def model(tiny_rm_dir: Path) -> RewardModel:
    return load_reward_model(tiny_rm_dir, device="cpu")


def texts(n: int, *, seed: int = 0, longest: int = 40) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(seed)
    prompts = [f"p{i % 150} p{i // 150}" for i in range(n)]
    return prompts, [
        " ".join(f"r{i}" for i in rng.integers(0, 200, rng.integers(1, longest))) for _ in range(n)
    ]


class Memory:
    """Let forward passes fail as they do where more than ``tokens`` do not fit; note the shapes of those begun."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        tokens: int,
        error: Callable[[], BaseException] = lambda: torch.OutOfMemoryError("CUDA out of memory"),
        *,
        stop_after: int | None = None,
    ) -> None:
        self.begun: list[tuple[int, ...]] = []
        self.failed = 0
        whole = RewardModel.launch

        def launch(model: RewardModel, batch: Any) -> Any:
            if len(batch) * len(batch[0]) > tokens:
                self.failed += 1
                raise error()
            if len(self.begun) == stop_after:
                raise KeyboardInterrupt
            self.begun.append(tuple(len(row) for row in batch))
            return whole(model, batch)

        monkeypatch.setattr(RewardModel, "launch", launch)


class TestMemory:
    @pytest.mark.parametrize(
        "error",
        [
            lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
            lambda: RuntimeError(
                "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"
            ),
            lambda: RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
            lambda: MemoryError(),
        ],
    )
    def test_batches_become_smaller_and_stay_so(
        self, model: RewardModel, monkeypatch: pytest.MonkeyPatch, error: Callable[[], BaseException]
    ) -> None:
        prompts, responses = texts(60)
        whole = score_texts(model, prompts, responses, token_budget=1000, progress=False)
        memory = Memory(monkeypatch, 300, error)
        with pytest.warns(CharmWarning, match="1,000 tokens did not fit into memory") as said:
            fewer = score_texts(model, prompts, responses, token_budget=1000, progress=False)
        assert len(said) == 1
        assert memory.failed == 2  # 1,000 and 500; after that all keep to 250
        assert max(len(rows) * rows[0] for rows in memory.begun) <= 250
        assert sum(map(len, memory.begun)) == 60
        np.testing.assert_allclose(fewer.values, whole.values, atol=1e-5, rtol=0)

    def test_a_run_that_goes_on_keeps_the_smaller_budget_and_gives_the_same_bytes(
        self, model: RewardModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        prompts, responses = texts(60)

        def score(memo: Path) -> Any:
            return score_texts(model, prompts, responses, token_budget=1000, progress=False, memo=memo)

        with monkeypatch.context() as patched:
            undisturbed = Memory(patched, 300)
            with pytest.warns(CharmWarning):
                whole = score(tmp_path / "a.sqlite")
        with monkeypatch.context() as patched:
            Memory(patched, 300, stop_after=6)
            with pytest.warns(CharmWarning), pytest.raises(KeyboardInterrupt):
                score(tmp_path / "b.sqlite")
        with monkeypatch.context() as patched:
            memory = Memory(patched, 300)
            resumed = score(tmp_path / "b.sqlite")
        assert memory.failed == 0
        assert 0 < len(memory.begun) < len(undisturbed.begun)
        assert resumed.values.tolist() == whole.values.tolist()

    def test_a_single_row_that_does_not_fit_is_a_typed_error(
        self, model: RewardModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Memory(monkeypatch, 10)
        with pytest.raises(ModelError, match="a single conversation of 1"):
            score_texts(model, ["p1"], ["r1 " * 8], progress=False)

    def test_other_errors_are_not_taken_for_it(
        self, model: RewardModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Memory(monkeypatch, 10, lambda: RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
        with pytest.raises(ModelError, match="RuntimeError: mat1 and mat2"):
            score_texts(model, *texts(5), progress=False)

    def test_a_real_allocation_that_fails_is_known(self) -> None:
        with pytest.raises((RuntimeError, MemoryError)) as caught:
            torch.empty(1 << 50)
        assert engine.is_out_of_memory(caught.value)


class TestDevices:
    def test_two_devices_share_the_work_and_give_the_same_scores(
        self, model: RewardModel, tiny_rm_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        prompts, responses = texts(120)
        alone = score_texts(model, prompts, responses, token_budget=100, progress=False)
        both = load_reward_model(tiny_rm_dir, device="cpu, cpu")
        assert len(both.replicas) == 1
        assert both.replicas[0].model is not both.model
        threads: set[int] = set()
        meet = threading.Barrier(2, timeout=60)
        whole = RewardModel.launch

        def launch(model: RewardModel, batch: Any) -> Any:
            if threading.get_ident() not in threads:
                threads.add(threading.get_ident())
                meet.wait()  # both are at work at the same time
            return whole(model, batch)

        monkeypatch.setattr(RewardModel, "launch", launch)
        for _ in range(2):
            threads.clear()
            shared = score_texts(both, prompts, responses, token_budget=100, progress=False)
            assert len(threads) == 2
            assert shared.values.tolist() == alone.values.tolist()

    def test_a_device_that_fails_stops_all(self, tiny_rm_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        both = load_reward_model(tiny_rm_dir, device="cpu,cpu")
        broken, whole = both.replicas[0].model, RewardModel.launch

        def launch(model: RewardModel, batch: Any) -> Any:
            if model.model is broken:
                raise RuntimeError("device lost")
            return whole(model, batch)

        monkeypatch.setattr(RewardModel, "launch", launch)
        with pytest.raises(ModelError, match="device lost"):
            score_texts(both, *texts(200), token_budget=50, progress=False)
        assert not [t for t in threading.enumerate() if t.name.startswith("charm-")]

    @pytest.mark.parametrize("device", ["cpu,nonsense", "", "cpu,,cpu"])
    def test_an_unusable_device_is_named(self, tiny_rm_dir: Path, device: str) -> None:
        with pytest.raises(ConfigError, match="is not usable here"):
            load_reward_model(tiny_rm_dir, device=device)


class TestWindows:
    @given(st.integers(0, 60_000))
    def test_all_in_order(self, n: int) -> None:
        found = list(windows.in_windows(range(n)))  # type: ignore[arg-type]
        assert [i for window in found for i in window] == list(range(n))
        assert all(0 < len(window) <= windows.WINDOW for window in found)

    def test_the_next_window_is_tokenised_while_this_one_is_scored(
        self, model: RewardModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(windows, "FIRST_WINDOW", 8)
        monkeypatch.setattr(windows, "WINDOW", 8)
        second, encode, seen = threading.Event(), model.encoder.encode_many, []

        def encoding(prompts: Any, responses: Any) -> Any:
            seen.append(threading.current_thread().name)
            if len(seen) == 2:
                second.set()
            return encode(prompts, responses)

        whole = RewardModel.launch

        def launch(model: RewardModel, batch: Any) -> Any:
            assert second.wait(60), "the second window waits for the first one's scores"
            return whole(model, batch)

        monkeypatch.setattr(model.encoder, "encode_many", encoding)
        monkeypatch.setattr(RewardModel, "launch", launch)
        score_texts(model, *texts(20), progress=False)
        assert len(seen) == 3
        assert all(name.startswith("charm-tokenise") for name in seen)

    def test_windows_change_no_score(self, model: RewardModel, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = score_texts(model, *texts(50), token_budget=200, progress=False)
        monkeypatch.setattr(windows, "FIRST_WINDOW", 7)
        monkeypatch.setattr(windows, "WINDOW", 13)
        cut = score_texts(model, *texts(50), token_budget=200, progress=False)
        np.testing.assert_allclose(cut.values, whole.values, atol=1e-5, rtol=0)
        assert cut.n_tokens == whole.n_tokens
        assert whole.padding_share is not None
        assert cut.padding_share is not None
        assert whole.padding_share < cut.padding_share

    def test_what_goes_wrong_in_tokenising_is_raised(
        self, model: RewardModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(_rows: Any) -> Any:
            raise ModelError("the chat template refuses")

        monkeypatch.setattr(model.encoder, "_lay_out", refuse)
        with pytest.raises(ModelError, match="template refuses"):
            score_texts(model, *texts(5), progress=False)


def test_padding_share_is_that_of_the_batches(model: RewardModel) -> None:
    # 64 tokens: the longest row alone takes them all; two of 30 leave padding of nothing; then the rest.
    lengths = [58, 25, 25, 10, 5]
    scored = score_texts(
        model, [f"p{i}" for i in range(5)], ["r1 " * n for n in lengths], token_budget=64, progress=False
    )
    n_tokens = scored.n_tokens
    assert n_tokens is not None
    computed = sum(
        len(batch) * max(n_tokens[i] for i in batch)
        for batch in engine.plan_batches(n_tokens, token_budget=64)
    )
    assert scored.padding_share == pytest.approx(1 - sum(n_tokens) / computed)
    assert scored.padding_share > 0


def test_unpadded_counts_no_padding(tiny_rm_dir: Path) -> None:
    model = load_reward_model(tiny_rm_dir, unpadded=True)
    scored = score_texts(model, *texts(50), token_budget=100, progress=False)
    assert scored.padding_share == 0.0
    padded = score_texts(replace(model, unpadded=False), *texts(50), token_budget=100, progress=False)
    np.testing.assert_allclose(scored.values, padded.values, atol=1e-4, rtol=0)
