"""``charm audit``: hold scores, judgements or published win rates against human ratings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..settings import AuditSettings, RatingsChoice
from .common import heading, interval, print_json, say
from .families import contrasts_of, print_families
from .options import (
    PATH,
    force_option,
    json_option,
    judgement_options,
    output_option,
    ratings_options,
    seed_option,
    settings_options,
    top_option,
)
from .print_audit import favour_words, print_audit

if TYPE_CHECKING:
    from ..mismatch import Audit, FamilyContrasts


@click.command("audit")
@click.argument("scores", type=PATH, required=False)
@ratings_options
@judgement_options
@settings_options(AuditSettings, "settings")
@seed_option
@click.option(
    "--example", is_flag=True, help="Audit the shipped example: a real judge's published win rates."
)
@click.option(
    "--group",
    "groups",
    type=PATH,
    metavar="FILE",
    help="CSV (policy, group): also measure the favour shown to each group, beside all others.",
)
@click.option("--own", metavar="GROUP", help="The judge's own group: does it favour policies of its maker?")
@top_option(12)
@output_option(what="Folder for tables (Parquet, JSON) and the HTML report.")
@force_option
@json_option
def command(
    scores: Path | None,
    ratings: RatingsChoice,
    annotator: str | None,
    baseline: str | None,
    settings: AuditSettings,
    seed: int,
    example: bool,
    groups: Path | None,
    own: str | None,
    top: int,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Which policies does a reward model or judge play favourites with, by how much, is it real?

    SCORES is a table (Parquet, CSV, JSONL) of per-response scores (prompt_id, policy, score), per-prompt
    judgements (prompt_id, policy, reference, margin; or an AlpacaEval, Arena-Hard or MT-Bench file as it is) or
    published win rates (policy, reference, win_rate, std_err or n). Ratings come from the shipped Arena table or
    your own file.

    Two answers are given. Favour, in Elo points per policy, compares the RM's own ranking with people's and
    needs no reference policy; sharpness says how decided the RM is (1: as people are). Mismatch compares win
    rates pair by pair. q-values are adjusted for all the tests in the table.

    \b
    Examples:
      charm audit --example
      charm audit scores.parquet --ratings arena
      charm audit scores.parquet --ratings arena:coding --reference gpt-4o-mini-2024-07-18 -o audit
      charm audit judged.csv --ratings my_ratings.csv --alias names.csv --unrated skip --json
      charm audit annotations.json --ratings arena --outcome soft
      charm audit arena-hard-v0.1/model_judgment/JUDGE --ratings arena --baseline gpt-4-0314
      charm audit judged.parquet --ratings arena --group makers.csv --own OpenAI
    """
    from ..mismatch import audit, read_groups
    from ..store import refuse_existing

    how = {**settings.values(), "seed": seed, "unrated": ratings.unrated}
    if output:
        refuse_existing(output, force=force)
    if own is not None and groups is None:
        raise click.UsageError("--own names a group of the file that --group gives")
    members = None if groups is None else read_groups(groups)
    if example:
        if members is not None:
            raise click.UsageError("--group is for audits of your own scores")
        _audit_example(how, top=top, output=output, force=force, as_json=as_json)
        return
    if scores is None or ratings.source is None:
        raise click.UsageError("give SCORES and --ratings, or try: charm audit --example")
    from ..ratings import load_ratings
    from ..sources import load_source

    table = load_ratings(ratings.source, category=ratings.category, date=ratings.date)
    source = load_source(scores, annotator=annotator, baseline=baseline)
    found = audit(source, table, aliases=ratings.aliases, **how)
    families = None
    if members is not None:
        families = contrasts_of(found, source, table, members, own=own, aliases=ratings.aliases, how=how)
    if as_json:
        print_json(found.to_json() | ({} if families is None else {"families": families.to_json()}))
    else:
        print_audit(found, title=scores.name, top=top)
        if families is not None:
            print_families(families)
    if output:
        _save(found, output, force=force, families=families)


def _audit_example(
    settings: dict[str, Any], *, top: int, output: Path | None, force: bool, as_json: bool
) -> None:
    import warnings

    from ..errors import CharmWarning
    from ..mismatch import audit
    from ..sources import load_example

    judge = load_example()
    raw = audit(judge.win_rates, judge.ratings, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)  # the raw audit has just said the same
        controlled = audit(judge.length_controlled, judge.ratings, **settings)
    if as_json:
        print_json(raw.to_json() | {"length_controlled": controlled.to_json()})
    else:
        print_audit(raw, title=f"{judge.name}, published win rates", top=top)
        _print_baseline(judge.baseline, {"raw": raw, "length-controlled": controlled})
    if output:
        _save(raw, output, force=force)


def _print_baseline(baseline: str, audits: dict[str, Audit]) -> None:
    import polars as pl

    from ..mismatch.words import SCOPES

    scope = next(iter(audits.values())).provenance["settings"]["scope"]
    heading(f"Favour shown to the judge's own baseline, {baseline} ({SCOPES[scope]})")
    for name, found in audits.items():
        if found.favouritism is not None and found.sharpness is not None:
            row = found.favouritism.frame.row(by_predicate=pl.col("policy") == baseline, named=True)
            click.echo(
                f"  {name + ':':19s}{favour_words(row)}, {row['verdict']}; sharpness {interval(found.sharpness)}"
            )


def _save(found: Audit, folder: Path, *, force: bool, families: FamilyContrasts | None = None) -> None:
    from ..mismatch import save_audit, save_families
    from ..report import write_report
    from ..store import replacing_directory

    with replacing_directory(folder, force=force) as temporary:
        save_audit(found, temporary)
        if families is not None:
            save_families(families, temporary)
        write_report(temporary)
    say(f"wrote {folder} (open {folder / 'report.html'})")
