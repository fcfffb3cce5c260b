"""``charm explain``: how much of each policy's favour its style explains."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from ..errors import counted
from ..settings import AuditSettings, RatingsChoice, TableSettings
from .common import (
    conclude,
    csv_table,
    echo,
    heading,
    interval_column,
    load_comparable,
    print_frame,
    print_json,
    say,
)
from .families import own_words
from .help import CharmCommand
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

if TYPE_CHECKING:
    from ..style import Explanation
    from ..style.explanation import By

_MAKERS = "makers"
_WIDTH = 80


@click.command("explain", cls=CharmCommand)
@click.argument("scores", type=PATH)
@click.option("--responses", type=PATH, required=True, help="The responses that were scored or judged.")
@ratings_options
@judgement_options
@table_options("scores", "responses")
@click.option(
    "--calibrator",
    type=PATH,
    help="Take the weights of this calibrator (charm calibrate --style); default: solve them, for each policy without it.",
)
@click.option(
    "--feature",
    "features",
    multiple=True,
    metavar="NAME",
    help="A feature to explain by: a name of `charm features --list`, column:NAME or python:MODULE:FUNCTION; repeatable. With --calibrator: a function that it may call.",
)
@click.option(
    "--join",
    multiple=True,
    metavar="GROUP=NAME,NAME",
    help="A group of features of your own, such as lists=bullets,numbered; repeatable.",
)
@click.option(
    "--group-by",
    "by",
    type=click.Choice(["feature", "group"]),
    default="group",
    show_default=True,
    help="Report single features, or groups of them, whose parts are known better.",
)
@click.option("--policy", metavar="NAME", help="Print every part of this policy.")
@click.option(
    "--family",
    metavar="FILE|makers",
    help="Test groups of policies before and after style: a table (policy, group), or `makers`, the shipped one.",
)
@click.option(
    "--own", metavar="GROUP", help="The judge's own group (without --family: of the shipped makers)."
)
@settings_options(AuditSettings, "settings", but=("references", "candidates", "ties"))
@seed_option
@top_option(10)
@output_option(
    what="Where to write the parts; as DIR/explanation.parquet in an audit's folder, `charm report DIR` shows them."
)
@force_option
@json_option
def command(
    scores: Path,
    responses: Path,
    ratings: RatingsChoice,
    annotator: str | None,
    baseline: str | None,
    read_as: TableSettings,
    calibrator: Path | None,
    features: tuple[str, ...],
    join: tuple[str, ...],
    by: str,
    policy: str | None,
    family: str | None,
    own: str | None,
    settings: AuditSettings,
    seed: int,
    top: int,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """How much of each policy's favour does its style explain, and what stays unexplained?

    SCORES are scores or judgements, as `charm audit` takes them. Style calibration finds how much the model rewards a feature
    of a response (length, Markdown, tone ...) beyond what people do. A policy that has more of it is favoured for it: that
    is the feature's part, in Elo points. The parts and the unexplained rest add up to the favour of an audit.

    Without --calibrator the weights are solved here, for each fifth of the policies on the other four: R² "on policies left out"
    is what style would explain of a policy without ratings. Features that go together (bullets and bold, words and lines)
    cannot be told apart well: read the part of their group, and the interval. A cause that is not measured, but goes with
    a feature, counts for the feature.

    \b
    Examples:
      charm explain scores.parquet --responses responses.parquet --ratings arena
      charm explain scores.parquet --responses responses.parquet --ratings arena \\
        --feature words --feature bold --feature numbered --group-by feature
      charm explain scores.parquet --responses responses.parquet \\
          --ratings example --policy gemma-2-9b-it-SimPO
      charm explain judged.parquet --responses responses.parquet --ratings arena \\
        --own OpenAI
      charm explain scores.parquet --responses responses.parquet --ratings arena \\
        -o audit/explanation.parquet && charm report audit
    """
    from .. import store
    from ..pipeline.stages.ratings import chosen_ratings
    from ..responses import load_responses
    from ..style import explain_favour, load_calibrator

    if output:
        store.refuse_table(output, force=force, inputs=given_paths())
    if ratings.source is None:
        raise click.UsageError("give --ratings")
    if calibrator and any(not name.startswith("python:") for name in features):
        raise click.UsageError(
            "--feature chooses what weights are solved of; --calibrator has its own (and may call the functions python:... that --feature names)"
        )
    joined = dict(_joined(join))
    given = load_calibrator(calibrator) if calibrator else None
    table = chosen_ratings(ratings)
    source = load_comparable(scores, annotator=annotator, baseline=baseline, table=read_as)
    found = explain_favour(
        source,
        load_responses(responses, columns=read_as.named("responses")),
        table,
        given,
        **_features(features),
        join=joined,
        groups=_groups(family, own, source.policies),
        own_group=own,
        aliases=ratings.aliases,
        unrated=ratings.unrated,
        seed=seed,
        **settings.accepted_by(explain_favour),
    )
    rows = found.of(policy) if policy is not None else None
    if output:
        store.save(found, output, force=force)
        say(f"wrote {output}")
    if as_json:
        print_json(found.to_json() | ({} if rows is None else {"explanation": rows.to_dicts()}))
    elif policy is not None:
        _print_policy(found, policy, by=cast("By", by))
    else:
        print_explanation(found, by=cast("By", by), top=top)


# --- what is asked ----------------------------------------------------------------------------------


def _features(names: tuple[str, ...]) -> dict[str, Any]:
    """Names of features, and those of one's own, as the verb takes them; its default where none are named."""
    if not names:
        return {}
    return {"features": [n for n in names if ":" not in n], "own": [n for n in names if ":" in n]}


