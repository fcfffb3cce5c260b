"""A seeded run directory with everything in it, made up from known sharpness and favour."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from charm_rm import store
from charm_rm.mismatch.verdicts import NO_EVIDENCE, TOO_OFTEN, TOO_RARELY
from charm_rm.provenance import versions
from charm_rm.tables import Estimate, Favouritism, Mismatch, Offsets, Preferences, Ratings

ELO = 400 / np.log(10)
SHARPNESS = 1.6
HOSTILE = (
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    '"><svg onload=alert(3)>',
    "'`${alert(4)}{{7*7}}&amp;\u2028]]>",
)


def names(k: int) -> list[str]:
    """Names of the lengths and kinds met in the wild."""
    makers = (
        "gpt-4o-mini-2024-07-18",
        "gemma-2-9b-it-SimPO",
        "Meta-Llama-3.1-405B-Instruct-Turbo",
        "claude-2.1",
        "yi-34b",
    )
    return [makers[i] if i < len(makers) else f"{makers[i % len(makers)][:14]}-v{i}" for i in range(k)]


def build_run(
    folder: Path,
    *,
    policies: Sequence[str],
    seed: int = 0,
    references: Sequence[str] | None = None,
    prompts: int = 200,
    text: str = "Explain tides to a child.",
    warnings: Sequence[str] = ("3 responses were truncated at 512 tokens",),
    simulated: bool = False,
) -> Path:
    """Write a whole run directory; ``text`` becomes the prompt and the responses of the example flips."""
    rng = np.random.default_rng(seed)
    k = len(policies)
    rating = np.sort(rng.normal(1150, 80, k).round())[::-1]
    favour = rng.normal(0, 45, k).round()
    favour[min(1, k - 1)] = 260
    frame = pl.DataFrame({"policy": policies, "rating": rating, "std_err": rng.uniform(1.5, 6, k)})
    store.save(Ratings(frame), folder / "ratings.parquet")
    for stage, shrink in (("before", 1.0), ("after", 0.25)):
        write_audit(
            folder / stage,
            policies=policies,
            rating=rating,
            favour=favour * shrink,
            references=references,
            prompts=prompts,
            rng=rng,
            warnings=warnings,
        )
    _calibration(folder, policies, text, rng)
    _evaluation(folder, rng)
    manifest = {"simulated": simulated, "seed": seed, "stages": {"audit": {"inputs": {"scores": "9f" * 32}}}}
    store.write_json(manifest, folder / "manifest.json")
    return folder


def write_audit(
    folder: Path,
    *,
    policies: Sequence[str],
    rating: Any,
    favour: Any,
    references: Sequence[str] | None,
    prompts: int,
    rng: np.random.Generator,
    warnings: Sequence[str] = (),
) -> Path:
    """One audit's files: win rates drawn from θ = a (rating + favour), with normal intervals."""
    theta = SHARPNESS * (rating + favour - rating.mean()) / ELO
    pairs = list(combinations(range(len(policies)), 2))
    if references is not None:
        chosen = [policies.index(r) for r in references]
        pairs = [(i, j) for j in chosen for i in range(len(policies)) if i != j]
    rows = [_pair(policies, rating, theta, i, j, prompts, rng) for i, j in pairs]
    mismatch = Mismatch(pl.DataFrame(rows))
    error = 30 / np.sqrt(prompts / 20)
    noisy = favour + rng.normal(0, error / 3, len(policies))
    p = np.exp(-((noisy / error) ** 2))
    favouritism = Favouritism(
        pl.DataFrame(
            {
                "policy": list(policies),
                "rm_elo": rating.mean() + SHARPNESS * (rating + noisy - rating.mean()),
                "arena_elo": rating,
                "favour": noisy,
                "std_err": error,
                "ci_low": noisy - 1.96 * error,
                "ci_high": noisy + 1.96 * error,
                "p_value": p,
                "q_value": np.minimum(1, 2 * p),
            }
        ),
        sharpness=Estimate(SHARPNESS, 0.06, SHARPNESS - 0.12, SHARPNESS + 0.12),
    )
    store.save(mismatch, folder / "mismatch.parquet")
    store.save(favouritism, folder / "favouritism.parquet")
    details = {
        "sharpness": vars(favouritism.sharpness),
        "rank_correlation": {"spearman": {"value": 0.78, "ci_low": 0.6, "ci_high": 0.88}},
        "warnings": list(warnings),
        "provenance": {"verb": "audit", "seed": 0, "draws": 1000, "versions": versions()},
    }
    store.write_json(details, folder / "audit.json")
    return folder


