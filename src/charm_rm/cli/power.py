"""``charm power``: how many prompts an effect takes, how many votes a rating."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..settings import AuditSettings, RatingsChoice, TableSettings
from .common import print_json
from .help import CharmCommand
from .options import (
    PATH,
    json_option,
    judgement_options,
    ratings_options,
    settings_options,
    table_options,
)
from .print_power import print_plans

if TYPE_CHECKING:
    from ..planning import Asked, How, Plan, World


@click.command("power", cls=CharmCommand)
@click.argument("pilot", type=PATH, nargs=-1)
@click.option(
    "--favour",
    type=float,
    metavar="ELO",
    help="See a favour of so many Elo points; of two tables: a difference of favour.",
)
@click.option(
    "--mismatch",
    type=float,
    metavar="X",
    help="See a mismatch P̂ - P of so much in one pair, between 0 and 1.",
)
@click.option(
    "--accuracy",
    type=float,
    metavar="X",
    help="See such a difference of benchmark accuracy between two models, between 0 and 1.",
)
@click.option(
    "--rating-width",
    type=float,
    metavar="ELO",
    help="Votes for ratings known to ± so many Elo points (95 %).",
)
@click.option(
    "--policy", metavar="POLICY", help="Plan for the favour of this policy (default: the mean over policies)."
)
@click.option(
    "--prompts",
    type=int,
    multiple=True,
    metavar="N",
    help="Say what N prompts (items) would show; repeatable.",
)
@click.option(
    "--power",
    "wanted",
    type=float,
    default=0.8,
    show_default=True,
    help="The chance of finding what is there.",
)
@click.option(
    "--alpha", type=float, default=0.05, show_default=True, help="The level that q is held against."
)
@click.option(
    "--tests",
    type=int,
    metavar="N",
    help="Tests that q adjusts for (default: those of the audit or comparison).",
)
@click.option("--policies", type=int, metavar="K", help="Without a pilot: assume K policies.")
@click.option(
    "--models",
    "n_models",
    type=click.IntRange(1, 2),
    default=1,
    show_default=True,
    help="Without a pilot: one model, or the difference of two.",
)
@click.option(
    "--spread",
    type=float,
    default=80.0,
    show_default=True,
    metavar="ELO",
    help="Assumed standard deviation of the policies' ratings.",
)
@click.option(
    "--rating-error",
    type=float,
    default=5.0,
    show_default=True,
    metavar="ELO",
    help="Assumed standard error of a rating.",
)
@click.option(
    "--sharpness", type=float, default=1.0, show_default=True, help="Assumed sharpness of the model."
)
@click.option(
    "--scatter",
    type=float,
    default=0.0,
    show_default=True,
    metavar="ELO",
    help="Assumed scatter of the other policies' favours.",
)
@click.option(
    "--agreement",
    type=float,
    default=0.5,
    show_default=True,
    help="Assumed share of prompts on which chance strikes two models alike.",
)
@click.option(
    "--discordant",
    type=float,
    metavar="SHARE",
    help="Assumed share of items that one of two models alone has right.",
)
@click.option(
    "--ties",
    type=float,
    default=0.0,
    show_default=True,
    metavar="SHARE",
    help="Assumed share of ties among votes.",
)
@click.option(
    "--battles",
    type=PATH,
    help="Votes as the pilot of --rating-width: their errors, clusters of voters included, are scaled.",
)
@ratings_options
@judgement_options
@table_options("first", "second")
@settings_options(AuditSettings, "settings", but=("references", "ties", "draws"))
@json_option
def command(
    pilot: tuple[Path, ...],
    ratings: RatingsChoice,
    annotator: str | None,
    baseline: str | None,
    read_as: TableSettings,
    settings: AuditSettings,
    as_json: bool,
    **asked: Any,
) -> None:
    """How many prompts does a finding take, how many votes a rating, and what can so many show?

    From a pilot: PILOT is a table of scores or judgements, held against --ratings; two tables are two models whose difference is
    planned for; two folders of `charm evaluate -o` are two models on benchmarks. How far its numbers vary from prompt to prompt is
    scaled to other numbers of prompts. What the ratings themselves leave in doubt is not: below that floor no number of prompts helps,
    which is said.

    Without a pilot, from assumptions: --policies, --spread, --rating-error, --sharpness, --scatter (two models: --models 2 and
    --agreement; benchmarks: --discordant; votes: --ties). How many votes tell whether people agree more with one model than with
    another is planned by `charm study plan`.

    \b
    Examples:
      charm power pilot.parquet --ratings arena
      charm power pilot.parquet --ratings arena --favour 30 --prompts 500
      charm power old.parquet new.parquet --ratings arena --favour 20
      charm power eval_old eval_new --accuracy 0.01
      charm power --policies 20 --rating-error 6 --favour 50
      charm power --policies 20 --mismatch 0.05 --power 0.9
      charm power --discordant 0.2 --accuracy 0.02
      charm power --policies 20 --rating-width 10 --ties 0.3
    """
    words = Words(asked, ratings, annotator, baseline, read_as, settings)
    plans = list(_plans(pilot, words))
    votes = _votes(words)
    if not plans and votes is None:
        raise click.UsageError(
            "give a pilot (a table of scores and --ratings, or two evaluations), or assumptions (--policies, --discordant)"
        )
    if as_json:
        print_json({"plans": [plan.to_json() for plan in plans], "votes": votes})
        return
    print_plans(plans, votes)


class Words:
    """What the options say."""

    def __init__(
        self,
        asked: dict[str, Any],
        ratings: RatingsChoice,
        annotator: str | None,
        baseline: str | None,
        read_as: TableSettings,
        settings: AuditSettings,
    ) -> None:
        self.ratings, self.annotator, self.baseline = ratings, annotator, baseline
        self.read_as, self.settings = read_as, settings
        self.asked = asked

    def __getitem__(self, name: str) -> Any:
        return self.asked[name]

    @property
    def how(self) -> How:
        """How a pilot is held against ratings."""
        from ..planning import How

        one = self.settings
        return How(self.ratings.aliases, self.ratings.unrated, one.outcome, one.temperature, one.scope)

    @property
    def plan(self) -> Asked:
        """Power, level, tests, prompts."""
        from ..planning import Asked

        return Asked(self["wanted"], self["alpha"], self["tests"], tuple(self["prompts"]))

    @property
    def world(self) -> World:
        """The assumptions."""
        from ..planning import World

        names = ("policies", "spread", "rating_error", "sharpness", "scatter", "agreement")
        return World(**{name: self[name] for name in names})

    def effects(self) -> tuple[float | None, float | None]:
        """Favour and mismatch to plan for: both, where nothing is asked for."""
        favour, mismatch = self["favour"], self["mismatch"]
        nothing = all(self[name] is None for name in ("favour", "mismatch", "accuracy", "rating_width"))
        return (50.0, 0.1) if nothing else (favour, mismatch)


def _plans(pilot: Sequence[Path], words: Words) -> Iterator[Plan]:
    from ..comparison import is_evaluation

    if len(pilot) > 2:
        raise click.UsageError("a pilot is one table, or two of two models")
    folders = [is_evaluation(path) for path in pilot]
    if any(folders):
        if folders != [True, True]:
            raise click.UsageError("benchmarks are planned from two evaluations: give two folders")
        yield from _of_evaluations(pilot, words)
    elif pilot:
        yield from _of_tables(pilot, words)
    else:
        yield from _assumed(words)


def _of_evaluations(pilot: Sequence[Path], words: Words) -> list[Plan]:
    from ..comparison import read_evaluation
    from ..planning import plan_accuracy

    first, second = (read_evaluation(path) for path in pilot)
    accuracy = 0.02 if words["accuracy"] is None else words["accuracy"]
    return plan_accuracy(first, second, accuracy=accuracy, asked=words.plan)


def _of_tables(pilot: Sequence[Path], words: Words) -> Iterator[Plan]:
    from ..pipeline.stages.ratings import chosen_ratings
    from ..planning import plan_favour, plan_favour_gap, plan_mismatch
    from ..sources import load_source

    if words.ratings.source is None:
        raise click.UsageError("give --ratings")
    ratings = chosen_ratings(words.ratings)
    names = ("first", "second")
    sources = [
        load_source(
            path,
            annotator=words.annotator,
            baseline=words.baseline,
            table=words.read_as.part(name, first=True),
        )
        for name, path in zip(names, pilot, strict=False)
    ]
    how: dict[str, Any] = {"asked": words.plan, "how": words.how}
    favour, mismatch = words.effects()
    if favour is not None and len(sources) == 1:
        yield plan_favour(sources[0], ratings, favour=favour, policy=words["policy"], **how)
    if favour is not None and len(sources) == 2:
        first, second = sources
        yield plan_favour_gap(first, second, ratings, favour=favour, policy=words["policy"], **how)
    if mismatch is not None and len(sources) == 1:
        yield plan_mismatch(sources[0], ratings, mismatch=mismatch, **how)


def _assumed(words: Words) -> Iterator[Plan]:
    from ..planning import assume_accuracy, assume_favour, assume_favour_gap, assume_mismatch

    if words["discordant"] is not None:
        accuracy = 0.02 if words["accuracy"] is None else words["accuracy"]
        yield assume_accuracy(words["discordant"], accuracy=accuracy, asked=words.plan)
    elif words["accuracy"] is not None:
        raise click.UsageError("--accuracy needs a pilot (two evaluations) or --discordant")
    if words["policies"] is None:
        return
    how: dict[str, Any] = {"asked": words.plan, "how": words.how}
    favour, mismatch = words.effects()
    if favour is not None:
        assume = assume_favour if words["n_models"] == 1 else assume_favour_gap
        yield assume(words.world, favour=favour, **how)
    if mismatch is not None and words["n_models"] == 1:
        yield assume_mismatch(words.world, mismatch=mismatch, **how)


def _votes(words: Words) -> dict[str, Any] | None:
    """Votes for ratings of a width; None where none is asked for."""
    width = words["rating_width"]
    if width is None:
        return None
    from ..planning import scaled_votes, votes_for_width
    from ..ratings import fit_ratings, load_battles

    if words["battles"] is not None:
        fitted = fit_ratings(load_battles(words["battles"]))
        votes = int(fitted.provenance["n_battles"])
        errors = fitted.frame["std_err"].drop_nulls().to_numpy()
        found = scaled_votes(width, votes=votes, std_err=errors)
        return {"half_width": width, "needed": found, "basis": {"battles": votes, "policies": len(fitted)}}
    if words["policies"] is None:
        raise click.UsageError("--rating-width needs --battles or --policies")
    world = words.world
    needed = votes_for_width(width, policies=world.policies, spread=world.spread, ties=words["ties"])
    basis = {"assumed": True, "policies": world.policies, "spread": world.spread, "ties": words["ties"]}
    return {"half_width": width, "needed": needed, "basis": basis}
