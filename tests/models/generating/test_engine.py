"""vLLM's engine as a policy, on a stand-in with vLLM 0.33's signatures: the real one needs a GPU (no GPU here)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from charm_rm.errors import MissingExtra, ModelError
from charm_rm.generation import generate_responses
from charm_rm.models.generating.engine import load_engine_policy
from charm_rm.models.generating.local import load_local_policy
from charm_rm.protocols import AnsweringPolicy, Sampling
from generation_fakes import plan_of, prompts_of

pytestmark = pytest.mark.models
pytest.importorskip("torch", reason="needs the [hf] extra")


class SamplingParams:
    """The fields that are given, of those that vLLM's class has."""

    FIELDS = frozenset(
        {
            "n", "presence_penalty", "frequency_penalty", "repetition_penalty", "temperature", "top_p", "top_k", "min_p", "seed",
            "stop", "stop_token_ids", "ignore_eos", "max_tokens", "min_tokens", "logprobs", "skip_special_tokens",
        }
    )  # fmt: skip

    def __init__(self, **fields: Any) -> None:
        assert set(fields) <= self.FIELDS
        vars(self).update(fields)


class LLM:
    """Answers with the number of the prompt's tokens and the seed."""

    made: list[LLM]

    def __init__(
        self,
        model: str,
        *,
        trust_remote_code: bool = False,
        tensor_parallel_size: int = 1,
        dtype: str = "auto",
        seed: int = 0,
        max_model_len: int | None = None,
    ) -> None:
        if "broken" in model:
            raise RuntimeError("Failed to infer device type")
        self.options = {
            "dtype": dtype,
            "tensor_parallel_size": tensor_parallel_size,
            "max_model_len": max_model_len,
        }
        self.llm_engine = SimpleNamespace(model_config=SimpleNamespace(max_model_len=max_model_len or 8192))
        self.asked: list[tuple[list[int], SamplingParams]] = []
        self.lost = 0
        LLM.made.append(self)

    def generate(
        self,
        prompts: Sequence[dict[str, list[int]]],
        sampling_params: Sequence[SamplingParams] | None = None,
        *,
        use_tqdm: bool = True,
    ) -> list[Any]:
        assert sampling_params is not None
        assert not use_tqdm
        pairs = [(p["prompt_token_ids"], s) for p, s in zip(prompts, sampling_params, strict=True)]
        self.asked += pairs
        outputs = [
            SimpleNamespace(
                prompt_token_ids=ids,
                outputs=[SimpleNamespace(text=f"{len(ids)} {s.seed}", token_ids=[1, 2, 3], finish_reason="length", stop_reason=None)],
            )
            for ids, s in pairs
        ]  # fmt: skip
        return outputs[self.lost :]


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> type[LLM]:
    module = ModuleType("vllm")
    module.LLM, module.SamplingParams = LLM, SamplingParams  # type: ignore[attr-defined]
    LLM.made = []
    monkeypatch.setitem(sys.modules, "vllm", module)
    return LLM


def test_prompts_go_in_as_the_tokens_that_transformers_would_read(vllm: type[LLM], smollm2_dir: Path) -> None:
    policy = load_engine_policy(smollm2_dir, dtype="bfloat16", max_length=300, gpus=2)
    assert isinstance(policy, AnsweringPolicy)
    local = load_local_policy(smollm2_dir, device="cpu")
    prompts = [
        "Name a colour.",
        [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "?"},
            {"role": "user", "content": "A"},
        ],
    ]
    sampling = Sampling(temperature=0.7, top_p=0.9, max_tokens=20, stop=("END",))
    answers = dict(policy.answers(prompts, sampling, [5, 6]))
    (engine,) = vllm.made
    assert engine.options == {"dtype": "bfloat16", "tensor_parallel_size": 2, "max_model_len": 300}
    assert [ids for ids, _ in engine.asked] == [local._ids(p) for p in prompts]
    said = engine.asked[1][1]
    assert (said.temperature, said.top_p, said.max_tokens, said.stop, said.seed) == (0.7, 0.9, 20, ["END"], 6)
    assert said.stop_token_ids == sorted(local.end_ids)
    assert (
        said.top_k,
        said.min_p,
        said.repetition_penalty,
        said.presence_penalty,
        said.frequency_penalty,
    ) == (0, 0.0, 1.0, 0.0, 0.0)
    n = len(local._ids(prompts[0]))
    assert (answers[0].text, answers[0].finish, answers[0].prompt_tokens, answers[0].n_tokens) == (
        f"{n} 5",
        "length",
        n,
        3,
    )


def test_nothing_is_drawn_at_temperature_0(vllm: type[LLM], smollm2_dir: Path) -> None:
    policy = load_engine_policy(smollm2_dir)
    list(policy.answers(["A?"], Sampling(top_p=0.5), [5]))
    said = vllm.made[0].asked[0][1]
    assert (said.temperature, said.top_p, said.seed, said.stop) == (0.0, 1.0, None, None)


def test_prompts_that_do_not_fit_and_answers_that_do_not_come(vllm: type[LLM], smollm2_dir: Path) -> None:
    policy = load_engine_policy(smollm2_dir, max_length=60)
    with pytest.raises(ModelError, match="1 prompt of 2"):
        generate_responses(plan_of(policy, max_tokens=8), prompts_of("A?", "word " * 90), progress=False)
    vllm.made[0].lost = 1
    with pytest.raises(ModelError, match="vLLM gave 1 answers to 2 prompts"):
        list(policy.answers(["A?", "B?"], Sampling(), [0, 0]))


def test_an_engine_that_does_not_start_says_so(
    vllm: type[LLM], monkeypatch: pytest.MonkeyPatch, smollm2_dir: Path
) -> None:
    def no_device(*_: Any, **__: Any) -> None:
        raise RuntimeError("Failed to infer device type\nmore")

    monkeypatch.setattr(vllm, "__init__", no_device)
    with pytest.raises(
        ModelError, match="vLLM does not start: RuntimeError: Failed to infer device type"
    ) as caught:
        load_engine_policy(smollm2_dir)
    assert "hf:" in str(caught.value)


def test_without_vllm_the_extra_is_named(smollm2_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(MissingExtra, match=r"\[vllm\]"):
        load_engine_policy(smollm2_dir)
