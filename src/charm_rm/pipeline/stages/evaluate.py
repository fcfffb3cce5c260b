"""Evaluate: a reward model on benchmarks, and scores against human ratings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...benchmarks import load_benchmark, load_pairs
from ...errors import ConfigError
from ...evaluate import alignment_with_ratings, compare_with_baseline, evaluate_benchmark, save_evaluation
from ..config import MODEL
from ..run import SCORES, SCORES_AFTER
from .score import loading_of, open_model

if TYPE_CHECKING:
    from ..run import Run


def run_stage(run: Run) -> str:
    """Benchmarks and alignment: the fine-tuned model beside the first, or the first alone."""
    section = run.config.evaluate
    if section is None:
        raise ConfigError("the section evaluate is off")
    benchmarks = [load_benchmark(name, str(section.data)) for name in section.benchmarks]
    if section.pairs is not None:
        benchmarks.append(load_pairs(section.pairs))
    if section.limit is not None:
        benchmarks = [b.sample(section.limit, seed=run.config.seed) for b in benchmarks]
    draws, seed = run.config.audit.draws, run.config.seed
    first = open_model(run.first_model, loading_of(run, run.first_model))
    results = [evaluate_benchmark(first, b, draws=draws, seed=seed) for b in benchmarks]
    if run.config.trains:
        tuned = open_model(str(run.directory / MODEL), loading_of(run, str(run.directory / MODEL)))
        results = [
            compare_with_baseline(
                evaluate_benchmark(tuned, b, draws=draws, seed=seed), before, draws=draws, seed=seed
            )
            for b, before in zip(benchmarks, results, strict=True)
        ]
    before = run.scores(SCORES, "test")
    after = run.scores(SCORES_AFTER, "test") if run.config.trains else None
    alignment = alignment_with_ratings(
        after or before,
        run.ratings(),
        baseline=before if after else None,
        draws=draws,
        seed=seed,
        **run.names,
    )
    provenance = {"baseline": "the reward model before fine-tuning", "alignment": "test prompts only"}
    save_evaluation(run.directory / "evaluation", results, alignment, provenance=provenance, force=True)
    return ", ".join([*(f"{r.benchmark.name} {r.accuracy():.3f}" for r in results), "alignment with ratings"])
