"""A reward model that likes bold, corrected for policies that nobody has rated: best of n, and a policy trained by TRL's GRPO.

python examples/04_calibrated_rewards.py

Needs the [hf] extra. The policy is a tiny random model that is made here, so that this takes half a minute; `docs/training.md` has the same
lines for a real one.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import charm_rm as charm

WORDS = ["trees", "grow", "slowly", "because", "water", "light", "and", "soil", "matter"]
BOLD = ["**trees**", "**grow**", "**water**", "**light**"]


class LikesBold:
    """A reward model of one's own: the longer the better, and 0.5 for every bold word."""

    source, fingerprint = "likes-bold", "likes-bold-1"

    def __call__(self, prompts: Sequence[Any], responses: Sequence[str]) -> np.ndarray:
        return np.array([0.02 * len(r.split()) + 0.5 * r.count("**") / 2 for r in responses])


def main() -> None:
    """Solve a calibrator, choose by it, train by it."""
    rm = LikesBold()
    responses, ratings = rated_policies()
    scores = charm.score_responses(rm, responses, progress=False)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", charm.CharmWarning
        )  # a dozen simulated policies are few, and it says so
        calibrator = charm.solve_style_offsets(
            scores, responses, ratings, features=["words", "bold"], draws=0, keep=0.0
        )
    for one in calibrator.features:
        print(f"one standard deviation of {one.name}: {one.weight:+.2f} to the score")

    answers = ["**trees** **grow** because **water**", "trees grow slowly because water and light matter"]
    for name, how in (("plain", None), ("calibrated", calibrator)):
        found = charm.best_of_n(rm, ["Why do trees grow?"], [answers], calibrator=how)
        print(f"best of two, {name} scores: {found.responses[0]}")

    with tempfile.TemporaryDirectory() as folder:
        policy = tiny_policy(Path(folder) / "policy")
        for name, how in (("plain", None), ("calibrated", calibrator)):
            shares = train(policy, charm.reward_function(rm, how), Path(folder) / name)
            print(f"GRPO by {name} scores: bold words a response {shares[0]:.1f} -> {shares[1]:.1f}")


def rated_policies(n_prompts: int = 40) -> tuple[charm.Responses, charm.Ratings]:
    """Policies that differ in how much they say, which people like, and in how bold they are, which people do not care about."""
    rng = np.random.default_rng(0)
    rows, rated = [], []
    for k in range(12):
        n_words, n_bold = 6 + 3 * (k % 4), 2 * (k // 4)
        rated.append({"policy": f"policy-{k}", "rating": 1000.0 + 40 * (k % 4), "std_err": 4.0})
        for q in range(n_prompts):
            plain = rng.choice(WORDS, size=n_words + int(rng.integers(-2, 3)))
            bold = rng.choice(BOLD, size=max(0, n_bold + int(rng.integers(-1, 2))))
            said = " ".join([*bold, *plain])
            rows.append(
                {"prompt_id": f"q{q}", "prompt": f"Question {q}?", "policy": f"policy-{k}", "response": said}
            )
    return charm.Responses(pl.DataFrame(rows)), charm.Ratings(pl.DataFrame(rated))


# --- a policy, and TRL --------------------------------------------------------------------------


def tiny_policy(folder: Path) -> Path:
    """Save a causal model of two layers that knows a dozen words, bold ones among them."""
    import tokenizers
    import torch
    import transformers

    torch.manual_seed(0)
    words = ["<unk>", "<end>", "why", "do", "trees?", *WORDS, *BOLD]
    raw = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>")
    )
    raw.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw, unk_token="<unk>", eos_token="<end>", pad_token="<unk>", padding_side="left"
    )
    config = transformers.LlamaConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def train(policy: Path, reward: Any, output: Path, *, steps: int = 40) -> tuple[float, float]:
    """A short run of GRPO; bold words a response in its first and its last steps."""
    import datasets
    import trl

    shares: list[float] = []

    def charm_reward(prompts: list[str], completions: list[str], **more: Any) -> list[float]:
        shares.append(float(np.mean([text.count("**") / 2 for text in completions])))
        return list(reward(prompts, completions, **more))

    args = trl.GRPOConfig(
        output_dir=str(output),
        per_device_train_batch_size=16,
        num_generations=8,
        max_completion_length=12,
        max_steps=steps,
        learning_rate=1e-2,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        bf16=False,
        disable_tqdm=True,
        logging_strategy="no",
    )
    asked = datasets.Dataset.from_dict({"prompt": ["why do trees? grow", "why do trees? matter"]})
    trl.GRPOTrainer(model=str(policy), reward_funcs=charm_reward, args=args, train_dataset=asked).train()
    return float(np.mean(shares[:3])), float(np.mean(shares[-3:]))


if __name__ == "__main__":
    main()
