"""``charm calibrate``: solve the score offsets that bring win rates to what human ratings say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from ..settings import AUTO, AuditSettings, CalibrateSettings, RatingsChoice
from .common import echo, heading, interval_column, load_comparable, print_frame, print_json, say
from .options import (
    PATH,
    draws_option,
    force_option,
    given_paths,
    json_option,
    judgement_options,
    output_option,
    ratings_options,
    seed_option,
    settings_options,
    top_option,
)
from .prompts import PromptChoice, prompt_options

if TYPE_CHECKING:
    import polars as pl

    from ..settings import Objective
    from ..tables import Offsets


@click.command("calibrate")
@click.argument("scores", type=PATH)
@ratings_options
@judgement_options
@prompt_options
@settings_options(CalibrateSettings, "settings", but=("method",))
@click.option("--all", "joint", is_flag=True, help="Calibrate every rated policy at once: --method joint.")
@click.option(
    "--method",
    type=click.Choice(["pair", "joint", "total-wins", "least-squares"]),
    metavar="pair|joint",
    help="Which offsets (default: pair). The older total-wins and least-squares are now --objective.",
)
@draws_option
@seed_option
@top_option(20)
@output_option(what="Where to write the offsets (Parquet).")
@force_option
@json_option
def command(
    scores: Path,
    ratings: RatingsChoice,
    annotator: str | None,
    baseline: str | None,
    prompts: PromptChoice,
    settings: CalibrateSettings,
    joint: bool,
    method: str | None,
    draws: int,
    seed: int,
    top: int,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """By how much must a policy's scores move so that it wins as often as people say it should?

    SCORES is a table of scores (prompt_id, policy, score), or of judgements in any form that `charm audit` reads:
    the offsets of a judge are in log-odds, added to policy's side of a margin. With --over and --ref one offset is solved per over-valued
    policy, its references fixed; with --all one per rated policy, so that everyone's total wins are right.
    What an offset attains is shown in-sample, on the prompts that it was solved on, and cross-fitted, as fresh prompts would show it.
    Every offset comes with a 95 % interval over prompts and ratings. Where the interval covers 0 the
    policy is already aligned with the references as far as the data tell, and calibrating may hurt. Without references the offsets have
    mean 0, and 0 means nothing. A warning says where offsets are expected to make fresh prompts worse.

    \b
    Examples:
      charm calibrate scores.parquet --ratings arena --over gemma-2-9b-it-SimPO \\
          --ref gpt-4o-mini-2024-07-18 -o offsets.parquet
      charm calibrate scores.parquet --ratings ratings.csv --all -o offsets.parquet
      charm calibrate scores.parquet --ratings ratings.csv --all --split train -o offsets.parquet
      charm calibrate scores.parquet --ratings ratings.csv --over A --ref B --link sigmoid --temperature 0.1
      charm calibrate annotations.json --ratings ratings.csv --over A --ref gpt4_1106_preview -o offsets.parquet
    """
    from .. import store
    from ..pipeline.stages.calibrate import calibrate
    from ..pipeline.stages.ratings import chosen_ratings

    settings = _with_method(settings, method, joint=joint)
    _check_usage(ratings, settings)
    if output:
        store.refuse_table(output, force=force, inputs=given_paths())
    source = prompts.of(load_comparable(scores, annotator=annotator, baseline=baseline))
    how: dict[str, Any] = {"seed": seed, "aliases": ratings.aliases, "unrated": ratings.unrated}
    offsets = calibrate(source, chosen_ratings(ratings), settings, AuditSettings(draws=draws), **how)
    if output:
        store.save(offsets, output, force=force)
    if as_json:
        print_json(_as_json(offsets))
    else:
        _print(offsets, top=top)
    if output:
        say(f"wrote {output}")


def _with_method(settings: CalibrateSettings, method: str | None, *, joint: bool) -> CalibrateSettings:
    """The settings with --all and --method in them; what --method meant before is the objective."""
    if method in ("total-wins", "least-squares"):
        settings, method = replace(settings, objective=cast("Objective", method)), None
    if joint and method == "pair":
        raise click.UsageError("--all is --method joint: leave out one of them")
    if not joint and method != "joint":
        return settings
    # Joint offsets need no reference: none is chosen unless asked for.
    references = () if settings.references == AUTO else settings.references
    return replace(settings, method="joint", references=references)


def _check_usage(ratings: RatingsChoice, settings: CalibrateSettings) -> None:
    if ratings.source is None:
        raise click.UsageError("give --ratings, for example: --ratings arena")
    if settings.method == "joint":
        if settings.over != AUTO:
            raise click.UsageError("--all calibrates every policy: leave out --over")
        if not settings.paired:
            raise click.UsageError("--all compares by prompt: leave out --unpaired")
    elif AUTO in (settings.over, settings.references):
        raise click.UsageError("give --over POLICY and --ref POLICY (either may be auto), or --all")


def _as_json(offsets: Offsets) -> dict[str, Any]:
    residuals = [] if offsets.residuals is None else offsets.residuals.to_dicts()
    return {
        "offsets": offsets.frame.to_dicts(),
        "residuals": residuals,
        "warnings": offsets.provenance["warnings"],
        "provenance": dict(offsets.provenance),
    }


def _print(offsets: Offsets, *, top: int) -> None:
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
    unit = "log-odds" if how["unit"] == "log-odds" else "score units"
    print_frame(shown, title=f"Offsets, in {unit} ({link} link)", limit=top)
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
