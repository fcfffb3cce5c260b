"""Heads of every kind, told by the option ``reward`` or by the checkpoint itself."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charm_rm.errors import ConfigError, ModelError
from charm_rm.models.loading.opening import open_model
from models.tiny_entries import causal, config

pytestmark = pytest.mark.models
torch = pytest.importorskip("torch", reason="needs the [hf] extra")
transformers = pytest.importorskip("transformers", reason="needs the [hf] extra")
safetensors = pytest.importorskip("safetensors.torch")

IDS = torch.tensor([[5, 9, 30, 7, 41, 2], [8, 3, 77, 0, 0, 0]])
MASK = torch.tensor([[1] * 6, [1, 1, 1, 0, 0, 0]])


def rewards(opened: Any, **more: Any) -> np.ndarray:
    opened.model.config.pad_token_id = 0
    with torch.inference_mode():
        logits = opened.model(input_ids=IDS, attention_mask=MASK, **more).logits
    assert logits.shape == (2, 1)
    values: np.ndarray = logits[:, 0].double().numpy()
    return values


class TestSeveralOutputs:
    @pytest.fixture
    def decoder(self, make_rm: Callable[..., Path], tmp_path: Path) -> tuple[Path, np.ndarray]:
        folder = make_rm(tmp_path / "decoder", num_labels=3)
        said = json.loads((folder / "config.json").read_text())
        said["id2label"] = {"0": "helpful", "1": "honest", "2": "short"}
        said["label2id"] = {v: int(k) for k, v in said["id2label"].items()}
        (folder / "config.json").write_text(json.dumps(said))
        model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
        model.config.pad_token_id = 0
        outputs: np.ndarray = model(IDS, attention_mask=MASK).logits.detach().double().numpy()
        return folder, outputs

    @pytest.mark.parametrize(
        ("reward", "weights"),
        [
            ("output:2", [0, 0, 1]),
            ("mean", [1 / 3] * 3),
            ("weights:0.2,0.8,-1", [0.2, 0.8, -1]),
            ("honest", [0, 1, 0]),
        ],
    )
    def test_a_stated_reduction(
        self, decoder: tuple[Path, np.ndarray], reward: str, weights: list[float]
    ) -> None:
        opened = open_model(decoder[0], reward=reward)
        assert opened.n_outputs == 3
        np.testing.assert_allclose(rewards(opened), decoder[1] @ weights, atol=1e-5)

    def test_without_one_the_outputs_are_listed(self, decoder: tuple[Path, np.ndarray]) -> None:
        with pytest.raises(
            ModelError, match=r"3 outputs.*'helpful', 'honest', 'short'[\s\S]*--reward output:N"
        ):
            open_model(decoder[0])
        with pytest.raises(ModelError, match="3 outputs"):
            open_model(decoder[0], new_head_seed=0)

    def test_an_encoder(self, minilm_dir: Path, tmp_path: Path) -> None:
        torch.manual_seed(0)
        model = transformers.AutoModelForSequenceClassification.from_pretrained(
            minilm_dir, num_labels=5
        ).eval()
        model.save_pretrained(tmp_path)
        transformers.AutoTokenizer.from_pretrained(minilm_dir).save_pretrained(tmp_path)
        opened = open_model(tmp_path, reward="output:4")
        expected = model(IDS, attention_mask=MASK).logits[:, 4].detach().numpy()
        np.testing.assert_allclose(rewards(opened, token_type_ids=IDS * 0), expected, atol=1e-5)

    def test_in_bfloat16_the_reduction_is_in_float32(self, decoder: tuple[Path, np.ndarray]) -> None:
        opened = open_model(decoder[0], reward="mean", dtype="bfloat16")
        assert opened.model.dtype == torch.bfloat16
        assert np.abs(rewards(opened) - decoder[1].mean(1)).max() < 0.2

    def test_names_that_config_json_leaves_out(
        self, make_tokenizer: Callable[..., Any], tmp_path: Path
    ) -> None:
        """Two outputs have names by default, which transformers does not write."""
        tokenizer = make_tokenizer()
        torch.manual_seed(0)
        model = transformers.LlamaForSequenceClassification(config("Llama", tokenizer, num_labels=2)).eval()
        model.config.pad_token_id = 0
        model.save_pretrained(tmp_path)
        tokenizer.save_pretrained(tmp_path)
        expected = model(IDS, attention_mask=MASK).logits[:, 1].detach().double().numpy()
        np.testing.assert_allclose(rewards(open_model(tmp_path, reward="LABEL_1")), expected, atol=1e-5)

    def test_the_choice_is_part_of_the_fingerprint(self, decoder: tuple[Path, np.ndarray]) -> None:
        assert len({open_model(decoder[0], reward=r).fingerprint for r in ("mean", "output:0")}) == 2


def save_with_head(
    folder: Path, tokenizer: Any, heads: dict[str, Any], *, prefix: str = "model."
) -> Callable[[Any], np.ndarray]:
    """A causal LM's folder with further weights in it; returns what a row of weights reads at the last tokens."""
    torch.manual_seed(1)
    model = transformers.LlamaForCausalLM(config("Llama", tokenizer)).eval()
    model.config.architectures = ["LlamaForCausalLM"]
    model.config.save_pretrained(folder)
    state = {prefix + k.removeprefix("model."): v for k, v in model.state_dict().items()}
    safetensors.save_file(
        {k: v.contiguous().clone() for k, v in (state | heads).items()}, folder / "model.safetensors"
    )
    tokenizer.save_pretrained(folder)
    hidden = model.model(IDS, attention_mask=MASK).last_hidden_state
    last = hidden[[0, 1], [5, 2]]
    return lambda row: (last @ row).detach().double().numpy()


