"""Evaluate: models of any kind on benchmarks, and scores against human ratings; for the command and the pipeline alike.

One model is in memory at a time: all benchmarks with the one, then all with the other. What a model says is kept in a store, so a
second run asks nothing and one that was killed goes on.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ...benchmarks import (
    Benchmark,
    load_benchmark,
    load_found,
    load_own,
    load_panel,
)
from ...errors import ConfigError, counted, listing, noting_warnings
from ...evaluate import (
    AlignmentResult,
    BenchmarkResult,
    Diagnosis,
    alignment_with_ratings,
    compare_with_baseline,
    diagnose,
    measure_benchmark,
    save_evaluation,
)
from ...mismatch.metrics import say_figures
from ...models.benchmark_data import benchmark_files
from ...provenance import source_name
from ...report.evaluation import render_evaluation
from ...settings import EvaluateSettings, ModelSettings
from ...specs import load_judge, load_scorer
from ..config import MODEL
from ..run import SCORES, SCORES_AFTER, Run
from .asking import Ask, AskedJudge, AskedReward
from .outputs import run_store
from .score import loading_of


@dataclass(frozen=True)
class Contestant:
    """A model to evaluate, opened when its turn comes: a reward model, or a judge that compares two responses.

    ``options`` are those of :func:`~charm_rm.specs.load_scorer` or :func:`~charm_rm.specs.load_judge`; ``unchecked``: whatever
    the share of unknown tokens.
    """

    spec: str
    kind: Literal["reward", "judge"] = "reward"
    options: dict[str, Any] = field(default_factory=dict)
    unchecked: bool = False

    def open(self) -> Ask:
        """Load the model."""
        if self.kind == "judge":
            return AskedJudge(load_judge(self.spec, **self.options))
        return AskedReward(load_scorer(self.spec, **self.options), self.unchecked)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Results and diagnoses by benchmark, in order; and by model and benchmark how many conversations were cut."""

    results: tuple[BenchmarkResult, ...] = ()
    truncated: dict[str, dict[str, int]] = field(default_factory=dict)
    diagnoses: tuple[Diagnosis, ...] = ()


ALL = "all"


def load_benchmarks(
    settings: EvaluateSettings, *, seed: int = 0, tell: Callable[[str], None] = lambda _message: None
) -> list[Benchmark]:
    """The benchmarks that are asked for: registered ones, pairs of one's own, or seeded samples of them.

    ``all`` are those with files below the data folder; ``tell`` is told which were found and which were not.

    Raises:
        ConfigError: no such benchmark, one named twice, no folder to read it from, or ``all`` beside others.
        NothingThere: nothing of a benchmark, or with ``all`` of any, is below the folder.
    """
    if settings.benchmarks and settings.data is None:
        raise ConfigError("benchmarks need a folder with their files", fix="give data")
    if repeated := sorted({name for name in settings.benchmarks if settings.benchmarks.count(name) > 1}):
        raise ConfigError(f"{listing(repeated)} named twice", fix="name each benchmark once")
    if ALL in settings.benchmarks:
        found = _all_found(settings, tell)
    else:
        found = [_load(name, str(settings.data)) for name in settings.benchmarks]
    if settings.pairs is not None:
        found.append(load_own(settings.pairs))
    if settings.limit is not None:
        found = [b.sample(settings.limit, seed=seed) for b in found]
    return [*found, load_panel()] if settings.panel else found


def _load(name: str, data: str) -> Benchmark:
    """A benchmark from a folder or from the hub, whose revision is told with it."""
    files = benchmark_files(name, data)
    benchmark = load_benchmark(name, files.folder)
    told = tuple(f"files: {revision} of the hub" for revision in files.revisions)
    return replace(benchmark, remarks=(*benchmark.remarks, *told))


def _all_found(settings: EvaluateSettings, tell: Callable[[str], None]) -> list[Benchmark]:
    if len(settings.benchmarks) > 1:
        raise ConfigError(
            f"{ALL!r} is every benchmark with files below the data folder; others beside it say nothing more",
            fix=f"give {ALL} alone, or the names of those that you want",
        )
    found, missing = load_found(str(settings.data))
    tell(f"benchmarks found: {', '.join(one.name for one in found)}")
    if missing:
        tell(f"no files of: {', '.join(missing)}")
    return found


def evaluate_models(
    benchmarks: Sequence[Benchmark],
    model: Contestant,
    baseline: Contestant | None = None,
    *,
    memo: Path | None = None,
    draws: int = 1000,
    seed: int = 0,
    placebos: bool = False,
    repeats: int = 1,
    progress: bool = True,
    tell: Callable[[str], None] = lambda _message: None,
) -> Evaluation:
    """Evaluate a model on benchmarks, and compare it with a baseline where there is one.

    Args:
        benchmarks: items and metrics.
        model: what to evaluate.
        baseline: what to compare it with, on the same items; of any kind.
        memo: a store (:mod:`charm_rm.memo`). What is in it is not asked again; None: one in memory.
        draws: bootstrap draws behind the intervals.
        seed: of the draws.
        placebos: measure what length alone and noise score, too.
        repeats: how often the model is asked in all; the baseline is asked once.
        progress: show bars on standard error.
        tell: is told which benchmark is next.
    """
    how: dict[str, Any] = {"draws": draws, "seed": seed}
    if not benchmarks:
        return Evaluation()
    asking: dict[str, Any] = {"memo": memo, "progress": progress, "tell": tell, **how}
    runs, cut = _evaluate_one(model, benchmarks, repeats=repeats, **asking)
    results, again = runs[0], list(zip(*runs[1:], strict=True))
    truncated: dict[str, dict[str, int]] = {"rm": cut}
    others: list[BenchmarkResult] = []
    if baseline is not None:
        gc.collect()  # models hold circles of references; the next one needs the memory
        (others, *_), truncated["baseline"] = _evaluate_one(baseline, benchmarks, **asking)
        pairs = zip(results, others, strict=True)
        results = [compare_with_baseline(mine, theirs, **how) for mine, theirs in pairs]
    diagnoses = tuple(
        diagnose(
            result,
            others[k] if others else None,
            again=again[k] if again else (),
            placebos=placebos,
            **how,
        )
        for k, result in enumerate(results)
    )
    return Evaluation(tuple(results), truncated, diagnoses)


