"""``charm study demo``: a small study whose raters are simulated, to look at and to vote in."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..common import echo, print_frame, print_json, say
from ..help import CharmCommand
from ..options import force_option, json_option, output_option

if TYPE_CHECKING:
    from ...pipeline.study_demo import StudyDemo

# Of the seeds 0 to 19 the one whose study is nearest to the typical one: sixteen figures (estimates, their errors and half widths, p-values,
# repeats, checks passed, agreement of people) each lie within one interquartile range of their median over these seeds. It is no lucky one,
# and no test of the method; tests/pipeline/test_study_demo.py holds intervals against the truth over several.
SEED = 6


@click.command("demo", cls=CharmCommand)
@output_option("charm-study-demo", what="Folder for the study, its inputs, tables and page.")
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=SEED,
    show_default=True,
    help="Seed of all that is simulated; the default gives a typical study.",
)
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
    raters vote through the same interface as the page for raters: six read with care, one clicks at random, one on the left. Attention
    checks and second looks tell them apart.

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
    from ...pipeline.simulated_raters import CARELESS
    from ...pipeline.study_demo import make_study_demo
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
    """The truth beside what was estimated, with everybody's votes and without the careless raters'; and how it is to be read."""
    import polars as pl

    title = f"Known truth: agreement of the simulated public, on all {found.everybody.summary['candidates']:,} comparisons that the plan chose from"
    print_frame(pl.DataFrame(_truth_rows(found)), title=title, main=False)
    echo(
        f"  Careless raters ({' and '.join(careless)}) draw every agreement towards one half, and every difference towards 0. Repeats and "
        "checks tell who they are, and no vote is dropped by itself: --without NAME leaves a rater out."
    )
    echo(
        "  Of 95 % intervals about 1 in 20 misses the truth; with people nobody knows which. --seed 1 is another study."
    )


def _truth_rows(found: StudyDemo) -> list[dict[str, str]]:
    """Of each model's agreement, and of the difference: the truth, and both estimates with their intervals."""
    from ...study.words import leading, per_cent, points

    studies = {"by all votes": found.everybody, "without careless raters": found.careful}
    rows = [
        {"figure": f"agreement with {model}", "truth": f"{100 * value:.1f} %"}
        | {
            name: per_cent(next(r for r in leading(one.agreement) if r["model"] == model))
            for name, one in studies.items()
        }
        for model, value in found.truth.items()
    ]
    told = {name: points(leading(one.differences)[0]) for name, one in studies.items()}
    return [*rows, {"figure": "difference", "truth": f"{100 * found.true_difference:+.1f} points"} | told]


def _record(found: StudyDemo) -> dict[str, object]:
    """The demo for machines; nothing in it lets anyone vote."""
    from ...study.words import leading

    return {
        "simulated": True,
        "votes": found.votes,
        "true_agreement": dict(found.truth),
        "true_difference": found.true_difference,
        "difference": dict(leading(found.everybody.differences)[0]),
        "difference_without_careless": dict(leading(found.careful.differences)[0]),
        "analysis": found.everybody.to_json(),
    }


def _go_on(study: Path, token: str, *, serve: bool) -> None:
    """Serve the page with a link for one more rater, or say how."""
    from ...settings import ServeSettings

    settings = ServeSettings()
    if not serve:
        say(f"to vote in it yourself: charm study serve {shlex.quote(str(study))}")
        say(f"and open http://{settings.host}:{settings.port}/i/{token}")
        return
    from ...study.database import open_study
    from .serve import serve_study

    with open_study(study) as database:
        serve_study(database, str(study), settings, token=token)
