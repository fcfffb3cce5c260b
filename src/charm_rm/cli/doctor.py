"""``charm doctor``: is a reward model's score what it is taken for?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..settings import ModelSettings, TableSettings
from .common import conclude, echo, heading, print_frame, print_json, say
from .help import CharmCommand
from .options import (
    json_option,
    option_of,
    reward_option,
    rm_option,
    seed_option,
    table_options,
    trust_option,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..models.doctor import Check, Diagnosis

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red", "skipped": "dim"}


@click.command("doctor", cls=CharmCommand)
@rm_option
@click.option(
    "--responses", metavar="RESPONSES", help="The responses it will score (default: a small built-in set)."
)
@click.option(
    "-n", "--n", type=click.IntRange(min=2), default=64, show_default=True, help="Responses to score."
)
@click.option(
    "--dtype",
    "dtypes",
    multiple=True,
    type=click.Choice(["bfloat16", "float16"]),
    help="A precision you plan to use, checked closely; repeatable (default: both, briefly).",
)
@click.option("--temperature", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True,
              help="The temperature that margins will be divided by.")  # fmt: skip
@click.option(
    "--max-length", type=click.IntRange(min=1), help="Most tokens per conversation (default: the model's)."
)
@reward_option
@option_of(ModelSettings, "calibrator")
@click.option(
    "--against",
    metavar="SPEC",
    help="The same model elsewhere (vllm:URL, vllm-offline:DIR, tei:URL ...): are its scores the same?",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 ...")
@click.option("--quick", is_flag=True, help="Skip checks that take more than a few forward passes.")
@click.option("-v", "--verbose", is_flag=True, help="Show the details of passed checks, too.")
@seed_option
@trust_option
@table_options("responses", samples=False)
@json_option
def command(
    rm: str,
    responses: str | None,
    verbose: bool,
    as_json: bool,
    read_as: TableSettings,
    against: str | None,
    **settings: Any,
) -> None:
    """Check a reward model before you trust its scores.

    Checks the tokenizer and template (a doubled BOS; no chat template, or one that prints the date, adds a system prompt or
    strips responses), padding (a pad token that ends turns, the wrong side), the head (never trained), truncation (responses
    cut off or made identical), and the scores: do they change with the batch, the precision, the attention or from run to
    run, and do they differ enough for the temperature?

    With --against it scores the responses with a server or engine, too, and says what lies between the two, if anything does: a
    sigmoid or softmax, another scale or sign, or other text.

    With --calibrator also: is it of this model, are its features defined as today, and are the responses like those it was
    solved on? Each finding says how to fix it. Exits with 1 if a check fails.

    \b
    Examples:
      charm doctor --rm ./my-rm
      charm doctor --rm org/some-rm --responses responses.parquet --dtype bfloat16
      charm doctor --rm ./my-rm --calibrator calibrator.json \\
          --responses responses.parquet
      charm doctor --rm ./my-rm --against vllm:http://localhost:8000
      charm doctor --rm ./my-rm --quick --json
    """
    from ..models import load_any_responses
    from ..models.doctor import diagnose

    _refuse_other_kinds(rm)
    columns = read_as.fields("responses")
    table = None if responses is None else load_any_responses(responses, columns=columns)
    if against is not None:
        from ..specs import load_scorer

        settings["against"] = load_scorer(against)
    found = diagnose(rm, table, tell=_teller(), **settings)
    if as_json:
        print_json(found.to_json())
    else:
        show(found, verbose=verbose)
    if not found.sound:
        raise click.exceptions.Exit(1)


def _refuse_other_kinds(rm: str) -> None:
    """Say of a judge, a server, a function or a DPO policy that the doctor looks into none of these.

    Raises:
        ConfigError: the spec is of such a kind, and no folder is called so.
    """
    from pathlib import Path

    from ..errors import ConfigError
    from ..spec_options import JUDGE_OPTIONS, SCORER_OPTIONS

    kind = rm.partition(":")[0]
    if ":" not in rm or Path(rm).exists() or kind not in {*JUDGE_OPTIONS, *SCORER_OPTIONS}:
        return
    fix = (
        "see a judge's position bias in charm judge, and whether its accuracy turns when labels do in charm evaluate --judge"
        if kind not in SCORER_OPTIONS
        else "give the folder or hub id of the reward model; a server or engine goes beside it: --against"
    )
    raise ConfigError(
        "the doctor looks into reward models that run here, and this is none", where=rm, fix=fix
    )


def show(found: Diagnosis, *, verbose: bool = False) -> None:
    """Print a diagnosis: all checks, the drift, then what is to be fixed."""
    heading(f"Check of {found.source}")
    _print_checks(found.checks)
    if found.drift:
        _print_drift(found)
    for check in found.checks:
        if check.status in ("warn", "fail") or (verbose and check.details):
            _print_details(check)
    counts = ", ".join(f"{len(found.of(s))} {s}" for s in _COLOURS if found.of(s))
    verdict = "sound" if found.sound else "not sound: its scores would be wrong"
    echo(f"\n{counts}: {verdict}")
    conclude(f"{found.source}: {counts}: {verdict}")


def _print_checks(checks: tuple[Check, ...]) -> None:
    import polars as pl

    rows = [{"check": c.title, "status": c.status, "found": c.found} for c in checks]
    print_frame(pl.DataFrame(rows), title="Checks")


def _print_drift(found: Diagnosis) -> None:
    import polars as pl

    frame = pl.DataFrame([row.to_json() for row in found.drift], infer_schema_length=None)
    shown = frame.select(
        "dtype", "attention", "batches", "padding", "n", "max_abs", "mean_abs",
        (pl.col("flips") * 100).alias("flips %"), "pairs", "spearman", "lost",
    )  # fmt: skip
    echo()
    print_frame(
        shown,
        title="Drift from float32, one response at a time",
        digits=4,
        extra=("pairs", "mean_abs", "n"),
        main=False,
    )


def _print_details(check: Check) -> None:
    colour = {"warn": "yellow", "fail": "red"}.get(check.status, "green")
    echo(f"{check.title}: {check.found}", label=f"\n{check.status}", colour=colour)
    for line in check.details:
        echo(f"  {line}")
    if check.fix:
        echo(f"  Fix: {check.fix}")


def _teller() -> Callable[[str], None]:
    """Says each step on standard error, numbered as they come."""
    return lambda step: say(f"- {step}")
