"""Training: what it learns, that it sees what scoring sees, what it saves, and what it refuses."""

from __future__ import annotations

import io
import json
import shutil
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from charm_rm.errors import CharmWarning, ConfigError, ModelError, NotConverged, OutputExists, SchemaError
from charm_rm.models.training.settings import TrainSettings
from charm_rm.models.training.train import train_reward_model
from charm_rm.tables import Preferences
from models.tiny_models import simple_preferences, tiny_bert

torch = pytest.importorskip("torch", reason="needs the [hf] extra")
pytest.importorskip("trl", reason="needs the [hf] extra")
pytestmark = pytest.mark.models

QUICK = TrainSettings(
    learning_rate=1e-3, batch_size=8, eval_fraction=0.25, save_every=0, dropout=False, bf16=False
)
LORA = replace(QUICK, lora=True, learning_rate=1e-2)


def train(rm: Path, output: Path, *, settings: TrainSettings = QUICK, **options: Any) -> Any:
    preferences = options.pop("preferences", None) or simple_preferences()
    return train_reward_model(preferences, rm, output, settings=settings, progress=False, **options)


@dataclass(frozen=True)
class Trained:
    """A training that several tests look at, none of which may change its folder."""

    folder: Path
    result: Any
    printed: str
    sent: list[Any]


@pytest.fixture(scope="module")
def trained(bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """As ``QUICK`` has it; what goes to standard output is kept, what would be sent somewhere is noted."""
    from trl.trainer import base_trainer

    folder, sent, printed = tmp_path_factory.mktemp("trained") / "out", list[Any](), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed):
        patch.setattr(base_trainer, "send_telemetry", lambda *args, **_kwargs: sent.append(args))
        patch.delenv("CI", raising=False)
        result = train(bert, folder)
    return Trained(folder, result, printed.getvalue(), sent)


