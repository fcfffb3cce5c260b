"""Whatever runs here is planned by length, survives memory that runs out, and counts its tokens: all kinds alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.callables import CallableReward
from charm_rm.errors import CharmWarning, ModelError
from charm_rm.functions import OwnFunction
from charm_rm.judging import ChatJudge, judge_responses, load_template, plan_pairs
from charm_rm.models import (
    LocalReward,
    load_dpo_reward,
    load_pair_ranker,
    load_reward_model,
    plan_batches,
    run_plan,
    run_rows,
    score_responses,
    score_texts,
)
from charm_rm.models.causal_judge import LocalChat, load_local_chat
from charm_rm.models.implicit import ImplicitReward
from charm_rm.models.pair_ranker import PairRanker
from charm_rm.models.scoring.launched import Ready
from charm_rm.tables import Responses
from models.tiny_entries import config

pytestmark = pytest.mark.models
torch = pytest.importorskip("torch", reason="needs the [hf] extra")
transformers = pytest.importorskip("transformers", reason="needs the [hf] extra")

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<{{ m['role'] }}> {{ m['content'] }} {{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant> {% endif %}"
)


@pytest.fixture(scope="module")
def dpo(make_tokenizer: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> ImplicitReward:
    folders = []
    for seed, name in enumerate(("policy", "reference")):
        torch.manual_seed(seed)
        folders.append(tmp_path_factory.mktemp(name))
        words = make_tokenizer(TEMPLATE)
        transformers.LlamaForCausalLM(config("Llama", words)).save_pretrained(folders[-1])
        words.save_pretrained(folders[-1])
    return load_dpo_reward(*folders, device="cpu")


@pytest.fixture
def chat(make_tokenizer: Callable[..., Any], tmp_path: Path) -> LocalChat:
    torch.manual_seed(0)
    words = make_tokenizer(TEMPLATE)
    transformers.LlamaForCausalLM(config("Llama", words)).save_pretrained(tmp_path)
    words.save_pretrained(tmp_path)
    return load_local_chat(tmp_path, device="cpu", token_budget=1000)


@pytest.fixture
def ranker(make_rm: Callable[..., Path], tmp_path: Path) -> PairRanker:
    return load_pair_ranker(make_rm(tmp_path / "ranker", None), device="cpu")


def texts(n: int, *, seed: int = 0) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(seed)
    prompts = [" ".join(f"p{i}" for i in rng.integers(0, 200, 1 + k % 7)) for k in range(n)]
    return prompts, [" ".join(f"r{i}" for i in rng.integers(0, 200, 1 + k % 31)) for k in range(n)]


@dataclass
class Full:
    """Let forward passes of a kind fail where more than ``tokens`` do not fit, as devices do."""

    tokens: int
    failed: int = 0
    largest: int = 0

    def patch(self, monkeypatch: pytest.MonkeyPatch, kind: type, method: str) -> Full:
        whole = getattr(kind, method)

        def launch(model: Any, batch: Sequence[Any], **options: Any) -> Any:
            size = len(batch) * max(map(len, batch))
            if size > self.tokens:
                self.failed += 1
                raise torch.OutOfMemoryError("CUDA out of memory")
            self.largest = max(self.largest, size)
            return whole(model, batch, **options)

        monkeypatch.setattr(kind, method, launch)
        return self


def responses_of(prompts: list[str], responses: list[str]) -> Responses:
    n = len(prompts)
    return Responses(
        pl.DataFrame(
            {
                "prompt_id": [f"q{i}" for i in range(n)],
                "prompt": prompts,
                "policy": ["p"] * n,
                "response": responses,
            }
        )
    )


class TestDPO:
    def test_it_runs_here_and_a_function_does_not(self, dpo: ImplicitReward, tiny_rm_dir: Path) -> None:
        assert isinstance(dpo, LocalReward)
        assert isinstance(load_reward_model(tiny_rm_dir, device="cpu"), LocalReward)
        assert not isinstance(CallableReward(OwnFunction(len, "python:x", "f")), LocalReward)

    def test_planned_scores_are_those_of_one_at_a_time(self, dpo: ImplicitReward) -> None:
        prompts, responses = texts(40)
        alone = [float(dpo([p], [r])[0]) for p, r in zip(prompts, responses, strict=True)]
        assert np.std(alone) > 0.1
        for budget in (1, 90, 100_000):
            scored = score_texts(dpo, prompts, responses, token_budget=budget, progress=False)
            np.testing.assert_allclose(scored.values, alone, atol=1e-4, rtol=0)
            assert scored.token_budget == budget

    def test_tables_have_token_counts_and_truncation(self, dpo: ImplicitReward) -> None:
        prompts, responses = texts(31)
        short = replace(dpo, max_length=24)
        with pytest.warns(CharmWarning, match="were longer than 24 tokens"):
            scores = score_responses(short, responses_of(prompts, responses), progress=False)
        rows = short.encode_many(prompts, responses)
        assert scores.frame["n_tokens"].to_list() == [len(row.ids) for row in rows]
        assert scores.frame["truncated"].to_list() == [row.truncated for row in rows]
        assert 0 < scores.provenance["truncated"] < 31
        assert scores.provenance["layout"] == "chat"
        assert scores.provenance["max_length"] == 24
        assert 0 < scores.provenance["padding_share"] < 1

    def test_memory_that_runs_out_halves_the_budget(
        self, dpo: ImplicitReward, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        prompts, responses = texts(60)
        whole = score_texts(dpo, prompts, responses, token_budget=1000, progress=False)
        memory = Full(300).patch(monkeypatch, ImplicitReward, "launch")
        with pytest.warns(CharmWarning, match="1,000 tokens did not fit into memory: going on with") as said:
            fewer = score_texts(dpo, prompts, responses, token_budget=1000, progress=False)
        assert len(said) == 1
        assert memory.failed == 2  # a full batch and its half; after that all keep to the quarter
        assert memory.largest <= 250
        np.testing.assert_allclose(fewer.values, whole.values, atol=1e-4, rtol=0)

    def test_what_memory_holds_is_remembered_between_calls(
        self, dpo: ImplicitReward, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fresh = replace(dpo, memory=type(dpo.memory)())
        memory = Full(600).patch(monkeypatch, ImplicitReward, "launch")
        with pytest.warns(CharmWarning, match="did not fit"):
            fresh(*texts(120))
        failed = memory.failed
        assert failed > 0
        fresh(*texts(120, seed=1))  # a second warning would be an error here
        assert memory.failed == failed

    def test_a_second_run_is_read_from_the_store(self, dpo: ImplicitReward, tmp_path: Path) -> None:
        first = score_texts(dpo, *texts(31), progress=False, memo=tmp_path / "s.sqlite")
        again = score_texts(dpo, *texts(31), progress=False, memo=tmp_path / "s.sqlite")
        assert again.values.tolist() == first.values.tolist()
        assert again.n_tokens == first.n_tokens
        other = replace(dpo, max_length=20)
        with pytest.warns(CharmWarning, match="longer than 20"):
            assert score_texts(other, *texts(31), progress=False, memo=tmp_path / "s.sqlite").from_store == 0


class TestLocalJudge:
    def conversations(self, n: int) -> list[list[dict[str, str]]]:
        return [[{"role": "user", "content": f"{p} {r}"}] for p, r in zip(*texts(n), strict=True)]

    def answers(self, chat: LocalChat, asked: list[Any]) -> list[list[float]]:
        found = dict(chat.replies(asked, max_tokens=1, top_logprobs=400))
        return [
            [value for _, value in sorted((found[i].top_logprobs or {}).items())] for i in range(len(asked))
        ]

    def test_memory_that_runs_out_halves_the_budget(
        self, chat: LocalChat, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = self.conversations(40)
        whole = self.answers(chat, asked)
        alone = [self.answers(chat, [one])[0] for one in asked]
        memory = Full(300).patch(monkeypatch, LocalChat, "answer")
        with pytest.warns(CharmWarning, match="1,000 tokens did not fit into memory"):
            fewer = self.answers(chat, asked)
        assert memory.failed == 2
        assert memory.largest <= 250
        assert self.answers(chat, asked) == fewer  # remembered: nothing fails, nothing is said again
        assert memory.failed == 2
        np.testing.assert_allclose(fewer, whole, atol=2e-4, rtol=0)
        np.testing.assert_allclose(fewer, alone, atol=2e-4, rtol=0)

    def test_a_conversation_that_does_not_fit_alone_is_a_typed_error(
        self, chat: LocalChat, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Full(3).patch(monkeypatch, LocalChat, "answer")
        with pytest.raises(ModelError, match="does not suffice for a single conversation"):
            self.answers(chat, self.conversations(2))

    def test_judging_counts_tokens_and_shortened_texts(self, chat: LocalChat) -> None:
        table = Responses(
            pl.DataFrame(
                {
                    "prompt_id": ["q", "q"],
                    "prompt": ["p1", "p1"],
                    "policy": ["a", "b"],
                    "response": ["r1 " * 300, "r2"],
                }
            )
        )
        template = replace(load_template("alpaca-eval-like"), system="", user="{prompt} {first} {second}")
        said = [pytest.warns(CharmWarning, match=m) for m in ("2 of 2 questions were too long", "no verdict")]
        with said[0], said[1], pytest.raises(ModelError, match="not one of"):
            # The tiny model's words hold no verdict; what was counted until then is what matters here.
            judge_responses(ChatJudge(chat, template), table, plan_pairs(table), progress=False)
        verdicts = dict(ChatJudge(chat, template).iterate(["p1"], ["r1 " * 300], ["r2"]))
        assert verdicts[0].truncated
        assert 0 < (verdicts[0].prompt_tokens or 0) < chat.max_length


class TestRanker:
    def test_memory_that_runs_out_halves_the_budget(
        self, ranker: PairRanker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        prompts, first = texts(50)
        second = texts(50, seed=1)[1]
        whole = ranker(prompts, first, second)
        alone = [float(ranker([p], [a], [b])[0]) for p, a, b in zip(prompts, first, second, strict=True)]
        np.testing.assert_allclose(whole, alone, atol=1e-5)
        memory = Full(600).patch(monkeypatch, PairRanker, "launch")
        with pytest.warns(CharmWarning, match="did not fit into memory"):
            fewer = ranker(prompts, first, second)
        assert memory.failed > 0
        np.testing.assert_allclose(fewer, whole, atol=1e-5)

    def test_judging_counts_tokens_and_shortened_texts(self, ranker: PairRanker) -> None:
        short = replace(ranker, encode=lambda p, a, b: replace_truncated(ranker.encode(p, a, b)))
        table = Responses(
            pl.DataFrame(
                {
                    "prompt_id": ["q", "q"],
                    "prompt": ["p1", "p1"],
                    "policy": ["a", "b"],
                    "response": ["r1", "r2"],
                }
            )
        )
        margins = judge_responses(ranker, table, plan_pairs(table), progress=False)
        n = len(ranker.encode("p1", "r1", "r2"))
        assert margins.provenance["usage"]["tokens_in"] == 2 * n
        assert margins.provenance["truncated"] == 0
        with pytest.warns(CharmWarning, match="2 of 2 questions were too long"):
            cut = judge_responses(short, table, plan_pairs(table), progress=False)
        assert cut.provenance["truncated"] == 2


def replace_truncated(row: Any) -> Any:
    return replace(row, encoded=replace(row.encoded, truncated=True))


# --- the plan, for whoever runs it elsewhere ------------------------------------------------------


@dataclass
class Counter:
    """The least that runs here: a row is a number of tokens, its result twice that."""

    holds: int
    source: str = "counter"
    device: str = "cpu"
    token_budget: int = 100
    unpadded: bool = False
    replicas: tuple[Counter, ...] = ()

    def launch(self, batch: Sequence[Any]) -> Ready:
        if len(batch) * max(map(len, batch)) > self.holds:
            raise MemoryError
        return Ready([2 * len(row) for row in batch])


@dataclass(frozen=True)
class Tokens:
    n: int
    truncated: bool = False

    def __len__(self) -> int:
        return self.n


class TestPlan:
    @given(
        st.lists(st.integers(1, 40), max_size=60),
        st.integers(1, 300),
        st.integers(40, 400),
        st.integers(1, 3),
    )
    @pytest.mark.filterwarnings("ignore::charm_rm.errors.CharmWarning")
    def test_every_row_has_its_result_whatever_memory_and_devices(
        self, lengths: list[int], budget: int, holds: int, devices: int
    ) -> None:
        model = Counter(holds, replicas=tuple(Counter(holds) for _ in range(devices - 1)))
        rows = [Tokens(n) for n in lengths]
        assert run_rows(model, rows, token_budget=budget) == [2 * n for n in lengths]

    def test_a_plan_made_elsewhere_is_run_batch_by_batch(self) -> None:
        rows = [Tokens(n) for n in (5, 30, 7, 30, 1)]
        plan = plan_batches([len(row) for row in rows], token_budget=60)
        parts = list(run_plan(Counter(1000), rows, plan, token_budget=60))
        assert [list(part.batch.keys) for part in parts] == [p.tolist() for p in plan]
        assert [part.values for part in parts] == [[2 * len(rows[i]) for i in p] for p in plan]
        assert math.isclose(sum(len(part.batch.rows) for part in parts), 5)

    def test_a_row_too_many_is_named(self) -> None:
        with pytest.raises(
            ModelError, match="memory on cpu does not suffice for a single conversation of 50"
        ):
            run_rows(Counter(40), [Tokens(50)])

    def test_a_run_that_is_left_early_ends_its_threads(self) -> None:
        import threading

        parts = run_plan(Counter(1000), [Tokens(60)] * 5, plan_batches([60] * 5, token_budget=60))
        next(parts)
        parts.close()
        assert not [t for t in threading.enumerate() if t.name.startswith("charm-")]
