"""``charm study plan``: which comparisons people are asked about, and what their votes will show."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import counted
from ...settings import StudyPlanSettings, TableSettings
from ..common import conclude, echo, heading, print_frame, print_json, say
from ..help import CharmCommand
from ..options import PATH, force_option, json_option, judgement_options, settings_options, table_options
from ..side_by_side import contenders
from .common import Place, database_url_option, place_of, study_models

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from ...study.nouns import Study

_ROWS = 12


@click.command("plan", cls=CharmCommand)
@click.argument("responses", type=PATH)
@click.option(
    "--scores",
    "--judgements",
    "sources",
    multiple=True,
    metavar="[NAME=]TABLE[@WHOSE]",
    help="Scores of a reward model, or judgements of a judge; repeatable, the original first. NAME is the file's name by default.",
)
@settings_options(StudyPlanSettings, "settings")
@click.option("--name", metavar="TEXT", help="What the study is called (default: the output's name).")
@judgement_options
@table_options("scores", "responses", samples=False)
@click.option(
    "-o",
    "--output",
    type=PATH,
    metavar="STUDY",
    help="The study to write, such as study.db; left out: the plan is only shown.",
)
@database_url_option
@force_option
@json_option
def command(
    responses: Path,
    sources: tuple[str, ...],
    settings: StudyPlanSettings,
    name: str | None,
    annotator: str | None,
    baseline: str | None,
    read_as: TableSettings,
    output: Path | None,
    database_url: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Choose comparisons of two answers of RESPONSES for people to vote on, and say what the votes will show.

    Where two models agree which answer is better, their agreement with people is the same, whatever people say: all that votes tell of
    the difference is in the comparisons on which they disagree. So most comparisons are chosen there, evenly over prompts and
    policies, and a random share of all (--random-share) for everything else. Each comparison's chance of being chosen is kept, and the
    analysis corrects by it. Of one model, or none, all comparisons are chosen at random.

    How many: --comparisons, --votes, or --width for an interval of the difference of so much. The plan says what a quarter to four times
    as many would show. Nothing is written without -o: try settings first. Answers that are empty, the same, or name their policy
    or maker (--keep-self-naming) are no comparisons for people; how many is said. The file has all texts, and opens with `charm study serve`.

    \b
    Examples:
      charm study plan responses.parquet --scores before.parquet \\
          --scores after.parquet -o study.db
      charm study plan responses.parquet --scores rm=rm.parquet \\
          --scores calibrated=after.parquet --width 0.03 --raters 10
      charm study plan responses.parquet --judgements judged.json@gpt4 \\
          --votes 600 -o study.db
    """
    from ...responses import load_responses
    from ...study.planning.plan import plan_study

    place = place_of(output, database_url, "-o STUDY") if output or database_url else None
    if place is not None:
        place.refuse(force=force)
        _refuse_inputs(output, sources)
    table = read_as.part("scores", first=True)
    models = study_models(contenders(sources), table, annotator=annotator, baseline=baseline)
    texts = load_responses(responses, columns=read_as.part("responses").fields("responses"))
    called = name or (output.stem if output else "study")
    study = plan_study(texts, models, name=called, **settings.values())
    if place is not None:
        place.keep(study, force=force)
    if as_json:
        print_json(_as_json(study))
    else:
        print_plan(study)
    _say_next(place, settings, study)


def _refuse_inputs(output: Path | None, sources: tuple[str, ...]) -> None:
    """Refuse to write over a table that is read: the specs of models hold paths of their own."""
    from ...store import refuse_input

    if output is not None:
        refuse_input(output, [path for one in contenders(sources) for path in one.paths])


