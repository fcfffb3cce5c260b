"""Tiny reward models, drawn at random, that load and train in a blink: an encoder and a decoder.

The encoder is BERT with MiniLM's tokenizer (sentence pairs, token types, no EOS, no chat template); the
decoder is Llama with a word-level tokenizer, a chat template, and a pad token that ends every turn.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from charm_rm.preferences import as_preferences
from charm_rm.tables import Preferences

WORDS = ["alpha", "beta", "gamma", "delta", "good", "bad", "fine", "poor", "long", "short", "why", "how"]
TEMPLATE = "{% for m in messages %}<|im_start|> {{ m['role'] }} {{ m['content'] }} <|im_end|> {% endfor %}"


def tiny_bert(folder: Path, tokenizer_from: Path, *, head: bool = True, seed: int = 0) -> Path:
    """Save a two-layer BERT; without ``head`` it is a bare backbone."""
    import torch
    import transformers

    torch.manual_seed(seed)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tokenizer_from)
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
        num_labels=1,
        initializer_range=0.3,
    )
    kind = transformers.BertForSequenceClassification if head else transformers.BertModel
    kind(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def tiny_llama(folder: Path, *, seed: int = 0) -> Path:
    """Save a two-layer Llama reward model whose pad token is its end-of-turn token."""
    import tokenizers
    import torch
    import transformers

    torch.manual_seed(seed)
    specials = ["<unk>", "<|im_start|>", "<|im_end|>"]
    vocabulary = {w: i for i, w in enumerate([*specials, "user", "assistant", *WORDS])}
    raw = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="<unk>"))
    raw.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw, unk_token="<unk>", eos_token="<|im_end|>", pad_token="<|im_end|>"
    )
    tokenizer.chat_template = TEMPLATE
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
        num_labels=1,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=0.3,
    )
    transformers.LlamaForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def simple_preferences(n: int = 40, *, per_prompt: int = 2, **columns: Any) -> Preferences:
    """Pairs with a rule that can be learnt: the chosen response says ``good``, the rejected one ``bad``."""
    rows = []
    for i in range(n):
        a, b = WORDS[i % 4], WORDS[(i // 4) % 4]
        filler = " ".join([b] * (1 + i % 5))
        rows.append(
            {
                "prompt": f"why {' '.join([a] * (1 + (i // per_prompt) % 9))} {b}",
                "chosen": f"good {filler}",
                "rejected": f"bad {a} {filler}",
            }
        )
    return as_preferences(pl.DataFrame(rows).with_columns(**{k: pl.Series(v) for k, v in columns.items()}))
