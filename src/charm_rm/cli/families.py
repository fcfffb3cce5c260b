"""The part of ``charm audit`` that groups policies: ``--group``, ``--own``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import counted
from ..settings import AuditSettings, RatingsChoice
from .common import echo, heading, interval_column, print_frame, q_column

if TYPE_CHECKING:
    from ..mismatch import Audit, FamilyContrasts
    from ..tables import Margins, Ratings, Scores, WinRates


def members_of(groups: Path | None, own: str | None) -> dict[str, str] | None:
    """The file of groups, read before any work."""
    if groups is None:
        if own is not None:
            raise click.UsageError("--own names a group of the file that --group gives")
        return None
    from ..mismatch import read_groups

    return read_groups(groups)


def contrasts_of(
    found: Audit,
    source: Scores | Margins | WinRates,
    ratings: Ratings,
    members: Mapping[str, str],
    *,
    own: str | None,
    choice: RatingsChoice,
    settings: AuditSettings,
) -> FamilyContrasts:
    """Measure families as the audit was made; what that has warned of is not said again."""
    import warnings

    from ..errors import CharmWarning
    from ..mismatch import family_contrasts

    how = settings.accepted_by(family_contrasts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)
        families = family_contrasts(
            source, ratings, members, own=own, aliases=choice.aliases, unrated=choice.unrated, **how
        )
    for note in families.warnings:
        if note not in found.warnings:
            warnings.warn(note, CharmWarning, stacklevel=2)
    return families


def print_families(found: FamilyContrasts) -> None:
    """Print the favour of every group, and in a line that of the judge's own."""
    heading("Favour by group: mean of its members, beside all other policies")
    if found.own is not None:
        echo(f"  {own_words(found.own)}")
    rows = found.frame.select("group", "policies", "favour", interval_column(1), q_column(), "verdict")
    print_frame(rows, title="Favour of groups in Elo points, most over-valued first", digits=1)


def own_words(row: Mapping[str, Any]) -> str:
    """One line on the judge's own group."""
    if row["favour"] is None or row["ci_low"] is None:
        return f"its own group, {row['group']}: the other policies are too few to say"
    shown = f"{row['favour']:+.0f} Elo [{row['ci_low']:+.0f}, {row['ci_high']:+.0f}]"
    words = {
        "over-valued": f"it favours its own group, {row['group']}",
        "under-valued": f"it is harder on its own group, {row['group']}, than on others",
    }
    start = words.get(row["verdict"], f"no evidence that it favours its own group, {row['group']}")
    return f"{start}: {shown}, {counted(row['policies'], 'policy', 'policies')}"