def print_plan(study: Study) -> None:
    """Print what was chosen, how evenly, and what the votes will show."""
    import polars as pl

    from ...study.planning.plan import policy_table

    plan, names = study.provenance["plan"], [model.name for model in study.models]
    policies = policy_table(study)
    heading(
        f"{study.name}: {counted(plan['comparisons'], 'comparison')} of {counted(len(study.policies), 'policy', 'policies')}"
    )
    echo(
        f"  chosen from {plan['candidates']:,} comparisons"
        + (" that every model has a verdict on" if names else "")
    )
    if len(names) > 1:
        which = "the two models" if len(names) == 2 else f"{names[0]} and another model"
        echo(
            f"  {which} disagree on {plan['discordant_share']:.1%} of them; of the chosen, {plan['discordant_comparisons']} are there and "
            f"{plan['comparisons'] - plan['discordant_comparisons']} where they agree"
        )
    else:
        echo("  all at random: there are no two models to disagree")
    echo(
        f"  on {counted(plan['prompts'], 'prompt')}, at most {plan['most_per_prompt']} on one; {counted(plan['checks'], 'attention check')}"
    )
    echo(f"  {counted(plan['votes'], 'vote')} wanted, {_each(plan)}")
    conclude(
        f"{counted(plan['comparisons'], 'comparison')}, {counted(plan['votes'], 'vote')}; {_main_width(plan)}"
    )
    print_frame(
        _widths(plan),
        title="What votes will show: half widths of 95 % intervals, in percentage points",
        digits=1,
    )
    _print_assumptions(plan)
    shown = policies.with_columns(share=100 * pl.col("share"))
    columns = shown if len(names) > 1 else shown.drop("discordant")
    print_frame(
        columns,
        title="How often each policy is compared (share: % of comparisons)",
        digits=1,
        limit=_ROWS,
        tail=3,
        main=False,
    )


def _each(plan: Mapping[str, Any]) -> str:
    raters = plan["assumed"]["raters"]
    return (
        "all of one rater" if raters == 1 else f"{round(plan['votes'] / raters)} of each of {raters} raters"
    )


def _main_width(plan: Mapping[str, Any]) -> str:
    """``difference to ± 3.2 points``: the figure the study is for, at the planned size."""
    rows = [row for row in plan["shows"] if row["comparisons"] == plan["comparisons"] and row["half_width"]]
    if not rows:
        return "too few for an interval"
    row = rows[-1]
    what = f"difference of {row['model']}" if row["model"] else "agreement"
    return f"{what} to ± {100 * row['half_width']:.1f} points"


def _widths(plan: Mapping[str, Any]) -> pl.DataFrame:
    """A row for each number of comparisons, a column for each figure; what was planned is marked."""
    import polars as pl

    rows: dict[int, dict[str, Any]] = {}
    for shown in plan["shows"]:
        row = rows.setdefault(
            shown["comparisons"],
            {"comparisons": shown["comparisons"], "votes": shown["votes"], "planned": ""},
        )
        name = "agreement" if shown["model"] is None else f"difference: {shown['model']}"
        row[name] = None if shown["half_width"] is None else 100 * shown["half_width"]
        if shown["comparisons"] == plan["comparisons"]:
            row["planned"] = "planned"
    return pl.DataFrame(list(rows.values()))


def _print_assumptions(plan: Mapping[str, Any]) -> None:
    a = plan["assumed"]
    echo(
        f"  assumed: {counted(a['raters'], 'rater')}, {a['ties']:.0%} ties, agreement {a['agreement']:.0%} with a model and {a['rater_agreement']:.0%} of "
        f"two raters; correlation {a['prompt_icc']:g} of votes on a prompt, {a['rater_icc']:g} of a rater's"
    )
    worth = {
        row["model"]: row["per_vote"] for row in plan["shows"] if row["comparisons"] == plan["comparisons"]
    }
    told = [
        f"{value:.1f} votes at random for {'agreement' if model is None else f'the difference of {model}'}"
        for model, value in worth.items()
        if value is not None
    ]
    if len(told) > 1:
        echo(f"  a vote here is worth {', '.join(told)}")


def _as_json(study: Study) -> dict[str, Any]:
    from ...study.planning.plan import policy_table

    return {
        "name": study.name,
        **study.provenance["plan"],
        "policies": policy_table(study).to_dicts(),
        "settings": study.provenance["settings"],
    }


def _say_next(place: Place | None, settings: StudyPlanSettings, study: Study) -> None:
    """What to type next. Without a quota the raters who come first may vote on all of it; the power analysis shares it out evenly."""
    if place is None:
        say("nothing was written: give -o study.db to keep this plan")
        return
    say(f"wrote {place}")
    where = f"{place.typed} " if place.path is not None else ""
    say(
        f"next: charm study invite {where}--count {settings.raters}{_quota(settings, study)}, then charm study serve {where}".rstrip()
    )


def _quota(settings: StudyPlanSettings, study: Study) -> str:
    """The option that gives each rater an even share of the votes, repeats and checks (if any were found) on top; none for one rater."""
    plan = study.provenance["plan"]
    votes, checks = plan["votes"], settings.checks if plan["checks"] else 0.0
    counting = 1 - settings.repeats - checks
    if settings.raters == 1 or counting <= 0:
        return ""
    return f" --quota {math.ceil(votes / settings.raters / counting)}"
