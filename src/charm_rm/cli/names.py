"""``charm names``: which policies find a rating, by which name, and what is near to those that do not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import counted
from ..settings import RatingsChoice, TableSettings
from .common import conclude, echo, heading, print_frame, print_json, say
from .help import CharmCommand
from .options import (
    PATH,
    force_option,
    given_paths,
    json_option,
    judgement_options,
    output_option,
    ratings_options,
    table_options,
)

if TYPE_CHECKING:
    from ..ratings import NameReport


@click.command("names", cls=CharmCommand)
@click.argument("scores", type=PATH)
@ratings_options
@judgement_options
@table_options("scores")
@output_option(what="Where to write an alias table (CSV, JSON, JSONL, Parquet) to fill in, for --alias.")
@force_option
@json_option
def command(
    scores: Path,
    ratings: RatingsChoice,
    annotator: str | None,
    baseline: str | None,
    read_as: TableSettings,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Which policies have a rating, under which name, and which names are near the others?

    SCORES is what `charm audit` takes, or a table of responses. A policy is looked up by your aliases (--alias), its name as
    written, the shipped aliases, and its name without regard to case and punctuation, in this order.

    A near name counts as the same model only if it has the same parts. Another size, version, date, tuning (SimPO, it) or
    quantisation is another model: it is listed with the difference.

    -o writes an alias table. Names with the same parts are filled in, for you to check; the others are empty, to fill in or drop.

    \b
    Examples:
      charm names scores.parquet --ratings arena
      charm names scores.parquet --ratings arena -o aliases.csv
      charm names scores.parquet --ratings arena --alias aliases.csv
    """
    from .. import store
    from ..pipeline.stages.names import names_in

    if ratings.source is None:
        raise click.UsageError("give --ratings")
    if output:
        store.refuse_table(output, force=force, inputs=given_paths())
    found = names_in(scores, ratings, annotator=annotator, baseline=baseline, table=read_as)
    if as_json:
        print_json(found.to_json())
    else:
        _print(found, ratings.source)
    if output:
        _write(found, output, force=force)


def _write(found: NameReport, output: Path, *, force: bool) -> None:
    from .. import store

    aliases = found.alias_table()
    if aliases.height == 0:
        say(f"every policy finds its rating without aliases: nothing written to {output}")
        return
    store.write_frame(aliases, output, force=force)
    empty = int((aliases["arena_name"] == "").sum())
    say(
        f"wrote {output}: {counted(aliases.height, 'row')}, {empty} to fill in or drop; then give it with --alias"
    )


def _print(found: NameReport, spec: str) -> None:
    import polars as pl

    from ..ratings.naming import in_words

    total = len(found.matched) + len(found.unmatched)
    where = ", ".join(str(found.origin[k]) for k in ("category", "date") if k in found.origin)
    board = f"{spec} ({counted(found.origin['n'], 'rating')}{', ' if where else ''}{where})"
    conclude(f"{len(found.matched)} of {counted(total, 'policy', 'policies')} with a rating in {board}")
    if found.unmatched:
        heading(
            f"{len(found.unmatched)} of {counted(total, 'policy', 'policies')} without a rating in {board}"
        )
    for match in found.unmatched:
        echo(
            f"  {match.policy}" + (f" (not under its alias {match.wanted!r} either)" if match.wanted else "")
        )
        if match.note:
            echo(f"      {match.note}")
        for near in found.near[match.policy]:
            echo(f"      {in_words(near)}")
    heading(f"{len(found.matched)} of {counted(total, 'policy', 'policies')} with a rating in {board}")
    rows = [
        {"policy": m.policy, "rated as": m.rated, "found by": m.how, "note": m.note or ""}
        for m in found.matched
    ]
    missing = [{"policy": m.policy, "rated as": None, "found by": None, "note": ""} for m in found.unmatched]
    schema = dict.fromkeys(("policy", "rated as", "found by", "note"), pl.String)
    shown = pl.DataFrame(rows, schema=schema)
    print_frame(shown, title="Under which name", full=pl.DataFrame([*missing, *rows], schema=schema))
