"""``charm audit``: hold scores, judgements or published win rates against human ratings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..settings import AuditSettings, OutOfCoreSettings, RatingsChoice, ReportSettings, TableSettings
from .common import echo, heading, interval, print_json, say
from .fail_if import Gate, apply_gates, fail_if_option
from .families import contrasts_of, members_of, print_families
from .help import CharmCommand
from .measured import AUDIT_NAMES, audit_figures
from .options import (
    PATH,
    force_option,
    given_paths,
    json_option,
    judgement_options,
    option_of,
    output_option,
    ratings_options,
    seed_option,
    settings_options,
    table_options,
    top_option,
)
from .out_of_core import engine_options, opened
from .print_audit import favour_words, print_audit
from .prompts import PromptChoice, prompt_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..mismatch import Audit
    from ..settings import Scope


@click.command("audit", cls=CharmCommand)
@click.argument("scores", type=PATH, required=False)
@ratings_options
@judgement_options
@table_options("scores", "responses")
@prompt_options
@engine_options
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
@click.option(
    "--calibrator",
    type=PATH,
    help="Candidates: a style calibrator (charm calibrate --style), for the favour that their style should bring them.",
)
@click.option("--responses", type=PATH, help="Candidates: the responses that were scored, for --calibrator.")
@click.option("--own", metavar="GROUP", help="The judge's own group: does it favour policies of its maker?")
@fail_if_option(AUDIT_NAMES)
@top_option(12)
@option_of(ReportSettings, "title")
@output_option(what="Folder for tables (Parquet, JSON) and the HTML report.")
@force_option
@json_option
def command(
    scores: Path | None,
    ratings: RatingsChoice,
    annotator: str | None,
    baseline: str | None,
    read_as: TableSettings,
    prompts: PromptChoice,
    reading: OutOfCoreSettings,
    settings: AuditSettings,
    seed: int,
    example: bool,
    groups: Path | None,
    calibrator: Path | None,
    responses: Path | None,
    own: str | None,
    gates: tuple[Gate, ...],
    top: int,
    title: str | None,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Which policies does a reward model or judge favour, by how much, and is it real?

    SCORES is one of: a table (Parquet, CSV, JSONL) of scores per response (prompt_id, policy, score); judgements per prompt
    (prompt_id, policy, reference, margin; or a file of AlpacaEval, Arena-Hard, MT-Bench, Inspect or promptfoo); or
    published win rates (policy, reference, win_rate, std_err or n). Ratings come from the shipped Arena table or your own file.
    Other names of columns and other layouts are read, too; `charm convert SCORES` shows how.
    Scores may be a folder or a pattern of Parquet files, rows in any order. What would take more than --memory is streamed.

    Favour is how many Elo points the model places a policy above its human rating, sharpness aside; it needs no reference
    policy. Sharpness is how decided the model is between policies (1: as people are). Mismatch compares the win rates of two policies. q-values are adjusted for
    all the tests in the table.

    A policy of your own, without a human rating, is placed beside the rated ones by --candidate: what people would rate it if the model
    favoured it like the average policy. With --calibrator and --responses also the favour that its style should bring it. docs/candidate.md

    Of several samples of a policy on a prompt, --sample all compares every sample of one policy with every sample of the other, averaged
    within the prompt.

    \b
    Examples:
      charm audit --example
      charm audit scores.parquet --ratings arena
      charm audit scores.parquet --ratings arena:coding \\
          --reference gpt-4o-mini-2024-07-18 -o audit
      charm audit judged.csv --ratings my_ratings.csv --alias names.csv \\
          --unrated skip --json
      charm audit annotations.json --ratings arena --outcome soft
      charm audit calibrated.parquet --ratings arena --split test
      charm audit gpt-4_single.jsonl --ratings arena --unrated skip
      charm audit inspect-logs --judge model_graded_qa --ratings arena \\
          --alias aliases.csv
      charm audit arena-hard-v0.1/model_judgment/JUDGE --ratings arena \\
          --baseline gpt-4-0314
      charm audit judged.parquet --ratings arena --group makers.csv --own OpenAI
      charm audit scores.parquet --ratings arena --candidate my-model
      charm audit scores.parquet --ratings arena --candidate my-model \\
          --calibrator calibrator.json --responses responses.parquet
      charm audit scores.parquet --ratings arena --sample all
      charm audit scores.parquet --ratings arena --fail-if "favour.low>50"
      charm audit "scores/*.parquet" --ratings arena --memory 4GB -o audit
    """
    from ..folders import refuse_folder

    if output:
        refuse_folder(output, force=force, inputs=given_paths())
    members = members_of(groups, own)
    if example:
        _refuse_with_example(
            scores,
            members,
            annotator,
            baseline,
            calibrator,
            responses,
            settings.candidates or None,
            own_ratings=ratings != RatingsChoice(),
            chosen=prompts != PromptChoice(),
        )
        found = _audit_example(
            settings, seed, top=top, output=output, force=force, as_json=as_json, title=title
        )
        apply_gates(gates, audit_figures(found.to_json()))
        return
    if scores is None or ratings.source is None:
        raise click.UsageError("give SCORES and --ratings, or try: charm audit --example")
    _refuse_unused(calibrator, responses, settings.candidates, read_as)
    from ..pipeline.stages.audit import audit_source, save_with_report, with_style
    from ..pipeline.stages.ratings import chosen_ratings
    from ..provenance import file_records, source_name
    from ..sources import load_source

    table = chosen_ratings(ratings)
    how: dict[str, Any] = {"seed": seed, "aliases": ratings.aliases, "unrated": ratings.unrated}
    judged = {"annotator": annotator, "baseline": baseline}
    alone: dict[str, object] = {
        "--group": groups,
        "--candidate": settings.candidates,
        "--calibrator": calibrator,
    }
    alone |= {"--judge": annotator, "--baseline": baseline}
    with opened(
        scores,
        reading,
        prompts,
        load=lambda: load_source(scores, table=read_as, **judged),
        table=read_as,
        output=output,
        alone=alone,
    ) as source:
        found = audit_source(source, table, settings, **how)
        if calibrator is not None:
            from ..models import load_any_responses

            texts = load_any_responses(str(responses), columns=read_as.named("responses"))
            found = with_style(found, source, texts, table, calibrator, settings, **how)
        found = replace(found, provenance={**found.provenance, "files": file_records(given_paths())})
        families = None
        if members is not None:
            families = contrasts_of(found, source, table, members, own=own, choice=ratings, settings=settings)
    if as_json:
        print_json(found.to_json() | ({} if families is None else {"families": families.to_json()}))
    else:
        print_audit(found, title=title or source_name(scores), top=top)
        if families is not None:
            print_families(families)
    if output:
        save_with_report(found, output, force=force, families=families, title=title)
        say(f"wrote {output} (open {output / 'report.html'})")
    apply_gates(gates, audit_figures(found.to_json()))


