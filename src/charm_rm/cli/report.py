"""``charm report``: the findings of a run as one page."""

from __future__ import annotations

from pathlib import Path

import click

from ..settings import ReportSettings
from .common import say
from .help import CharmCommand
from .options import PATH, force_option, output_option, settings_options


@click.command("report", cls=CharmCommand)
@click.argument("directory", type=PATH, metavar="DIR")
@output_option(what="Where to write the page (default: DIR/report.html, which may always be written again).")
@settings_options(ReportSettings, "settings", but=("enabled",))
@click.option(
    "--study",
    type=PATH,
    metavar="FOLDER",
    help="What `charm study analyse -o` wrote: what people say, as a section (default: DIR/study, where there is one).",
)
@force_option
@click.option("--open", "show", is_flag=True, help="Open the page in the browser.")
def command(
    directory: Path,
    output: Path | None,
    settings: ReportSettings,
    study: Path | None,
    force: bool,
    show: bool,
) -> None:
    """Show what a run found as one self-contained HTML page.

    DIR is a folder that `charm run` or `charm audit -o` wrote. Sections without files are left out. The page works offline and
    loads nothing. Its figures are also written as SVG and PNG under DIR/figures/.

    \b
    Examples:
      charm report runs/simpo
      charm report runs/simpo --open
      charm report audit -o simpo.html --force
      charm report runs/simpo --study analysis
      charm report audit --title "SimPO under our judge" --date 2026-11-26
    """
    from ..pipeline.stages.report import report
    from ..store import refuse_input

    if output is not None and output.suffix not in (".html", ".htm"):
        refuse_input(output, [directory, *([study] if study else [])])

    page = report(directory, settings, output=output, force=force, study=study)
    say(f"wrote {page}, and figures under {directory / 'figures'}")
    if show:
        click.launch(page.resolve().as_uri())
