"""``charm features``: measure the style of responses, and show what sets each policy apart."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UnknownPolicy, counted
from ..policy_names import near_policies
from .common import conclude, echo, print_frame, print_json, say
from .help import CharmCommand
from .options import (
    PATH,
    force_option,
    given_paths,
    json_option,
    output_option,
    table_options,
    top_option,
)

if TYPE_CHECKING:
    import polars as pl

    from ..settings import TableSettings

_SHOWN = 4  # features named per policy


@click.command("features", cls=CharmCommand)
@click.argument("responses", type=PATH, required=False)
@click.option(
    "--list", "only_list", is_flag=True, help="List the features and their definitions; measure nothing."
)
@click.option(
    "--feature",
    "names",
    multiple=True,
    metavar="NAME",
    help="Measure this feature; repeatable (default: all but those on request).",
)
@click.option(
    "--own",
    multiple=True,
    metavar="SPEC",
    help="A feature of your own: column:NAME or python:MODULE:FUNCTION; repeatable.",
)
@click.option("--policy", metavar="NAME", help="Print every feature of this policy.")
@output_option(
    what="Where to write the features, a row per response (.parquet keeps the versions of definitions)."
)
@top_option(20)
@table_options("responses", samples=False)
@json_option
@force_option
def command(
    responses: Path | None,
    only_list: bool,
    names: tuple[str, ...],
    own: tuple[str, ...],
    policy: str | None,
    output: Path | None,
    top: int,
    as_json: bool,
    force: bool,
    read_as: TableSettings,
) -> None:
    """Measure the style of RESPONSES: length, Markdown, form, tone, language, and overlap with the prompt.

    RESPONSES is a table (prompt, policy, response; prompt_id), an AlpacaEval file or a folder of them. The table shows how each
    policy differs from the others on the same prompts, in standard deviations of a feature over all responses: `bullets +1.2`
    is a policy with many more bullets than the others. `--policy` prints all features of one policy. docs/style.md has the
    definitions.

    \b
    Examples:
      charm features responses.parquet
      charm features responses.parquet --policy gpt-4o-mini --feature words \\
          --feature bold
      charm features responses.parquet --own column:toxicity -o features.parquet
      charm features --list
    """
    if only_list:
        _print_list(as_json=as_json)
        return
    if responses is None:
        raise click.UsageError("give RESPONSES, or --list")
    from .. import store
    from ..features import DEFAULT_FEATURES, measure_features, summarise_style
    from ..responses import load_responses

    if output:
        store.refuse_table(output, force=force, inputs=given_paths())
    chosen = names or (() if own else DEFAULT_FEATURES)
    table = load_responses(responses, columns=read_as.fields("responses"))
    _check_policy(policy, table.policies)
    found = measure_features(table, features=chosen, own=own)
    if output:
        store.save(found, output, force=force)
        say(
            f"wrote {output}: {counted(len(found.features), 'feature')} of {counted(len(found), 'response')} of {counted(len(found.policies), 'policy', 'policies')}"
        )
    summary = summarise_style(found)
    if as_json:
        _print_json(summary, policy, found.provenance)
    elif policy is None:
        _print_policies(summary, top)
    else:
        _print_policy(summary, policy)


def _check_policy(policy: str | None, known: list[str]) -> None:
    if policy is not None and policy not in known:
        raise UnknownPolicy(
            f"no responses of policy {policy!r}.{near_policies(policy, known)}", fix="check the policy's name"
        )


def _print_list(*, as_json: bool) -> None:
    import polars as pl

    from ..features import FEATURES

    shown = ("name", "group", "about", "log", "default", "version")
    rows = [{key: getattr(feature, key) for key in shown} for feature in FEATURES.values()]
    if as_json:
        print_json({"features": rows})
        return
    marks = [
        ", ".join(mark for mark, holds in (("log", row["log"]), ("on request", not row["default"])) if holds)
        for row in rows
    ]
    frame = pl.DataFrame(rows).with_columns(pl.Series("marks", marks))
    print_frame(
        frame.select("group", "name", "about", "marks"),
        title="Features (log: the logarithm of 1 + this number)",
    )


def _print_json(summary: pl.DataFrame, policy: str | None, provenance: Any) -> None:
    import polars as pl

    rows = summary if policy is None else summary.filter(pl.col("policy") == policy)
    print_json({"features": rows.to_dicts(), "provenance": dict(provenance)})


def _print_policies(summary: pl.DataFrame, top: int) -> None:
    """One line a policy, those that differ most from the others first."""
    import polars as pl

    difference = pl.col("difference")
    apart = (
        summary.sort(difference.abs(), descending=True, nulls_last=True, maintain_order=True)
        .group_by("policy", maintain_order=True)
        .agg(
            pl.first("responses"),
            pl.struct("feature", "difference").head(_SHOWN).alias("apart"),
            difference.pow(2).mean().alias("far"),
        )
        .sort("far", descending=True, nulls_last=True, maintain_order=True)
        .with_columns(pl.col("apart").map_elements(_apart_words, return_dtype=pl.String))
    )
    for row in apart.head(1).iter_rows(named=True):
        conclude(
            f"{counted(apart.height, 'policy', 'policies')}; most unusual {row['policy']}: {row['apart']}"
        )
    title = "What sets each policy apart from the others on the same prompts (standard deviations), most unusual first"
    print_frame(apart.select("policy", "responses", "apart"), title=title, limit=top or None, full=summary)


def _largest_words(mine: pl.DataFrame) -> list[str]:
    """The features of one policy that differ most."""
    import polars as pl

    largest = mine.sort(pl.col("difference").abs(), descending=True, nulls_last=True).head(_SHOWN)
    return [_apart_words(largest.select("feature", "difference").to_dicts())]


def _apart_words(parts: Any) -> str:
    """``bullets +1.2, bold +0.8``."""
    told = [
        f"{part['feature']} {part['difference']:+.1f}" for part in parts if part["difference"] is not None
    ]
    return ", ".join(told) or "-"


def _print_policy(summary: pl.DataFrame, policy: str) -> None:
    import polars as pl

    mine = summary.filter(pl.col("policy") == policy)
    rows = mine.select(
        "feature",
        "typical",
        pl.col("typical_others").alias("of others"),
        pl.col("difference").alias("difference in sd"),
    )
    conclude(f"{policy}: {', '.join(_largest_words(mine))}")
    print_frame(
        rows,
        title=f"Style of {policy}: {counted(mine['responses'][0], 'response')}, beside other policies on the same prompts",
        digits=2,
    )
    echo("typical: the mean; of features that are logarithms, of the logarithm, as a raw number")
