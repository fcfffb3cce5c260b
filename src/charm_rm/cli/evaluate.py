"""``charm evaluate``: a model on benchmarks, and scores against human ratings."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..settings import (
    EvaluateSettings,
    JudgeSettings,
    ModelSettings,
    RatingsChoice,
    TableSettings,
    settings_of,
)
from .common import print_json, say
from .evaluation_tables import print_benchmarks, print_evaluation
from .fail_if import Gate, apply_gates, fail_if_option
from .help import CharmCommand
from .measured import EVALUATE_NAMES, evaluation_figures
from .options import (
    PATH,
    check_store_usage,
    draws_option,
    force_option,
    given_paths,
    json_option,
    option_of,
    output_option,
    ratings_options,
    seed_option,
    settings_options,
    store_options,
    table_options,
)

if TYPE_CHECKING:
    from ..evaluate import AlignmentResult
    from ..pipeline.stages.evaluate import Contestant, Evaluation


@click.command("evaluate", cls=CharmCommand)
@click.option(
    "--rm",
    metavar="SPEC",
    help="Reward model to evaluate: a local folder, a hub id, or what `charm score` takes.",
)
@click.option(
    "--judge", metavar="SPEC", help="Judge to evaluate, in place of --rm: what `charm judge` takes."
)
@click.option("--baseline", metavar="SPEC", help="Reward model to compare it with, on the same items.")
@click.option("--baseline-judge", metavar="SPEC", help="Judge to compare it with, in place of --baseline.")
@settings_options(EvaluateSettings, "asked")
@click.option("--list", "listed", is_flag=True, help="List the available benchmarks, and do nothing else.")
@settings_options(ModelSettings, "loading")
@option_of(JudgeSettings, "prompt")
@option_of(JudgeSettings, "base_url")
@option_of(JudgeSettings, "timeout")
@option_of(JudgeSettings, "on_error")
@click.option("--scores", type=PATH, help="Scores of many policies' responses, to compare with --ratings.")
@click.option("--baseline-scores", type=PATH, help="The baseline's scores of the same responses.")
@table_options("scores", "baseline")
@ratings_options
@draws_option
@seed_option
@fail_if_option(EVALUATE_NAMES)
@store_options("scores and answers")
@output_option(what="Folder for evaluation.html, the tables as Parquet, and evaluation.json.")
@force_option
@json_option
def command(
    listed: bool,
    asked: EvaluateSettings,
    ratings: RatingsChoice,
    scores: Path | None,
    baseline_scores: Path | None,
    read_as: TableSettings,
    draws: int,
    seed: int,
    gates: tuple[Gate, ...],
    cache: Path | None,
    no_cache: bool,
    output: Path | None,
    force: bool,
    as_json: bool,
    **models: Any,
) -> None:
    """How good is a reward model or judge: on benchmarks, and at ranking policies as people do?

    Benchmarks are read from their original files and scored as their authors score them. Where files are missing, the averages
    are labelled partial. A judge is asked about every pair in both orders. With --baseline every accuracy comes with the
    difference from the baseline, its interval, and an exact McNemar test on the same items (q: adjusted for all rows of
    the benchmark). --calibrator applies to --rm or --judge only, not to the baseline.

    --scores and --ratings compare the scores of many policies' responses with human ratings: mean |win rate - expected| (raw,
    sharpness fitted, and as root mean square with noise taken out), rank correlation, and mean |favour|. --baseline-scores also
    shows whether noise added to the baseline would do as well. This needs no model.

    Scores and answers are kept in a store, so the same command continues a run that was stopped.

    \b
    Examples:
      charm evaluate --list
      charm evaluate --rm my-rm --benchmark llmbar --benchmark rm-bench \\
          --data benchmarks
      charm evaluate --rm calibrated --baseline my-rm --benchmark rm-bench \\
          --data RM-Bench -o run/evaluation
      charm evaluate --rm my-rm --calibrator calibrator.json --baseline my-rm \\
          --benchmark llmbar --data LLMBar
      charm evaluate --judge openai:gpt-4.1-mini --benchmark llmbar \\
          --data LLMBar --limit 100
      charm evaluate --rm my-rm --benchmark rewardbench2 --data hub
      charm evaluate --rm my-rm --own my-table.jsonl
      charm evaluate --rm my-rm --calibrator calibrator.json --baseline my-rm \\
          --panel
      charm evaluate --scores after.parquet --baseline-scores before.parquet \\
          --ratings arena
    """
    if listed:
        return _list(as_json=as_json)
    _check_models(asked, **{name: models[name] for name in _MODELS})
    _check_scores(models["rm"] or models["judge"], scores, baseline_scores, ratings.source, read_as)
    check_store_usage(cache, no_cache=no_cache, output=output)
    from ..evaluate import evaluation_json, save_evaluation
    from ..folders import refuse_folder
    from ..provenance import file_records, source_name, versions

    if output:
        refuse_folder(output, force=force, inputs=given_paths(but=("data",)))
    how = {"draws": draws, "seed": seed}
    alignment = _align(scores, baseline_scores, ratings, read_as, **how) if scores else None
    with _store(output, cache, no_cache=no_cache) as memo:
        found = _evaluate(asked, models, memo, **how)
    loading = models.pop("loading").values()
    read = {**models, "ratings": ratings.source, "scores": scores, "baseline_scores": baseline_scores}
    read |= {"data": asked.data, "pairs": asked.pairs, "calibrator": loading.get("calibrator")}
    names = {key: value and source_name(value) for key, value in read.items()}
    settings = {**loading, **asked.values(), **how, **names}
    provenance = {"verb": "evaluate", "settings": settings, "truncated": found.truncated}
    provenance |= {"files": file_records(given_paths(but=("data", *_MODELS))), "versions": versions()}
    if as_json:
        print_json(evaluation_json(found.results, alignment, found.diagnoses, provenance=provenance))
    else:
        print_evaluation(found.results, alignment, found.diagnoses)
    if output:
        from ..report.evaluation import render_evaluation

        page = render_evaluation(
            found.results, found.diagnoses, alignment, **_called(names), provenance=provenance
        )
        about: dict[str, Any] = {"provenance": provenance, "pages": {"evaluation.html": page}}
        save_evaluation(output, found.results, alignment, found.diagnoses, **about, force=force)
        say(f"wrote {output}")
    apply_gates(gates, evaluation_figures(found.results, alignment))
    return None


def _called(names: dict[str, Any]) -> dict[str, str]:
    """What the page calls the model and its baseline."""
    model = names["rm"] or names["judge"] or ""
    more = ", calibrated" if model and names["calibrator"] else ""
    return {"model": f"{model}{more}", "baseline": names["baseline"] or names["baseline_judge"] or ""}


_MODELS = ("rm", "judge", "baseline", "baseline_judge")


def _check_models(
    asked: EvaluateSettings,
    *,
    rm: str | None,
    judge: str | None,
    baseline: str | None,
    baseline_judge: str | None,
) -> None:
    """Refuse incomplete requests for benchmarks before anything is loaded."""
    if (rm and judge) or (baseline and baseline_judge):
        raise click.UsageError("give a reward model or a judge, not both")
    model, other = rm or judge, baseline or baseline_judge
    wanted = bool(asked.benchmarks or asked.pairs or asked.panel)
    incomplete = not (model and wanted) or bool(asked.benchmarks) != bool(asked.data)
    if (model or other or asked.data or wanted) and incomplete:
        raise click.UsageError(
            "--rm, --benchmark and --data go together (or --judge for --rm, or --pairs or --panel for the other two)"
        )


def _check_scores(
    model: str | None,
    scores: Path | None,
    baseline_scores: Path | None,
    ratings: str | None,
    read_as: TableSettings,
) -> None:
    """The same for alignment."""
    if bool(scores) != bool(ratings):
        raise click.UsageError("--scores and --ratings go together")
    if read_as != TableSettings() and not scores:
        raise click.UsageError("--column, --reward-model and --sample are about --scores")
    if baseline_scores and not scores:
        raise click.UsageError("--baseline-scores needs --scores")
    if not model and not scores:
        raise click.UsageError("give --rm with --benchmark and --data, or --scores with --ratings")


# --- calling ------------------------------------------------------------------------------------


def _list(*, as_json: bool) -> None:
    from ..benchmarks import list_benchmarks

    print_benchmarks(list_benchmarks(), as_json=as_json)


def _store(
    output: Path | None, cache: Path | None, *, no_cache: bool
) -> contextlib.AbstractContextManager[Path | None]:
    """Where scores and answers are kept; without an output there is nothing to lock, or to lay a store beside."""
    from ..memo import default_memo
    from ..pipeline.stages.outputs import value_store

    if output:
        return value_store(output.resolve(), cache, no_cache=no_cache, say=say)
    return contextlib.nullcontext(None if no_cache else cache or default_memo())


def _evaluate(
    asked: EvaluateSettings, models: dict[str, Any], memo: Path | None, *, draws: int, seed: int
) -> Evaluation:
    from ..pipeline.stages.evaluate import Evaluation, evaluate_models, load_benchmarks

    benchmarks = load_benchmarks(asked, seed=seed, tell=say)
    _refuse_idle(models)
    unchecked = asked.unchecked
    model = _contestant(models["rm"], models["judge"], models, unchecked=unchecked)
    if model is None:
        return Evaluation()
    plain = {**models, "loading": replace(models["loading"], calibrator=None)}
    baseline = _contestant(models["baseline"], models["baseline_judge"], plain, unchecked=unchecked)
    more: dict[str, Any] = {"placebos": asked.placebos, "repeats": asked.repeats}
    return evaluate_models(benchmarks, model, baseline, memo=memo, draws=draws, seed=seed, tell=say, **more)


def _contestant(
    rm: str | None, judge: str | None, models: dict[str, Any], *, unchecked: bool
) -> Contestant | None:
    """The model that is named, with the options that its kind takes: they are given once for both models."""
    from ..pipeline.stages.evaluate import Contestant

    takes = _taken(rm, judge)
    # What is not given has the judge's own default.
    options = {k: v for k, v in _given(models).items() if k in takes and not (judge and v is None)}
    if judge:
        return Contestant(judge, "judge", options)
    return Contestant(rm, options=options, unchecked=unchecked) if rm else None


_OF_JUDGES = ("prompt", "base_url", "timeout", "on_error")


def _given(models: dict[str, Any]) -> dict[str, Any]:
    """The options of how models are opened, by name."""
    loading: ModelSettings = models["loading"]
    return {name: models[name] for name in _OF_JUDGES} | loading.values()


def _taken(rm: str | None, judge: str | None) -> tuple[str, ...]:
    """The options that a model of this kind takes."""
    from ..spec_options import JUDGE_OPTIONS, SCORER_OPTIONS
    from ..specs import split_judge_spec, split_scorer_spec

    if judge:
        return (*JUDGE_OPTIONS[split_judge_spec(judge)[0]], "calibrator")
    return (*SCORER_OPTIONS[split_scorer_spec(rm)[0]], "calibrator") if rm else ()


def _refuse_idle(models: dict[str, Any]) -> None:
    """Refuse an option that none of the models takes."""
    from ..spec_options import no_effect

    takes = {*_taken(models["rm"], models["judge"]), *_taken(models["baseline"], models["baseline_judge"])}
    usual = {one.name: one.default for kind in (JudgeSettings, ModelSettings) for one in settings_of(kind)}
    if idle := [k for k, v in _given(models).items() if k not in takes and v != usual[k]]:
        raise no_effect(idle, "on the models that are evaluated" if takes else "without a model")


def _align(
    scores: Path,
    baseline: Path | None,
    ratings: RatingsChoice,
    read_as: TableSettings,
    *,
    draws: int,
    seed: int,
) -> AlignmentResult:
    from ..evaluate import alignment_with_ratings
    from ..ratings import load_ratings
    from ..scores import read_scores

    return alignment_with_ratings(
        read_scores(scores, read_as.part("scores", first=True)),
        load_ratings(str(ratings.source), category=ratings.category, date=ratings.date),
        baseline=read_scores(baseline, read_as.part("baseline", first=True)) if baseline else None,
        aliases=ratings.aliases,
        unrated=ratings.unrated,
        draws=draws,
        seed=seed,
    )
