"""Judge: pairs of responses and a judge -> margins; or judgements made elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from ... import store
from ...errors import ConfigError, NoOverlap, counted
from ...judging import JudgeRun, Prices, RunEstimate, estimate_run, load_template, plan_pairs, run_judge
from ...memo import Memo
from ...settings import EngineSettings, JudgeSettings, ScoreSettings
from ...specs import is_generative, load_judge
from ...tables import Margins, Responses
from ..run import MARGINS
from .outputs import run_store

if TYPE_CHECKING:
    from ..run import Run


def estimate(responses: Responses, settings: JudgeSettings, *, seed: int) -> RunEstimate:
    """What the run would take; nothing is asked."""
    template = load_template(settings.prompt) if is_generative(settings.spec) else None
    pairs = plan_pairs(responses, settings.pairs, seed)
    return estimate_run(responses, pairs, template=template, prices=_prices(settings))


def judge(
    responses: Responses,
    settings: JudgeSettings,
    output: Path,
    *,
    seed: int,
    memo: Path,
    force: bool = False,
    progress: bool = True,
    engine: EngineSettings | None = None,
) -> JudgeRun:
    """Open the judge, ask in both orders what ``memo`` does not know yet, save the margins. ``engine``: Ray's actors ask."""
    pairs = plan_pairs(responses, settings.pairs, seed)
    if engine is not None and engine.engine == "ray":
        run = _by_ray(responses, pairs, settings, output, engine=engine, memo=memo, progress=progress)
    else:
        run = _here(responses, pairs, settings, memo=memo, progress=progress)
    how = {**run.margins.provenance, "pair_spec": settings.pairs, "seed": seed}
    store.save(Margins(run.margins.frame, provenance=how), output, force=force)
    if engine is not None and engine.engine == "ray":
        from ...scale import clear_parts

        clear_parts(output)
    return run


def _here(
    responses: Responses, pairs: pl.DataFrame, settings: JudgeSettings, *, memo: Path, progress: bool
) -> JudgeRun:
    with Memo.open(memo) as known:
        judge = load_judge(**settings.accepted_by(load_judge))
        return run_judge(
            judge,
            responses,
            pairs,
            memo=known,
            missing=settings.missing,
            prices=_prices(settings),
            progress=progress,
        )


def _by_ray(
    responses: Responses, pairs: pl.DataFrame, settings: JudgeSettings, output: Path, **how: Any
) -> JudgeRun:
    from ...scale import judge_by_ray

    template = load_template(settings.prompt) if is_generative(settings.spec) else None
    return judge_by_ray(
        responses, pairs, settings, output, template=template, prices=_prices(settings), **how
    )


def _prices(settings: JudgeSettings) -> Prices | None:
    if settings.price_in is None or settings.price_out is None:
        return None
    return Prices(settings.price_in, settings.price_out)


def _take_judgements(responses: Responses, settings: ScoreSettings) -> Margins:
    """Judgements made elsewhere, of these responses' prompts and policies.

    Raises:
        ConfigError: the file holds scores or published win rates.
        NoOverlap: none of them is of these responses.
    """
    from ...sources import load_source

    path = str(settings.judgements)
    given = load_source(path, annotator=settings.annotator, baseline=settings.baseline)
    if not isinstance(given, Margins):
        raise ConfigError(
            f"judgements were expected, these are {given.noun}",
            where=path,
            fix="give scores as score.scores; published win rates can only be audited (charm audit)",
        )
    kept = given.frame.filter(
        pl.col("prompt_id").is_in(responses.frame["prompt_id"].unique().to_list()),
        pl.col("policy").is_in(list(responses.policies)),
        pl.col("reference").is_in(list(responses.policies)),
    )
    if kept.is_empty():
        raise NoOverlap(
            "none of the judgements is of these responses",
            where=path,
            fix="check prompt_id and the names of policies in both",
        )
    return Margins(kept, given.provenance)


# --- a run's part -------------------------------------------------------------------------------


def run_stage(run: Run) -> str:
    """Ask the judge, or take the judgements made elsewhere."""
    responses = run.load(Responses, "responses.parquet")
    if run.config.judge is None:
        margins = _take_judgements(responses, run.config.score)
        run.save(margins, MARGINS)
        return f"{counted(len(margins), 'judgement')} from {Path(str(run.config.score.judgements)).name}"
    with run_store(run.aside(MARGINS)) as memo:
        done = judge(
            responses,
            run.config.judge,
            run.directory / MARGINS,
            seed=run.config.seed,
            memo=memo,
            force=True,
            progress=run.progress,
        )
    dropped = done.margins.provenance["pairs"]["dropped"]
    return f"{counted(len(done.margins), 'pair')} judged" + (
        f", {dropped} without a verdict" if dropped else ""
    )
