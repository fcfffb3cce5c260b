"""Report: the findings of a run, or of an audit, as one page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...report import write_report
from ...settings import ReportSettings

if TYPE_CHECKING:
    from ..run import Run


def report(
    directory: Path,
    settings: ReportSettings,
    *,
    output: Path | None = None,
    force: bool = False,
    study: Path | None = None,
) -> Path:
    """Write the page (and the figures); its own place may always be written again."""
    return write_report(
        directory, output=output, force=force, title=settings.title, date=settings.date, study=study
    )


def run_stage(run: Run) -> str:
    """Write the page."""
    return f"open {report(run.directory, run.config.report, force=True).name}"
