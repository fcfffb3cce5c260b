"""``charm compare``: reward models or judges side by side, paired by prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import counted, listing
from ..settings import AuditSettings, RatingsChoice, TableSettings
from .common import conclude, echo, heading, interval_column, print_frame, print_json, q_column, say
from .fail_if import Gate, apply_gates, fail_if_option
from .help import CharmCommand
from .measured import COMPARE_NAMES, comparison_figures, models_figures
from .options import (
    PATH,
    force_option,
    given_paths,
    json_option,
    judgement_options,
    output_option,
    ratings_options,
    seed_option,
    settings_options,
    table_options,
    top_option,
)
from .print_audit import favour_words
from .print_models import print_models
from .side_by_side import contenders, evaluation_file, is_plain, load_contender

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..mismatch import FavourComparison
    from ..tables import Margins, Scores, WinRates

    _Load = Callable[[Path, TableSettings], Scores | Margins | WinRates]


@click.command("compare", cls=CharmCommand)
@click.argument("first", type=PATH)
@click.argument("second", type=PATH)
@click.argument("more", type=PATH, nargs=-1)
@ratings_options
@judgement_options
@table_options("first", "second")
@click.option(
    "--second-reward-model",
    "second_model",
    metavar="NAME",
    help="Whose scores of SECOND, where it is another model than --reward-model: two models of one file.",
)
@click.option(
    "--reference-model",
    "reference",
    metavar="NAME",
    help="Of several models the one that all others are compared with (default: the first).",
)
@click.option("--all-pairs", is_flag=True, help="Compare every two of several models.")
@click.option("--subsets", is_flag=True, help="Compare every figure of each benchmark, not its last alone.")
@settings_options(AuditSettings, "settings", but=("references", "candidates", "ties"))
@seed_option
@fail_if_option(COMPARE_NAMES)
@top_option(12)
@output_option(what="Folder for tables (Parquet), comparison.json and, of several models, comparison.html.")
@force_option
@json_option
def command(
    first: Path,
    second: Path,
    more: tuple[Path, ...],
    ratings: RatingsChoice,
    annotator: str | None,
    baseline: str | None,
    read_as: TableSettings,
    second_model: str | None,
    reference: str | None,
    all_pairs: bool,
    subsets: bool,
    settings: AuditSettings,
    seed: int,
    gates: tuple[Gate, ...],
    top: int,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Reward models or judges side by side: whom do they favour, where do they differ, who is better?

    Two tables, FIRST and SECOND, are scores or judgements as `charm audit` takes them. Only prompts and policies that both have are used.
    Differences are FIRST minus SECOND, in Elo points of favour. Both are measured on the same prompts and ratings, whose
    noise cancels: a difference is known much better than from two separate audits. A sharper model is not a more biased one:
    sharpness and rank correlation have rows of their own.

    More models, or models with benchmarks, are each given as [NAME=]TABLE[,EVALUATION]: a table of scores or judgements, a folder that
    `charm evaluate -o` wrote, or both. TABLE@WHOSE chooses one model or judge of a table with several. Each is compared with the first
    (or --reference-model, or --all-pairs) on sharpness, rank correlation, mismatch, favour by policy and benchmark accuracies, each
    difference paired by prompt with its interval, p, and q over all that is shown. -o writes one page, comparison.html.

    \b
    Examples:
      charm compare old_rm.parquet new_rm.parquet --ratings arena
      charm compare rm.parquet judged.parquet --ratings ratings.parquet \\
          -o comparison
      charm compare before.parquet after.parquet --ratings arena:coding --json
      charm compare all.csv all.csv --ratings arena --reward-model old \\
        --second-reward-model new
      charm compare new_rm.parquet old_rm.parquet --ratings arena \\
          --fail-if "difference.low>20"
      charm compare a.parquet b.parquet c.parquet --ratings arena --all-pairs
      charm compare old=old.parquet,eval_old new=new.parquet,eval_new \\
          --ratings arena -o comparison
      charm compare eval_old eval_new --subsets
      charm compare judged.json@gpt4 judged.json@claude rm.csv --ratings arena
    """
    words = [str(path) for path in (first, second, *more)]
    several = reference is not None or all_pairs or subsets or not is_plain(words)
    how = _Asked(ratings, annotator, baseline, read_as, settings, seed, gates, top, output, force, as_json)
    if several:
        if second_model is not None:
            raise click.UsageError("--second-reward-model is of two tables: write TABLE@MODEL for each model")
        _compare_several(words, how, reference=reference, all_pairs=all_pairs, subsets=subsets)
    else:
        _compare_two(first, second, second_model, how)


