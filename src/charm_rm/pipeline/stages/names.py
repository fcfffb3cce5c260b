"""Names: which policies a table is about, and how they find their ratings (a command alone, no stage of a run)."""

from __future__ import annotations

from pathlib import Path

from ...ratings import NameReport, compare_names
from ...responses import load_responses
from ...settings import RatingsChoice, TableSettings
from ...sources import load_source
from ...store import column_names
from .ratings import chosen_ratings


def policies_of(
    path: Path, *, annotator: str | None, baseline: str | None, table: TableSettings
) -> list[str]:
    """Every policy that a table names, sorted: of scores, judgements, win rates (as ``load_source`` takes them) or responses."""
    if path.is_file() and {"response", "output"} & set(column_names(path)):
        return load_responses(path, columns=table.fields("responses")).policies
    return load_source(path, annotator=annotator, baseline=baseline, table=table).policies


def names_in(
    path: Path, ratings: RatingsChoice, *, annotator: str | None, baseline: str | None, table: TableSettings
) -> NameReport:
    """How the policies of a table find the ratings that were chosen."""
    policies = policies_of(path, annotator=annotator, baseline=baseline, table=table)
    return compare_names(policies, chosen_ratings(ratings), aliases=ratings.aliases)
