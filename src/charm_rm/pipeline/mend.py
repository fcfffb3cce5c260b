"""The work of the later stages: offsets, labels, evaluation, report."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import polars as pl

from ..benchmarks import load_benchmark, load_pairs
from ..errors import CharmWarning, ConfigError, NotIdentifiable, UnknownPolicy, did_you_mean
from ..evaluate import alignment_with_ratings, compare_with_baseline, evaluate_benchmark
from ..evaluate.files import save_evaluation
from ..offsets import solve_joint_offsets, solve_offsets
from ..ratings import expected_win_rate
from ..relabel import relabel_preferences, save_relabelled
from ..settings import AUTO, CalibrateSettings, as_names
from ..tables import Favouritism, Offsets, Responses, Scores
from .config import MODEL
from .work import Run, audit_scores, first_model, reward_model

# A reference chosen by itself is one against which `over` is expected to win neither rarely nor nearly always.
NEAR = (0.25, 0.75)


# --- calibrate ----------------------------------------------------------------------------------


def calibrate(run: Run) -> str:
    """Solve offsets on the train prompts; choose policy and references there too, where asked to."""
    section = _section(run)
    scores = _without(run.scores("before/scores.parquet", "train"), list(section.held_out))
    over, references = choose_pair(run, scores, section)
    ratings = run.ratings(scores.policies)
    common: dict[str, Any] = {"link": section.link, "temperature": section.temperature}
    common |= {"draws": run.config.audit.draws, "seed": run.config.seed}
    if over is None:
        rated = _only(scores, ratings.policies)
        offsets = solve_joint_offsets(rated, ratings, references=references, **common)
        what = f"{len(offsets)} policies jointly, reference {', '.join(references)}"
    else:
        offsets = solve_offsets(scores, ratings, over=over, references=references, **common)
        row = offsets.frame.row(by_predicate=pl.col("policy") == over, named=True)
        what = f"{over} over {', '.join(references)}: offset {row['delta']:+.3f}, target {row['target']:.3f}"
    chosen = {"over": over, "references": references, "held_out": list(section.held_out), "split": "train"}
    run.save(replace(offsets, provenance={**offsets.provenance, **chosen}), "offsets.parquet")
    return what


def choose_pair(run: Run, scores: Scores, section: CalibrateSettings) -> tuple[str | None, list[str]]:
    """The policy to calibrate (None: all, jointly) and its references: as configured, or found by an audit.

    The audit is of the train prompts, so that the test prompts' figures are not flattered by the choice. ``auto``
    takes the most favoured policy, and as reference the one with the least favour, either way, among those
    against which it is expected to win between a quarter and three quarters of the time (among all, where
    there is none, and for joint offsets).
    """
    over = None if section.method == "joint" else next(iter(as_names(section.over)), AUTO)
    references = list(as_names(section.references)) or None
    for name in [n for n in (over, *(references or [])) if n is not None and n != AUTO]:
        if name not in scores.policies:
            raise UnknownPolicy(
                f"calibrate: policy {name!r} has no scores.{did_you_mean(name, scores.policies)}",
                mend="name one of the policies of the responses that is not held out",
            )
    if over == AUTO or references is None:
        favouritism = _favouritism(run, scores)
        if over == AUTO:
            over = _most_favoured(favouritism, references or [])
        references = references or [_aligned(favouritism, over)]
    return over, references


def _favouritism(run: Run, scores: Scores) -> Favouritism:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)  # the audit stage has said what there is to say
        found = audit_scores(run, scores, draws=0, every_pair=True)
    if found.favouritism is None:
        raise NotIdentifiable(
            "calibrate: favour cannot be measured here, so `auto` finds nothing: "
            + "; ".join(found.warnings),
            mend="name `over` and `references` in the configuration",
        )
    return found.favouritism


def _most_favoured(favouritism: Favouritism, excluded: list[str]) -> str:
    frame = favouritism.frame.filter(~pl.col("policy").is_in(excluded))
    return str(frame.sort("favour", "policy", descending=[True, False])["policy"][0])


def _aligned(favouritism: Favouritism, over: str | None) -> str:
    frame = favouritism.frame
    if over is None:
        return str(frame.sort(pl.col("favour").abs(), "policy")["policy"][0])
    rating = frame.filter(pl.col("policy") == over)["arena_elo"][0]
    others = frame.filter(pl.col("policy") != over)
    expected = expected_win_rate(rating, others["arena_elo"].to_numpy())
    near = others.filter(pl.Series((expected >= NEAR[0]) & (expected <= NEAR[1])))
    candidates = near if near.height else others
    return str(candidates.sort(pl.col("favour").abs(), "policy")["policy"][0])


def _section(run: Run) -> CalibrateSettings:
    if run.config.calibrate is None:
        raise ConfigError("the section calibrate is off")
    return run.config.calibrate


def _without(scores: Scores, held_out: list[str]) -> Scores:
    for name in held_out:
        if name not in scores.policies:
            raise UnknownPolicy(
                f"calibrate.held_out: policy {name!r} has no scores.{did_you_mean(name, scores.policies)}",
                mend="name policies of the responses",
            )
    return _only(scores, [p for p in scores.policies if p not in held_out])


def _only(scores: Scores, policies: list[str]) -> Scores:
    return Scores(scores.frame.filter(pl.col("policy").is_in(policies)), scores.provenance)


# --- relabel ------------------------------------------------------------------------------------


def relabel(run: Run) -> str:
    """Make preferences of the calibrated scores of the train prompts."""
    section = run.config.relabel
    if section is None:
        raise ConfigError("the section relabel is off")
    offsets = run.load(Offsets, "offsets.parquet")
    done = relabel_preferences(
        run.scores("before/scores.parquet", "train"),
        run.load(Responses, "responses.parquet"),
        offsets,
        strategy=section.strategy,
        k=section.pairs_per_prompt,
        temperature=section.temperature,
        seed=run.config.seed,
        policies=list(offsets.frame["policy"]),  # the others stay unseen in training too
    )
    save_relabelled(done, run.directory / "prefs", force=True)
    return f"{len(done.preferences)} pairs, {int(done.ledger['flipped'].sum())} labels flipped"


# --- evaluate -----------------------------------------------------------------------------------


def evaluate(run: Run) -> str:
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
    first = reward_model(run, first_model(run))
    results = [evaluate_benchmark(first, b, draws=draws, seed=seed) for b in benchmarks]
    if run.config.trains:
        tuned = reward_model(run, str(run.directory / MODEL))
        results = [
            compare_with_baseline(
                evaluate_benchmark(tuned, b, draws=draws, seed=seed), before, draws=draws, seed=seed
            )
            for b, before in zip(benchmarks, results, strict=True)
        ]
    before = run.scores("before/scores.parquet", "test")
    ratings = run.ratings(before.policies)
    before = _only(before, ratings.policies)
    after = _only(run.load(Scores, "after/scores.parquet"), ratings.policies) if run.config.trains else None
    alignment = alignment_with_ratings(
        after or before, ratings, baseline=before if after else None, draws=draws, seed=seed
    )
    provenance = {"baseline": "the reward model before fine-tuning", "alignment": "test prompts only"}
    save_evaluation(run.directory / "evaluation", results, alignment, provenance=provenance, force=True)
    return ", ".join([*(f"{r.benchmark.name} {r.accuracy():.3f}" for r in results), "alignment with ratings"])


# --- report -------------------------------------------------------------------------------------


def report(run: Run) -> str:
    """Write the page."""
    from ..report import write_report

    return f"open {write_report(run.directory, force=True)}"
