"""How a model is run: attention, precision, rows end to end, compiled. None of it may move a score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charm_rm.errors import CharmWarning, ConfigError, ModelError
from charm_rm.models import load_reward_model, score_texts
from charm_rm.models.scoring.reward import RewardModel

from .test_reward import TOLERANCE, one_by_one, texts

pytestmark = pytest.mark.models
torch = pytest.importorskip("torch", reason="needs the [hf] extra")


@pytest.mark.parametrize("size", [1, 5, 40])
def test_unpadded_rows_score_as_alone(tiny_rm_dir: Path, size: int) -> None:
    prompts, responses = texts(40)
    model = load_reward_model(tiny_rm_dir, unpadded=True)
    assert model.numerics["padding"] == "none"
    encoded = model.encoder.encode_many(prompts, responses)
    scores = np.concatenate([model.score_batch(encoded[i : i + size]) for i in range(0, 40, size)])
    np.testing.assert_allclose(scores, one_by_one(tiny_rm_dir, prompts, responses), atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_unpadded_smollm2(smollm2_rm_dir: Path, attention: Any) -> None:
    prompts, responses = texts(12)
    model = load_reward_model(smollm2_rm_dir, unpadded=True, attention=attention)
    assert model.attention == attention
    expected = one_by_one(smollm2_rm_dir, prompts, responses)
    assert np.std(expected) > 0.01
    np.testing.assert_allclose(model(prompts, responses), expected, atol=TOLERANCE, rtol=0)


def test_unpadded_is_not_for_encoders(minilm_rm_dir: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be scored unpadded"):
        load_reward_model(minilm_rm_dir, unpadded=True)


def test_padded_unless_flash_attention_is_there(tiny_rm_dir: Path) -> None:
    assert not load_reward_model(tiny_rm_dir).unpadded


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_attention_changes_no_score(minilm_rm_dir: Path, attention: Any) -> None:
    prompts, responses = texts(12)
    model = load_reward_model(minilm_rm_dir, attention=attention)
    assert model.numerics["attention"] == attention
    np.testing.assert_allclose(
        model(prompts, responses), one_by_one(minilm_rm_dir, prompts, responses), atol=TOLERANCE, rtol=0
    )


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_flash_attention_without_its_needs_says_what_they_are(tiny_rm_dir: Path, dtype: Any) -> None:
    if torch.cuda.is_available():
        pytest.skip("about machines without a GPU")
    with pytest.raises(ConfigError, match="needs a GPU"):
        load_reward_model(tiny_rm_dir, attention="flash_attention_2", dtype=dtype)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_stays_near(tiny_rm_dir: Path, dtype: Any) -> None:
    prompts, responses = texts(40)
    full = load_reward_model(tiny_rm_dir)
    half = load_reward_model(tiny_rm_dir, dtype=dtype)
    assert half.dtype == dtype
    assert (full.linear, half.linear) in (("onednn", "torch"), ("torch", "torch"))
    assert np.corrcoef(full(prompts, responses), half(prompts, responses))[0, 1] > 0.99


def test_an_unknown_precision_is_refused(tiny_rm_dir: Path) -> None:
    with pytest.raises(ConfigError, match="'float8' is unknown"):
        load_reward_model(tiny_rm_dir, dtype="float8")  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("unpadded", [False, True])
def test_compiled_scores_are_the_same(tiny_rm_dir: Path, unpadded: bool) -> None:
    prompts, responses = texts(40)
    model = load_reward_model(tiny_rm_dir, compiled=True, unpadded=unpadded)
    assert model.numerics["linear"] == "compiled"
    compiled = score_texts(model, prompts, responses, token_budget=200, progress=False).values
    np.testing.assert_allclose(compiled, one_by_one(tiny_rm_dir, prompts, responses), atol=TOLERANCE, rtol=0)


def test_a_compiler_that_fails_is_a_typed_error(tiny_rm_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_model: RewardModel, _batch: Any) -> Any:
        raise RuntimeError("InductorError: no C++ compiler\nlong story")

    monkeypatch.setattr(RewardModel, "launch", fail)
    with pytest.raises(ModelError, match=r"torch\.compile failed: InductorError: no C\+\+ compiler"):
        load_reward_model(tiny_rm_dir, compiled=True)


def test_truncation_is_warned_of_in_calls_of_the_model(tiny_rm_dir: Path) -> None:
    with pytest.warns(CharmWarning, match="longer than 20 tokens"):
        load_reward_model(tiny_rm_dir, max_length=20, unpadded=True)(["p1"], ["r1 " * 50])
