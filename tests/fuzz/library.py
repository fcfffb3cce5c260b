"""What commands of charm, and transformers, make of the valid inputs, once for all cases: offsets, an audit, a run, models."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from random import Random

from .case import run
from .contents import written
from .inputs import MODULE, POLICIES, inputs


def has_models() -> bool:
    return (
        importlib.util.find_spec("transformers") is not None and importlib.util.find_spec("torch") is not None
    )


def has_study() -> bool:
    return importlib.util.find_spec("sqlalchemy") is not None


def make(folder: Path) -> None:
    """Fill ``folder``."""
    here = Path.cwd()
    os.chdir(folder)
    try:
        (folder / "fuzz_models.py").write_text(MODULE)
        rng = Random(0)
        for kind in ("run_scores", "run_responses", "run_battles", "margins", "configuration"):
            content = inputs(kind, rng, folder)
            name = "charm.yaml" if kind == "configuration" else f"{kind.removeprefix('run_')}.parquet"
            assert not isinstance(content, dict)
            Path(name).write_bytes(written(content, Path(name).suffix))
        Path("ratings.csv").write_text(
            "policy,rating,std_err\n" + "".join(f"{p},{1000 + 41 * k},6\n" for k, p in enumerate(POLICIES))
        )
        scorer = "python:fuzz_models:score"
        evaluate = f"evaluate --rm {scorer} --scores scores.parquet --ratings ratings.csv --draws 100"
        for line in (
            "audit scores.parquet --ratings ratings.csv --draws 0 -o audit",
            "calibrate scores.parquet --ratings ratings.csv --all --ref oak --draws 100 -o offsets.parquet",
            "calibrate margins.parquet --ratings ratings.csv --all --ref oak --draws 0 -o judge_offsets.parquet",
            "relabel scores.parquet responses.parquet offsets.parquet -o prefs",
            "calibrate scores.parquet --style --responses responses.parquet --ratings ratings.csv -o calibrator.json",
            "score responses.parquet --rm python:fuzz_models:score -o s.parquet --n-prompts 3 --cache memo.sqlite",
            "run charm.yaml -o run",
            f"{evaluate} --baseline {scorer} --pairs prefs/preferences.parquet --baseline-scores scores.parquet -o run/evaluation",
        ):
            code, _out, err, through = run(line.split())
            if code != 0:
                raise RuntimeError(f"charm {line}: {err or through!r}")
        if has_study():
            line = "study import battles.parquet --scores scores.parquet --responses responses.parquet --anonymous -o study.sqlite"
            code, _out, err, through = run(line.split())
            if code != 0:
                raise RuntimeError(f"charm study import: {err or through!r}")
        else:  # what is said then is that the extra is missing
            Path("study.sqlite").write_bytes(b"")
        if has_models():
            write_models(folder)
    finally:
        os.chdir(here)


def write_models(folder: Path) -> None:
    """A tiny reward model with a chat template, and a causal model with the same tokenizer."""
    import tokenizers
    import torch
    import transformers

    words = ["alpha", "beta", "good", "bad", "fine", "long", "short", "why", "A", "B"]
    names = ["<unk>", "<|im_start|>", "<|im_end|>", "user", "assistant", "system", *words]
    raw = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({w: i for i, w in enumerate(names)}, unk_token="<unk>")
    )
    raw.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw, unk_token="<unk>", eos_token="<|im_end|>", pad_token="<|im_end|>"
    )
    tokenizer.chat_template = (
        "{% for m in messages %}<|im_start|> {{ m['role'] }} {{ m['content'] }} <|im_end|> {% endfor %}"
    )
    torch.manual_seed(0)
    for name, kind in (
        ("model", transformers.LlamaForSequenceClassification),
        ("causal", transformers.LlamaForCausalLM),
    ):
        config = transformers.LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2, intermediate_size=64,
            max_position_embeddings=256, num_labels=1, pad_token_id=tokenizer.pad_token_id, initializer_range=0.3,
        )  # fmt: skip
        kind(config).save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
