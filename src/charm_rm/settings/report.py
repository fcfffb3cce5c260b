"""Settings of the report."""

from __future__ import annotations

from dataclasses import dataclass

from .definition import Settings, setting


@dataclass(frozen=True, kw_only=True)
class ReportSettings(Settings):
    """One self-contained page in the run directory."""

    enabled: bool = setting(True, "Write report.html and figures/.")
    title: str | None = setting(
        None, "Title of the page (default: the name of the run, or of the audited file).", metavar="TEXT"
    )
    date: str | None = setting(
        None,
        "Date to show at the head of the page (default: none, so that the same data give the same page).",
        metavar="TEXT",
    )
