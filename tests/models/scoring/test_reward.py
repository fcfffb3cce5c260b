"""Scores do not depend on padding, batches, or precision of the head."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charm_rm.errors import CharmWarning, ModelError
from charm_rm.models import RewardModel, load_reward_model
from charm_rm.models.scoring.reward import TOKEN_BUDGET

pytestmark = pytest.mark.models
torch = pytest.importorskip("torch", reason="needs the [hf] extra")
transformers = pytest.importorskip("transformers", reason="needs the [hf] extra")

TOLERANCE = 1e-4


def texts(n: int, *, seed: int = 0) -> tuple[list[str], list[str]]:
    """Prompts and responses of mixed lengths, an empty response among them."""
    rng = np.random.default_rng(seed)
    prompts = [" ".join(f"p{i}" for i in rng.integers(0, 200, 1 + k % 7)) for k in range(n)]
    responses = [" ".join(f"r{i}" for i in rng.integers(0, 200, k % 13)) for k in range(n)]
    return prompts, responses


def one_by_one(folder: Path, prompts: list[str], responses: list[str]) -> np.ndarray:
    """The slow twin: each conversation alone, unpadded, read at its very last token (decoders) or CLS.

    What it has found of a folder and texts it knows from then on: many tests ask for the same.
    """
    return _one_by_one(folder, tuple(prompts), tuple(responses))


@cache
def _one_by_one(folder: Path, prompts: tuple[str, ...], responses: tuple[str, ...]) -> np.ndarray:
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    encoder = load_reward_model(folder).encoder
    scores = []
    for prompt, response in zip(prompts, responses, strict=True):
        encoded = encoder.encode(prompt, response)
        ids = torch.tensor([encoded.input_ids])
        with torch.inference_mode():
            if encoded.token_type_ids is None:
                scores.append(float(model.score(model.model(ids).last_hidden_state[0, -1])))
            else:
                scores.append(float(model(ids, token_type_ids=torch.tensor([encoded.token_type_ids])).logits))
    found = np.array(scores)
    found.flags.writeable = False
    return found


def in_batches(model: RewardModel, prompts: list[str], responses: list[str], size: int) -> np.ndarray:
    """Score in batches of ``size`` rows in the order given, long beside short."""
    encoded = [model.encoder.encode(p, r) for p, r in zip(prompts, responses, strict=True)]
    parts = [model.score_batch(encoded[i : i + size]) for i in range(0, len(encoded), size)]
    return np.concatenate(parts)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("size", [1, 2, 7, 64])
def test_batches_and_padding_change_no_score_tiny_decoder(tiny_rm_dir: Path, side: Any, size: int) -> None:
    prompts, responses = texts(64)
    model = replace(load_reward_model(tiny_rm_dir), padding_side=side)
    expected = one_by_one(tiny_rm_dir, prompts, responses)
    assert np.std(expected) > 0.1
    np.testing.assert_allclose(in_batches(model, prompts, responses, size), expected, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("side", ["left", "right"])
def test_batches_and_padding_change_no_score_smollm2(smollm2_rm_dir: Path, side: Any) -> None:
    prompts, responses = texts(12)
    model = replace(load_reward_model(smollm2_rm_dir), padding_side=side)
    expected = one_by_one(smollm2_rm_dir, prompts, responses)
    assert np.std(expected) > 0.01
    for size in (5, 12):
        np.testing.assert_allclose(
            in_batches(model, prompts, responses, size), expected, atol=TOLERANCE, rtol=0
        )


def test_batches_and_padding_change_no_score_minilm(minilm_rm_dir: Path) -> None:
    prompts, responses = texts(24)
    model = load_reward_model(minilm_rm_dir)
    expected = one_by_one(minilm_rm_dir, prompts, responses)
    assert np.std(expected) > 0.01
    for size in (9, 24):
        np.testing.assert_allclose(
            in_batches(model, prompts, responses, size), expected, atol=TOLERANCE, rtol=0
        )


@pytest.mark.parametrize("pad", [None, "</s>", "<system>"])
def test_the_score_is_read_at_the_eos_whatever_the_pad_token(
    make_rm: Callable[..., Path], tmp_path: Path, pad: str | None
) -> None:
    folder = make_rm(tmp_path, None, pad=pad)
    prompts, responses = texts(20)
    model = load_reward_model(folder)
    assert model.encoder.layout == "plain"
    assert model.pad_token_id != model.encoder.tokenizer.eos_token_id
    expected = one_by_one(folder, prompts, responses)
    np.testing.assert_allclose(model(prompts, responses), expected, atol=TOLERANCE, rtol=0)


def test_absolute_positions_count_from_the_first_real_token(
    make_tokenizer: Callable[..., Any], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    tokenizer = make_tokenizer(side="left")
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=4, n_positions=128, num_labels=1,
        initializer_range=0.3, pad_token_id=0,
    )  # fmt: skip
    transformers.GPT2ForSequenceClassification(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    model = load_reward_model(tmp_path)
    prompts, responses = texts(16)
    assert model.padding_side == "left"
    np.testing.assert_allclose(
        in_batches(model, prompts, responses, 16),
        in_batches(model, prompts, responses, 1),
        atol=TOLERANCE,
        rtol=0,
    )


def test_calling_scores_in_the_order_given(tiny_rm_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TOKEN_BUDGET, "cpu", 60)  # a few rows per batch, so that the order matters
    prompts, responses = texts(30)
    model = load_reward_model(tiny_rm_dir)
    np.testing.assert_allclose(
        model(prompts, responses), one_by_one(tiny_rm_dir, prompts, responses), atol=TOLERANCE, rtol=0
    )


def test_truncation_is_warned_of(tiny_rm_dir: Path) -> None:
    model = load_reward_model(tiny_rm_dir, max_length=20)
    with pytest.warns(CharmWarning, match=r"1 of 2 conversations \(50\.0%\) were longer than 20"):
        model(["p1", "p1"], ["r1", "r1 " * 50])


def test_a_score_that_is_not_finite_names_its_row(tiny_rm_dir: Path, tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    folder = shutil.copytree(tiny_rm_dir, tmp_path / "nan")
    weights = safetensors.load_file(folder / "model.safetensors")
    unlucky = load_reward_model(tiny_rm_dir).encoder.tokenizer.convert_tokens_to_ids("r13")
    weights["model.embed_tokens.weight"][unlucky] = float("nan")
    safetensors.save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="1 of 3 scores are not finite: row 1"):
        load_reward_model(folder)(["p1", "p1", "p1"], ["r1", "r13", "r2"])


def test_in_bfloat16_the_head_still_runs_in_float32(tiny_rm_dir: Path) -> None:
    prompts, responses = texts(40)
    full = load_reward_model(tiny_rm_dir)(prompts, responses)
    half = load_reward_model(tiny_rm_dir, dtype="bfloat16")
    assert half.dtype == "bfloat16"
    scores = half(prompts, responses)
    assert np.corrcoef(full, scores)[0, 1] > 0.99
    as_bfloat16 = torch.tensor(scores).bfloat16().double().numpy()
    assert np.mean(scores != as_bfloat16) > 0.5