@dataclass(frozen=True)
class _Asked:
    """What the options say, whether two models are compared or several."""

    ratings: RatingsChoice
    annotator: str | None
    baseline: str | None
    read_as: TableSettings
    settings: AuditSettings
    seed: int
    gates: tuple[Gate, ...]
    top: int
    output: Path | None
    force: bool
    as_json: bool


def _no_ratings(tables: Sequence[Path]) -> click.UsageError:
    """Tables are held against ratings; what was meant as an evaluation may not be there."""
    if gone := [path for path in tables if not path.exists() and "*" not in str(path)]:
        return click.UsageError(f"{listing(map(str, gone))}: no such file or folder")
    return click.UsageError(
        f"give --ratings: {listing(map(str, tables))} {'are tables' if len(tables) > 1 else 'is a table'} of scores or judgements "
        "(a folder of charm evaluate -o has evaluation.json)"
    )


def _compare_two(first: Path, second: Path, second_model: str | None, how: _Asked) -> None:
    from ..folders import refuse_folder, replacing_directory
    from ..mismatch import compare_favour, save_comparison
    from ..pipeline.stages.ratings import chosen_ratings
    from ..sources import load_source

    ratings, output = how.ratings, how.output
    if output:
        refuse_folder(output, force=how.force, inputs=given_paths())
    if ratings.source is None:
        raise _no_ratings([first, second])
    table = chosen_ratings(ratings)
    tables = how.read_as.part("first", first=True), how.read_as.part("second", first=True)
    if second_model is not None:
        tables = tables[0], replace(tables[1], reward_model=second_model)

    def load(path: Path, table: TableSettings) -> Scores | Margins | WinRates:
        return load_source(path, annotator=how.annotator, baseline=how.baseline, table=table)

    one = _first(load, first, tables[0])
    other = _second(load, second, tables[1], chosen=second_model is not None)
    settings = how.settings.accepted_by(compare_favour)
    found = compare_favour(
        one, other, table, aliases=ratings.aliases, unrated=ratings.unrated, seed=how.seed, **settings
    )
    if how.as_json:
        print_json(found.to_json())
    else:
        print_comparison(found, first=_shown(first), second=_shown(second), top=how.top)
    if output:
        with replacing_directory(output, force=how.force) as folder:
            save_comparison(found, folder)
        say(f"wrote {output}")
    apply_gates(how.gates, comparison_figures(found))


