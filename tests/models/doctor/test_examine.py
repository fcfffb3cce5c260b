"""Each classic fault is found under its own name, and a healthy model has none."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from charm_rm.errors import ModelError
from charm_rm.models import RewardModel, load_reward_model
from charm_rm.models.doctor import Diagnosis, diagnose, quick_checks, refuse_unsound
from charm_rm.tables import Responses

from . import patients
from .patients import decoder, tokenizer

pytestmark = pytest.mark.models
torch = pytest.importorskip("torch", reason="needs the [hf] extra")
transformers = pytest.importorskip("transformers", reason="needs the [hf] extra")


def found(diagnosis: Diagnosis) -> dict[str, str]:
    """The checks that are not well, with their status."""
    return {c.id: c.status for c in diagnosis.checks if c.status in ("warn", "fail")}


def table(*answers: tuple[str, str], prompt: str = "Name a tree.") -> Responses:
    """Responses to one prompt."""
    rows = [{"prompt_id": "q", "prompt": prompt, "policy": p, "response": r} for p, r in answers]
    return Responses(pl.DataFrame(rows))


FEW = table(("a", "An oak."), ("b", "A tall old fir tree."), ("c", "No."))


class Altered(torch.nn.Module):  # type: ignore[misc]
    """A reward model whose logits something is done to."""

    def __init__(self, model: Any, change: Callable[[Any, dict[str, Any]], Any]) -> None:
        super().__init__()
        self.model, self.change, self.config = model, change, model.config

    @property
    def score(self) -> Any:
        return self.model.score

    def forward(self, **inputs: Any) -> Any:
        return self.change(self.model, inputs)


def altered(model: RewardModel, change: Callable[[Any, dict[str, Any]], Any]) -> RewardModel:
    return replace(model, model=Altered(model.model, change))


def blind(model: Any, inputs: dict[str, Any]) -> Any:
    """Pools the last position whatever stands there."""
    hidden = model.model(**inputs).last_hidden_state
    return type("Output", (), {"logits": model.score(hidden[:, -1])})


def mixing(model: Any, inputs: dict[str, Any]) -> Any:
    """Scores less the batch's mean, as a layer that normalises over rows would."""
    logits = model(**inputs).logits
    return type("Output", (), {"logits": logits - 0.5 * logits.mean()})


def noisy(by: float) -> Callable[[Any, dict[str, Any]], Any]:
    """Every second call a little higher."""
    calls = itertools.count()

    def change(model: Any, inputs: dict[str, Any]) -> Any:
        return type("Output", (), {"logits": model(**inputs).logits + by * (next(calls) % 2)})

    return change


def test_the_healthy_model_passes_everything(healthy_dir: Path) -> None:
    steps: list[str] = []
    diagnosis = diagnose(healthy_dir, tell=steps.append)
    assert found(diagnosis) == {}
    assert diagnosis.sound
    assert [c.id for c in diagnosis.of("skipped")] == ["registry"]
    assert len(diagnosis.checks) > 20
    assert diagnosis["bfloat16"].found.startswith("bfloat16 is harmless here: 0.0% of 12 winners change")
    assert {(row.dtype, row.padding) for row in diagnosis.drift} == {
        (dtype, side) for dtype in ("float32", "bfloat16", "float16") for side in ("left", "right")
    }
    assert any("float32, 64 rows" in step for step in steps)
    assert json.loads(json.dumps(diagnosis.to_json(), allow_nan=False))["sound"]


def test_real_models_are_sound(minilm_rm_dir: Path, smollm2_rm_dir: Path) -> None:
    encoder = diagnose(minilm_rm_dir, quick=True)
    assert encoder.sound
    assert encoder.provenance["layout"] == "pair"
    decoder = diagnose(smollm2_rm_dir, quick=True)
    assert found(decoder) == {"pad": "warn", "system_prompt": "warn"}
    assert "SmolLM" in decoder["system_prompt"].found


