"""Checkpoints whose parts are not of one size: a tokenizer with more tokens than embeddings, adapters with more embeddings than
their base, heads that config.json does not describe.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the [hf] extra")
import torch
import transformers

from charm_rm.errors import ModelError
from charm_rm.models import load_pair_ranker, load_reward_model
from charm_rm.models.causal_judge import load_local_chat
from charm_rm.models.doctor.examine import refuse_unsound
from charm_rm.models.loading.libraries import quiet

TEXTS = (["p1 p2", "p1 p2", "p3"], ["r1", "r2 r2 r2", "r3 r4"])
TURNS = (
    "{{ bos_token }}{% for m in messages %}<{{ m['role'] }}> {{ m['content'] }} {{ eos_token }}{% endfor %}"
)


def scores(folder: Path) -> np.ndarray:
    """Scores as `charm score` makes them, after the doctor's quick look."""
    model = load_reward_model(folder, device="cpu")
    refuse_unsound(model, TEXTS[1])
    return model(*TEXTS)


def edit(path: Path, **changes: Any) -> None:
    """Change keys of a JSON file; None takes one out."""
    kept = {
        k: v for k, v in (json.loads(path.read_text()) | changes).items() if changes.get(k, v) is not None
    }
    path.write_text(json.dumps(kept))


# --- a pad token without an embedding -----------------------------------------------------------


@pytest.fixture
def rm(make_rm: Callable[..., Path], tmp_path: Path) -> Path:
    return make_rm(tmp_path / "rm", pad="<system>")


def add_pad(folder: Path) -> Any:
    """Give the tokenizer alone a token of its own for padding, as many trainers do."""
    words = transformers.AutoTokenizer.from_pretrained(folder)
    words.add_special_tokens({"pad_token": "[PAD]"})
    words.save_pretrained(folder)
    return words


def test_a_pad_token_beyond_the_embeddings_gives_way_to_another(rm: Path) -> None:
    expected = scores(rm)
    words = add_pad(rm)
    assert len(words) > json.loads((rm / "config.json").read_text())["vocab_size"]
    assert scores(rm) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("pad", [10_000, -1])
def test_a_configured_pad_token_beyond_the_embeddings(rm: Path, pad: int) -> None:
    """Torch makes no table with such a token, so it must not even be asked to."""
    expected = scores(rm)
    edit(rm / "config.json", pad_token_id=pad)
    assert scores(rm) == pytest.approx(expected, abs=1e-6)


def test_conversations_that_end_in_a_token_without_an_embedding_are_refused(rm: Path) -> None:
    words = transformers.AutoTokenizer.from_pretrained(rm)
    words.add_special_tokens({"eos_token": "<|end|>"})
    words.save_pretrained(rm)
    with pytest.raises(ModelError, match=r"conversations end with '<\|end\|>'.*410 embeddings"):
        load_reward_model(rm, device="cpu")


def test_a_judges_pad_token_beyond_the_embeddings(make_tokenizer: Callable[..., Any], tmp_path: Path) -> None:
    words = make_tokenizer(TURNS)
    config = transformers.LlamaConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=4,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(tmp_path)
    words.save_pretrained(tmp_path)
    asked = [[{"role": "user", "content": text}] for text in ("p1", "p1 p2 p3 p4")]
    before = dict(load_local_chat(tmp_path, device="cpu").replies(asked, max_tokens=1, top_logprobs=2))
    add_pad(tmp_path)
    after = dict(load_local_chat(tmp_path, device="cpu").replies(asked, max_tokens=1, top_logprobs=2))
    assert {i: r.text for i, r in after.items()} == {i: r.text for i, r in before.items()}


# --- adapters -----------------------------------------------------------------------------------


def adapter(
    base: Path, folder: Path, *, rows: int | None = None, save: bool = True, spread: bool = True, **lora: Any
) -> np.ndarray:
    """Train nothing, but move every new weight; save the adapter with a tokenizer that has a token more. Returns its scores."""
    peft = pytest.importorskip("peft", reason="needs the [hf] extra")
    words = transformers.AutoTokenizer.from_pretrained(base)
    words.add_special_tokens({"pad_token": "[PAD]"})
    with quiet():
        model = transformers.AutoModelForSequenceClassification.from_pretrained(base)
        model.resize_token_embeddings(rows or len(words))
        model.config.pad_token_id = words.pad_token_id
        settings = peft.LoraConfig(task_type="SEQ_CLS", r=4, **{"target_modules": ["q_proj"], **lora})
        wrapped = peft.get_peft_model(model, settings)
        torch.manual_seed(1)
        for name, weight in wrapped.named_parameters():
            if spread and ("lora_B" in name or "modules_to_save" in name or "trainable_tokens_delta" in name):
                torch.nn.init.normal_(weight, std=0.3)
            if "lora_embedding_B" in name:
                torch.nn.init.normal_(weight, std=0.3)
        wrapped.save_pretrained(folder, save_embedding_layers=save)
        words.save_pretrained(folder)
    reader = load_reward_model(base, device="cpu")
    rows_of = [torch.tensor([row.input_ids]) for row in reader.encode_many(*TEXTS)]
    wrapped.eval()
    with torch.inference_mode():
        return np.array([float(wrapped(input_ids=ids, attention_mask=ids * 0 + 1).logits) for ids in rows_of])


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"rows": 448},  # a multiple of 64, as trainers like it
        {"modules_to_save": ["embed_tokens", "score"], "save": False},
        {"modules_to_save": ["embed_tokens", "score"], "save": False, "rows": 448},
        {"trainable_token_indices": [5, 410], "save": False},
        {"trainable_token_indices": {"embed_tokens": [410]}, "save": False},
        {"target_modules": ["q_proj", "embed_tokens"]},
    ],
    ids=lambda how: "-".join(map(str, how)) or "saved",
)  # fmt: skip
def test_an_adapter_with_more_embeddings_than_its_base(rm: Path, tmp_path: Path, how: dict[str, Any]) -> None:
    """As the wrapped model scores that was saved: the base grows to what the adapter was trained with."""
    expected = adapter(rm, tmp_path / "adapter", **how)
    assert scores(tmp_path / "adapter") == pytest.approx(expected, abs=1e-5)
    assert abs(scores(rm) - expected).max() > 1e-3


