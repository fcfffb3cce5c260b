"""``charm study invite``: links for raters."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..common import conclude, echo, print_frame, print_json, say
from ..help import CharmCommand
from ..look import look
from ..options import json_option
from .common import Place, database_url_option, place_of, say_if_done, url_is_typed

if TYPE_CHECKING:
    import polars as pl

    from ...study.database.study_database import StudyDatabase
    from ...study.exchange import Invitation

# What `charm study serve` listens on, unless it is told otherwise.
_HERE = "http://127.0.0.1:8321"
_MOST = 1000


@click.command("invite", cls=CharmCommand)
@click.argument("words", nargs=-1, metavar="[STUDY] NAME...")
@database_url_option
@click.option(
    "--count",
    type=click.IntRange(1, _MOST),
    metavar="N",
    help="Invite rater-1 to rater-N; more come after those there are.",
)
@click.option(
    "--days",
    type=click.FloatRange(0, 36_500, min_open=True),
    default=30.0,
    show_default=True,
    help="Days until the links end.",
)
@click.option(
    "--quota",
    type=click.IntRange(1),
    metavar="N",
    help="At most N comparisons for each rater, repeats and checks included (default: as long as there are any).",
)
@click.option(
    "--base-url",
    "--public-url",
    "address",
    metavar="URL",
    default=_HERE,
    show_default=True,
    help="The address that raters open, before the link's own part.",
)
@click.option("--renew", is_flag=True, help="Give a new link to raters who have one; the old one ends.")
@click.option(
    "--revoke", multiple=True, metavar="NAME", help="End this rater's link; votes stay. Repeatable."
)
@click.option("--list", "list_", is_flag=True, help="Show who has a link, and make none.")
@json_option
def command(
    words: tuple[str, ...],
    database_url: str | None,
    count: int | None,
    days: float,
    quota: int | None,
    address: str,
    renew: bool,
    revoke: tuple[str, ...],
    list_: bool,
    as_json: bool,
) -> None:
    """Make a link for each rater, and print it once: whoever has it votes as that rater.

    The database keeps a hash of each link, so that a lost one cannot be shown again: --renew makes a new one. Names of raters stand in the
    analysis and in the votes that are exported. To have no names there, invite by --count.

    \b
    Examples:
      charm study invite study.db Ann Bob --base-url https://vote.example.org
      charm study invite study.db --count 10 --quota 60 --csv > links.csv
      charm study invite study.db --list
      charm study invite study.db --revoke Bob
    """
    study, names = _taken_apart(words, database_url)
    _check_asked(names, count, revoke, list_)
    _check_base(address)
    now = time.time()
    with study.open() as database:
        for name in revoke:
            database.revoke(name, now=now)
            say(f"the link of {name} has ended")
        if list_:
            _print_raters(database, now, as_json=as_json)
        elif names or count:
            database.refuse_without_texts()
            say_if_done(database)
            asked = [*names, *_numbered(database, count or 0)]
            _print_links(
                database.invite_all(asked, now=now, days=days, quota=quota, renew=renew),
                address,
                as_json=as_json,
            )


def _taken_apart(words: tuple[str, ...], url: str | None) -> tuple[Place, list[str]]:
    """Study and names. With a URL all words are names; from the environment, unless the first is a file or ends in .db."""
    first = words[0] if words else ""
    is_path = Path(first).suffix == ".db" or Path(first).is_file()
    if url and (url_is_typed() or not is_path):
        return place_of(None, url, "STUDY"), list(words)
    return place_of(Path(first) if first else None, url, "STUDY"), list(words[1:])


def _check_asked(names: list[str], count: int | None, revoke: tuple[str, ...], list_: bool) -> None:
    if not (names or count or revoke or list_):
        raise click.UsageError("give names, --count N, --revoke NAME or --list")
    if urls := [name for name in names if "://" in name]:
        raise click.UsageError(f"{urls[0].split(':')[0]}://... is no name: give a database by --database-url")
    if list_ and (names or count):
        raise click.UsageError("--list makes no links: give names without it")
    if len(set(names)) < len(names):
        raise click.UsageError("a name is given twice")


def _check_base(url: str) -> None:
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    if (
        parts.scheme not in ("http", "https")
        or not parts.netloc
        or parts.query
        or parts.fragment
        or "@" in parts.netloc
    ):
        raise click.UsageError(f"--base-url: {url!r} is no address such as https://vote.example.org")


def _numbered(database: StudyDatabase, count: int) -> list[str]:
    """``count`` names rater-N that are free."""
    taken = {row.name for row in database.raters()}
    free = (name for i in range(1, len(taken) + count + 1) if (name := f"rater-{i}") not in taken)
    return [name for name, _ in zip(free, range(count), strict=False)]


def _print_links(invitations: list[Invitation], base_url: str, *, as_json: bool) -> None:
    rows = [
        {
            "rater": i.rater.name,
            "link": f"{base_url.rstrip('/')}/i/{i.token}",
            "until": _day(i.rater.expires_at),
        }
        for i in invitations
    ]
    if as_json:
        print_json(rows)
    elif look().form in ("text", "quiet"):
        for row in rows:
            echo(f"{row['link']}", label=f"{row['rater']}:", wrap=False)
            conclude(f"{row['rater']}: {row['link']}")  # made they are, so that even --quiet prints all
        say("these links are shown this once: whoever has one votes as that rater")
    else:
        import polars as pl

        print_frame(pl.DataFrame(rows), title="Links, shown this once")


def _print_raters(database: StudyDatabase, now: float, *, as_json: bool) -> None:
    rows = [
        {
            "rater": row.name,
            "status": row.status,
            "votes": row.votes,
            "until": _day(row.expires_at),
            "quota": row.quota,
        }
        for row in database.raters(now=now)
    ]
    if as_json:
        print_json(rows)
        return
    print_frame(_frame(rows), title="Raters")


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    import polars as pl

    kinds = {
        "rater": pl.String,
        "status": pl.String,
        "votes": pl.Int64,
        "until": pl.String,
        "quota": pl.Int64,
    }
    return pl.DataFrame(rows, schema=kinds)


def _day(seconds: float | None) -> str | None:
    from datetime import UTC, datetime

    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
