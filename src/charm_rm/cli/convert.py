"""``charm convert``: how a table is read, and the table that charm reads it as."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import CharmError, CharmWarning, ReadingNote, counted
from ..settings import TableSettings
from .common import conclude, echo, heading, print_frame, print_json, say
from .help import CharmCommand
from .options import (
    PATH,
    force_option,
    given_paths,
    json_option,
    judgement_options,
    output_option,
    table_options,
)

if TYPE_CHECKING:
    from ..settings import TableKind
    from ..tables import Table

_KINDS = ("scores", "responses", "judgements", "ratings", "battles", "preferences")
_SHOWN, _WIDEST = 3, 60


@click.command("convert", cls=CharmCommand)
@click.argument("file", type=PATH)
@click.option(
    "--as", "kind", type=click.Choice(_KINDS), help="What the table holds, where its columns do not tell."
)
@table_options("table")
@judgement_options
@output_option(what="Where to write the table in charm's own columns (.parquet, .csv, .jsonl, .json).")
@force_option
@json_option
def command(
    file: Path,
    kind: TableKind | None,
    read_as: TableSettings,
    annotator: str | None,
    baseline: str | None,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Show how a table is read, and write it in charm's own columns.

    FILE is a table of scores, responses, judgements, ratings, votes or preference pairs, in any layout and container that charm reads
    (docs/data-formats.md): CSV, JSON, Parquet, Arrow, packed or not, a folder, a pattern in quotes; - is standard input.

    What is printed is what every other command would read: which kind of table, which column as what, what was left out, how many rows,
    policies and prompts, and the first rows. Nothing is written without -o.

    \b
    Examples:
      charm convert results.csv
      charm convert results.csv --column score=skywork -o scores.parquet
      charm convert all_models.json --reward-model my-rm --sample first \\
          -o scores.parquet
      charm convert 'shards/*.jsonl.gz' -o scores.parquet
      zcat votes.csv.gz | charm convert - --as battles -o battles.parquet
    """
    from .. import store
    from ..kinds import load_table

    if output:
        store.refuse_table(output, force=force, inputs=given_paths())
    with _noted() as notes:
        table = load_table(
            file, kind=kind, table=read_as.part("table", first=True), annotator=annotator, baseline=baseline
        )
    facts = _facts(file, table, [note.removeprefix(f"{file}: ") for note in notes])
    if as_json:
        print_json(facts)
    else:
        _print(file, facts, table)
    if output:
        store.save(table, output, force=force)
        say(f"wrote {output}: {counted(len(table), 'row')}")


@contextmanager
def _noted() -> Iterator[list[str]]:
    """What the block says of how it reads, collected in place of being said; where it fails, it is said."""
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield notes
        except BaseException:
            for one in caught:
                echo(str(one.message), err=True, label="note:")
            raise
    notes += [str(one.message) for one in caught if issubclass(one.category, CharmWarning | ReadingNote)]


def _facts(file: Path, table: Table, notes: list[str]) -> dict[str, Any]:
    """What a person wants to know of a table that was read."""
    from .. import store

    frame = table.frame
    prompts = frame["prompt_id"].n_unique() if "prompt_id" in frame.columns else None
    container = "Inspect" if file.suffix == ".eval" else store.kind_of(file)
    facts: dict[str, Any] = {"file": str(file), "container": container, "kind": table.noun}
    facts |= {"rows": frame.height, "policies": table.policies, "prompts": prompts, "columns": frame.columns}
    if prompts is not None and table.policies and table.noun in ("scores", "responses"):
        facts["missing"] = prompts * len(table.policies) - frame.height
    return facts | {"read": notes}


def _print(file: Path, facts: dict[str, Any], table: Table) -> None:
    policies, prompts = facts["policies"], facts["prompts"]
    size = [counted(facts["rows"], "row")]
    size += [counted(len(policies), "policy", "policies")] if policies else []
    size += [counted(prompts, "prompt")] if prompts is not None else []
    head = f"{facts['kind']}, {', '.join(size)}"
    conclude(head)
    heading(f"{facts['file']} ({facts['container']}) holds {head}")
    for note in [*_layout(file, table), *facts["read"]] or [_as_it_stands(file, table)]:
        for part in note.split("; "):
            echo(f"  {part}")
    if facts.get("missing"):
        echo(
            f"  {counted(facts['missing'], 'policy and prompt', 'pairs of policy and prompt')} without a row"
        )
    if policies:
        echo(
            "  policies: "
            + ", ".join(policies[:12])
            + (f" and {len(policies) - 12} more" if policies[12:] else "")
        )
    shown = _short(table)
    print_frame(shown, title="First rows, in charm's columns", full=table.frame if _is_flat(table) else shown)


def _layout(file: Path, table: Table) -> list[str]:
    """The layout of judgements that was read, where it was one of those, and not a table that charm made of one."""
    from .. import store

    name = table.provenance.get("layout")
    ours = file.suffix != ".eval" and store.payload_of(file)
    return [] if name is None or ours else [f"judgements in the layout: {name}"]


def _as_it_stands(file: Path, table: Table) -> str:
    """Whether a table of which nothing else is said has charm's own columns, or those of another tool."""
    from .. import store

    try:
        there = store.column_names(file)
    except CharmError:  # logs and documents that are no table
        return "read as it stands"
    if all(c.name in there for c in table.columns if c.name in table.frame.columns):
        return "read as it stands: charm's own columns"
    return f"read as {table.noun} of another tool: columns {', '.join(there[:12])}"


def _short(table: Table) -> Any:
    """The first rows, long texts cut."""
    import polars as pl

    rows = [{k: _cut(v) for k, v in row.items()} for row in table.frame.head(_SHOWN).to_dicts()]
    return pl.DataFrame(rows, infer_schema_length=None)


def _is_flat(table: Table) -> bool:
    return not any(t.is_nested() for t in table.frame.dtypes)


def _cut(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = " ".join(str(value).split())
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."
