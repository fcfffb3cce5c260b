"""Score: responses and a reward model -> scores; or scores made elsewhere."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from ... import store
from ...errors import CharmWarning, ConfigError, NoOverlap, UnknownPolicy, counted, listing
from ...policy_names import near_policies
from ...samples import choose_sample, has_samples, refuse_samples, shared_key
from ...scores import read_scores
from ...settings import EngineSettings, ModelSettings, ResponsesSettings, Sample, ScoreSettings, TableSettings
from ...spec_options import SCORER_OPTIONS
from ...specs import load_scorer
from ...tables import Responses, Scores
from ..config import MODEL
from ..run import SCORES, SCORES_AFTER
from .outputs import run_store

if TYPE_CHECKING:
    from ...protocols import ScalarReward
    from ..run import Run


def open_model(rm: str, loading: ModelSettings) -> ScalarReward:
    """The reward model that a spec names."""
    return load_scorer(rm, **loading.values(ModelSettings))


def score(
    responses: Responses,
    rm: str,
    output: Path,
    *,
    loading: ModelSettings,
    scoring: ScoreSettings,
    memo: Path,
    force: bool = False,
    progress: bool = True,
) -> Scores:
    """Open the model, look it over, score what ``memo`` does not know yet, save.

    Raises:
        ModelError: the model cannot be opened, or the doctor's quick look finds that its scores would be wrong.
    """
    from ...models import score_responses
    from ...models.doctor import refuse_unsound

    model = open_model(rm, loading)
    if not scoring.unchecked:
        refuse_unsound(model, responses.frame["response"].to_list())
    scores = score_responses(
        model, responses, token_budget=scoring.token_budget, progress=progress, memo=memo
    )
    store.save(scores, output, force=force)
    return scores


def score_by(
    engine: EngineSettings,
    source: ResponsesSettings,
    rm: str,
    output: Path,
    *,
    loading: ModelSettings,
    scoring: ScoreSettings,
    memo: Path,
    force: bool = False,
) -> Scores:
    """:func:`score` by Ray: partitions of Parquet to actors, which open the model; save, and clear away what was kept meanwhile.

    Raises:
        ConfigError: the responses are no Parquet, or a sample of their prompts is asked for.
        StageFailed: a partition could not be used; the others are finished and kept.
    """
    from ...scale import clear_parts, score_by_ray

    if source.n_prompts is not None or source.split is not None:
        raise ConfigError(
            "Ray reads every row of the files: there is no --n-prompts and no --split",
            where="--engine ray",
            fix="sample first, into a file of its own (charm convert, charm sample)",
        )
    scores = score_by_ray(source, rm, output, loading=loading, scoring=scoring, engine=engine, memo=memo)
    store.save(scores, output, force=force)
    clear_parts(output)
    return scores


def _take_scores(responses: Responses, path: str | Path, table: TableSettings) -> Scores:
    """Scores made elsewhere of these responses; what has none is left out with a :class:`CharmWarning`.

    Raises:
        NoOverlap: none of the scores is of these responses.
        UnknownPolicy: a policy has no score at all, which more often is another name than a choice.
    """
    given = read_scores(path, table)
    key = shared_key(given.frame, responses.frame)
    wanted = responses.frame.select(key)
    frame = given.frame.join(wanted, on=key, how="semi")
    if frame.is_empty():
        raise NoOverlap(
            "none of the scores is of these responses",
            where=str(path),
            fix="check prompt_id and the names of policies in both",
        )
    scores = Scores(frame, given.provenance)
    if absent := sorted(set(responses.policies) - set(scores.policies)):
        raise UnknownPolicy(
            f"{listing(absent)} {'has' if len(absent) == 1 else 'have'} responses and no score."
            f"{near_policies(absent[0], given.policies)}",
            where=str(path),
            fix="score them, or choose policies that have scores: responses.policies",
        )
    _tell_unscored(wanted.join(scores.frame, on=key, how="anti"), wanted, scores)
    return scores


def _tell_unscored(missing: pl.DataFrame, wanted: pl.DataFrame, scores: Scores) -> None:
    if missing.is_empty():
        return
    first = missing.row(0, named=True)
    prompts = wanted["prompt_id"].n_unique() - scores.frame["prompt_id"].n_unique()
    warnings.warn(
        f"{missing.height:,} of {wanted.height:,} responses have no score and are left out, {counted(prompts, 'prompt')} "
        f"altogether; the first: prompt {first['prompt_id']!r} of policy {first['policy']!r}",
        CharmWarning,
        stacklevel=3,
    )


# --- a run's part -------------------------------------------------------------------------------


def run_stage(run: Run) -> str:
    """Score every response with the first reward model, or take the scores made elsewhere."""
    responses = run.load(Responses, "responses.parquet")
    path = run.config.score.scores
    if path is None:
        _check_choice(responses, run.config.score.sample)
        return _score(run, responses, run.first_model, SCORES)
    scores = _take_scores(responses, path, run.config.score)
    run.save(scores, SCORES)
    return f"{counted(len(scores), 'score')} from {Path(path).name}"


def _check_choice(responses: Responses, sample: Sample | None) -> None:
    """Refuse several samples of a policy on a prompt before they are scored, where the run does not say what becomes of them."""
    if sample is None:
        refuse_samples(
            responses,
            why="the run does not say which to compare",
            fix="set score.sample in the file of the run: first, mean, max or all",
        )


def run_after(run: Run) -> str:
    """Score the test prompts with the fine-tuned model."""
    responses = run.load(Responses, "responses.parquet")
    kept = responses.frame.filter(pl.col("prompt_id").is_in(run.prompts("test").to_list()))
    test = Responses(kept, responses.provenance)
    return _score(run, test, str(run.directory / MODEL), SCORES_AFTER)


def loading_of(run: Run, model: str) -> ModelSettings:
    """How the run opens ``model``: as configured; the fine-tuned one runs here, with one output and no calibrator.

    So of the options of the model that the run began with, which may be a server, it gets those that it can use.
    """
    rm = run.config.rm
    if rm is None:
        raise ConfigError("the section rm is off", fix="give the section in the configuration")
    if model != str(run.directory / MODEL):
        return rm
    usable = set(SCORER_OPTIONS[""]) - {"reward"}
    return ModelSettings(
        **{name: value for name, value in rm.values(ModelSettings).items() if name in usable}
    )


def _score(run: Run, responses: Responses, model: str, name: str) -> str:
    with run_store(run.aside(name)) as memo:
        scores = score(
            responses,
            model,
            run.directory / name,
            loading=loading_of(run, model),
            scoring=run.config.score,
            memo=memo,
            force=True,
            progress=run.progress,
        )
    if run.config.score.sample is not None and has_samples(scores):
        scores = choose_sample(scores, run.config.score.sample)
        run.save(scores, name)
    cut = int(scores.frame["truncated"].sum()) if "truncated" in scores.frame.columns else 0
    return f"{counted(len(scores), 'response')}" + (f", {cut} cut to the maximum length" if cut else "")
