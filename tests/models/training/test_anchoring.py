"""Anchored training: its gradient and loss, what it does to win rates, resuming, what the model remembers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charm_rm.errors import ConfigError, NotIdentifiable
from charm_rm.models.loading.lineage import anchored_on
from charm_rm.models.training.anchors import mean_wins, plan_anchor, score_grid, within_prompt_sd
from charm_rm.models.training.settings import TrainSettings
from charm_rm.models.training.train import train_reward_model
from models.tiny_models import simple_preferences, tiny_bert
from models.training.anchor_fakes import an_anchor, some_responses

torch = pytest.importorskip("torch", reason="needs the [hf] extra")
pytest.importorskip("trl", reason="needs the [hf] extra")
pytestmark = pytest.mark.models

QUICK = TrainSettings(
    learning_rate=1e-3,
    batch_size=8,
    eval_fraction=0.0,
    save_every=0,
    dropout=False,
    bf16=False,
    warmup_ratio=0.0,
    anchor_weight=3.0,
    anchor_policies=3,
    anchor_prompts=4,
)


def train(rm: Path, output: Path, *, settings: TrainSettings = QUICK, pairs: int = 40, **options: Any) -> Any:
    anchor = options.pop("anchor", None) or an_anchor()
    return train_reward_model(
        simple_preferences(pairs), rm, output, settings=settings, anchor=anchor, progress=False, **options
    )


def scores_of(model: Path) -> np.ndarray:
    """Scores of the anchor's responses, as scoring sees them: (prompts, policies)."""
    from charm_rm.models.scoring.reward import load_reward_model

    anchor = an_anchor()
    rows = np.arange(len(anchor.responses))
    return score_grid(anchor, rows, load_reward_model(model)(*anchor.texts(rows)))


def centred(model: Path) -> np.ndarray:
    """The same without each prompt's level, which no loss sees: what the head's bias does there is rounding."""
    scores = scores_of(model)
    return np.asarray(scores - scores.mean(axis=1, keepdims=True))


def weights_of(model: Path) -> dict[str, Any]:
    import safetensors.torch

    return dict(safetensors.torch.load_file(model / "model.safetensors"))


@pytest.fixture(scope="module")
def loss_of_pairs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], float]:
    """The first loss of a model in the same training without an anchor."""
    settings = replace(QUICK, max_steps=1, anchor_weight=0.0)

    @cache
    def first(rm: Path) -> float:
        out = tmp_path_factory.mktemp("plain") / "out"
        plain = train_reward_model(simple_preferences(40), rm, out, settings=settings, progress=False)
        return float(plain.log_history[0]["loss"])

    return first


@pytest.mark.parametrize(
    ("kind", "estimate"),
    [
        ("bert", "halves"),
        ("bert", "running"),
        ("bert", "square"),
        ("llama", "halves"),
        pytest.param("llama", "running", marks=pytest.mark.slow),
        pytest.param("llama", "square", marks=pytest.mark.slow),
    ],
)
def test_the_first_loss_is_that_of_the_scores_before(
    kind: str, estimate: Any, loss_of_pairs: Callable[[Path], float], tmp_path: Path, request: Any
) -> None:
    rm = request.getfixturevalue(kind)
    settings = replace(QUICK, max_steps=1, anchor_estimate=estimate)
    result = train(rm, tmp_path / "out", settings=settings)
    plan = plan_anchor(an_anchor(), settings, pairs=40, held_out=None)
    assert plan is not None
    batch = plan.batches[0]
    scores = scores_of(rm)[np.ix_(batch.prompts, batch.policies)]
    temperature = 0.7 * within_prompt_sd(scores)
    k, j = np.triu_indices(3, 1)
    gaps = 1 / (1 + np.exp(-(scores[:, k] - scores[:, j]) / temperature))
    gaps -= plan.anchor.expected[batch.policies[k], batch.policies[j]]
    square = gaps.mean(0) ** 2
    expected = square - gaps.var(0, ddof=1) / 4 if estimate == "halves" else square
    first = result.log_history[0]
    assert first["anchor_loss"] == pytest.approx(expected.mean(), abs=1e-5)
    assert first["moved_within_prompts"] == pytest.approx(0, abs=1e-6)
    assert result.anchor["temperature"] == pytest.approx(temperature, rel=1e-4)
    # What is logged as the loss is that of the pairs and, weighted, that of the anchor.
    assert first["loss"] == pytest.approx(loss_of_pairs(rm) + 3 * expected.mean(), abs=1e-4)


@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
def test_parts_and_accumulation_give_the_gradient_of_the_whole(
    lora: bool, bert: Path, tmp_path: Path
) -> None:
    """One pass of 8 pairs and 12 responses, or four of 2 pairs with parts of 4 responses: the same weights."""
    settings = replace(QUICK, max_steps=2, lora=lora, keep_scores=0.5, learning_rate=1e-2)
    whole = train(bert, tmp_path / "whole", settings=settings, pairs=8)
    parts = train(bert, tmp_path / "parts", settings=replace(settings, device_batch_size=2), pairs=8)
    np.testing.assert_allclose(centred(tmp_path / "whole"), centred(tmp_path / "parts"), atol=2e-4)
    assert np.abs(centred(tmp_path / "whole") - centred(bert)).max() > 1e-2
    one, other = ([e["loss"] for e in r.log_history if "loss" in e] for r in (whole, parts))
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_dropout_is_off_for_the_anchor_and_on_for_the_pairs(bert: Path, tmp_path: Path) -> None:
    settings = replace(QUICK, max_steps=1)
    wet, dry = (
        train(bert, tmp_path / name, settings=replace(settings, dropout=on), pairs=8).log_history[0]
        for name, on in (("wet", True), ("dry", False))
    )
    assert wet["anchor_loss"] == pytest.approx(dry["anchor_loss"], abs=1e-6)
    assert abs(wet["loss"] - dry["loss"]) > 1e-4


