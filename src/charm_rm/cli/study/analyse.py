"""``charm study analyse``: what the votes say of each model."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..common import print_json, say
from ..fail_if import Gate, apply_gates, fail_if_option
from ..help import CharmCommand
from ..measured import STUDY_NAMES, study_figures
from ..options import PATH, force_option, given_paths, json_option, output_option, seed_option, top_option
from ..print_study import print_study
from .common import Place, study_argument

if TYPE_CHECKING:
    from ...study.results import StudyAnalysis


@click.command("analyse", cls=CharmCommand)
@study_argument
@click.option(
    "--without",
    multiple=True,
    metavar="RATER",
    help="Leave out the votes of this rater, one who looks careless; repeatable.",
)
@click.option(
    "--prior",
    type=click.FloatRange(0, 1e9),
    default=0.0,
    show_default=True,
    metavar="N",
    help="Ratings: pseudo-votes per pair that met, half won and half lost; keeps ratings of undefeated policies finite.",
)
@output_option(what="Folder for the tables (Parquet), study.json and the page study.html.")
@click.option("--html", "page", type=PATH, metavar="PAGE", help="Write the page alone, to this file.")
@seed_option
@fail_if_option(STUDY_NAMES)
@top_option(12)
@force_option
@json_option
def command(
    study: Place,
    without: tuple[str, ...],
    prior: float,
    output: Path | None,
    page: Path | None,
    seed: int,
    gates: tuple[Gate, ...],
    top: int,
    force: bool,
    as_json: bool,
) -> None:
    """Do people agree more with the calibrated model than with the original? By how much, and is it real?

    For every model: how often it agrees with people, and the difference from the first model, paired, with intervals clustered by prompt
    and by rater. Every figure is told twice. From the votes alone (classical), and joined with what the models say of all candidates
    (prediction-powered), which is as unbiased and tighter; "effective" says how many votes alone would be as sure. How often people agree
    with each other stands beside it: no model agrees with a person much more often than another person does.

    Then ratings fitted to the votes, whom the models favour against these people, and the raters: consistency, attention checks, who looks
    careless, and who reads but is of another taste. The first is a reason to look at somebody's votes, the second none to leave them out; no
    vote is dropped for either, --without does that. Each vote counts by how likely the plan was to ask for
    it, so figures are about all candidates, not about those that people were shown. The study may be served meanwhile.

    \b
    Examples:
      charm study analyse study.db
      charm study analyse study.db -o analysis
      charm study analyse study.db --without Bob --html study.html
      charm study analyse study.db --fail-if "difference.low<0"
      charm report runs/mine --study analysis
    """
    from ...folders import refuse_folder, replacing_directory
    from ...report.study import write_study
    from ...store import refuse_existing, refuse_input
    from ...study.analysis import analyse_study, save_analysis

    if output:
        refuse_folder(output, force=force, inputs=given_paths())
    if page:
        refuse_existing(page, force=force)
        refuse_input(page, given_paths(but=("page",)))
    with study.open() as database:
        voted = database.read()
    found = analyse_study(voted, without=without, prior=prior, seed=seed)
    if as_json:
        print_json(found.to_json())
    else:
        print_study(found, top=top)
    if output:
        with replacing_directory(output, force=force) as folder:
            save_analysis(found, folder)
            write_study(found, folder / "study.html")
        say(f"wrote {output}")
    if page:
        write_study(found, page)
        say(f"wrote {page}")
    _next(found, study, output)
    apply_gates(gates, study_figures(found))


def _next(found: StudyAnalysis, study: Place, output: Path | None) -> None:
    """What to type next."""
    from ...study.results import CARELESS
    from ...study.words import raters_of

    where = study.typed
    if (careless := raters_of(found, CARELESS)) and not output:
        say(
            f"next: charm study analyse {where} --without {shlex.quote(careless[0])}   to see what one rater's votes carry"
        )
    if found.ratings.height:
        say(
            f"next: charm study export {where} -o battles.parquet   and charm ratings fit battles.parquet --cluster rater"
        )
