"""``charm run``: everything from one configuration file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import counted
from .calibrator import NO_BETTER, no_better_than_noise
from .common import conclude, echo, print_frame, print_json, say
from .fail_if import Gate, apply_gates, fail_if_option
from .help import CharmCommand
from .measured import AUDIT_NAMES, run_figures
from .options import PATH, json_option, output_option

if TYPE_CHECKING:
    from ..pipeline import Config
    from ..pipeline.before_after import Summary


@click.command("run", cls=CharmCommand)
@click.argument("config", type=PATH)
@output_option(what="Run directory (default: a folder with the name of the run, beside CONFIG).")
@click.option("--only", metavar="STAGE", help="Run only this stage, on what is in the run directory.")
@click.option("--until", metavar="STAGE", help="Stop after this stage.")
@click.option(
    "--force-stage",
    "force_stages",
    metavar="STAGE",
    multiple=True,
    help="Run this stage even if up to date; repeatable.",
)
@click.option("--dry-run", is_flag=True, help="Print which stages would run, and why; write nothing.")
@fail_if_option(AUDIT_NAMES)
@json_option
def command(
    config: Path,
    output: Path | None,
    only: str | None,
    until: str | None,
    force_stages: tuple[str, ...],
    dry_run: bool,
    gates: tuple[Gate, ...],
    as_json: bool,
) -> None:
    """Run everything from one file: ratings, responses, score, audit, calibrate, relabel, train, report.

    CONFIG is what `charm init` writes. Stages whose settings and inputs have not changed are skipped. To continue a run
    that was stopped, give the same command again. Offsets, labels and training use the train prompts; the audits before and
    after use the test prompts.

    \b
    Stages: prompts, generate, ratings, responses, first-rm, score or judge,
            audit, calibrate, relabel, train, rescore, reaudit, evaluate,
            report
    \b
    Examples:
      charm run charm.yaml
      charm run charm.yaml -o runs/first --until audit
      charm run charm.yaml --dry-run
      charm run charm.yaml --force-stage train
      charm run charm.yaml --fail-if "favour.low>50"
    """
    from ..pipeline import load_config

    checked = load_config(config)
    directory = output or config.parent / checked.name
    selection = {"only": only, "until": until, "force_stages": force_stages}
    if dry_run:
        _print_plan(checked, directory, selection, as_json=as_json)
    else:
        run_and_show(checked, directory, selection, as_json=as_json)
        if gates:
            apply_gates(gates, run_figures(directory))


def _print_plan(config: Config, directory: Path, selection: dict[str, Any], *, as_json: bool) -> None:
    """Print which stages would run, and why."""
    import polars as pl

    from ..pipeline import plan_run

    steps = plan_run(config, directory, **selection)
    rows = [
        {"stage": s.stage.name, "does": s.stage.about, "runs": s.why is not None, "why": s.why} for s in steps
    ]
    if as_json:
        print_json(rows)
        return
    table = pl.DataFrame(
        rows, schema={"stage": pl.String, "does": pl.String, "runs": pl.Boolean, "why": pl.String}
    )
    table = table.with_columns(
        runs=pl.when("runs").then(pl.lit("run")).otherwise(pl.lit("skip")),
        why=pl.col("why").fill_null("up to date"),
    )
    conclude(f"{counted(sum(bool(row['runs']) for row in rows), 'stage')} of {len(rows)} would run")
    print_frame(table, title=f"Plan for {directory} (nothing was written)")


def run_and_show(
    config: Config,
    directory: Path,
    selection: dict[str, Any],
    *,
    as_json: bool,
    more: tuple[Config, Path] | None = None,
) -> None:
    """Run with progress on standard error, then show before and after, and ways of calibrating side by side where the run compares them.

    ``more`` is a second run, whose comparison is shown.
    """
    from ..pipeline import run_pipeline, summarise

    how: dict[str, Any] = {"say": say, "progress": sys.stderr.isatty()}
    result = run_pipeline(config, directory, **how, **selection)
    results = [result] if more is None else [result, run_pipeline(*more, **how)]
    summary = summarise(config, directory)
    beside = _beside(results[-1].directory)
    ran, skipped = ([name for r in results for name in getattr(r, which)] for which in ("ran", "skipped"))
    reports = [r.report for r in results if r.report]
    if as_json:
        told = {"ran": ran, "skipped": skipped, "report": result.report, "never_rated": beside}
        print_json(summary.to_json() | told)
        return
    if not ran:
        say("All stages are up to date.")
    conclude(f"ran {', '.join(ran) or 'nothing: up to date'}; {_in_short(summary)}")
    _show(summary)
    if beside:
        _print_beside(beside)
    for report in reports:
        say(f"Report: {report}")


def _in_short(summary: Summary) -> str:
    """The first figure of the run, before and after."""
    for row in summary.frame.head(1).iter_rows(named=True):
        after = "" if row.get("after") is None else f" -> {row['after']:.3f}"
        return f"{row['measure']}: {row['before']:.3f}{after}"
    return "no figures"


def _show(summary: Summary) -> None:
    from ..mismatch.metrics import PLACEBO

    if summary.frame.height:
        print_frame(summary.frame.rename({"placebo": PLACEBO}, strict=False), title=summary.title)
        for line in summary.remarks:
            echo(line)


def _beside(directory: Path) -> list[dict[str, Any]]:
    """Ways of calibrating on policies never rated, by figure; none where the run compares none."""
    from .. import store
    from ..pipeline.config import BESIDE

    path = directory / BESIDE
    return store.read_frame(path).to_dicts() if path.exists() else []


def _print_beside(rows: list[dict[str, Any]]) -> None:
    import polars as pl

    from ..mismatch import METRICS
    from ..mismatch.metrics import in_order

    titles = {"before": "before", "pair": "pair offset", "joint": "joint offsets", "style": "style"}
    titles |= {"placebo": "placebo", "length_only": "length only", "floor": "noise floor"}
    shown = [
        {"figure": METRICS[row["metric"]].label}
        | {title: METRICS[row["metric"]].shown(row[name]) for name, title in titles.items()}
        for row in in_order(rows)
    ]
    print_frame(
        pl.DataFrame(shown), main=False, title="On policies and prompts that had no part in what was added"
    )
    echo("A policy left out has no offset; its style is corrected all the same. Placebo: noise added.")
    if no_better_than_noise({row["metric"]: (row["style"], row["placebo"]) for row in rows}):
        echo(f"Style: {NO_BETTER}")