@pytest.fixture(scope="module")
def adapter(bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter that was trained and not merged, in a folder beside its base, which is ``../bases/rm``."""
    place = tmp_path_factory.mktemp("place")
    shutil.copytree(bert, place / "bases" / "rm")
    train(place / "bases" / "rm", place / "adapter", settings=replace(LORA, merge=False))
    return place / "adapter"


def margins(model: Path, preferences: Preferences) -> np.ndarray:
    """r_chosen - r_rejected as scoring sees it."""
    from charm_rm.models.scoring.reward import load_reward_model

    scorer = load_reward_model(model)
    frame = preferences.frame
    prompts = frame["prompt"].to_list()
    return scorer(prompts, [m[0]["content"] for m in frame["chosen"]]) - scorer(
        prompts, [m[0]["content"] for m in frame["rejected"]]
    )


@pytest.mark.parametrize("kind", ["bert", "llama"])
def test_training_and_scoring_see_the_same_text(kind: str, tmp_path: Path, request: Any) -> None:
    """The trainer's held-out loss is that of the saved model's own scores, for pairs of uneven lengths."""
    held_out = simple_preferences(11).frame.with_columns(
        prompt=pl.Series([[{"role": "user", "content": f"how {'short ' * i}"}] for i in range(11)])
    )
    rm = request.getfixturevalue(kind)
    result = train(rm, tmp_path / "out", held_out=Preferences(held_out))
    difference = margins(tmp_path / "out", Preferences(held_out))
    assert result.eval_loss == pytest.approx(np.logaddexp(0, -difference).mean(), abs=1e-4)
    assert result.after.accuracy == pytest.approx((difference > 0).mean())
    before = margins(rm, Preferences(held_out))
    assert result.before.loss == pytest.approx(np.logaddexp(0, -before).mean(), abs=1e-4)


@pytest.mark.parametrize("kind", ["bert", "llama"])
def test_the_loss_that_trl_reports_is_that_of_our_scores(kind: str, tmp_path: Path, request: Any) -> None:
    """The first logged loss (one batch of all pairs, no dropout, before any step) against the base's scores."""
    preferences = simple_preferences(8)
    rm = request.getfixturevalue(kind)
    settings = replace(QUICK, eval_fraction=0.0, max_steps=1)
    result = train(rm, tmp_path / "out", preferences=preferences, settings=settings)
    expected = np.logaddexp(0, -margins(rm, preferences)).mean()
    assert result.log_history[0]["loss"] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("kind", ["bert", "llama"])
@pytest.mark.parametrize("lora", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["full", "lora"])
def test_a_learnable_rule_is_learnt(kind: str, lora: bool, tmp_path: Path, request: Any) -> None:
    settings = replace(QUICK, epochs=10, lora=lora, learning_rate=5e-3)
    result = train(request.getfixturevalue(kind), tmp_path / "out", settings=settings)
    assert result.after.accuracy >= 0.9
    assert result.after.loss < result.before.loss
    assert result.steps == 10 * -(-result.pairs["train"] // 8)


def test_the_saved_model_loads_without_us(trained: Trained) -> None:
    import transformers

    model, loaded = transformers.AutoModelForSequenceClassification.from_pretrained(
        trained.folder, output_loading_info=True
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(trained.folder)
    assert not loaded["missing_keys"]
    assert model.config.num_labels == 1
    batch = tokenizer(["why alpha"], ["good beta"], return_tensors="pt")
    with torch.no_grad():
        plain = model.eval()(**batch).logits.item()
    from charm_rm.models.scoring.reward import load_reward_model

    assert plain == pytest.approx(
        load_reward_model(trained.folder)(["why alpha"], ["good beta"])[0], abs=1e-5
    )


def check_merged(rm: Path, merged: Path, adapter: Path) -> None:
    """The same seeded training saved both ways scores alike, and unlike its base."""
    assert (adapter / "adapter_config.json").exists()
    assert not (merged / "adapter_config.json").exists()
    preferences = simple_preferences(20)
    scores = margins(merged, preferences)
    np.testing.assert_allclose(scores, margins(adapter, preferences), atol=1e-4)
    assert np.abs(scores - margins(rm, preferences)).max() > 1e-2


def test_merging_keeps_adapter_and_head(bert: Path, adapter: Path, tmp_path: Path) -> None:
    train(bert, tmp_path / "merged", settings=LORA)
    check_merged(bert, tmp_path / "merged", adapter)


def test_merging_keeps_adapter_and_head_of_a_decoder(llama: Path, tmp_path: Path) -> None:
    settings = replace(LORA, max_steps=2, eval_fraction=0.0)
    train(llama, tmp_path / "merged", settings=settings)
    train(llama, tmp_path / "adapter", settings=replace(settings, merge=False))
    check_merged(llama, tmp_path / "merged", tmp_path / "adapter")


def test_an_adapter_moves_with_its_base(adapter: Path, tmp_path: Path) -> None:
    """It names the base by the way there, and modules in order."""
    told = json.loads((adapter / "adapter_config.json").read_text())
    assert told["base_model_name_or_path"] == "../bases/rm"
    assert told["target_modules"] == sorted(told["target_modules"])
    shutil.copytree(adapter.parent, tmp_path / "elsewhere")
    preferences = simple_preferences(8)
    np.testing.assert_array_equal(
        margins(tmp_path / "elsewhere" / "adapter", preferences), margins(adapter, preferences)
    )


def test_lora_trains_the_head_and_no_base_weight(bert: Path, adapter: Path) -> None:
    import safetensors.torch

    saved = safetensors.torch.load_file(adapter / "adapter_model.safetensors")
    heads = [k for k in saved if "classifier" in k]
    assert any(k.endswith("classifier.weight") for k in heads)
    assert all("lora_" in k for k in saved if k not in heads)
    base = safetensors.torch.load_file(bert / "model.safetensors")
    trained = next(saved[k] for k in heads if k.endswith("classifier.weight"))
    assert not torch.equal(trained, base["classifier.weight"])


def test_a_backbone_gets_a_head_only_on_request(minilm_dir: Path, bert: Path, tmp_path: Path) -> None:
    backbone = tiny_bert(tmp_path / "backbone", minilm_dir, head=False)
    with pytest.raises(ModelError, match=r"no reward head[\s\S]*--new-head"):
        train(backbone, tmp_path / "out")
    assert list(tmp_path.iterdir()) == [backbone]
    with pytest.raises(ConfigError, match="has a reward head already"):
        train(bert, tmp_path / "out", settings=replace(QUICK, new_head=True))
    train(backbone, tmp_path / "out", settings=replace(QUICK, new_head=True, max_steps=1, eval_fraction=0.0))
    assert np.isfinite(margins(tmp_path / "out", simple_preferences(4))).all()


def test_a_seed_fixes_everything(minilm_dir: Path, tmp_path: Path) -> None:
    backbone = tiny_bert(tmp_path / "backbone", minilm_dir, head=False)
    settings = replace(QUICK, new_head=True, dropout=True, eval_fraction=0.0, max_steps=3)
    results = {
        name: train(backbone, tmp_path / name, settings=replace(settings, seed=seed))
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    }
    scores = {name: margins(tmp_path / name, simple_preferences(8)) for name in results}
    np.testing.assert_array_equal(scores["a"], scores["b"])
    assert np.abs(scores["a"] - scores["c"]).max() > 1e-4


def test_a_margin_in_the_loss_is_subtracted(bert: Path, tmp_path: Path) -> None:
    preferences = simple_preferences(8, margin=[0.5 * i for i in range(8)])
    settings = replace(QUICK, eval_fraction=0.0, max_steps=1, margin_loss=True)
    result = train(bert, tmp_path / "out", preferences=preferences, settings=settings)
    expected = np.logaddexp(0, -(margins(bert, preferences) - 0.5 * np.arange(8))).mean()
    assert result.log_history[0]["loss"] == pytest.approx(expected, abs=1e-4)


def test_soft_labels_give_the_cross_entropy(bert: Path, tmp_path: Path) -> None:
    p = np.linspace(0.5, 1.0, 8)
    preferences = simple_preferences(8, p_chosen=p.tolist())
    settings = replace(QUICK, eval_fraction=0.0, max_steps=1, soft_labels=True)
    result = train(bert, tmp_path / "out", preferences=preferences, settings=settings)
    d = margins(bert, preferences)
    expected = (p * np.logaddexp(0, -d) + (1 - p) * np.logaddexp(0, d)).mean()
    assert result.log_history[0]["loss"] == pytest.approx(expected, abs=1e-4)


def test_gradients_accumulate_to_the_whole_batch(bert: Path, tmp_path: Path) -> None:
    """One step on 8 pairs at once and in four passes of 2 gives the same weights."""
    preferences = simple_preferences(8)
    settings = replace(QUICK, eval_fraction=0.0, max_steps=2, warmup_ratio=0.0)
    for name, size in (("whole", 8), ("parts", 2)):
        train(
            bert, tmp_path / name, preferences=preferences, settings=replace(settings, device_batch_size=size)
        )
    whole, parts = margins(tmp_path / "whole", preferences), margins(tmp_path / "parts", preferences)
    np.testing.assert_allclose(whole, parts, atol=1e-4)


@pytest.mark.parametrize("lora", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["full", "lora"])
def test_training_resumes_and_ends_where_it_would_have(
    lora: bool, bert: Path, tmp_path: Path, interrupted: Any
) -> None:
    """Interrupted after a checkpoint, dropout on: the resumed weights are those of an unbroken run."""
    settings = replace(QUICK, dropout=True, epochs=3, save_every=4, lora=lora)
    straight = train(bert, tmp_path / "straight", settings=settings)
    with interrupted(6):
        train(bert, tmp_path / "out", settings=settings)
    assert not (tmp_path / "out").exists()
    with pytest.raises(OutputExists, match=r"unfinished training[\s\S]*--resume"):
        train(bert, tmp_path / "out", settings=settings)
    with pytest.raises(ConfigError, match="other settings"):
        train(bert, tmp_path / "out", settings=replace(settings, seed=5), resume=True)
    resumed = train(bert, tmp_path / "out", settings=settings, resume=True)
    assert resumed.steps == straight.steps
    assert resumed.before == straight.before
    assert resumed.log_history == straight.log_history
    np.testing.assert_allclose(
        margins(tmp_path / "out", simple_preferences(8)),
        margins(tmp_path / "straight", simple_preferences(8)),
        atol=1e-5,
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "straight"]


def test_a_checkpoint_cut_short_is_passed_over(tmp_path: Path) -> None:
    from charm_rm.models.training.trainer import COMPLETE, last_checkpoint

    for step in (8, 40, 120):
        (tmp_path / f"checkpoint-{step}").mkdir()
    assert last_checkpoint(tmp_path) is None
    for step in (8, 40):
        (tmp_path / f"checkpoint-{step}" / COMPLETE).touch()
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-40"


def test_the_output_appears_whole_or_not_at_all(
    bert: Path, trained: Trained, tmp_path: Path, monkeypatch: Any
) -> None:
    from charm_rm.models.training import train as module

    out = tmp_path / "out"
    shutil.copytree(trained.folder, out)
    old = (out / "training.json").read_bytes()
    with pytest.raises(OutputExists, match="--force"):
        train(bert, out)

    def full(*_args: Any, **_kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_card", full)
    with pytest.raises(Exception, match="No space left"):
        train(bert, out, force=True, settings=replace(QUICK, seed=3, max_steps=1))
    assert (out / "training.json").read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_the_card_tells_where_the_model_comes_from(bert: Path, trained: Trained) -> None:
    result = trained.result
    card = (trained.folder / "README.md").read_text(encoding="utf-8")
    for fact in (
        f"{result.after.accuracy:.3f}",
        f"{result.before.ci_low:.3f}",
        result.provenance["training_pairs_sha256"],
        result.provenance["versions"]["trl"],
        "0.001",
        "`pair`",
    ):
        assert fact in card
    record = json.loads((trained.folder / "training.json").read_text(encoding="utf-8"))
    assert record["settings" if "settings" in record else "provenance"]
    for text in (card, json.dumps(record)):
        assert str(trained.folder.parent) not in text
        assert str(bert) not in text


def test_pairs_that_truncation_makes_equal_are_dropped_with_a_warning(llama: Path, tmp_path: Path) -> None:
    same = {"prompt": "why", "chosen": "good " * 40 + "fine", "rejected": "good " * 40 + "poor"}
    from charm_rm.preferences import as_preferences

    extra = as_preferences(pl.DataFrame([same])).frame
    preferences = Preferences(pl.concat([simple_preferences(16).frame, extra]))
    with pytest.warns(CharmWarning, match="1 of 17 pairs read the same within 32 tokens"):
        result = train(
            llama,
            tmp_path / "out",
            preferences=preferences,
            settings=replace(QUICK, max_length=32, eval_fraction=0.0),
        )
    assert result.pairs["dropped"] == 1
    assert result.pairs["train"] == 16


def test_what_cannot_be_trained_on_is_refused(bert: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs 'margin'"):
        train(bert, tmp_path / "out", settings=replace(QUICK, margin_loss=True))
    with pytest.raises(SchemaError, match="1 distinct prompt"):
        train(bert, tmp_path / "out", preferences=simple_preferences(1))
    with pytest.raises(SchemaError, match="also trained on"):
        train(bert, tmp_path / "out", held_out=simple_preferences(4))
    with pytest.raises(ModelError, match="no such model folder"):
        train(tmp_path / "nowhere", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_training_that_diverges_is_refused(bert: Path, tmp_path: Path) -> None:
    with pytest.raises(NotConverged, match="diverged"):
        train(bert, tmp_path / "out", settings=replace(QUICK, learning_rate=1e30, max_grad_norm=1e30))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_real_decoder_backbone_becomes_a_reward_model(smollm2_dir: Path, tmp_path: Path) -> None:
    """SmolLM2 (its first layers): chat template, pad token = end of turn; new head, LoRA, merged."""
    pairs = simple_preferences(12)
    settings = replace(QUICK, new_head=True, lora=True, learning_rate=1e-3, batch_size=4, epochs=3)
    result = train(
        smollm2_dir, tmp_path / "out", preferences=pairs, settings=settings, held_out=_other_pairs()
    )
    difference = margins(tmp_path / "out", _other_pairs())
    assert result.eval_loss == pytest.approx(np.logaddexp(0, -difference).mean(), abs=1e-4)
    assert result.after.loss < result.before.loss


def _other_pairs() -> Preferences:
    frame = simple_preferences(6).frame
    prompts = [[{"role": "user", "content": f"how {'short ' * i}"}] for i in range(6)]
    return Preferences(frame.with_columns(prompt=pl.Series(prompts)))


def test_nothing_is_sent_or_printed(trained: Trained) -> None:
    assert trained.printed == ""
    assert trained.sent == []
