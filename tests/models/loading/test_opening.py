"""Opening reward models: what is refused, adapters, fingerprints."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from charm_rm.errors import ConfigError, ModelError
from charm_rm.models import load_reward_model
from charm_rm.models.loading.folders import fingerprint
from charm_rm.models.loading.libraries import quiet
from charm_rm.models.loading.opening import open_model

pytestmark = pytest.mark.models
torch = pytest.importorskip("torch", reason="needs the [hf] extra")
transformers = pytest.importorskip("transformers", reason="needs the [hf] extra")


class TestRefusals:
    def test_a_backbone_without_a_head(self, minilm_dir: Path) -> None:
        with pytest.raises(ModelError, match=r"not a reward model.*classifier"):
            load_reward_model(minilm_dir)

    def test_more_than_one_output(self, make_rm: Callable[..., Path], tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="3 outputs"):
            load_reward_model(make_rm(tmp_path, num_labels=3))

    def test_no_such_folder(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="no such model folder"):
            load_reward_model(tmp_path / "nowhere")

    def test_a_folder_without_a_model(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"neither config\.json"):
            load_reward_model(tmp_path)

    def test_an_unreachable_hub(self, monkeypatch: pytest.MonkeyPatch) -> None:
        hub = pytest.importorskip("huggingface_hub")

        def refuse(*_args: object, **_options: object) -> None:
            raise ConnectionError("no route to the hub")

        monkeypatch.setattr(hub, "snapshot_download", refuse)
        with pytest.raises(ModelError, match="no route to the hub"):
            load_reward_model("some-org/some-rm")

    def test_a_hub_models_shards_come_with_their_index(
        self, tiny_rm_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is downloaded is chosen by the hub's own rule, from a repository whose weights lie in several files."""
        transformers, hub = pytest.importorskip("transformers"), pytest.importorskip("huggingface_hub")
        there, here = tmp_path / "there", tmp_path / "here"
        shutil.copytree(tiny_rm_dir, there)
        (there / "model.safetensors").unlink()
        whole = transformers.AutoModelForSequenceClassification.from_pretrained(tiny_rm_dir)
        whole.save_pretrained(there, max_shard_size="20KB")
        assert len(list(there.glob("*.safetensors"))) > 1

        def download(_name: str, *, allow_patterns: list[str], ignore_patterns: str) -> str:
            here.mkdir(exist_ok=True)
            names = [f.name for f in there.iterdir()]
            for name in hub.utils.filter_repo_objects(
                names, allow_patterns=allow_patterns, ignore_patterns=ignore_patterns
            ):
                shutil.copy(there / name, here / name)
            return str(here)

        monkeypatch.setattr(hub, "snapshot_download", download)
        ours, theirs = (load_reward_model(m)(["p1"], ["r1"]) for m in ("some-org/some-rm", tiny_rm_dir))
        assert ours == pytest.approx(theirs, abs=1e-6)

    def test_weights_cut_short(self, tiny_rm_dir: Path, tmp_path: Path) -> None:
        broken = shutil.copytree(tiny_rm_dir, tmp_path / "broken")
        weights = broken / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:1000])
        with pytest.raises(ModelError, match="cannot be loaded as a reward model"):
            load_reward_model(broken)

    def test_a_weight_of_the_body_is_missing(self, tiny_rm_dir: Path, tmp_path: Path) -> None:
        safetensors = pytest.importorskip("safetensors.torch")
        holed = shutil.copytree(tiny_rm_dir, tmp_path / "holed")
        weights = safetensors.load_file(holed / "model.safetensors")
        del weights["model.norm.weight"]
        safetensors.save_file(weights, holed / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(ModelError, match=r"model\.norm\.weight"):
            load_reward_model(holed)
        with pytest.raises(ModelError, match="besides the head"):
            open_model(holed, new_head_seed=0)

    @pytest.mark.parametrize(
        "setting",
        [
            {"dtype": "int8"},
            {"device": "cuda:99"},
            {"device": "toaster"},
            {"device": "meta"},
            {"max_length": 9999},
        ],
    )
    def test_settings_out_of_the_question(self, tiny_rm_dir: Path, setting: dict[str, object]) -> None:
        with pytest.raises(ConfigError):
            load_reward_model(tiny_rm_dir, **setting)  # type: ignore[arg-type]


def test_a_new_head_comes_from_its_seed_alone(minilm_dir: Path) -> None:
    def head(seed: int) -> np.ndarray:
        opened = open_model(minilm_dir, new_head_seed=seed)
        assert opened.has_new_head
        weight: np.ndarray = opened.model.classifier.weight.detach().numpy()
        return weight

    torch.manual_seed(99)
    first = head(1)
    np.testing.assert_array_equal(first, head(1))
    assert not np.array_equal(first, head(2))


class TestFingerprint:
    def test_follows_what_decides_scores_and_nothing_else(self, tiny_rm_dir: Path, tmp_path: Path) -> None:
        copy = shutil.copytree(tiny_rm_dir, tmp_path / "copy")
        assert fingerprint(copy) == fingerprint(tiny_rm_dir)
        (copy / "README.md").write_text("a model card")
        assert fingerprint(copy) == fingerprint(tiny_rm_dir)
        (copy / "chat_template.jinja").write_text("{{ messages }}")
        assert fingerprint(copy) != fingerprint(tiny_rm_dir)

    def test_sees_the_weights(self, tiny_rm_dir: Path, tmp_path: Path) -> None:
        copy = shutil.copytree(tiny_rm_dir, tmp_path / "copy")
        weights = copy / "model.safetensors"
        content = bytearray(weights.read_bytes())
        content[-1] ^= 1
        weights.write_bytes(bytes(content))
        assert fingerprint(copy) != fingerprint(tiny_rm_dir)


class TestAdapters:
    @pytest.fixture
    def adapter(self, tiny_rm_dir: Path, tmp_path: Path) -> tuple[Path, float]:
        """A LoRA with its own head on the tiny body; and what PEFT itself scores `p1 p2` -> `r1` with it."""
        peft = pytest.importorskip("peft")
        torch.manual_seed(3)
        base = transformers.AutoModelForSequenceClassification.from_pretrained(tiny_rm_dir)
        config = peft.LoraConfig(
            task_type="SEQ_CLS", target_modules=["q_proj", "v_proj"], init_lora_weights=False
        )
        with quiet():
            model = peft.get_peft_model(base, config)
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if "score" in name and "modules_to_save" in name:
                    weight.normal_()
        model.save_pretrained(tmp_path / "adapter")
        encoder = load_reward_model(tiny_rm_dir).encoder
        ids = torch.tensor([encoder.encode("p1 p2", "r1").input_ids])
        model.eval()
        model.config.pad_token_id = 0
        return tmp_path / "adapter", float(model(input_ids=ids, attention_mask=ids * 0 + 1).logits.detach())

    @pytest.mark.filterwarnings("error::FutureWarning")
    def test_adapter_and_saved_head_are_both_used(
        self, adapter: tuple[Path, float], tiny_rm_dir: Path
    ) -> None:
        folder, expected = adapter
        merged = load_reward_model(folder)
        assert merged(["p1 p2"], ["r1"])[0] == pytest.approx(expected, abs=1e-5)
        assert load_reward_model(tiny_rm_dir)(["p1 p2"], ["r1"])[0] != pytest.approx(expected, abs=1e-3)

    def test_an_adapter_whose_head_is_nowhere_is_refused(self, tiny_rm_dir: Path, tmp_path: Path) -> None:
        peft = pytest.importorskip("peft")
        body = transformers.AutoModelForCausalLM.from_pretrained(tiny_rm_dir)
        body.save_pretrained(tmp_path / "body")
        shutil.copy(tiny_rm_dir / "tokenizer.json", tmp_path / "body")
        config = peft.LoraConfig(task_type="CAUSAL_LM", target_modules=["q_proj"])
        base = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "body")
        peft.get_peft_model(base, config).save_pretrained(tmp_path / "adapter")
        named = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
        assert named["base_model_name_or_path"] == str(tmp_path / "body")
        with pytest.raises(ModelError, match="not a reward model"):
            load_reward_model(tmp_path / "adapter")
