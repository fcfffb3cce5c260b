"""``charm study import``: votes of people that exist already, as a finished study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import counted, listing
from ...settings import TableSettings
from ..common import conclude, echo, heading, print_json, say
from ..help import CharmCommand
from ..options import PATH, force_option, json_option, table_options
from ..side_by_side import contenders
from .common import Place, study_models, study_output

if TYPE_CHECKING:
    pass


@click.command("import", cls=CharmCommand)
@click.argument("votes", type=PATH)
@study_output
@click.option(
    "--responses", type=PATH, help="The texts that were compared, so that they can be shown and exported."
)
@click.option(
    "--scores",
    multiple=True,
    type=PATH,
    metavar="[NAME=]TABLE",
    help="Scores of a reward model that votes are held against; repeatable.",
)
@click.option(
    "--judgements",
    multiple=True,
    type=PATH,
    metavar="[NAME=]TABLE[@JUDGE]",
    help="Judgements of a judge that votes are held against; repeatable.",
)
@click.option(
    "--model",
    "columns_of_models",
    multiple=True,
    metavar="NAME=COLUMN[,COLUMN_B]",
    help="A model in columns of VOTES: who won by it, or its margin; or its two scores, of the first policy and of the second; repeatable.",
)
@click.option(
    "--votes-of",
    "columns_of_raters",
    multiple=True,
    metavar="NAME=COLUMN",
    help="A person whose votes are a column of their own; repeatable, instead of a column of raters and one of winners.",
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="LABEL=WINNER",
    help="What a label of who won means: a, b, tie, both_bad, left, right, or none for no verdict; repeatable.",
)
@click.option(
    "--people",
    multiple=True,
    metavar="NAME",
    help="In the column of judges, a name that stands for people; repeatable, or all (default: those not called like a model).",
)
@click.option(
    "--judge-column",
    metavar="COLUMN",
    help="The column that tells people and judges apart: --column judge=COLUMN.",
)
@click.option(
    "--original", metavar="NAME", help="The model that the others are compared with (default: the first)."
)
@click.option(
    "--anonymous", is_flag=True, help="Take each vote without a rater's name as a person's of its own."
)
@click.option(
    "--first-left", is_flag=True, help="The first model of every row stood on the left of the screen."
)
@click.option("--name", metavar="TEXT", help="What the study is called (default: the file's name).")
@table_options("votes", "responses", "scores", samples=False)
@force_option
@json_option
def command(
    votes: Path,
    output: Place,
    responses: Path | None,
    scores: tuple[Path, ...],
    judgements: tuple[Path, ...],
    columns_of_models: tuple[str, ...],
    columns_of_raters: tuple[str, ...],
    labels: tuple[str, ...],
    people: tuple[str, ...],
    judge_column: str | None,
    original: str | None,
    anonymous: bool,
    first_left: bool,
    name: str | None,
    read_as: TableSettings,
    force: bool,
    as_json: bool,
) -> None:
    """Make a study of votes that exist already, so that they can be analysed like one's own.

    VOTES has a row per vote: the prompt, two policies (policy_a and policy_b, or model_a and model_b), who won, and who voted (rater,
    worker, voter, annotator). Winners are read in every known spelling: a name, model_a, A, [[A]], A>>B, 1 and 2, tie, bothbad; others are
    explained: --label skipped=none, or --label 1=a --label 0=b. Where each person's votes are a column, --votes-of ann=annotator_1 takes one.

    Where a column judge names automatic judges beside people, people's rows are the votes, and each judge becomes a model that they are
    held against. Reward models and judges in other files are given with --scores and --judgements.

    Where a model's verdicts stand in the rows of the votes, --model gpt4=gpt4_winner takes the column, and --model rm=rm_a,rm_b takes two of
    scores. A single column is read as who won, or, of numbers above and below 0, as a margin (above 0 prefers the first policy); say
    which where numbers may mean several things: --model rm=p:probability, :margin, :winner, or :preference (AlpacaEval's 1 to 2).

    Votes without ids of prompts are matched with the other tables by the prompts' texts, which have to be the same word for word.

    Nobody knows how these comparisons were chosen. So each weighs the same, and all that is found is about these comparisons. What is
    dropped is counted and said: rows without a verdict, third votes of one rater on one comparison, comparisons that a model did not judge.

    \b
    Examples:
      charm study import votes.csv -o study.db
      charm study import votes.csv --scores before=old.parquet \\
          --scores after=new.parquet -o study.db
      charm study import votes.csv --model gpt4=gpt4_winner \\
          --model rm=score_a,score_b -o study.db
      charm study import comparisons.parquet --people human-crowd \\
          --original gpt3 -o llmfao.db
      charm study import arena.jsonl --column rater=judge \\
          --judgements gpt4=judged.parquet -o study.db
    """
    from ...responses import load_responses
    from ...store import read_frame
    from ...study.importing.prompts import texts_of_file
    from ...study.importing.votes import import_votes, study_summary

    output.refuse(force=force)
    columns = read_as.fields("votes")
    if judge_column is not None:
        columns["judge"] = judge_column
    frame = read_frame(votes, texts=[*columns.values(), "winner", "prompt_id", "prompt", "rater", "worker"])
    shown = load_responses(responses, columns=read_as.named("responses")) if responses else None
    contending = contenders([str(path) for path in (*scores, *judgements)])
    table = TableSettings.of(read_as.named("scores"))
    models = study_models(contending, table)
    # What each file says of its prompts' texts, should that be asked.
    texts = {one.name: texts_of_file(Path(str(one.source)), table.fields("scores")) for one in contending}
    study = import_votes(
        frame,
        where=str(votes),
        name=name or votes.stem,
        columns=columns,
        people=people,
        original=original,
        anonymous=anonymous,
        first_left=first_left,
        models=models,
        columns_of_models=columns_of_models,
        columns_of_raters=columns_of_raters,
        labels=labels,
        responses=shown,
        texts=texts,
    )
    output.keep(study, force=force)
    found = study_summary(study)
    if as_json:
        print_json(found)
    else:
        print_summary(found)
    say(f"wrote {output}; next: charm study analyse {output.typed}")


def print_summary(found: dict[str, Any]) -> None:
    """What was imported, in a few lines."""
    on = f"{found['votes']:,} votes of {counted(found['raters'], 'rater')} on {found['comparisons']:,} comparisons"
    heading(f"Study {found['name']}: {on}")
    conclude(f"{found['name']}: {on}")
    echo(f"  {counted(found['prompts'], 'prompt')}, {counted(found['policies'], 'policy', 'policies')}")
    if found["repeats"]:
        echo(
            f"  {counted(found['repeats'], 'vote')} of raters who saw the comparison again: they tell consistency"
        )
    models = found["models"]
    echo(
        f"  held against: {listing(models, limit=8)}"
        if models
        else "  held against no model: ratings and raters alone"
    )
    if len(models) > 1:
        echo(f"  compared with {models[0]!r} (--original NAME chooses another)")
    for reason, count in found["dropped"].items():
        echo(f"  left out: {count:,} ({reason})")
    if not found["texts"]:
        echo(
            "  without texts: it can be analysed and exported, not shown to raters (--responses TABLE brings them)"
        )
    echo(f"  about {found['target']}: nobody knows how they were chosen, so each weighs the same")
