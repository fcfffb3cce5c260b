"""Models that compare two responses, beside forward passes by hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charm_rm.errors import CharmWarning, ConfigError, ModelError
from charm_rm.models.pair_layouts.pairrm import PREFIXES
from charm_rm.models.pair_ranker import TOKEN_BUDGET, PairRanker, load_pair_ranker
from charm_rm.protocols import PairwisePreference

pytestmark = pytest.mark.models
torch = pytest.importorskip("torch", reason="needs the [hf] extra")
transformers = pytest.importorskip("transformers", reason="needs the [hf] extra")
safetensors = pytest.importorskip("safetensors.torch")

PROMPTS = ["why is the sky blue?", "hi", "name three colours"]
FIRST = ["because of the scattering of light", "hello there", ""]
SECOND = ["no idea", "go away, and never come back to me again", "red, green and blue"]


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-np.asarray(x, dtype=float)))


@pytest.fixture(scope="module")
def pairrm(minilm_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A tiny PairRM with its authors' names in configuration and checkpoint; and the parts that it is made of."""
    folder = tmp_path_factory.mktemp("hub") / "llm-blender" / "PairRM-hf"
    folder.mkdir(parents=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm_dir)
    tokenizer.add_special_tokens({"additional_special_tokens": [*PREFIXES, "<|candidate|>"]})
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    made = transformers.DebertaV2Config(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, type_vocab_size=0, initializer_range=0.3,
    )  # fmt: skip
    body = transformers.DebertaV2Model(made).eval()
    head = torch.nn.Sequential(
        torch.nn.Dropout(0.0), torch.nn.Linear(64, 32), torch.nn.Tanh(), torch.nn.Dropout(0.0), torch.nn.Linear(32, 3)
    ).eval()  # fmt: skip
    state = {f"pretrained_model.{k}": v for k, v in body.state_dict().items()}
    state |= {f"head_layer.{k}": v for k, v in head.state_dict().items()}
    safetensors.save_file({k: v.contiguous() for k, v in state.items()}, folder / "model.safetensors")
    source, one, two = tokenizer.convert_tokens_to_ids(list(PREFIXES))
    written = made.to_dict() | {
        "architectures": ["DebertaV2PairRM"], "n_tasks": 3, "drop_out": 0.05, "source_prefix_id": source,
        "cand1_prefix_id": one, "cand2_prefix_id": two, "cand_prefix_id": len(tokenizer) - 1,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(written))
    return folder, (tokenizer, body, head)


def pairrm_by_hand(parts: Any, prompt: str, first: str, second: str) -> float:
    """One comparison as the model's card does it: three texts encoded apart, read where their marks are found."""
    tokenizer, body, head = parts
    ids = [
        i
        for prefix, text in zip(PREFIXES, (prompt, first, second), strict=True)
        for i in tokenizer.encode(prefix + text)
    ]
    tensor = torch.tensor([ids])
    hidden = body(tensor, attention_mask=torch.ones_like(tensor)).last_hidden_state
    at = [hidden[torch.where(tensor == tokenizer.convert_tokens_to_ids(p))] for p in PREFIXES]
    left, right = (head(torch.cat([at[0], c], dim=-1)) for c in at[1:])
    return float((left - right).mean())


