"""``charm study progress``: who has voted on how much."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from ...errors import counted
from ..common import conclude, echo, print_frame, print_json
from ..help import CharmCommand
from ..options import json_option
from .common import Place, study_argument

if TYPE_CHECKING:
    import polars as pl

    from ...study.exchange import Facts, PolicyRow, RaterRow


@click.command("progress", cls=CharmCommand)
@study_argument
@json_option
def command(study: Place, as_json: bool) -> None:
    """How far a study is: votes by rater, and by policy. It may be served meanwhile.

    Repeats (a second look at a comparison, for consistency) and attention checks are counted apart: neither counts in an estimate.
    Votes by policy show whether all have their share. `charm study analyse` says what the votes mean.

    \b
    Examples:
      charm study progress study.db
      charm study progress study.db --json
    """
    now = time.time()
    with study.open() as database:
        facts, raters, policies = database.facts(), database.raters(now=now), database.policies()
    wanted, cast = (sum(getattr(row, name) for row in policies) // 2 for name in ("votes_wanted", "votes"))
    if as_json:
        print_json(
            {
                "name": facts.name,
                "paused": facts.paused,
                "comparisons": facts.n_comparisons,
                "votes": cast,
                "votes_wanted": wanted,
                "raters": [asdict(row) for row in raters],
                "policies": [asdict(row) for row in policies],
            }
        )
        return
    _print(facts, raters, policies, cast, wanted)


def _print(facts: Facts, raters: list[RaterRow], policies: list[PolicyRow], cast: int, wanted: int) -> None:
    share = f" ({cast / wanted:.0%})" if wanted else ""
    words = f"{counted(cast, 'vote')} of {wanted:,}{share} on {counted(facts.n_comparisons, 'comparison')}"
    conclude(words)
    echo(words + ("; paused: nobody is given new comparisons" if facts.paused else ""), label=facts.name)
    if raters:
        print_frame(_raters(raters), title="Raters", extra=("undone", "quota", "seconds"))
    else:
        echo("no raters yet: charm study invite makes links")
    print_frame(_policies(policies), title="Policies", main=False)


def _raters(rows: list[RaterRow]) -> pl.DataFrame:
    import polars as pl

    def shown(row: RaterRow) -> dict[str, Any]:
        return {
            "rater": row.name,
            "link": row.status,
            "votes": row.votes,
            "repeats": row.repeats,
            "checks passed": f"{row.checks_passed} of {row.checks}" if row.checks else "-",
            "undone": row.undone,
            "quota": row.quota,
            "seconds": row.seconds,
            "last vote": _minute(row.last_vote),
        }

    return pl.DataFrame([shown(row) for row in rows], infer_schema_length=None)


def _policies(rows: list[PolicyRow]) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame([asdict(row) for row in rows]).with_columns(
        (100 * pl.col("votes") / pl.col("votes_wanted")).round().cast(pl.Int64).alias("done, %")
    )


def _minute(seconds: float | None) -> str | None:
    from datetime import UTC, datetime

    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
