"""``charm ratings``: fit ratings to battles, look at leaderboards, save one of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UnknownPolicy, counted, did_you_mean
from ..policy_names import near_policies
from ..settings import FitSettings, TableSettings
from .common import conclude, echo, print_frame, print_json, say
from .help import CharmCommand, CharmGroup
from .options import (
    PATH,
    Rows,
    force_option,
    given_paths,
    json_option,
    output_option,
    settings_options,
    table_options,
)

if TYPE_CHECKING:
    from ..tables import Ratings

_ROWS = 25  # of a long leaderboard, unless more are asked for

_category_option = click.option("--category", help="Which category, where the leaderboard has several.")
_date_option = click.option("--date", help="Which snapshot, where it has several: YYYY-MM-DD, or 'latest'.")
top_option = click.option("--top", type=Rows(1), help="Print only the N best.", metavar="N")


@click.group(cls=CharmGroup)
def command() -> None:
    """Human-preference ratings on the Elo scale, which every audit compares with.

    Fit them from your own votes, or take a leaderboard. Every option --ratings takes the same names as `show`.

    \b
    Examples:
      charm ratings fit battles.parquet -o ratings.parquet
      charm ratings show arena:coding --top 10
      charm ratings save leaderboard.csv@2024-12-31 -o ratings.parquet
    """


@command.command(cls=CharmCommand, short_help="Fit Bradley-Terry ratings to votes, with intervals")
@click.argument("battles", type=PATH)
@output_option(
    what="Where to write the ratings (Parquet keeps covariance and provenance); default: print only."
)
@settings_options(FitSettings, "settings")
@table_options("battles", samples=False)
@top_option
@json_option
@force_option
def fit(
    battles: Path,
    output: Path | None,
    settings: FitSettings,
    read_as: TableSettings,
    top: int | None,
    as_json: bool,
    force: bool,
) -> None:
    """Fit Bradley-Terry ratings to BATTLES (Parquet, CSV, JSONL), with 95 % intervals.

    Battles have policy_a, policy_b and winner (a, b, tie, both_bad), or the Arena's model_a, model_b and winner
    (model_a, model_b, tie, both_bad), or the Kaggle layout. A tie or both_bad counts as half a win. Policies that never met
    are an error. So are policies that never lost or never won, unless --prior is given.

    Votes on one prompt, or by one voter, are not independent, and intervals that ignore it are too narrow. --cluster names the
    column with the prompt or voter.

    Where votes come with the responses (response_a and response_b, or the Arena's conversation_a and conversation_b), --style
    controls for a feature of `charm features --list`: the ratings are those at equal style.

    \b
    Examples:
      charm ratings fit battles.parquet -o ratings.parquet
      charm ratings fit votes.csv --anchor gpt-4o-mini-2024-07-18=1273 --top 20
      charm ratings fit battles.parquet --style words --style headers \\
          -o controlled.parquet
      charm ratings fit votes.csv --cluster voter
    """
    from .. import store
    from ..pipeline.stages.ratings import fit_votes

    if output:
        store.refuse_table(output, force=force, inputs=given_paths())
    ratings = fit_votes(battles, settings, read_as.fields("battles"))
    _say_clusters(ratings)
    if output:
        store.save(ratings, output, force=force)
        say(f"wrote {output}")
    print_ratings(ratings, title=f"Ratings from {battles}", top=top, as_json=as_json)
    if not as_json:
        _print_fit_notes(ratings)


@command.command(cls=CharmCommand, short_help="Print a leaderboard, best first")
@click.argument("spec")
@_category_option
@_date_option
@click.option(
    "--find",
    metavar="TEXT",
    help="Print only policies with TEXT in their name; case and punctuation do not matter.",
)
@top_option
@json_option
def show(
    spec: str, category: str | None, date: str | None, find: str | None, top: int | None, as_json: bool
) -> None:
    """Print the leaderboard that SPEC names, best first.

    SPEC is `arena` or `arena:CATEGORY` (the table shipped with charm), `example` (older Arena scores of 45 policies, shipped), a file of your own (CSV, Parquet, JSON; also
    FILE:CATEGORY@DATE), or `hf:lmarena-ai/leaderboard-dataset[:CONFIG][@DATE]`. Dates and categories are never mixed:
    where several are there and none is chosen, the error lists them.

    \b
    Examples:
      charm ratings show arena --find gemma
      charm ratings show arena:coding --top 10 --json
      charm ratings show hf:lmarena-ai/leaderboard-dataset:text@2024-12-31
    """
    from ..ratings import load_ratings

    ratings = load_ratings(spec, category=category, date=date)
    print_ratings(ratings, title=_title(ratings), top=top, as_json=as_json, find=find)


@command.command(cls=CharmCommand, short_help="Write a leaderboard as a ratings table")
@click.argument("spec", metavar="SPEC")
@_category_option
@_date_option
@output_option(required=True, what="Where to write (.parquet, .csv, .jsonl or .json).")
@force_option
def save(spec: str, category: str | None, date: str | None, output: Path, force: bool) -> None:
    """Write the leaderboard that SPEC names as a ratings table, one category at one date.

    SPEC is as in `charm ratings show`. Useful to pin the ratings of an audit, or to take a hub dataset offline.

    \b
    Examples:
      charm ratings save arena:coding -o coding.csv
      charm ratings save hf:lmarena-ai/leaderboard-dataset@2024-12-31 \\
          -o ratings.parquet
    """
    from .. import store
    from ..ratings import load_ratings

    store.refuse_table(output, force=force, inputs=given_paths())
    ratings = load_ratings(spec, category=category, date=date)
    store.save(ratings, output, force=force)
    say(f"wrote {counted(len(ratings), 'rating')} to {output}")


def _title(ratings: Ratings) -> str:
    record = ratings.provenance
    parts = [record.get(k) for k in ("source", "origin", "category", "date")]
    return ", ".join(dict.fromkeys(str(p) for p in parts if p))


def print_ratings(
    ratings: Ratings, *, title: str, top: int | None, as_json: bool, find: str | None = None
) -> None:
    """Print ratings, the highest first; ``find``: those with this in their names."""
    import polars as pl

    frame = ratings.frame.sort("rating", descending=True, maintain_order=True)
    frame = frame.with_columns(pl.int_range(1, pl.len() + 1).alias("place"))
    if find:
        frame = _found(frame, find)
    if as_json:
        rows = frame.head(top or frame.height).drop("place").to_dicts()
        print_json({"ratings": rows, "provenance": dict(ratings.provenance)})
        return
    shown = [c for c in ("place", "policy", "rating", "ci_low", "ci_high", "votes") if c in frame.columns]
    for row in frame.head(1).iter_rows(named=True):
        conclude(f"{counted(frame.height, 'policy', 'policies')}; {row['policy']} {row['rating']:.1f}")
    limit = top or (None if find else _ROWS)
    print_frame(frame.select(shown), title=title, digits=1, limit=limit, full=frame.head(top or frame.height))


def _found(frame: Any, text: str) -> Any:
    import polars as pl

    from ..policy_names import fold_name

    wanted = fold_name(text)
    hits = frame.filter(pl.Series([wanted in fold_name(name) for name in frame["policy"]], dtype=pl.Boolean))
    if hits.height == 0:
        # Of a word or two, part of a name, a like name is meant; a whole name may be another model's.
        hint = near_policies(text, frame["policy"])
        if not hint and wanted.count("-") < 2:
            hint = did_you_mean(text, frame["policy"])
        raise UnknownPolicy(
            f"no policy here has {text!r} in its name.{hint}",
            fix="try a shorter part of the name, or drop --find",
        )
    return hits


def _say_clusters(ratings: Ratings) -> None:
    column, n_clusters = (ratings.provenance[k] for k in ("cluster", "n_clusters"))
    if column is None:
        say("intervals assume independent votes")
    else:
        say(f"intervals allow for {counted(n_clusters, 'cluster')} of votes, by {column}")


def _print_fit_notes(ratings: Ratings) -> None:
    """One line on what was fitted, one per style: below the table, where the eye ends up."""
    record = ratings.provenance
    outcomes = ", ".join(f"{count} {name}" for name, count in record["outcomes"].items())
    echo(
        f"{counted(record['n_battles'], 'battle')} ({outcomes}); level: {record['gauge']}; {record['solver']},"
        f" {counted(record['iterations'], 'iteration')}; log-likelihood {record['log_likelihood']:.1f}"
    )
    if record["prior"]:
        echo(f"prior: {record['prior']:g} pseudo-battles per pair that met, half won, half lost")
    for name, b in record["style"].items():
        echo(
            f"style {name}: {b['coefficient']:+.3f} log-odds per RMS [{b['ci_low']:+.3f}, {b['ci_high']:+.3f}]"
        )
