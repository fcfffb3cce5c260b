"""``charm influence``: what carries a finding."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..estimates import signed
from ..settings import (
    MOST_PRIOR,
    AuditSettings,
    FitSettings,
    RatingsChoice,
    ScoreSettings,
    TableSettings,
    Votes,
)
from .common import conclude, echo, heading, print_frame, print_json, say
from .help import CharmCommand
from .options import (
    PATH,
    Rows,
    force_option,
    given_paths,
    json_option,
    option_of,
    output_option,
    ratings_options,
    settings_options,
    table_options,
)

if TYPE_CHECKING:
    import polars as pl

    from ..mismatch import Influence


@click.command("influence", cls=CharmCommand)
@click.argument("scores", type=PATH)
@ratings_options
@option_of(ScoreSettings, "annotator", "--annotator")
@option_of(ScoreSettings, "baseline")
@table_options("scores")
@settings_options(AuditSettings, "settings", but=("references", "candidates", "ties", "draws"))
@click.option(
    "--battles",
    type=PATH,
    help="Human votes to fit the ratings to, instead of --ratings; votes are then left out, too.",
)
@click.option(
    "--prior",
    type=click.FloatRange(min=0, max=MOST_PRIOR),
    default=0.0,
    metavar="N",
    help="Prior of the fit to --battles, in pseudo-battles.",
)
@option_of(FitSettings, "votes")
@option_of(FitSettings, "judge")
@click.option("--policy", help="Whose favour (default: the most favoured).")
@click.option(
    "--top",
    type=Rows(1),
    default=10,
    show_default=True,
    help="How many prompts, and kinds of votes, to refit exactly and print.",
)
@output_option(what="Folder for tables (Parquet) and influence.json.")
@force_option
@json_option
def command(
    scores: Path,
    ratings: RatingsChoice,
    annotator: str | None,
    baseline: str | None,
    read_as: TableSettings,
    settings: AuditSettings,
    battles: Path | None,
    prior: float,
    votes: Votes,
    judge: str | None,
    policy: str | None,
    top: int,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Which policies, prompts or votes carry a finding: how much does the favour change without them?

    SCORES are scores, judgements or published win rates, as `charm audit` takes them (published ones: policies only). The change
    for each prompt and vote is first approximated by linear algebra; the largest are then refitted exactly, and their
    verdicts are those of an audit without them. Votes of one kind (same two policies, same outcome) are left out together.

    \b
    Examples:
      charm influence scores.parquet --ratings arena
      charm influence scores.parquet --ratings example \\
          --policy gemma-2-9b-it-SimPO --top 20
      charm influence scores.parquet --battles votes.parquet -o influence
    """
    from ..folders import refuse_folder, replacing_directory
    from ..mismatch import influence, save_influence
    from ..pipeline.stages.ratings import chosen_ratings
    from ..ratings import load_battles
    from ..sources import load_source

    if output:
        refuse_folder(output, force=force, inputs=given_paths())
    if (battles is None) == (ratings.source is None):
        raise click.UsageError("give either --ratings or --battles")
    if battles is None and prior:
        raise click.UsageError("--prior is of the fit to --battles")
    if battles is None and annotator is None:  # there are no votes: the judge is that of the judgements
        annotator = judge
    if battles is None:
        known: Any = chosen_ratings(ratings)
    else:
        known = load_battles(battles, votes=votes, judge=judge)
    source = load_source(scores, annotator=annotator, baseline=baseline, table=read_as)
    how = settings.accepted_by(influence) | {"policy": policy, "top": top, "prior": prior}
    found = influence(source, known, aliases=ratings.aliases, unrated=ratings.unrated, **how)
    if as_json:
        print_json(found.to_json())
    else:
        print_influence(found, title=scores.name, top=top)
    if output:
        with replacing_directory(output, force=force) as folder:
            save_influence(found, folder)
        say(f"wrote {output}")


def print_influence(found: Influence, *, title: str, top: int) -> None:
    """Print what carries a favour: in sentences, then policies, prompts and votes left out."""
    heading(
        f"What carries the favour of {found.policy} in {title}: {signed(found.favour, 1)} Elo, {found.verdict}"
    )
    conclude(
        f"{found.policy}: {signed(found.favour, 1)} Elo, {found.verdict}; {' '.join(found.sentences[:1])}"
    )
    for line in found.sentences:
        echo(f"  {line}")
    _print_rows(found.policies, ["policy"], "Policies, each left out", top)
    if found.prompts is not None:
        _print_rows(found.prompts, ["prompt_id"], "Prompts, each left out", top)
    if found.votes is not None:
        kind = ["policy_a", "policy_b", "winner", "n", "change_per_vote"]
        _print_rows(found.votes, kind, "Votes, all of a kind left out", top)


def _print_rows(frame: pl.DataFrame, key: list[str], title: str, top: int) -> None:
    rows = frame.head(top).select(*key, "change", "favour", "sharpness", "verdict")
    print_frame(
        rows,
        title=f"{title}: change of the favour in Elo points, and what is left",
        digits=2,
        extra=("sharpness",),
        full=frame,
    )