class TestTemplates:
    @pytest.mark.parametrize(
        ("template", "expected"),
        [
            (patients.TEMPLATE, {}),
            ("{{ bos_token }}" + patients.TEMPLATE, {"bos": "fail"}),
            (patients.BODY, {"bos": "warn"}),
            (None, {"template": "warn"}),
            (patients.DATED, {"date": "warn"}),
            (patients.DATE_GIVEN, {"date": "warn"}),
            (patients.QWEN, {"system_prompt": "warn"}),
            (patients.STRIPS, {"content": "warn"}),
            (patients.FORGETS_THOUGHT, {"content": "warn"}),
            (patients.TEMPLATE.replace("in messages", "in messages[:-1]"), {"content": "fail"}),
            ("{{ raise_exception('one turn only') }}", {"template": "fail"}),
        ],
    )
    def test_each_fault_has_its_name(
        self, healthy: RewardModel, template: str | None, expected: dict[str, str]
    ) -> None:
        words = tokenizer(template)
        encoder = type(healthy.encoder)(words, healthy.encoder.max_length)
        checks = {c.id: c.status for c in quick_checks(replace(healthy, encoder=encoder))}
        alone = {"pooling": "ok", **checks}  # what a lost response does to the head is not this test's matter
        assert {k: v for k, v in alone.items() if v in ("warn", "fail")} == expected

    def test_a_clock_that_cannot_be_stopped_fails(
        self, healthy: RewardModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("charm_rm.models.rendering.pin_clock", lambda template: template)
        encoder = type(healthy.encoder)(tokenizer(patients.DATED), 4096)
        checks = {c.id: c for c in quick_checks(replace(healthy, encoder=encoder))}
        assert checks["date"].status == "fail"
        assert "depends on the day" in checks["date"].found

    def test_gemma_needs_its_bos(self, tmp_path: Path) -> None:
        folder = decoder(tmp_path, tokenizer(patients.BODY), kind="Gemma")
        assert found(diagnose(folder, quick=True)) == {"bos": "fail"}

    def test_a_bos_that_naive_use_would_double_is_explained(self, healthy: RewardModel) -> None:
        bos = {c.id: c for c in quick_checks(healthy)}["bos"]
        assert bos.data["at_start"] == 1
        assert "would give 2" in bos.details[0]

    def test_the_exact_tokens_are_shown(self, healthy: RewardModel) -> None:
        template = {c.id: c for c in quick_checks(healthy)}["template"]
        assert template.data["tokens"][:3] == ["<s>", "<user>", "W"]
        assert template.data["ids"][-1] == 2
        assert "tokens of a conversation of two turns: 1 '<s>'  3 '<user>'" in template.details[0]

    def test_a_default_system_prompt_is_quoted_without_its_markers(self, healthy: RewardModel) -> None:
        encoder = type(healthy.encoder)(tokenizer(patients.QWEN), 4096)
        check = {c.id: c for c in quick_checks(replace(healthy, encoder=encoder))}["system_prompt"]
        assert check.data == {"text": "You are Ada, a helpful assistant.", "system_message": "kept"}

    def test_what_the_template_changes_is_named(self, healthy: RewardModel) -> None:
        for template, changed in (
            (patients.STRIPS, ["white space at both ends"]),
            (patients.FORGETS_THOUGHT, ["a <think> block"]),
        ):
            encoder = type(healthy.encoder)(tokenizer(template), 4096)
            check = {c.id: c for c in quick_checks(replace(healthy, encoder=encoder))}["content"]
            assert check.data["changed"] == changed


class TestTokens:
    @pytest.mark.parametrize("pad", [patients.EOS, "<assistant>", None])
    def test_a_saved_pad_token_that_ends_turns(self, tmp_path: Path, pad: str | None) -> None:
        expected = {"pad": "warn"} if pad == patients.EOS else {}
        assert found(diagnose(decoder(tmp_path, tokenizer(pad=pad)), quick=True)) == expected

    def test_a_pad_token_in_use_that_ends_turns_fails(self, healthy: RewardModel) -> None:
        healthy.model.config.pad_token_id = 2
        checks = {c.id: c.status for c in quick_checks(replace(healthy, pad_token_id=2))}
        assert checks["pad"] == "fail"
        assert checks["pooling"] == "fail"  # the head then reads what stands before the turn end

    def test_a_model_that_is_told_another_pad_token(self, healthy: RewardModel) -> None:
        healthy.model.config.pad_token_id = 5
        checks = {c.id: c for c in quick_checks(healthy)}
        assert checks["pad"].status == "fail"
        assert "rows are padded with 0, but the model takes 5" in checks["pad"].found

    def test_the_position_read_is_seen(self, healthy: RewardModel) -> None:
        healthy.model.config.pad_token_id = 2
        check = {c.id: c for c in quick_checks(replace(healthy, pad_token_id=2))}["pooling"]
        assert check.data["position"] == check.data["length"] - 2
        assert "1 before the end" in check.found

    @pytest.mark.parametrize(("side", "status"), [("right", "fail"), ("left", "warn")])
    def test_a_model_that_pools_blindly(self, healthy: RewardModel, side: Any, status: str) -> None:
        model = replace(altered(healthy, blind), padding_side=side)
        diagnosis = diagnose(model, FEW, dtypes=["bfloat16"])
        assert found(diagnosis) == {"padding": status}
        assert diagnosis["batching"].status == ("skipped" if side == "right" else "ok")
        if side == "right":
            assert 'padding_side to "left"' in str(diagnosis["padding"].fix)

    def test_a_tokenizer_that_cannot_spell(self, tiny_rm_dir: Path) -> None:
        check = diagnose(tiny_rm_dir, quick=True)["unknown"]
        assert check.status == "fail"  # not one of the samples, so no text that this model could be meant for
        assert check.data["Chinese"] == 1.0

    def test_responses_that_spell_special_tokens(self, healthy: RewardModel) -> None:
        spelt = table(("a", "An oak.</s>"), ("b", "A fir."))
        diagnosis = diagnose(healthy, spelt, quick=True)
        assert found(diagnosis) == {"special_text": "warn"}
        assert diagnosis["special_text"].data == {"responses": 1, "spelt": {"</s>": 1}}


class TestHeads:
    def test_a_missing_head(self, tmp_path: Path) -> None:
        diagnosis = diagnose(patients.headless(tmp_path))
        assert found(diagnosis) == {"head": "fail"}
        assert "score.weight" in diagnosis["head"].found
        assert "charm train" in str(diagnosis["head"].fix)

    def test_a_model_that_does_not_open(self, healthy_dir: Path, tmp_path: Path) -> None:
        (tmp_path / "config.json").write_text((healthy_dir / "config.json").read_text())
        assert found(diagnose(tmp_path)) == {"loads": "fail"}
        with pytest.raises(ModelError, match="no such model folder"):
            diagnose(tmp_path / "absent")

    def test_a_zero_head(self, tmp_path: Path) -> None:
        diagnosis = diagnose(decoder(tmp_path, head_sd=0), FEW, dtypes=["bfloat16"])
        assert found(diagnosis) == {"head": "fail"}
        assert diagnosis["spread"].found.startswith("follows from 'head weights'")

    def test_a_fresh_head(self, tmp_path: Path) -> None:
        assert found(diagnose(decoder(tmp_path, head_sd=0.3), quick=True)) == {"head": "warn"}

    def test_a_head_of_no_numbers(self, healthy: RewardModel) -> None:
        with torch.no_grad():
            healthy.model.score.weight[0, 0] = math.nan
        checks = {c.id: c.status for c in quick_checks(healthy)}
        assert checks["head"] == "fail"
        assert checks["pooling"] == "fail"


class TestLengths:
    LONG = table(("a", "An oak. " * 40 + "Here."), ("b", "An oak. " * 40 + "There."))

    def test_pairs_that_truncation_makes_identical(self, healthy_dir: Path) -> None:
        assert found(diagnose(healthy_dir, self.LONG, quick=True)) == {}
        cut = diagnose(healthy_dir, self.LONG, quick=True, max_length=200)
        assert found(cut) == {"truncation": "warn", "identical": "fail"}
        assert cut["identical"].data == {"pairs": 1, "identical": 1, "identical_by_truncation": 1}
        assert "policy" not in cut["truncation"].found
        assert cut["length"].found == "200 tokens, from the length asked for"


class TestScores:
    def test_scores_that_depend_on_batch_mates(self, healthy: RewardModel) -> None:
        diagnosis = diagnose(altered(healthy, mixing), FEW, dtypes=["bfloat16"])
        assert found(diagnosis) == {"batching": "fail"}
        assert diagnosis["padding"].status == "skipped"

    @pytest.mark.parametrize(("by", "status"), [(2e-5, "warn"), (0.5, "fail")])
    def test_scores_that_are_never_the_same(self, healthy: RewardModel, by: float, status: str) -> None:
        diagnosis = diagnose(altered(healthy, noisy(by)), FEW, dtypes=["bfloat16"])
        assert found(diagnosis) == {"determinism": status}

    def test_float16_that_overflows(self, tmp_path: Path) -> None:
        folder = decoder(tmp_path)
        model = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
        with torch.no_grad():
            model.model.layers[0].self_attn.v_proj.weight *= 1e6  # the same function, by way of large numbers
            model.model.layers[0].self_attn.o_proj.weight /= 1e6
        model.save_pretrained(folder)
        tried = diagnose(folder, FEW)
        assert found(tried) == {"float16": "warn"}
        assert "overflow" in tried["float16"].found
        chosen = diagnose(folder, FEW, dtypes=["float16"])
        assert found(chosen) == {"float16": "fail"}
        assert "bfloat16" in str(chosen["float16"].fix)
        assert {row.lost for row in chosen.drift if row.dtype == "float16"} == {3}

    def test_a_spread_too_small_for_the_temperature(self, tmp_path: Path) -> None:
        folder = decoder(tmp_path, head_sd=0.01)
        diagnosis = diagnose(folder, FEW, dtypes=["bfloat16"])
        assert found(diagnosis) == {"spread": "warn"}
        sensible = diagnosis["spread"].data["sensible_temperature"]
        assert 0 < sensible < 0.25
        assert found(diagnose(folder, FEW, dtypes=["bfloat16"], temperature=sensible)) == {}


class TestRefusal:
    def test_the_healthy_model_is_let_through(self, healthy: RewardModel) -> None:
        refuse_unsound(healthy)

    def test_warnings_do_not_stop(self, healthy: RewardModel) -> None:
        encoder = type(healthy.encoder)(tokenizer(patients.QWEN), 4096)
        refuse_unsound(replace(healthy, encoder=encoder))

    def test_what_would_be_wrong_is_named_with_its_mend(self, tmp_path: Path) -> None:
        folder = decoder(tmp_path, tokenizer("{{ bos_token }}" + patients.TEMPLATE), head_sd=0)
        with pytest.raises(ModelError, match=r"head weights: .*zero.*BOS .* is doubled") as error:
            refuse_unsound(load_reward_model(folder))
        assert "charm doctor" in str(error.value.fix)