@pytest.mark.parametrize("estimate", ["halves", "running"])
def test_win_rates_come_to_the_ratings(estimate: Any, bert: Path, tmp_path: Path) -> None:
    settings = replace(
        QUICK, epochs=6, learning_rate=3e-3, anchor_weight=50.0, anchor_estimate=estimate,
        anchor_policies=4, anchor_prompts=6,
    )  # fmt: skip
    result = train(bert, tmp_path / "out", settings=settings)
    expected, temperature = an_anchor().expected, result.anchor["temperature"]

    def gap(model: Path) -> float:
        return float(np.abs(mean_wins(scores_of(model), temperature=temperature) - expected).mean())

    assert gap(bert) > 0.1
    assert gap(tmp_path / "out") < gap(bert) / 3


def test_keeping_the_scores_keeps_them(bert: Path, tmp_path: Path) -> None:
    settings = replace(QUICK, epochs=3)
    moved = {}
    for name, keep in (("free", 0.0), ("kept", 20.0)):
        train(bert, tmp_path / name, settings=replace(settings, keep_scores=keep))
        moved[name] = (centred(tmp_path / name) - centred(bert)).std()
    assert moved["kept"] < moved["free"] / 2


@pytest.mark.parametrize(
    ("lora", "estimate"),
    [
        (True, "running"),  # without LoRA and without an anchor: test_train.py
        pytest.param(True, "halves", marks=pytest.mark.slow),
        pytest.param(False, "halves", marks=pytest.mark.slow),
        pytest.param(False, "running", marks=pytest.mark.slow),
    ],
)
def test_it_resumes_to_the_same_bytes(
    lora: bool, estimate: Any, bert: Path, tmp_path: Path, interrupted: Any
) -> None:
    """Interrupted after a checkpoint, dropout on: batches, running means and weights are those of an unbroken run."""
    settings = replace(QUICK, dropout=True, epochs=2, save_every=4, lora=lora, anchor_estimate=estimate)
    straight = train(bert, tmp_path / "straight", settings=settings)
    with interrupted(6):
        train(bert, tmp_path / "out", settings=settings)
    with pytest.raises(ConfigError, match="other settings"):
        train(bert, tmp_path / "out", settings=settings, resume=True, anchor=an_anchor(seed=5))
    resumed = train(bert, tmp_path / "out", settings=settings, resume=True)
    assert resumed.anchor == straight.anchor
    ours, theirs = weights_of(tmp_path / "out"), weights_of(tmp_path / "straight")
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "straight"]


def test_the_model_remembers_what_it_was_anchored_on(bert: Path, tmp_path: Path) -> None:
    result = train(bert, tmp_path / "one", settings=replace(QUICK, max_steps=1))
    (kept,) = anchored_on(tmp_path / "one")
    assert kept == an_anchor().record() == result.provenance["anchored_on"][0]
    assert kept["policies"] == ["ash", "elm", "fir", "oak"]
    assert result.anchor["policies"] == 4
    assert result.anchor["prompts"] == 12
    card = (tmp_path / "one" / "README.md").read_text(encoding="utf-8")
    assert "4 policies x 12 prompts, weight 3" in card
    # ... and so do its scores, so that an audit of them on these prompts says that it is in-sample.
    from charm_rm.models.scoring import responses, reward

    for rm, known in ((tmp_path / "one", [kept]), (bert, None)):
        model = reward.load_reward_model(rm)
        scores = responses.score_responses(model, some_responses(), progress=False)
        assert scores.provenance.get("anchored_on") == known
    # One that is trained on from there remembers it, too, with or without an anchor of its own.
    settings = replace(QUICK, max_steps=1, anchor_weight=0.0)
    train_reward_model(
        simple_preferences(8), tmp_path / "one", tmp_path / "two", settings=settings, progress=False
    )
    assert anchored_on(tmp_path / "two") == [kept]
    assert anchored_on(bert) == []


@pytest.mark.parametrize(
    "text",
    ["", "[", "[]", "{}", '{"provenance": 3}', '{"provenance": {"anchored_on": 3}}', "[" * 100_000]
    + [json.dumps({"provenance": {"anchored_on": [one]}}) for one in (3, {}, {"prompts": 1, "policies": []})],
)
def test_a_record_of_another_form_is_passed_over(text: str, tmp_path: Path) -> None:
    (tmp_path / "training.json").write_text(text, encoding="utf-8")
    assert anchored_on(tmp_path) == []


def test_what_cannot_be_anchored_is_refused(bert: Path, minilm_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="go together"):
        train(bert, tmp_path / "out", settings=replace(QUICK, anchor_weight=0.0))
    with pytest.raises(ConfigError, match="a fresh head has no old scores"):
        replace(QUICK, new_head=True)
    with pytest.raises(ConfigError, match="on the responses of an anchor"):
        replace(QUICK, anchor_weight=0.0, keep_scores=1.0)
    flat = tiny_bert(tmp_path / "flat", minilm_dir)
    import transformers

    model = transformers.AutoModelForSequenceClassification.from_pretrained(flat)
    torch.nn.init.zeros_(model.classifier.weight)
    model.save_pretrained(flat)
    with pytest.raises(NotIdentifiable, match="the same score"):
        train(flat, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["flat"]
