"""Tiny reward models for the doctor: a healthy one, and one for each classic fault.

The healthy one spells every text (bytes), has a pad token of its own, writes one BOS, and a head unlike a fresh one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

PAD, BOS, EOS = "<pad>", "<s>", "</s>"
MARKERS = ["<user>", "<assistant>", "<system>"]
BODY = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{{ eos_token }}{% endfor %}"
TEMPLATE = "{{ bos_token }}" + BODY
QWEN = (
    "{{ bos_token }}{% if messages[0]['role'] != 'system' %}<system>You are Ada, a helpful assistant."
    "{{ eos_token }}{% endif %}" + BODY
)
STRIPS = TEMPLATE.replace("m['content']", "m['content'].strip()")
FORGETS_THOUGHT = TEMPLATE.replace("m['content']", "m['content'].split('</think>')[-1]")
DATED = "{{ bos_token }}<system>Today is {{ strftime_now('%d %B %Y') }}.\n{{ eos_token }}" + BODY
DATE_GIVEN = "{{ bos_token }}<system>Today is {{ date_string }}.\n{{ eos_token }}" + BODY


def tokenizer(
    template: str | None = TEMPLATE, *, pad: str | None = PAD, side: str = "right", bos: int = 1
) -> Any:
    """A tokenizer of bytes that puts ``bos`` BOS tokens before plain text by itself."""
    import tokenizers
    import transformers

    specials = [PAD, BOS, EOS, *MARKERS]
    names = [*specials, *sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())]
    raw = tokenizers.Tokenizer(tokenizers.models.BPE(vocab={n: i for i, n in enumerate(names)}, merges=[]))
    raw.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = tokenizers.decoders.ByteLevel()
    raw.add_special_tokens(specials)
    if bos:
        raw.post_processor = tokenizers.processors.TemplateProcessing(
            single=f"{BOS} " * bos + "$A", special_tokens=[(BOS, 1)]
        )
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw, bos_token=BOS, eos_token=EOS, pad_token=pad, padding_side=side
    )
    made.chat_template = template
    return made


def decoder(
    folder: Path, words: Any = None, *, head_sd: float = 1.0, kind: str = "Llama", **config: Any
) -> Path:
    """Save a tiny random decoder with a head drawn at ``head_sd`` (0: all zero)."""
    import torch
    import transformers

    torch.manual_seed(2)
    words = words or tokenizer()
    settings = {
        "vocab_size": len(words),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 4096,
        "initializer_range": 0.3,
        "num_labels": 1,
        "pad_token_id": words.pad_token_id,
    }
    made = getattr(transformers, f"{kind}Config")(**settings | config)
    model = getattr(transformers, f"{kind}ForSequenceClassification")(made)
    with torch.no_grad():
        model.score.weight.normal_(std=head_sd) if head_sd else model.score.weight.zero_()
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def headless(folder: Path) -> Path:
    """Save the bare body of :func:`decoder`, as a language model."""
    import transformers

    decoder(folder / "whole")
    body = transformers.AutoModelForCausalLM.from_pretrained(folder / "whole")
    body.save_pretrained(folder / "body")
    tokenizer().save_pretrained(folder / "body")
    return folder / "body"