def _joined(join: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    for one in join:
        group, equals, names = one.partition("=")
        members = [n.strip() for n in names.split(",") if n.strip()]
        if not (group.strip() and equals and members):
            raise click.UsageError(f"--join {one!r} is not of the form GROUP=NAME,NAME")
        yield group.strip(), members


def _groups(family: str | None, own: str | None, policies: list[str]) -> Mapping[str, str] | None:
    if family is None and own is None:
        return None
    from ..mismatch import makers_of, read_groups

    return makers_of(policies) if family in (None, _MAKERS) else read_groups(family)


# --- printing ---------------------------------------------------------------------------------------


def print_explanation(found: Explanation, *, by: By, top: int) -> None:
    """The whole, then a sentence a policy, those of the largest favour first, then the families."""
    import polars as pl

    from ..style import explanation_words

    summary = found.summary
    heading("What style explains of the favour shown to each policy")
    conclude("; ".join(_summary_words(summary)))
    csv_table(found.frame)
    for line in _summary_words(summary):
        _wrapped(line, "  ")
    favour = found.frame.filter(pl.col("kind") == "favour").sort(pl.col("elo").abs(), descending=True)
    names = favour["policy"].to_list()
    shown = names[: top or None]
    heading(f"In Elo points, the {len(shown)} of {len(names)} policies with the largest favour")
    for name in shown:
        _wrapped(explanation_words(found, name, by=by), "  ")
    if "families" in summary:
        _print_families(summary)


def _summary_words(summary: Mapping[str, Any]) -> Iterator[str]:
    yield f"{counted(summary['policies'], 'policy', 'policies')} on {counted(summary['prompts'], 'prompt')}, sharpness {summary['sharpness']:.2f}"
    kinds = {
        True: "on policies left out of the weights",
        False: "in-sample, on the policies that the weights were solved on",
    }
    for row in summary["r_squared"]:
        ends = "" if row["ci_low"] is None else f" [{row['ci_low']:.2f}, {row['ci_high']:.2f}]"
        yield f"R² {kinds[row['held_out']]}: {row['value']:.2f}{ends}"
    yield (
        f"mean |favour| {summary['mean_abs_favour']:.0f} Elo, of which unexplained "
        f"{summary['mean_abs_unexplained']:.0f}"
    )


def _wrapped(text: str, indent: str) -> None:
    """Within 80 columns, further lines set in; a long name is not cut."""
    for line in textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{indent}    ",
        break_long_words=False,
        break_on_hyphens=False,
    ):
        echo(line)


def _print_policy(found: Explanation, policy: str, *, by: By) -> None:
    import polars as pl

    from ..style import explanation_words

    conclude(explanation_words(found, policy, by=by))
    csv_table(found.of(policy))
    _wrapped(explanation_words(found, policy, by=by), "")
    rows = found.of(policy).filter(pl.col("kind") != "favour")
    largest = pl.col("elo").abs()
    order = pl.col("kind").replace_strict({"group": 0, "feature": 1, "style": 2, "unexplained": 3})
    shown = rows.sort(order, largest, descending=[False, True], maintain_order=True).select(
        pl.when(pl.col("kind") == "feature").then("  " + pl.col("part")).otherwise("part").alias("part"),
        pl.col("elo"),
        interval_column(0),
        pl.col("difference").alias("has more, sd"),
        (-pl.col("weight")).alias("is paid"),
    )
    print_frame(shown, title="Parts in Elo points: groups, their features, the whole", digits=2)
    held_out = rows["held_out"][0]
    _wrapped(
        "has more: than others on the same prompts, in standard deviations. is paid: by the model for one of them, beyond what people would, "
        f"in its own scores; {'solved without this policy' if held_out else 'in-sample: solved with this policy'}.",
        "",
    )


def _print_families(summary: Mapping[str, Any]) -> None:
    """Favour of every group before and after, and in two lines that of the judge's own."""
    import polars as pl

    heading("Favour by group, before and after style is taken off")
    own = summary["own_family"]
    if own is not None:
        after = {k.removesuffix("_after"): v for k, v in own.items() if k.endswith("_after")}
        _wrapped(f"before: {own_words(own)}", "  ")
        _wrapped(f"after:  {own_words(after | {'group': own['group'], 'policies': own['policies']})}", "  ")
    rows = [
        {
            "group": row["group"],
            "n": row["policies"],
            "before": _with_ends(row, ""),
            "after": _with_ends(row, "_after"),
            "verdict after": row["verdict_after"],
        }
        for row in summary["families"]
    ]
    print_frame(pl.DataFrame(rows), title="Elo points, beside all other policies")
    if lost := summary["without_group"]:
        _wrapped(f"without a group, among the others of each: {', '.join(lost)}", "  ")


def _with_ends(row: Mapping[str, Any], suffix: str) -> str:
    """``+179 [+31, +327]``; a dash where there is no line to hold it against."""
    value, low, high = (row[f"{name}{suffix}"] for name in ("favour", "ci_low", "ci_high"))
    if value is None:
        return "-"
    return f"{value:+.0f}" if low is None else f"{value:+.0f} [{low:+.0f}, {high:+.0f}]"