class TestHeadsOfOtherNames:
    @pytest.mark.parametrize(
        "name", ["v_head.summary", "v_head", "regression_head", "score_head", "reward_head"]
    )
    @pytest.mark.parametrize("prefix", ["model.", "transformer.", "pretrained_model.model."])
    def test_the_only_one_is_found(
        self, name: str, prefix: str, make_tokenizer: Callable[..., Any], tmp_path: Path
    ) -> None:
        weight, bias = torch.randn(1, 32), torch.tensor([0.5])
        heads = {f"{name}.weight": weight, f"{name}.bias": bias}
        read = save_with_head(tmp_path, make_tokenizer(), heads, prefix=prefix)
        opened = open_model(tmp_path)
        assert opened.output == f"the one output of the head '{name}'"
        assert opened.model.score.in_features == 32
        np.testing.assert_allclose(rewards(opened), read(weight[0]) + 0.5, atol=1e-5)

    def test_two_are_not_guessed_between(self, make_tokenizer: Callable[..., Any], tmp_path: Path) -> None:
        heads = {"v_head.weight": torch.randn(1, 32), "score_head.weight": torch.randn(1, 32)}
        read = save_with_head(tmp_path, make_tokenizer(), heads)
        with pytest.raises(ModelError, match="not a reward model"):
            open_model(tmp_path)
        for name in ("v_head", "score_head"):
            opened = open_model(tmp_path, reward=f"head:{name}")
            np.testing.assert_allclose(rewards(opened), read(heads[f"{name}.weight"][0]), atol=1e-5)
        with pytest.raises(ModelError, match=r"lacks 'other\.weight'"):
            open_model(tmp_path, reward="head:other")

    def test_a_head_of_another_size(self, make_tokenizer: Callable[..., Any], tmp_path: Path) -> None:
        save_with_head(tmp_path, make_tokenizer(), {"v_head.weight": torch.randn(1, 31)})
        with pytest.raises(ModelError, match="reads 31 numbers, the backbone has 32"):
            open_model(tmp_path)

    def test_several_outputs_are_refused(self, make_tokenizer: Callable[..., Any], tmp_path: Path) -> None:
        save_with_head(tmp_path, make_tokenizer(), {"v_head.weight": torch.randn(2, 32)})
        with pytest.raises(ModelError, match="2 outputs"):
            open_model(tmp_path)

    def test_both_padding_sides_and_bfloat16(
        self, make_tokenizer: Callable[..., Any], tmp_path: Path
    ) -> None:
        weight = torch.randn(1, 32)
        read = save_with_head(tmp_path, make_tokenizer(), {"v_head.weight": weight})
        opened = open_model(tmp_path)
        left = torch.tensor([[5, 9, 30, 7, 41, 2], [0, 0, 0, 8, 3, 77]])
        mask = (torch.arange(6) >= torch.tensor([[0], [3]])).long()
        logits = opened.model(
            left, attention_mask=mask, position_ids=(mask.cumsum(1) - 1).clamp(min=0)
        ).logits
        np.testing.assert_allclose(logits[:, 0].detach().numpy(), read(weight[0]), atol=1e-5)
        half = open_model(tmp_path, dtype="bfloat16")
        assert half.model.dtype == torch.bfloat16
        assert half.model.score.weight.dtype == torch.float32
        assert np.corrcoef(rewards(half), read(weight[0]))[0, 1] > 0.9

    def test_as_saved(self, make_tokenizer: Callable[..., Any], tmp_path: Path) -> None:
        save_with_head(tmp_path, make_tokenizer(), {"v_head.weight": torch.randn(1, 32)})
        weights = safetensors.load_file(tmp_path / "model.safetensors")
        safetensors.save_file({k: v.bfloat16() for k, v in weights.items()}, tmp_path / "model.safetensors")
        said = json.loads((tmp_path / "config.json").read_text()) | {"dtype": "bfloat16"}
        (tmp_path / "config.json").write_text(json.dumps(said))
        assert open_model(tmp_path, dtype="auto").model.dtype == torch.bfloat16

    def test_weights_in_torchs_own_format(self, make_tokenizer: Callable[..., Any], tmp_path: Path) -> None:
        weight = torch.randn(1, 32)
        read = save_with_head(tmp_path, make_tokenizer(), {"v_head.weight": weight})
        state = safetensors.load_file(tmp_path / "model.safetensors")
        (tmp_path / "model.safetensors").unlink()
        half = len(state) // 2
        torch.save(dict(list(state.items())[:half]), tmp_path / "pytorch_model-00001-of-00002.bin")
        torch.save(dict(list(state.items())[half:]), tmp_path / "pytorch_model-00002-of-00002.bin")
        np.testing.assert_allclose(rewards(open_model(tmp_path)), read(weight[0]), atol=1e-5)

    def test_a_pickle_that_would_run_is_not_read(
        self, make_tokenizer: Callable[..., Any], tmp_path: Path
    ) -> None:
        import pickle

        class Trap:
            def __reduce__(self) -> tuple[Any, ...]:
                return (Path.touch, (tmp_path / "sprung",))

        save_with_head(tmp_path, make_tokenizer(), {"v_head.weight": torch.randn(1, 32)})
        (tmp_path / "model.safetensors").unlink()
        (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps({"v_head.weight": Trap()}))
        with pytest.raises(ModelError):
            open_model(tmp_path)
        assert not (tmp_path / "sprung").exists()


