"""``charm study demo``: a small study whose raters are simulated, to look at and to vote in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..common import echo, heading, print_json, say
from ..help import CharmCommand
from ..options import force_option, json_option, output_option, seed_option

if TYPE_CHECKING:
    from ...pipeline.study_demo import StudyDemo


@click.command("demo", cls=CharmCommand)
@output_option("charm-study-demo", what="Folder for the study, its inputs, tables and page.")
@seed_option
@click.option(
    "--serve/--no-serve",
    default=None,
    help="Open the page for raters afterwards, until Ctrl-C (default: on a terminal).",
)
@force_option
@json_option
def command(output: Path, seed: int, serve: bool | None, force: bool, as_json: bool) -> None:
    """See a human study from its plan to its page, on simulated data whose truth is known, in a few seconds.

    Twelve simulated policies answer prompts with checkable answers. Two reward models score the answers by a stated rule: the first
    ("before") falls for style, in the second ("after") that is nearly taken out. A plan chooses comparisons for people. Eight simulated
    raters vote through the same interface as the page for raters: six read with care, one clicks at random, one on the left.

    Then it is analysed like a study of yours, and its intervals are held against the truth, which here is known. Comparisons are left to
    vote on: the demo ends with a link for you, and, on a terminal, serves the page.

    \b
    Examples:
      charm study demo
      charm study demo -o /tmp/demo --seed 1 --no-serve
      charm study analyse charm-study-demo/study.db --without random-clicker
    """
    from ...extras import require
    from ...folders import refuse_folder, replacing_directory
    from ...pipeline.study_demo import CARELESS, make_study_demo
    from ..print_study import print_study

    for module in ("sqlalchemy", "nltk"):
        require(module, extra="study", what="a study")
    refuse_folder(output, force=force)
    say("Everything here is SIMULATED: policies, answers, reward models and raters (docs/study.md#demo).")
    with replacing_directory(output, force=force) as folder:
        found = make_study_demo(folder, seed=seed, say=say)
    if as_json:
        print_json(_record(found))
    else:
        print_study(found.everybody, top=12)
        _print_truth(found, CARELESS)
    say(f"wrote {output}: study.db, its inputs, analysis/ and study.html")
    on_terminal = sys.stdout.isatty() and not as_json
    _go_on(output / "study.db", found.token, serve=on_terminal if serve is None else serve)


def _print_truth(found: StudyDemo, careless: tuple[str, ...]) -> None:
    """The truth beside what was estimated, with everybody's votes and without the careless raters'."""
    from ...pipeline.study_demo import difference_of
    from ...study.words import points

    heading("Known truth: how much more often the simulated public agrees with after than with before")
    echo(f"  truth: {100 * found.true_difference:+.1f} points")
    echo(f"  by all raters' votes: {points(difference_of(found.everybody))}")
    echo(f"  without {' and '.join(careless)}: {points(difference_of(found.careful))}")
    echo("  careless raters draw every agreement towards one half, and every difference towards 0")


def _record(found: StudyDemo) -> dict[str, object]:
    """The demo for machines; nothing in it lets anyone vote."""
    from ...pipeline.study_demo import difference_of

    return {
        "simulated": True,
        "votes": found.votes,
        "true_agreement": dict(found.truth),
        "true_difference": found.true_difference,
        "difference": dict(difference_of(found.everybody)),
        "difference_without_careless": dict(difference_of(found.careful)),
        "analysis": found.everybody.to_json(),
    }


def _go_on(study: Path, token: str, *, serve: bool) -> None:
    """Serve the page with a link for one more rater, or say how."""
    from ...settings import ServeSettings

    settings = ServeSettings()
    if not serve:
        say(f"to vote in it yourself: charm study serve {study}")
        say(f"and open http://{settings.host}:{settings.port}/i/{token}")
        return
    from ...study.database import open_study
    from .serve import serve_study

    with open_study(study) as database:
        serve_study(database, str(study), settings, token=token)