def _refuse_unused(
    calibrator: Path | None, responses: Path | None, candidates: Sequence[str], read_as: TableSettings
) -> None:
    """Options that would be without effect."""
    if (calibrator is None) != (responses is None) or (calibrator is not None and not candidates):
        raise click.UsageError(
            "--calibrator and --responses go together, with --candidate: they tell what favour a candidate's style should bring it"
        )
    if responses is None and (columns := read_as.named("responses")):
        raise click.UsageError(
            f"--column responses.{next(iter(columns))}=... has no effect without --responses: this command reads no table 'responses'"
        )


def _refuse_with_example(*given: object, own_ratings: bool, chosen: bool) -> None:
    """The example has its own scores and ratings: what would be left unused is refused."""
    if own_ratings or chosen or any(one is not None for one in given):
        raise click.UsageError(
            "--example audits the shipped judge against shipped ratings: leave out SCORES, --ratings and their options "
            "(--category, --date, --alias, --unrated, --judge, --baseline, --prompts, --split, --group, --candidate), or --example"
        )


def _audit_example(
    settings: AuditSettings,
    seed: int,
    *,
    top: int,
    output: Path | None,
    force: bool,
    as_json: bool,
    title: str | None,
) -> Audit:
    import warnings

    from ..errors import CharmWarning
    from ..pipeline.stages.audit import audit_source, save_with_report, variants_of
    from ..sources import load_example

    judge = load_example()
    raw = audit_source(judge.win_rates, judge.ratings, settings, seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)  # the raw audit has just said the same
        controlled = audit_source(judge.length_controlled, judge.ratings, settings, seed=seed)
    title = title or f"{judge.name}, published win rates"
    ways = {"raw": raw, "length-controlled": controlled}
    variants = variants_of(judge.baseline, ways, role="the judge's own baseline")
    if as_json:
        print_json(raw.to_json() | {"length_controlled": controlled.to_json()})
    else:
        print_audit(raw, title=title, top=top)
        _print_variants(judge.baseline, variants, scope=settings.scope)
    if output:
        save_with_report(raw, output, force=force, title=title, variants=variants)
        say(f"wrote {output} (open {output / 'report.html'})")
    return raw


def _print_variants(baseline: str, variants: list[dict[str, Any]], *, scope: Scope) -> None:
    from ..estimates import Estimate
    from ..mismatch.words import SCOPES

    heading(f"Favour shown to the judge's own baseline, {baseline} ({SCOPES[scope]})")
    for row in variants:
        sharpness = interval(Estimate(**row["sharpness"]))
        echo(f"  {row['name'] + ':':19s}{favour_words(row)}, {row['verdict']}; sharpness {sharpness}")