class TestFirstToken:
    def test_by_number_and_by_name(self, make_tokenizer: Callable[..., Any], tmp_path: Path) -> None:
        tokenizer = make_tokenizer()
        twin = causal(tmp_path, tokenizer, index=30)
        tokenizer.save_pretrained(tmp_path)
        expected = [twin(IDS[0].tolist()), twin(IDS[1, :3].tolist())]
        for token in ("30", tokenizer.convert_ids_to_tokens(30)):
            opened = open_model(tmp_path, reward=f"token:{token}")
            np.testing.assert_allclose(rewards(opened), expected, atol=1e-5)
        assert opened.output == "the logit of vocabulary entry 30 as the next token"

    def test_what_is_not_in_the_vocabulary(self, make_tokenizer: Callable[..., Any], tmp_path: Path) -> None:
        causal(tmp_path, make_tokenizer())
        make_tokenizer().save_pretrained(tmp_path)
        for token in ("99999", "nonsense"):
            with pytest.raises(ModelError, match="no entry"):
                open_model(tmp_path, reward=f"token:{token}")

    def test_logits_that_are_changed_afterwards(
        self, make_tokenizer: Callable[..., Any], tmp_path: Path
    ) -> None:
        tokenizer = make_tokenizer()
        transformers.Gemma2ForCausalLM(config("Gemma2", tokenizer)).save_pretrained(tmp_path)
        tokenizer.save_pretrained(tmp_path)
        with pytest.raises(ModelError, match="final_logit_softcapping"):
            open_model(tmp_path, reward="token:0")


class TestWhatDoesNotGoTogether:
    def test_training_with_a_choice(self, tiny_rm_dir: Path) -> None:
        with pytest.raises(ConfigError, match="training"):
            open_model(tiny_rm_dir, reward="mean", new_head_seed=0)

    def test_an_entry_whose_head_is_not_there(self, tiny_rm_dir: Path, tmp_path: Path) -> None:
        folder = shutil.copytree(tiny_rm_dir, tmp_path / "openbmb" / "UltraRM-13b")
        with pytest.raises(ModelError, match="regression_head"):
            open_model(folder)

    def test_an_unknown_architecture(self, make_tokenizer: Callable[..., Any], tmp_path: Path) -> None:
        save_with_head(tmp_path, make_tokenizer(), {"v_head.weight": torch.randn(1, 32)})
        said = json.loads((tmp_path / "config.json").read_text()) | {"model_type": "new-thing"}
        (tmp_path / "config.json").write_text(json.dumps(said))
        with pytest.raises(ModelError, match="new-thing"):
            open_model(tmp_path)
