"""The stages of a run, in order: what each reads, which settings it depends on, what it writes.

This is the graph alone; the work is in ``stages/``. The split into train and test prompts is made once, in
`responses`: offsets are solved, labels made and the model trained on train prompts, and both audits are of test
prompts, which none of that has seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError, did_you_mean
from .config import (
    BESIDE,
    CALIBRATED,
    CALIBRATOR,
    FIRST_RM,
    GENERATED,
    INSTRUCTIONS,
    MODEL,
    OFFSETS,
    Config,
)
from .run import MARGINS, SCORES, SCORES_AFTER, Run, calibration_file
from .stages import (
    audit,
    calibrate,
    evaluate,
    generate,
    judge,
    ratings,
    relabel,
    report,
    responses,
    sample,
    score,
    style,
    train,
)

_AUDIT_FILES = ("mismatch.parquet", "win_rates.parquet", "audit.json")


@dataclass(frozen=True)
class Stage:
    """One step of a run.

    Args:
        name: as in ``--only NAME``.
        about: what it does, in a few words.
        run: does the work in a run directory and returns a one-line summary.
        settings: the part of the configuration that it depends on; another value there makes it run again.
        may_write: what it writes where the data allow.
        reads: what it reads of the run directory.
        optional: the same, where it may not be there.
        files: what it reads from elsewhere (paths, or hub ids).
        writes: what it writes into the run directory; complete, or the stage has not run.
    """

    name: str
    about: str
    run: Callable[[Run], str]
    settings: Callable[[Config], Mapping[str, Any]]
    writes: tuple[str, ...]
    may_write: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    files: Callable[[Config], list[str]] = lambda _config: []


def planned_stages(config: Config) -> tuple[Stage, ...]:
    """The stages that a configuration asks for, in order."""
    wanted = {
        "prompts": config.generates,
        "generate": config.generates,
        "score": not config.judges,
        "judge": config.judges,
        "first-rm": config.rm is not None and config.rm.train_from is not None,
        "calibrate": config.calibrate is not None,
        "relabel": config.calibrate is not None and config.relabel is not None,
        "train": config.trains,
        "rescore": config.trains,
        "reaudit": config.trains,
        "evaluate": config.evaluate is not None,
        "report": config.report.enabled,
    }
    return tuple(stage for stage in _stages(config) if wanted.get(stage.name, True))


def stage_named(name: str, stages: tuple[Stage, ...]) -> Stage:
    """The stage called ``name``.

    Raises:
        ConfigError: this run has no such stage.
    """
    known = [s.name for s in stages]
    if name not in known:
        raise ConfigError(
            f"this run has no stage {name!r}.{did_you_mean(name, known)}", fix=f"it has {', '.join(known)}"
        )
    return stages[known.index(name)]


def _stages(config: Config) -> tuple[Stage, ...]:
    """Every stage, as this configuration wants it."""
    trained_first = (FIRST_RM,) if config.first_model == FIRST_RM else ()
    source = MARGINS if config.judges else SCORES
    return (
        Stage(
            "prompts",
            "draw the instructions that policies are to answer",
            sample.run_stage,
            lambda c: {"seed": c.seed, "prompts": c.section("prompts")},
            writes=(INSTRUCTIONS,),
            files=_prompt_files,
        ),
        Stage(
            "generate",
            "let the policies answer them",
            generate.run_stage,
            lambda c: {"policies": c.section("policies")},
            reads=(INSTRUCTIONS,),
            writes=(GENERATED,),
            files=lambda c: [one.spec for one in c.policies or ()],
        ),
        Stage(
            "ratings",
            "load or fit human ratings",
            ratings.run_stage,
            lambda c: c.section("ratings"),
            writes=("ratings.parquet",),
            files=_rating_files,
        ),
        Stage(
            "responses",
            "read responses, split their prompts into train and test",
            responses.run_stage,
            lambda c: {"seed": c.seed, **c.section("responses")},
            reads=(GENERATED,) if config.generates else (),
            writes=("responses.parquet", "prompts.parquet"),
            files=_response_files,
        ),
        Stage(
            "first-rm",
            "train the first reward model",
            train.run_first,
            _training_first,
            writes=(FIRST_RM,),
            files=lambda c: [train.base_model(c), str(_training_first(c)["preferences"])],
        ),
        Stage(
            "score",
            "score every response",
            score.run_stage,
            _scoring,
            reads=("responses.parquet", *trained_first),
            writes=(SCORES,),
            files=lambda c: [c.score.scores] if c.score.scores else _scorer_files(c),
        ),
        Stage(
            "judge",
            "judge pairs of responses, or take judgements made elsewhere",
            judge.run_stage,
            _judging,
            reads=("responses.parquet",),
            writes=(MARGINS,),
            files=_judge_files,
        ),
        Stage(
            "audit",
            "audit the scores or judgements of the test prompts",
            audit.run_stage,
            _auditing,
            reads=(source, "ratings.parquet", "prompts.parquet"),
            writes=tuple(f"before/{name}" for name in _AUDIT_FILES),
            may_write=(f"before/{audit.FAVOUR}", f"before/{audit.CANDIDATES}"),
            files=_alias_files,
        ),
        _calibrating(config, source),
        Stage(
            "relabel",
            "make preferences of the train prompts, by calibrated score",
            relabel.run_stage,
            lambda c: {"seed": c.seed, **c.section("relabel")},
            reads=(source, "responses.parquet", "prompts.parquet", calibration_file(config)),
            writes=tuple(
                f"prefs/{n}" for n in ("preferences.parquet", "preferences.jsonl", "ledger.parquet")
            ),
        ),
        Stage(
            "train",
            "fine-tune on the relabelled preferences",
            train.run_stage,
            _training,
            reads=("prefs/preferences.parquet", *_anchored(config), *trained_first),
            writes=(MODEL,),
            files=lambda c: [*_model_files(c), *(_alias_files(c) if _anchored(c) else [])],
        ),
        Stage(
            "rescore",
            "score the test prompts with the fine-tuned model",
            score.run_after,
            _scoring,
            reads=("responses.parquet", "prompts.parquet", MODEL),
            writes=(SCORES_AFTER,),
        ),
        Stage(
            "reaudit",
            "audit the new scores, and write them into the model card",
            audit.run_after,
            _auditing,
            reads=(SCORES, SCORES_AFTER, "before/mismatch.parquet", "ratings.parquet", "prompts.parquet"),
            writes=(*(f"after/{name}" for name in _AUDIT_FILES), f"{MODEL}/README.md"),
            may_write=(
                f"after/{audit.FAVOUR}",
                f"after/{audit.CANDIDATES}",
                f"after/{audit.ALIGNMENT}",
            ),
            files=_alias_files,
        ),
        Stage(
            "evaluate",
            "measure accuracy on benchmarks and alignment with the ratings",
            evaluate.run_stage,
            lambda c: {
                **_auditing(c),
                **(_judging(c) if c.judges else _scoring(c)),
                "evaluate": c.section("evaluate"),
            },
            reads=(source, "prompts.parquet", "ratings.parquet", *trained_first),
            optional=(SCORES_AFTER, MODEL),
            writes=("evaluation/evaluation.json",),
            may_write=(
                "evaluation/benchmarks.parquet",
                "evaluation/credits.parquet",
                "evaluation/evaluation.html",
                "evaluation/alignment.parquet",
            ),
            files=lambda c: [
                *_alias_files(c),
                *(_judge_files(c) if c.judges else _scorer_files(c)),
                *_benchmark_files(c),
            ],
        ),
        Stage(
            "report",
            "write the page and its figures",
            report.run_stage,
            lambda c: {
                "name": c.name,
                "simulated": c.simulated,
                "votes_simulated": c.votes_simulated,
                "title": c.report.title,
                "date": c.report.date,
            },
            reads=("ratings.parquet", "responses.parquet", *(f"before/{n}" for n in _AUDIT_FILES)),
            optional=(
                f"before/{audit.FAVOUR}",
                *(f"after/{n}" for n in (*_AUDIT_FILES, audit.FAVOUR, audit.ALIGNMENT)),
                *(
                    calibration_file(config),
                    BESIDE,
                    "prefs/preferences.parquet",
                    "prefs/ledger.parquet",
                ),
                "evaluation/evaluation.json",
            ),
            writes=("report.html",),
            may_write=("figures",),
        ),
    )


def _calibrating(config: Config, source: str) -> Stage:
    """The stage calibrate: offsets, or by style, which reads the responses, too."""
    by_style = calibration_file(config) == CALIBRATOR
    return Stage(
        "calibrate",
        "solve a style calibration on the train prompts"
        if by_style
        else "solve score offsets on the train prompts",
        style.run_stage if by_style else calibrate.run_stage,
        lambda c: {**_auditing(c), "calibrate": c.section("calibrate")},
        reads=(source, *(("responses.parquet",) if by_style else ()), "ratings.parquet", "prompts.parquet"),
        writes=((CALIBRATOR, *(f"{CALIBRATED}/{name}" for name in _AUDIT_FILES)) if by_style else (OFFSETS,)),
        may_write=(BESIDE, f"{CALIBRATED}/{audit.FAVOUR}") if by_style else (),
        files=_calibration_files,
    )


def _calibration_files(config: Config) -> list[str]:
    section = config.calibrate
    named = [section.family, section.votes] if section else []
    return [*_alias_files(config), *(path for path in named if path)]


def _prompt_files(config: Config) -> list[str]:
    prompts = config.prompts
    if prompts is None:
        return []
    return [*prompts.sources, *prompts.benchmarks, *([prompts.embedder] if prompts.embedder else [])]


def _response_files(config: Config) -> list[str]:
    source = config.responses.source
    if source is None:
        return []
    return [source] if isinstance(source, str) else list(source)


def _rating_files(config: Config) -> list[str]:
    section = config.ratings
    source = section.battles or section.source or ""
    source = _without_choice(source)
    return [source, *_alias_files(config)] if Path(source).is_absolute() else _alias_files(config)


def _without_choice(spec: str) -> str:
    """The file of ``FILE:CATEGORY@DATE``; the spec itself where there is no such file."""
    undated = spec.partition("@")[0]
    names = (spec, undated, undated.rpartition(":")[0])
    return next((name for name in names if name and Path(name).exists()), spec)


def _alias_files(config: Config) -> list[str]:
    return [config.ratings.aliases] if config.ratings.aliases else []


def _model_files(config: Config) -> list[str]:
    return [config.rm.model] if config.rm and config.rm.model else []


def _scorer_files(config: Config) -> list[str]:
    """The first model, and its calibrator."""
    calibrator = config.rm.calibrator if config.rm else None
    return [*_model_files(config), *([calibrator] if calibrator else [])]


def _benchmark_files(config: Config) -> list[str]:
    section = config.evaluate
    return [x for x in (section.data, section.pairs) if x] if section else []


def _training_first(config: Config) -> dict[str, Any]:
    section = config.rm.train_from if config.rm else None
    return {"seed": config.seed, **asdict(section)} if section else {}


def _anchored(config: Config) -> tuple[str, ...]:
    """What an anchored training reads beside the pairs."""
    anchored = config.train is not None and config.train.anchor_weight > 0
    return ("responses.parquet", "ratings.parquet", "prompts.parquet") if anchored else ()


def _training(config: Config) -> dict[str, Any]:
    settings = {"seed": config.seed, **config.section("train")}
    if _anchored(config):
        settings["unrated"] = config.ratings.unrated
        settings["held_out"] = config.calibrate.held_out if config.calibrate else ()
    return settings


def _auditing(config: Config) -> dict[str, Any]:
    return {"seed": config.seed, "unrated": config.ratings.unrated, **config.section("audit")}


def _judging(config: Config) -> dict[str, Any]:
    """What a verdict depends on: not how many are asked at once, nor what they cost."""
    told = config.section("judge") or {}
    asked = (
        "spec",
        "pairs",
        "prompt",
        "missing",
        "on_error",
        "base_url",
        "dtype",
        "max_length",
        "trust_remote_code",
    )
    given = {k: config.section("score")[k] for k in ("judgements", "annotator", "baseline")}
    return {"seed": config.seed, **{k: told.get(k) for k in asked}, **given}


def _judge_files(config: Config) -> list[str]:
    if config.judge is None:
        return [str(config.score.judgements)]
    prompt = [config.judge.prompt] if Path(config.judge.prompt).is_file() else []
    name = config.judge.spec.partition(":")[2] or config.judge.spec
    calibrator = [config.judge.calibrator] if config.judge.calibrator else []
    return [*prompt, *([name] if Path(name).is_dir() else []), *calibrator]


_DECIDES_SCORES = (
    *("reward", "dtype", "max_length", "trust_remote_code"),
    *("attention", "unpadded", "compiled", "beta"),
)


def _scoring(config: Config) -> dict[str, Any]:
    """What a score depends on: not the batch size, and not how the first model was trained."""
    rm, section = config.section("rm") or {}, config.section("score")
    read = {k: section[k] for k in ("columns", "reward_model", "sample") if section[k]}
    return {k: rm.get(k) for k in _DECIDES_SCORES} | ({"score": read} if read else {})