def _evaluate_one(
    contestant: Contestant,
    benchmarks: Sequence[Benchmark],
    *,
    memo: Path | None,
    progress: bool,
    tell: Callable[[str], None],
    draws: int,
    seed: int,
    repeats: int = 1,
) -> tuple[list[list[BenchmarkResult]], dict[str, int]]:
    """The results of one model, a list a run, and by benchmark how many conversations were cut; nothing refers to the model afterwards."""
    runs: list[list[BenchmarkResult]] = [[] for _ in range(repeats)]
    truncated: dict[str, int] = {}
    model = contestant.open()
    for benchmark in benchmarks:
        for run in range(repeats):
            again = f", run {run + 1} of {repeats}" if repeats > 1 else ""
            tell(f"{contestant.spec}: {benchmark.name}, {counted(len(benchmark.items), 'item')}{again}")
            with noting_warnings() as notes:
                said = model.ask(benchmark, memo=memo, progress=progress, run=run)
            truncated.setdefault(benchmark.name, said.truncated)
            how: dict[str, Any] = {"draws": draws, "seed": seed, "warnings": notes, "details": said.details}
            runs[run].append(measure_benchmark(benchmark, said.scored, **how))
    return runs, truncated


# --- the stage of a run ---------------------------------------------------------------------------


def run_stage(run: Run) -> str:
    """Benchmarks and alignment: the fine-tuned model beside the first, or the first alone; of a judge its benchmarks, of given scores alignment."""
    section = run.config.evaluate
    if section is None:
        raise ConfigError("the section evaluate is off", fix="give the section in the configuration")
    benchmarks = load_benchmarks(section, seed=run.config.seed)
    tuned = _contestant(run, str(run.directory / MODEL)) if run.config.trains else None
    how: dict[str, Any] = {"draws": run.config.audit.draws, "seed": run.config.seed}
    with run_store(run.aside("evaluation/scores")) as memo:
        found = Evaluation()
        if (first := _first(run)) is not None:
            found = evaluate_models(
                benchmarks,
                tuned or first,
                first if tuned else None,
                memo=memo,
                progress=run.progress,
                placebos=section.placebos,
                repeats=section.repeats,
                **how,
            )
        provenance: dict[str, Any] = {"truncated": found.truncated}
        if tuned:
            provenance["baseline"] = "the reward model before fine-tuning"
        folder = run.directory / "evaluation"
        # A judge's agreement with the ratings is what the audit is about.
        alignment = None if run.config.judges else _alignment(run, **how)
        if alignment is not None:
            provenance["alignment"] = "test prompts only"
        page = render_evaluation(
            found.results,
            found.diagnoses,
            alignment,
            **_called(run, tuned=tuned is not None),
            provenance=provenance,
        )
        save_evaluation(
            folder, found.results, alignment, found.diagnoses,
            provenance=provenance, pages={"evaluation.html": page}, force=True,
        )  # fmt: skip
    figures = [f"{r.benchmark.name} {r.headline:.3f}" for r in found.results]
    return "; ".join([*figures, *([] if alignment is None else [say_figures(alignment.frame.to_dicts())])])


def _called(run: Run, *, tuned: bool) -> dict[str, str]:
    """What the page calls the model and its baseline."""
    first = _first(run)
    name = source_name(first.spec) if first else run.config.name
    return {"model": f"{name}, fine-tuned", "baseline": name} if tuned else {"model": name}


def _first(run: Run) -> Contestant | None:
    """What is audited, where it can be asked: the reward model before fine-tuning, or the judge."""
    if run.config.rm is not None:
        return _contestant(run, run.first_model)
    if (judge := run.config.judge) is None:
        return None
    options = {name: value for name, value in judge.accepted_by(load_judge).items() if name != "spec"}
    return Contestant(judge.spec, "judge", options)


def _alignment(run: Run, *, draws: int, seed: int) -> AlignmentResult:
    """Agreement of the test prompts' scores with the ratings: after fine-tuning beside before, or before alone."""
    before = run.scores(SCORES, "test")
    after = run.scores(SCORES_AFTER, "test") if run.config.trains else None
    return alignment_with_ratings(
        after or before,
        run.ratings(),
        baseline=before if after else None,
        draws=draws,
        seed=seed,
        **run.names,
    )


def _contestant(run: Run, model: str) -> Contestant:
    """A reward model of the run, with the run's settings."""
    unchecked = bool(run.config.evaluate and run.config.evaluate.unchecked)
    return Contestant(model, options=loading_of(run, model).values(ModelSettings), unchecked=unchecked)
