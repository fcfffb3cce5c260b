"""``charm calibrate``: solve the score offsets that bring win rates to what human ratings say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .common import (
    PATH,
    draws_option,
    force_option,
    heading,
    interval_column,
    json_option,
    judgement_options,
    load_comparable,
    output_option,
    print_frame,
    print_json,
    ratings_options,
    say,
    seed_option,
    top_option,
)

if TYPE_CHECKING:
    import polars as pl

    from ..offsets import Method, Unrated
    from ..tables import Offsets


@click.command("calibrate")
@click.argument("scores", type=PATH)
@ratings_options
@judgement_options
@click.option("--over", "overs", multiple=True, metavar="POLICY", help="Policy to calibrate; repeatable.")
@click.option("--ref", "references", multiple=True, metavar="POLICY", help="Reference, offset 0; repeatable.")
@click.option("--all", "joint", is_flag=True, help="Calibrate every rated policy at once.")
@click.option(
    "--link",
    type=click.Choice(["hard", "sigmoid"]),
    default="hard",
    show_default=True,
    help="Match the win rate itself, or the mean sigmoid of the margins.",
)
@click.option(
    "--temperature", default=1.0, show_default=True, help="Of the sigmoid, in units of the margins."
)
@click.option(
    "--unpaired",
    is_flag=True,
    help="Compare all responses with all, not by prompt (scores of one pair only).",
)
@click.option(
    "--method",
    type=click.Choice(["total-wins", "least-squares"]),
    default="total-wins",
    show_default=True,
    help="With --all: meet each policy's total wins, or least squares over all pairs.",
)
@draws_option
@seed_option
@top_option(20)
@output_option(what="Where to write the offsets (Parquet).")
@force_option
@json_option
def command(
    scores: Path,
    ratings_spec: str | None,
    category: str | None,
    date: str | None,
    annotator: str | None,
    baseline: str | None,
    overs: tuple[str, ...],
    references: tuple[str, ...],
    joint: bool,
    link: str,
    temperature: float,
    unpaired: bool,
    method: Method,
    alias: Path | None,
    unrated: Unrated,
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
    Every offset comes with a 95 % interval over prompts and ratings. Where the interval covers 0 the
    policy is already aligned as far as the data tell, and calibrating may hurt.

    \b
    Examples:
      charm calibrate scores.parquet --ratings arena --over gemma-2-9b-it-SimPO \\
          --ref gpt-4o-mini-2024-07-18 -o offsets.parquet
      charm calibrate scores.parquet --ratings ratings.csv --all -o offsets.parquet
      charm calibrate scores.parquet --ratings ratings.csv --over A --ref B --link sigmoid --temperature 0.1
      charm calibrate annotations.json --ratings ratings.csv --over A --ref gpt4_1106_preview -o offsets.parquet
    """
    from .. import store
    from ..offsets import solve_joint_offsets, solve_offsets
    from ..ratings import load_ratings

    _check_usage(ratings_spec, overs, references, joint=joint, unpaired=unpaired)
    if output:
        store.refuse_table(output, force=force)
    table = load_comparable(scores, annotator=annotator, baseline=baseline)
    ratings = load_ratings(str(ratings_spec), category=category, date=date)
    settings: dict[str, Any] = {"link": link, "temperature": temperature, "draws": draws, "seed": seed}
    settings |= {"references": references, "aliases": alias}
    if joint:
        offsets = solve_joint_offsets(table, ratings, method=method, unrated=unrated, **settings)
    else:
        offsets = solve_offsets(table, ratings, over=overs, paired=not unpaired, **settings)
    if output:
        store.save(offsets, output, force=force)
    if as_json:
        print_json(_as_json(offsets))
    else:
        _print(offsets, top=top)
    if output:
        say(f"wrote {output}")


def _check_usage(
    ratings_spec: str | None,
    overs: tuple[str, ...],
    references: tuple[str, ...],
    *,
    joint: bool,
    unpaired: bool,
) -> None:
    if ratings_spec is None:
        raise click.UsageError("give --ratings, for example: --ratings arena")
    if joint and overs:
        raise click.UsageError("--all calibrates every policy: leave out --over")
    if joint and unpaired:
        raise click.UsageError("--all compares by prompt: leave out --unpaired")
    if not joint and not (overs and references):
        raise click.UsageError("give --over POLICY and --ref POLICY, or --all")


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
    moved = offsets.frame.filter(~pl.col("is_reference")).sort("delta")
    shown = moved.select(
        "policy", "delta", interval_column(3), pl.col("std_err"), "target", "attained"
    ).rename({"std_err": "SE", "target": "target win rate"})
    unit = "log-odds" if how["unit"] == "log-odds" else "score units"
    print_frame(shown, title=f"Offsets, in {unit} ({link} link)", limit=top)
    if offsets.residuals is not None:
        _print_residuals(offsets.residuals, top=top)
    if how["references"]:
        heading(f"Held at 0: {', '.join(how['references'])}")
    else:
        heading("No reference: the offsets have mean 0; only their differences matter.")


def _print_residuals(residuals: pl.DataFrame, *, top: int) -> None:
    """The pairs furthest from their targets after calibration, and the mean over all pairs."""
    import polars as pl

    gap = (pl.col("after") - pl.col("target")).abs()
    print_frame(residuals.sort(gap, descending=True), title="Hard win rates, pair by pair", limit=top)
    means = residuals.select((pl.col(c) - pl.col("target")).abs().mean() for c in ("before", "after")).row(0)
    heading(
        f"Mean |win rate - target| over {residuals.height} pair{'s' * (residuals.height > 1)}: {means[0]:.4f} before, {means[1]:.4f} after"
    )