def _pair(
    policies: Sequence[str], rating: Any, theta: Any, i: int, j: int, prompts: int, rng: np.random.Generator
) -> dict[str, Any]:
    win_rate = rng.binomial(prompts, 1 / (1 + np.exp(theta[j] - theta[i]))) / prompts
    expected = 1 / (1 + 10 ** ((rating[j] - rating[i]) / 400))
    half = 1.96 * np.sqrt(max(win_rate * (1 - win_rate), 0.01) / prompts)
    mismatch = win_rate - expected
    q = float(np.exp(-((mismatch / half) ** 2) * 1.5))
    word = NO_EVIDENCE if q > 0.05 else TOO_OFTEN if mismatch > 0 else TOO_RARELY
    scale = max(expected, 1 - expected)
    return {
        "policy": policies[i],
        "reference": policies[j],
        "n": prompts,
        "win_rate": win_rate,
        "expected": expected,
        "mismatch": mismatch,
        "ci_low": mismatch - half,
        "ci_high": mismatch + half,
        "mismatch_degree": abs(mismatch) / scale,
        "mismatch_degree_ci_low": max(0.0, abs(mismatch) - half) / scale,
        "mismatch_degree_ci_high": (abs(mismatch) + half) / scale,
        "p_value": q,
        "q_value": q,
        "verdict": word,
        "win_rate_soft": None,
        "mismatch_soft": None,
        "mismatch_degree_soft": None,
    }


def _calibration(folder: Path, policies: Sequence[str], text: str, rng: np.random.Generator) -> None:
    reference, over = policies[0], list(policies[1 : max(2, len(policies) // 2)])
    delta = rng.normal(-0.3, 0.25, len(over))
    target = rng.uniform(0.2, 0.6, len(over))
    frame = pl.DataFrame(
        {
            "policy": [reference, *over],
            "delta": [0.0, *delta],
            "std_err": [None, *([0.05] * len(over))],
            "ci_low": [None, *(delta - 0.1)],
            "ci_high": [None, *(delta + 0.1)],
            "is_reference": [True] + [False] * len(over),
            "target": [None, *target],
            "attained": [None, *(target + 0.0025)],
        }
    )
    residuals = pl.DataFrame(
        {
            "policy": over,
            "reference": reference,
            "n": 200,
            "target": target,
            "before": target + 0.2,
            "after": target + 0.0025,
        }
    )
    offsets = Offsets(
        frame, residuals=residuals, provenance={"verb": "solve_offsets", "link": "hard", "seed": 0}
    )
    store.save(offsets, folder / "offsets.parquet")

    def says(role: str) -> list[dict[str, str]]:
        return [{"role": role, "content": text}]

    flips = [(policies[0], p, True) for p in over[:3]] + [(policies[0], over[0], False)]
    preferences = Preferences(
        pl.DataFrame(
            [
                {
                    "prompt": says("user"),
                    "chosen": says("assistant"),
                    "rejected": says("assistant"),
                    "chosen_policy": a,
                    "rejected_policy": b,
                    "margin": 0.4 + i / 10,
                    "p_chosen": 0.6,
                    "flipped": flipped,
                }
                for i, (a, b, flipped) in enumerate(flips)
            ]
        )
    )
    store.save(preferences, folder / "prefs" / "preferences.parquet")
    ledger = pl.DataFrame(
        {
            "policy": over,
            "reference": reference,
            "pairs": 140,
            "kept": 96,
            "flipped": 38,
            "tied": 2,
            "dropped": 4,
        }
    )
    store.write_frame(ledger, folder / "prefs" / "ledger.parquet")


def _evaluation(folder: Path, rng: np.random.Generator) -> None:
    subsets = [("llmbar", "Natural"), ("llmbar", "GPTInst"), ("rm-bench", "chat"), ("rm-bench", "code")]
    base = rng.uniform(0.45, 0.7, len(subsets))
    rows = [
        {
            "benchmark": name,
            "subset": subset,
            "metric": "accuracy",
            "n": 100,
            "comparisons": 100,
            "accuracy": a + 0.02,
            "ci_low": a - 0.07,
            "ci_high": a + 0.11,
            "ties": 0,
            "partial": name == "rm-bench",
            "baseline_accuracy": a,
            "difference": 0.02,
            "diff_ci_low": -0.02,
            "diff_ci_high": 0.06,
            "better": 5,
            "worse": 3,
            "p_value": 0.7266,
            "q_value": 0.9,
        }
        for (name, subset), a in zip(subsets, base, strict=True)
    ]
    store.write_frame(pl.DataFrame(rows), folder / "evaluation" / "benchmarks.parquet")
    metrics = {
        "mean_abs_mismatch": 0.12,
        "sharpness_fitted_mismatch": 0.08,
        "debiased_mismatch": 0.1,
        "spearman": 0.7,
        "kendall": 0.52,
        "mean_abs_favour": 41.0,
    }
    alignment = pl.DataFrame(
        [
            {
                "metric": metric,
                "n": 16,
                "value": value,
                "ci_low": value - 0.1,
                "ci_high": value + 0.1,
                "floor": None if metric in ("spearman", "kendall") else value / 4,
                "baseline_value": value - 0.05,
                "difference": 0.05,
                "diff_ci_low": -0.02,
                "diff_ci_high": 0.12,
                "p_value": 0.2,
            }
            for metric, value in metrics.items()
        ]
    )
    store.write_frame(alignment, folder / "evaluation" / "alignment.parquet")
    store.write_json({"rm": "model", "baseline": "rm", "seed": 0}, folder / "evaluation" / "evaluation.json")