class TestPairRM:
    def test_probabilities_are_those_by_hand(self, pairrm: tuple[Path, Any]) -> None:
        ranker = load_pair_ranker(pairrm[0])
        assert isinstance(ranker, PairwisePreference)
        assert ranker.layout == "pairrm"
        with torch.inference_mode():
            expected = [pairrm_by_hand(pairrm[1], *trio) for trio in zip(PROMPTS, FIRST, SECOND, strict=True)]
        assert np.std(expected) > 0.01
        np.testing.assert_allclose(ranker(PROMPTS, FIRST, SECOND), sigmoid(expected), atol=1e-5)

    def test_batches_change_nothing(self, pairrm: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        ranker = load_pair_ranker(pairrm[0])
        together = ranker(PROMPTS, FIRST, SECOND)
        monkeypatch.setitem(TOKEN_BUDGET, "cpu", 1)
        np.testing.assert_allclose(ranker(PROMPTS, FIRST, SECOND), together, atol=1e-5)

    def test_a_conversation_is_written_as_in_training(self, pairrm: tuple[Path, Any]) -> None:
        chat = [
            {"role": "user", "content": "q1"},
            {"role": "assistant", "content": "a1"},
            {"role": "user", "content": "q2"},
        ]
        ranker = load_pair_ranker(pairrm[0])
        source = (
            "Finish the following coversation in each i-th turn by filling in <Response i> with your response."
            "USER: q1\nAssistant: <Response 1>\nUSER: q2\nAssistant: <Response 2>"
        )
        answers = [f"<Response 1>: a1\n<Response 2>: {x}" for x in ("b", "c d")]
        with torch.inference_mode():
            expected = pairrm_by_hand(pairrm[1], source, *answers)
        assert ranker([chat], ["b"], ["c d"])[0] == pytest.approx(sigmoid(expected), abs=1e-5)
        with pytest.raises(ModelError, match="user and assistant in turn, not system, user"):
            ranker([[{"role": "system", "content": "s"}, chat[0]]], ["b"], ["c"])

    def test_a_mark_spelt_out_in_a_text_moves_nothing(self, pairrm: tuple[Path, Any]) -> None:
        row = load_pair_ranker(pairrm[0]).encode("say <|candidate1|>", "a <|candidate2|>", "b")
        ids = row.encoded.input_ids
        wanted = pairrm[1][0].convert_tokens_to_ids(list(PREFIXES))
        assert [ids[m] for m in row.marks] == wanted
        assert list(row.marks) == sorted(row.marks)

    def test_long_texts_are_cut_as_its_authors_cut(self, pairrm: tuple[Path, Any]) -> None:
        ranker = load_pair_ranker(pairrm[0], max_length=64)
        row = ranker.encode("sky " * 100, "blue " * 100, "red")
        assert row.encoded.truncated
        assert row.marks[1] == 64 * 1224 // 2048 + 1  # the prompt's share, then CLS
        assert len(row.encoded) <= 64
        assert (
            row.encoded.input_ids[row.marks[2] + 1 :] == ranker.encode("a", "b", "red").encoded.input_ids[-2:]
        )
        with pytest.warns(CharmWarning, match="1 of 1 comparisons"):
            ranker(["sky " * 100], ["a"], ["b"])
        assert not load_pair_ranker(pairrm[0]).encode("sky " * 100, "blue " * 100, "red").encoded.truncated

    def test_refusals(self, pairrm: tuple[Path, Any], minilm_dir: Path, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="layout of its own"):
            load_pair_ranker(pairrm[0], template="{prompt}{first}{second}")
        with pytest.raises(ConfigError, match="no room"):
            load_pair_ranker(pairrm[0], max_length=4)
        other = shutil.copytree(pairrm[0], tmp_path / "other")
        for file in other.glob("*token*"):
            file.unlink()
        transformers.AutoTokenizer.from_pretrained(minilm_dir).save_pretrained(other)
        with pytest.raises(ModelError, match="the tokenizer does not have"):
            load_pair_ranker(other)

    @pytest.mark.parametrize(
        "lost", ["head_layer.4.weight", "pretrained_model.encoder.layer.1.output.dense.weight"]
    )
    def test_a_missing_weight(self, pairrm: tuple[Path, Any], tmp_path: Path, lost: str) -> None:
        holed = shutil.copytree(pairrm[0], tmp_path / "holed")
        state = safetensors.load_file(holed / "model.safetensors")
        del state[lost]
        safetensors.save_file(state, holed / "model.safetensors")
        with pytest.raises(ModelError, match="lacks"):
            load_pair_ranker(holed)

    def test_logits_that_are_not_finite(self, pairrm: tuple[Path, Any]) -> None:
        ranker = load_pair_ranker(pairrm[0])
        with torch.no_grad():
            ranker.model.outer.weight.fill_(float("nan"))
        with pytest.raises(ModelError, match="3 of 3 logits are not finite"):
            ranker(PROMPTS, FIRST, SECOND)


@pytest.fixture(scope="module")
def classifiers(minilm_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Tiny BERT classifiers with one, two and three outputs."""
    folders = {}
    for n in (1, 2, 3):
        torch.manual_seed(n)
        tokenizer = transformers.AutoTokenizer.from_pretrained(minilm_dir)
        made = transformers.BertConfig(
            vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, num_labels=n,
            intermediate_size=64, max_position_embeddings=128, initializer_range=0.3,
        )  # fmt: skip
        folders[n] = tmp_path_factory.mktemp(f"pairs-{n}")
        transformers.BertForSequenceClassification(made).save_pretrained(folders[n])
        tokenizer.save_pretrained(folders[n])
    return folders


def classified(folder: Path, text: str) -> np.ndarray:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        outputs: np.ndarray = model(**tokenizer(text, return_tensors="pt")).logits[0].double().numpy()
    return outputs


class TestClassifiers:
    def test_one_output_is_a_logit(self, classifiers: dict[int, Path]) -> None:
        ranker = load_pair_ranker(classifiers[1])
        expected = [
            sigmoid(classified(classifiers[1], f"{p}[SEP]{a}[SEP]{b}")[0])
            for p, a, b in zip(PROMPTS, FIRST, SECOND, strict=True)
        ]
        assert np.std(expected) > 1e-3
        np.testing.assert_allclose(ranker(PROMPTS, FIRST, SECOND), expected, atol=1e-5)

    def test_two_outputs_are_a_softmax(self, classifiers: dict[int, Path]) -> None:
        form = "Question: {prompt} A: {first} B: {second} Which?"
        texts = [
            f"Question: {p} A: {a} B: {b} Which?" for p, a, b in zip(PROMPTS, FIRST, SECOND, strict=True)
        ]
        outputs = np.exp([classified(classifiers[2], text) for text in texts])
        shares = outputs / outputs.sum(1, keepdims=True)
        for output in (0, 1):
            ranker = load_pair_ranker(classifiers[2], template=form, first_output=output)
            np.testing.assert_allclose(ranker(PROMPTS, FIRST, SECOND), shares[:, output], atol=1e-5)

    def test_a_text_that_spells_a_slot_is_left_alone(self, classifiers: dict[int, Path]) -> None:
        ranker = load_pair_ranker(classifiers[1], template="{prompt} | {first} | {second}")
        expected = sigmoid(classified(classifiers[1], "{second} | {prompt} | x")[0])
        assert ranker(["{second}"], ["{prompt}"], ["x"])[0] == pytest.approx(expected, abs=1e-5)

    def test_a_decoder_is_read_at_its_end_whatever_the_batch(
        self, make_rm: Callable[..., Path], tmp_path: Path
    ) -> None:
        ranker = load_pair_ranker(make_rm(tmp_path, None))
        trios = (["p1", "p2 p3", "p4"], ["r1 " * 9, "r2", "r3 r4"], ["r5", "r6 " * 4, "r7"])
        alone = [ranker([p], [a], [b])[0] for p, a, b in zip(*trios, strict=True)]
        assert np.std(alone) > 1e-3
        np.testing.assert_allclose(ranker(*trios), alone, atol=1e-5)
        assert ranker.encode("p1", "r1", "r2").encoded.input_ids[-1] == 2  # EOS

    @pytest.mark.parametrize("lengths", [(300, 5, 5), (5, 300, 5), (5, 5, 300), (300, 300, 300)])
    def test_long_texts_keep_something_of_every_part(
        self, classifiers: dict[int, Path], lengths: tuple[int, int, int]
    ) -> None:
        ranker = load_pair_ranker(classifiers[1], max_length=40)
        words = ("sky", "blue", "red")
        row = ranker.encode(*(f"{word} " * n for word, n in zip(words, lengths, strict=True)))
        assert row.encoded.truncated
        assert 36 <= len(row.encoded) <= 40
        tokenizer = transformers.AutoTokenizer.from_pretrained(classifiers[1])
        for word, n in zip(words, lengths, strict=True):
            kept = row.encoded.input_ids.count(tokenizer.convert_tokens_to_ids(word))
            assert kept >= (5 if n == 5 else 8)

    def test_refusals(self, classifiers: dict[int, Path], minilm_dir: Path) -> None:
        with pytest.raises(ModelError, match="3 outputs"):
            load_pair_ranker(classifiers[3])
        with pytest.raises(ModelError, match=r"not a reward model.*classifier"):
            load_pair_ranker(minilm_dir)
        for form in ("{prompt} {first}", "{prompt} {first} {second} {first}", "nothing"):
            with pytest.raises(ConfigError, match="once each"):
                load_pair_ranker(classifiers[1], template=form)
        for setting in ({"dtype": "int8"}, {"device": "toaster"}, {"max_length": 9999}):
            with pytest.raises(ConfigError):
                load_pair_ranker(classifiers[1], **setting)
        with pytest.raises(ConfigError, match="no room"):
            load_pair_ranker(classifiers[1], max_length=5)(["sky " * 9], ["a"], ["b"])

    def test_the_settings_are_part_of_the_fingerprint(self, classifiers: dict[int, Path]) -> None:
        made: list[PairRanker] = [
            load_pair_ranker(classifiers[2]),
            load_pair_ranker(classifiers[2], first_output=1),
            load_pair_ranker(classifiers[2], template="{first} {second} {prompt}"),
            load_pair_ranker(classifiers[2], max_length=24),
            load_pair_ranker(classifiers[2], dtype="bfloat16"),
        ]
        assert len({m.fingerprint for m in made}) == len(made)
        assert replace(made[0], device="cpu").fingerprint == load_pair_ranker(classifiers[2]).fingerprint