def test_peft_opens_the_adapter_alike(rm: Path, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft", reason="needs the [hf] extra")
    adapter(rm, tmp_path / "adapter")
    with quiet():
        auto = peft.AutoPeftModelForSequenceClassification.from_pretrained(
            str(tmp_path / "adapter"), num_labels=1
        )
    model = load_reward_model(tmp_path / "adapter", device="cpu")
    auto.eval()
    for prompt, response, score in zip(*TEXTS, model(*TEXTS), strict=True):
        ids = torch.tensor([model.encode_many([prompt], [response])[0].input_ids])
        with torch.inference_mode():
            found = float(auto(input_ids=ids, attention_mask=ids * 0 + 1).logits)
        assert score == pytest.approx(found, abs=1e-5)


def test_an_adapter_whose_head_has_two_rows_says_so(
    make_rm: Callable[..., Path], rm: Path, tmp_path: Path
) -> None:
    two = make_rm(tmp_path / "two", num_labels=2, pad="<system>")
    peft = pytest.importorskip("peft", reason="needs the [hf] extra")
    with quiet():
        model = transformers.AutoModelForSequenceClassification.from_pretrained(two)
        wrapped = peft.get_peft_model(model, peft.LoraConfig(task_type="SEQ_CLS", target_modules=["q_proj"]))
        wrapped.save_pretrained(tmp_path / "adapter")
    edit(tmp_path / "adapter" / "adapter_config.json", base_model_name_or_path=str(rm))
    with pytest.raises(ModelError, match=r"the adapter's head score\.weight has 2 rows"):
        load_reward_model(tmp_path / "adapter")


# --- heads that config.json does not describe ---------------------------------------------------


@pytest.mark.parametrize("reward", [None, "output:0"])
def test_a_head_of_one_row_without_labels(rm: Path, reward: str | None) -> None:
    expected = scores(rm)
    edit(rm / "config.json", id2label=None, label2id=None, num_labels=None)
    assert load_reward_model(rm, reward=reward, device="cpu")(*TEXTS) == pytest.approx(expected, abs=1e-6)


def test_a_head_of_one_row_without_labels_can_be_trained_on(rm: Path) -> None:
    from charm_rm.models.loading.opening import open_model

    edit(rm / "config.json", id2label=None, label2id=None)
    assert not open_model(rm, new_head_seed=0).has_new_head


def test_a_head_of_three_rows_without_labels(make_rm: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_rm(tmp_path, num_labels=3)
    edit(folder / "config.json", id2label=None, label2id=None)
    with pytest.raises(ModelError, match="3 outputs"):
        load_reward_model(folder)
    assert np.isfinite(load_reward_model(folder, reward="output:2", device="cpu")(*TEXTS)).all()


@pytest.mark.parametrize("reward", [None, "output:0"])
def test_a_head_of_two_rows_where_one_is_named(
    make_rm: Callable[..., Path], tmp_path: Path, reward: str | None
) -> None:
    folder = make_rm(tmp_path, num_labels=2)
    edit(folder / "config.json", id2label={"0": "LABEL_0"}, label2id={"LABEL_0": 0})
    with pytest.raises(
        ModelError, match=r"\(score\.weight\) has 2 rows, config\.json has labels for 1"
    ) as caught:
        load_reward_model(folder, reward=reward)
    assert "report" not in str(caught.value)


def test_a_pair_ranker_whose_head_has_one_row(make_rm: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_rm(tmp_path, None)
    expected = load_pair_ranker(folder, device="cpu")(["p1"], ["r1"], ["r2"])
    edit(folder / "config.json", id2label=None, label2id=None)
    assert load_pair_ranker(folder, device="cpu")(["p1"], ["r1"], ["r2"]) == pytest.approx(expected)


def test_other_weights_that_do_not_fit_are_named_with_both_shapes(rm: Path) -> None:
    edit(rm / "config.json", intermediate_size=48)
    with pytest.raises(
        ModelError, match=r"mlp\.down_proj\.weight has the shape \(32, 64\).*asks for \(32, 48\)"
    ):
        load_reward_model(rm)


def test_a_judges_weights_that_do_not_fit(make_tokenizer: Callable[..., Any], tmp_path: Path) -> None:
    words = make_tokenizer(TURNS)
    sizes: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4}
    config = transformers.LlamaConfig(vocab_size=len(words), intermediate_size=64, **sizes)
    transformers.LlamaForCausalLM(config).save_pretrained(tmp_path)
    words.save_pretrained(tmp_path)
    edit(tmp_path / "config.json", intermediate_size=48)
    with pytest.raises(ModelError, match=r"has the shape \(32, 64\).*asks for \(32, 48\)"):
        load_local_chat(tmp_path, device="cpu")
