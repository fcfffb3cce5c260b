"""``charm calibrate``: solve the offsets, or the weights of style, that bring win rates to what human ratings say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from ..errors import ConfigError, counted
from ..settings import (
    AUTO,
    AuditSettings,
    CalibrateSettings,
    OutOfCoreSettings,
    RatingsChoice,
    TableSettings,
)
from .calibrator import calibrator_json, print_calibrator
from .common import conclude, echo, heading, interval_column, load_comparable, print_frame, print_json, say
from .help import CharmCommand
from .look import look_options
from .options import (
    PATH,
    draws_option,
    force_option,
    given_paths,
    judgement_options,
    naming_the_option,
    output_option,
    ratings_options,
    seed_option,
    settings_options,
    table_options,
    top_option,
)
from .out_of_core import engine_options, opened
from .prompts import PromptChoice, prompt_options

if TYPE_CHECKING:
    import polars as pl

    from ..settings import Objective
    from ..style import Calibrator
    from ..tables import Margins, Offsets, Ratings, Scores


@click.command("calibrate", cls=CharmCommand)
@click.argument("scores", type=PATH)
@ratings_options
@judgement_options
@table_options("scores", "responses")
@prompt_options
@engine_options
@settings_options(CalibrateSettings, "settings", but=("method",))
@click.option("--all", "joint", is_flag=True, help="Offsets of all rated policies together: --method joint.")
@click.option(
    "--style", is_flag=True, help="Correct style, with or without ratings of the policy: --method style."
)
@click.option(
    "--method",
    type=click.Choice(["pair", "joint", "style", "total-wins", "least-squares"]),
    metavar="pair|joint|style",
    help="What to solve (default: pair). For total-wins and least-squares see --objective.",
)
@click.option(
    "--responses",
    type=PATH,
    help="Style: the responses that were scored (prompt_id, prompt, policy, response).",
)
@draws_option
@seed_option
@top_option(20)
@output_option(what="Where to write the offsets (Parquet), or the calibrator (JSON).")
@force_option
@look_options(whole="--top 0")  # its --all is all policies
def command(
    scores: Path,
    ratings: RatingsChoice,
    annotator: str | None,
    baseline: str | None,
    read_as: TableSettings,
    prompts: PromptChoice,
    reading: OutOfCoreSettings,
    settings: CalibrateSettings,
    joint: bool,
    style: bool,
    method: str | None,
    responses: Path | None,
    draws: int,
    seed: int,
    top: int,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """By how much must a policy's scores move so that it wins as often as human ratings say?

    SCORES is a table of scores (prompt_id, policy, score), or of judgements in any form that `charm audit` reads (offsets of a
    judge are in log-odds). --over and --ref solve one offset per over-valued policy, with fixed references. --all solves one
    per rated policy, so that each one's total wins are right; the offsets then have mean 0, and only their differences matter.

    Results are shown in-sample, on the prompts used to solve, and cross-fitted, as on fresh prompts. Each offset has a 95 %
    interval over prompts and ratings. Where it covers 0, the policy is aligned as far as the data show, and calibrating may hurt.
    A warning says where an offset is expected to make fresh prompts worse.

    --style solves weights of style features (length, Markdown, tone ...) instead of offsets. It corrects every response, also of
    policies without ratings. Its figures are for policies and prompts that the weights were not solved on. --sharpness finds
    only the scale T at which sigmoid(margin / T) is the probability that people prefer a response. docs/style.md has the limits.

    \b
    Examples:
      charm calibrate scores.parquet --ratings example \\
          --over gemma-2-9b-it-SimPO --ref gpt-4o-mini-2024-07-18 \\
          -o offsets.parquet
      charm calibrate scores.parquet --ratings ratings.csv --all \\
          -o offsets.parquet
      charm calibrate scores.parquet --ratings ratings.csv --all --split train \\
          -o offsets.parquet
      charm calibrate scores.parquet --ratings ratings.csv --over A --ref B \\
          --link sigmoid --temperature 0.1
      charm calibrate annotations.json --ratings ratings.csv --over A \\
          --ref gpt4_1106_preview -o offsets.parquet
      charm calibrate scores.parquet --style --responses responses.parquet \\
          --ratings arena -o calibrator.json
      charm calibrate scores.parquet --style --responses responses.parquet \\
          --ratings arena --feature words --feature bold
      charm calibrate annotations.json --style --sharpness --ratings arena \\
          -o calibrator.json
    """
    from .. import store
    from ..pipeline.stages.calibrate import calibrate
    from ..pipeline.stages.ratings import chosen_ratings

    settings = _with_method(settings, method, joint=joint, style=style)
    _check_usage(ratings, settings, responses)
    if output:
        _refuse_output(output, settings, force=force)
    judged = {"annotator": annotator, "baseline": baseline}

    def load() -> Scores | Margins:
        return load_comparable(scores, table=read_as, **judged)

    if settings.method == "style":
        calibrator = _by_style(
            prompts.of(load()),
            responses,
            chosen_ratings(ratings),
            ratings,
            settings,
            draws,
            seed,
            read_as.named("responses"),
        )
        if output:
            _save_calibrator(calibrator, output, force=force)
        print_json(calibrator_json(calibrator)) if as_json else print_calibrator(calibrator, top=top)
        if output:
            say(f"wrote {output}")
        return
    how: dict[str, Any] = {"seed": seed, "aliases": ratings.aliases, "unrated": ratings.unrated}
    alone: dict[str, object] = {
        "--judge": annotator,
        "--baseline": baseline,
    }
    with opened(
        scores,
        reading,
        prompts,
        load=load,
        table=read_as.part("scores", first=True),
        output=output,
        alone=alone,
    ) as source:
        offsets = calibrate(source, chosen_ratings(ratings), settings, AuditSettings(draws=draws), **how)
    if output:
        store.save(offsets, output, force=force)
    if as_json:
        print_json(_as_json(offsets))
    else:
        print_offsets(offsets, top=top)
    if output:
        say(f"wrote {output}")


def _by_style(
    source: Scores | Margins,
    responses: Path | None,
    ratings: Ratings,
    choice: RatingsChoice,
    settings: CalibrateSettings,
    draws: int,
    seed: int,
    columns: dict[str, str],
) -> Calibrator:
    from ..pipeline.stages.style import calibrate_style
    from ..responses import load_responses

    texts = None if responses is None else load_responses(responses, columns=columns)
    how: dict[str, Any] = {"aliases": choice.aliases, "unrated": choice.unrated}
    return calibrate_style(source, texts, ratings, settings, draws=draws, seed=seed, **how)


def _save_calibrator(calibrator: Calibrator, output: Path, *, force: bool) -> None:
    from ..style import save_calibrator

    save_calibrator(calibrator, output, force=force)


def _refuse_output(output: Path, settings: CalibrateSettings, *, force: bool) -> None:
    from .. import store

    store.refuse_table(output, force=force, inputs=given_paths())
    if settings.method == "style" and output.suffix != ".json":
        raise ConfigError(
            "a calibrator is a JSON file", where=str(output), fix="choose a name that ends in .json"
        )


def _with_method(
    settings: CalibrateSettings, method: str | None, *, joint: bool, style: bool
) -> CalibrateSettings:
    """The settings with --all, --style and --method in them; what --method meant before is the objective."""
    if method in ("total-wins", "least-squares"):
        settings, method = replace(settings, objective=cast("Objective", method)), None
    for flag, wanted in (("--all", "joint" if joint else None), ("--style", "style" if style else None)):
        if wanted and method not in (None, wanted):
            raise click.UsageError(f"{flag} is --method {wanted}: leave out one of them")
        method = wanted or method
    if method == "style":
        return replace(settings, method="style")
    if method != "joint":
        return settings
    # Joint offsets need no reference: none is chosen unless asked for.
    references = () if settings.references == AUTO else settings.references
    return replace(settings, method="joint", references=references)


def _check_usage(ratings: RatingsChoice, settings: CalibrateSettings, responses: Path | None) -> None:
    if ratings.source is None:
        raise click.UsageError("give --ratings, for example: --ratings arena")
    with naming_the_option(CalibrateSettings):
        settings.check_method()
    if settings.method == "style":
        if responses is None and not settings.sharpness:
            raise click.UsageError("--style measures the responses that were scored: give --responses")
    elif responses is not None:
        raise click.UsageError("--responses go with --style: offsets need none")
    elif settings.method == "joint":
        if settings.over != AUTO:
            raise click.UsageError("--all calibrates every policy: leave out --over")
        if not settings.paired:
            raise click.UsageError("--all compares by prompt: leave out --unpaired")
    elif AUTO in (settings.over, settings.references):
        raise click.UsageError(
            "give --over POLICY and --ref POLICY (either may be auto), or --all, or --style"
        )


def _as_json(offsets: Offsets) -> dict[str, Any]:
    residuals = [] if offsets.residuals is None else offsets.residuals.to_dicts()
    return {
        "offsets": offsets.frame.to_dicts(),
        "residuals": residuals,
        "warnings": offsets.provenance["warnings"],
        "provenance": dict(offsets.provenance),
    }


def print_offsets(offsets: Offsets, *, top: int) -> None:
    """Print offsets, the pairs furthest from their targets, and agreement with people before and after."""
    import polars as pl

    how = offsets.provenance
    link = how["link"] if how["temperature"] is None else f"{how['link']}, temperature {how['temperature']:g}"
    missing = [c for c in ("attained_cross_fitted", "ci_open") if c not in offsets.frame.columns]
    frame = offsets.frame.with_columns(pl.lit(None).alias(c) for c in missing)
    moved = frame.filter(~pl.col("is_reference")).sort("delta")
    shown = moved.select(
        "policy",
        "delta",
        _interval_column(moved),
        pl.col("std_err").alias("SE"),
        pl.col("target").alias("target win rate"),
        pl.col("attained").alias("attained in-sample"),
        pl.col("attained_cross_fitted").alias("cross-fitted"),
    )
    for row in moved.sort("delta").head(1).iter_rows(named=True):
        conclude(f"{counted(moved.height, 'offset')}; lowest {row['policy']}, {row['delta']:+.3f}")
    unit = "log-odds" if how["unit"] == "log-odds" else "score units"
    print_frame(
        shown,
        extra=("SE", "target win rate"),
        full=moved,
        title=f"Offsets, in {unit} ({link} link)",
        limit=top,
    )
    if offsets.residuals is not None:
        _print_residuals(offsets.residuals, top=top)
    _print_effect(how.get("effect", []))
    if how["references"]:
        heading(f"Held at 0: {', '.join(how['references'])}")
    else:
        heading("No reference: the offsets have mean 0; only their differences matter.")


def _print_effect(rows: list[dict[str, Any]]) -> None:
    """How far from people before and after: in-sample beside cross-fitted, in the figures of every table of an effect."""
    import polars as pl

    from ..mismatch import METRICS
    from ..mismatch.metrics import WHAT_P_IS

    if not rows:
        return
    columns = {"before": "before", "in_sample": "after in-sample", "cross_fitted": "after cross-fitted"}
    columns["floor"] = "noise floor"
    shown = [
        {"figure": METRICS[r["metric"]].label}
        | {title: METRICS[r["metric"]].shown(r[name]) for name, title in columns.items()}
        for r in rows
    ]
    print_frame(pl.DataFrame(shown), title="Agreement with people, hard win rates")
    echo(f"  {WHAT_P_IS}")
    echo("  in-sample: on the prompts solved on; cross-fitted: as on as many fresh prompts")


def _print_residuals(residuals: pl.DataFrame, *, top: int) -> None:
    """The pairs furthest from their targets after calibration."""
    import polars as pl

    gap = (pl.col("after") - pl.col("target")).abs()
    shown = residuals.sort(gap, descending=True).rename(
        {"after": "after in-sample", "after_cross_fitted": "cross-fitted"}
    )
    print_frame(shown, title="Hard win rates, pair by pair", limit=top)


def _interval_column(moved: pl.DataFrame) -> pl.Expr:
    """The interval as text; an end that the data do not set is ``open``."""
    import polars as pl

    if moved["ci_open"].is_null().all():
        return interval_column(3)

    def text(row: dict[str, float | str | None]) -> str:
        if row["ci_low"] is None and row["ci_high"] is None and row["ci_open"] is None:
            return "-"
        return ", ".join(
            "open" if row[end] is None else f"{row[end]:+.3f}" for end in ("ci_low", "ci_high")
        ).join("[]")

    columns = pl.struct("ci_low", "ci_high", "ci_open")
    return columns.map_elements(text, return_dtype=pl.String).alias("95 % CI")
