"""Settings of the report."""

from __future__ import annotations

from dataclasses import dataclass

from .definition import Settings, setting


@dataclass(frozen=True, kw_only=True)
class ReportSettings(Settings):
    """One self-contained page in the run directory."""

    enabled: bool = setting(True, "Write report.html and figures/.")
