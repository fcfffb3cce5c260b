"""``charm study export``: the votes as battles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from ...errors import counted
from ..common import say
from ..help import CharmCommand
from ..options import PATH, force_option, given_paths
from .common import Place, study_argument


@click.command("export", cls=CharmCommand)
@study_argument
@click.option(
    "-o",
    "--output",
    type=PATH,
    required=True,
    help="Where to write the battles (.parquet, .csv, .jsonl, .json).",
)
@click.option(
    "--without",
    multiple=True,
    metavar="RATER",
    help="Leave out the votes of this rater, one who looks careless in the analysis; repeatable.",
)
@click.option("--comments", is_flag=True, help="Keep what raters wrote.")
@force_option
def command(study: Place, output: Path, without: tuple[str, ...], comments: bool, force: bool) -> None:
    """Write the votes of a study as battles, one a row, with the texts: for `charm ratings fit`, and so for every audit.

    Each has a weight, which undoes how the plan chose the comparisons: fitted with it (it is used by itself), ratings are those of
    `charm study analyse` from the votes alone. Repeats and attention checks are left out. The names of raters are in the column rater,
    so that errors can be clustered by it. The study may be served meanwhile.

    \b
    Examples:
      charm study export study.db -o battles.parquet
      charm ratings fit battles.parquet --cluster rater
      charm ratings fit battles.parquet --style words --style headers
      charm study export study.db --without Bob -o battles.csv
    """
    from ... import store
    from ...study.export import as_battles, flat, left_out

    store.refuse_table(output, force=force, inputs=given_paths())
    with study.open() as database:
        found = database.read()
    battles = as_battles(found, without=without, comments=comments)
    if output.suffix == ".csv":
        battles = replace(battles, frame=flat(battles.frame))
    store.save(battles, output, force=force)
    say(
        f"wrote {output} ({counted(len(battles), 'vote')} of {counted(battles.frame['rater'].n_unique(), 'rater')})"
    )
    if words := left_out(found, without):
        say(f"left out: {words}")
