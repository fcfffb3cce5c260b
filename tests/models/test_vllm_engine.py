"""Scoring by vLLM's engine, of which there is a stand-in here: what it is asked, and what its answers become. vLLM itself was not run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from charm_rm.errors import CharmWarning, ConfigError, MissingExtra, ModelError
from charm_rm.models import load_reward_model
from charm_rm.specs import load_scorer

torch = pytest.importorskip("torch", reason="needs the [hf] extra")
pytestmark = [pytest.mark.models, pytest.mark.usefixtures("vllm")]

PROMPTS, RESPONSES = ["p1 p2", "p3", "p4 p5 p6"], ["r1", "r2 r3 r4", ""]


class PoolingParams:
    """As of vLLM 0.12 and later: the activation is on unless it is switched off."""

    def __init__(self, *, use_activation: bool | None = None, task: str | None = None) -> None:
        self.use_activation, self.task = use_activation, task


class OlderParams:
    def __init__(self, *, softmax: bool | None = None) -> None:
        self.use_activation = softmax


class NoParams:
    def __init__(self) -> None:
        self.use_activation = None


class LLM:
    """The members that are used, computed by transformers: a list of pooled outputs, in order."""

    seen: dict[str, Any]

    def __init__(
        self, model: str, *, runner: str, dtype: str, max_model_len: int, trust_remote_code: bool
    ) -> None:
        type(self).seen = {
            "runner": runner,
            "dtype": dtype,
            "max_model_len": max_model_len,
            "trust": trust_remote_code,
        }
        if dtype == "float16":
            raise ValueError("float16 is not supported for this model\nmore")
        self.model = load_reward_model(model).model

    def encode(
        self, prompts: Sequence[dict[str, list[int]]], pooling_params: Any = None, *,
        use_tqdm: bool = True, pooling_task: str | None = None,
    ) -> list[Any]:  # fmt: skip
        assert not use_tqdm
        found = []
        for prompt in prompts:
            with torch.inference_mode():
                logits = self.model(input_ids=torch.tensor([prompt["prompt_token_ids"]])).logits[0]
            data = logits if pooling_params.use_activation is False else logits.sigmoid()
            if pooling_task == "token_classify":
                data = torch.stack([torch.zeros_like(data), data])
            found.append(SimpleNamespace(outputs=SimpleNamespace(data=data)))
        return found


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("vllm")
    module.LLM, module.PoolingParams, module.__version__ = LLM, PoolingParams, "0.0"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vllm", module)
    return module


@pytest.mark.parametrize("task", ["classify", "token_classify"])
def test_scores_are_those_of_transformers(tiny_rm_dir: Path, task: str) -> None:
    scorer = load_scorer(f"vllm-offline:{tiny_rm_dir}", max_length=64, task=task)
    expected = load_reward_model(tiny_rm_dir)(PROMPTS, RESPONSES)
    assert scorer(PROMPTS, RESPONSES) == pytest.approx(expected, abs=1e-5)
    assert LLM.seen == {"runner": "pooling", "dtype": "float32", "max_model_len": 64, "trust": False}


def test_an_older_name_of_the_switch_is_used_and_none_is_refused(vllm: ModuleType, tiny_rm_dir: Path) -> None:
    vllm.PoolingParams = OlderParams
    scorer = load_scorer(f"vllm-offline:{tiny_rm_dir}")
    assert scorer(PROMPTS, RESPONSES) == pytest.approx(
        load_reward_model(tiny_rm_dir)(PROMPTS, RESPONSES), abs=1e-5
    )
    vllm.PoolingParams = NoParams
    with pytest.raises(ModelError, match="squash them by a sigmoid or softmax"):
        load_scorer(f"vllm-offline:{tiny_rm_dir}")


def test_texts_are_shortened_as_in_scoring_and_it_is_said(tiny_rm_dir: Path) -> None:
    scorer = load_scorer(f"vllm-offline:{tiny_rm_dir}", max_length=12)
    long = ["r1 " * 30]
    with pytest.warns(CharmWarning, match="without part of their text"):
        found = scorer(["p1"], long)
    with pytest.warns(CharmWarning):
        assert found == pytest.approx(load_reward_model(tiny_rm_dir, max_length=12)(["p1"], long), abs=1e-5)


def test_what_cannot_be_done_is_a_typed_error(
    tiny_rm_dir: Path, minilm_rm_dir: Path, make_rm: Any, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="vLLM cannot do this: float16 is not supported for this model"):
        load_scorer(f"vllm-offline:{tiny_rm_dir}", dtype="float16")
    with pytest.raises(ConfigError, match="task 'embed' is unknown"):
        load_scorer(f"vllm-offline:{tiny_rm_dir}", task="embed")
    with pytest.raises(ConfigError, match="beta"):
        load_scorer(f"vllm-offline:{tiny_rm_dir}", beta=2.0)
    with pytest.raises(ModelError, match="token types"):
        load_scorer(f"vllm-offline:{minilm_rm_dir}")(PROMPTS, RESPONSES)
    with pytest.raises(ModelError, match="has 3 outputs"):
        load_scorer(f"vllm-offline:{make_rm(tmp_path / 'three', num_labels=3)}")


def test_numbers_that_are_no_reward_are_refused(tiny_rm_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = load_scorer(f"vllm-offline:{tiny_rm_dir}")
    for data, says in ((torch.zeros(2), "numbers of shape"), (torch.tensor([np.nan]), "not finite")):
        outputs = [SimpleNamespace(outputs=SimpleNamespace(data=data))] * 3
        monkeypatch.setattr(LLM, "encode", lambda *_a, found=outputs, **_k: found)
        with pytest.raises(ModelError, match=says):
            scorer(PROMPTS, RESPONSES)


def test_without_vllm_the_extra_is_named(tiny_rm_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(MissingExtra, match="needs vllm"):
        load_scorer(f"vllm-offline:{tiny_rm_dir}")