def _compare_several(
    words: Sequence[str], how: _Asked, *, reference: str | None, all_pairs: bool, subsets: bool
) -> None:
    from ..comparison import compare_models, save_models
    from ..folders import refuse_folder, replacing_directory
    from ..pipeline.stages.ratings import chosen_ratings
    from ..provenance import file_records, versions
    from ..report.comparison import write_comparison

    models = contenders(words)
    paths = [path for one in models for path in one.paths]
    output = how.output
    if output:
        refuse_folder(output, force=how.force, inputs=[*paths, *given_paths()])
    scored = [one for one in models if one.source is not None]
    if scored and how.ratings.source is None:
        raise _no_ratings([one.source for one in scored if one.source is not None])
    table = how.read_as.part("first", first=True)
    found = compare_models(
        {
            one.name: load_contender(one, annotator=how.annotator, baseline=how.baseline, table=table)
            for one in scored
        },
        chosen_ratings(how.ratings) if scored else None,
        evaluations={one.name: one.evaluation for one in models if one.evaluation is not None},
        order=[one.name for one in models],
        reference=reference,
        all_pairs=all_pairs,
        subsets=subsets,
        aliases=how.ratings.aliases,
        unrated=how.ratings.unrated,
        seed=how.seed,
        **how.settings.accepted_by(compare_models),
    )
    read = [*paths, *(evaluation_file(one) for one in models if one.evaluation)]
    record = {"files": file_records([p for p in read if p.is_file()]), "versions": versions()}
    found = replace(found, provenance={**found.provenance, **record})
    if how.as_json:
        print_json(found.to_json())
    else:
        print_models(found, top=how.top)
    if output:
        with replacing_directory(output, force=how.force) as folder:
            save_models(found, folder)
            write_comparison(found, folder / "comparison.html")
        say(f"wrote {output}")
    apply_gates(how.gates, models_figures(found))


def _first(load: _Load, path: Path, table: TableSettings) -> Scores | Margins | WinRates:
    """The first table; a choice of a reward model that it does not have may be one of the second."""
    from ..errors import NoModels

    try:
        return load(path, table)
    except NoModels as error:
        error.fix = f"leave it out (of the second table alone: --second-reward-model {table.reward_model!r}), or say which column names models"
        raise


def _second(load: _Load, path: Path, table: TableSettings, *, chosen: bool) -> Scores | Margins | WinRates:
    """The second table. A choice made for the first (``chosen`` is false) goes for it only where it names reward models."""
    from ..errors import NoModels, SeveralModels

    try:
        return load(path, table)
    except SeveralModels as error:
        error.fix = (error.fix or "").replace("--reward-model", "--second-reward-model")
        raise
    except NoModels:
        if chosen:
            raise
        say(
            f"note: {path} names no reward model: --reward-model {table.reward_model} goes for the first table alone"
        )
        return load(path, replace(table, reward_model=None))


def _shown(path: Path) -> str:
    """What a table is called: a folder, ``.`` too, by its name."""
    return path.stem or path.resolve().name


def print_comparison(found: FavourComparison, *, first: str, second: str, top: int) -> None:
    """Print a comparison: what differs most, favour by policy, sharpness and rank correlation."""
    import polars as pl

    summary = found.summary
    heading(f"{first} (first) compared with {second} (second)")
    echo(
        f"  {counted(summary['policies'], 'policy', 'policies')} on {counted(summary['prompts'], 'prompt')} that both have"
    )
    if summary["mean_std_err"] is not None:
        echo(
            f"  mean error of a difference: {summary['mean_std_err']:.1f} Elo; of two separate audits it would be "
            f"{summary['mean_std_err_unpaired']:.1f}"
        )
    verdicts = ", ".join(f"{count} {name}" for name, count in sorted(summary["verdicts"].items()))
    echo(f"  verdicts: {verdicts}")
    conclude(f"{first} compared with {second}: {_largest(found)}; {verdicts}")
    rows = found.frame.select(
        "policy", "first_favour", "second_favour", "difference", interval_column(1), q_column(), "verdict"
    )
    print_frame(
        rows,
        title="Favour in Elo points, difference: first minus second",
        digits=1,
        limit=top,
        tail=3,
        extra=("q", "second_favour", "first_favour"),
        full=found.frame,
    )
    figures = found.figures.select(
        "figure", "first", "second", "difference", interval_column(2), pl.col("p_value").alias("p")
    )
    print_frame(figures, title="Sharpness and rank correlation with human ratings", digits=2)


def _largest(found: FavourComparison) -> str:
    """``largest difference of favour, SimPO +42 Elo [+11, +73]``."""
    row = max(found.frame.iter_rows(named=True), key=lambda row: abs(row["difference"]))
    return (
        f"largest difference of favour, {row['policy']} {favour_words(row | {'favour': row['difference']})}"
    )
