"""``charm data``: public data sets, listed, fetched, found."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import counted
from .common import conclude, csv_table, echo, print_frame, print_json, say
from .help import CharmCommand, CharmGroup
from .options import PATH, json_option

if TYPE_CHECKING:
    from ..public_data import Entry

_mirror = click.option(
    "--data-dir",
    type=PATH,
    help="A local mirror: looked into first, and what is fetched goes there (default: the user's cache).",
)


@click.group("data", cls=CharmGroup)
def command() -> None:
    """Public data: AlpacaEval, Arena votes and leaderboards, benchmarks, the paper's instructions.

    Each data set has a source, a revision, and a licence, which is shown. They come from their own homes, are checked, and lie in
    the user's cache ($CHARM_CACHE, ~/.cache/charm-rm) or in --data-dir.

    \b
    Examples:
      charm data list
      charm data fetch rm-bench
      charm data fetch alpaca-eval --accept-licence
      charm data path rm-bench
    """


@command.command(
    "list", cls=CharmCommand, short_help="The public data sets: licence, size, whether they are here"
)
@_mirror
@json_option
def show(data_dir: Path | None, as_json: bool) -> None:
    """List the public data sets, with licence, size, and whether they are here.

    A `*` after the licence: it is non-commercial, or none was given, and fetching takes --accept-licence. A revision `main` is not
    pinned: what is fetched is recorded.

    \b
    Examples:
      charm data list
      charm data list --data-dir /shared/data --json
    """
    import polars as pl

    from ..public_data import list_entries

    facts = [_facts(entry, data_dir) for entry in list_entries()]
    if as_json:
        print_json({"data": facts})
        return
    conclude(f"{sum(f['path'] is not None for f in facts)} of {counted(len(facts), 'data set')} here")
    rows = [
        {
            "name": f["name"],
            "here": _here(f),
            "size": _size(f["bytes"]),
            "licence": f"{f['licence']}{' *' if f['must_accept'] else ''}",
            "revision": str(f["revision"])[:8],
            "title": f["title"],
        }
        for f in facts
    ]
    print_frame(
        pl.DataFrame(rows), title="Public data", extra=("revision", "title"), full=pl.DataFrame(facts)
    )
    echo("* fetched with --accept-licence alone: non-commercial, or no licence was given")


@command.command("fetch", cls=CharmCommand, short_help="Fetch one, checked, whole or not at all")
@click.argument("name")
@_mirror
@click.option("--accept-licence", is_flag=True, help="I have read the licence, and my use is allowed.")
@click.option("--force", is_flag=True, help="Fetch again what is there.")
@json_option
def fetch(name: str, data_dir: Path | None, accept_licence: bool, force: bool, as_json: bool) -> None:
    """Fetch a public data set, checked, whole or not at all.

    What is here already is not fetched again; a fetch that broke off goes on. NAME is one of `charm data list`.

    \b
    Examples:
      charm data fetch rm-bench
      charm data fetch alpaca-eval --accept-licence --data-dir /shared/data
    """
    from ..public_data import fetch_data, find_entry

    entry = find_entry(name)
    say(f"{name}: {entry.title}\n  licence: {entry.licence}\n  {entry.page}")
    fetch_data(
        name,
        data_dir=data_dir,
        accept_licence=accept_licence,
        force=force,
        bar=sys.stderr.isatty() and not as_json,
    )
    _print(entry, data_dir, as_json=as_json)


@command.command("path", cls=CharmCommand, short_help="Print the folder of one that is on this machine")
@click.argument("name")
@_mirror
@json_option
def path(name: str, data_dir: Path | None, as_json: bool) -> None:
    """Print the folder of a public data set that is on this machine.

    \b
    Examples:
      charm data path rm-bench
      charm data path rm-bench --data-dir /shared/data
    """
    from ..errors import UnreadableFile
    from ..public_data import find_entry, folder_of

    entry = find_entry(name)
    if folder_of(entry, data_dir) is None:
        raise UnreadableFile(
            "is not on this machine", where=name, fix=f"charm data fetch {name}, or name a mirror: --data-dir"
        )
    _print(entry, data_dir, as_json=as_json)


def _print(entry: Entry, data_dir: Path | None, *, as_json: bool) -> None:
    """The folder, and on standard error what it lacks."""
    import polars as pl

    from ..public_data import files_missing, folder_of

    facts = _facts(entry, data_dir)
    folder = folder_of(entry, data_dir)
    missing = files_missing(entry, folder) if folder else []
    if as_json:
        print_json(facts | {"missing_files": missing})
    else:
        conclude(str(folder))
        csv_table(pl.DataFrame([facts]))
        echo(str(folder), wrap=False)
    if missing:
        say(
            f"{counted(len(missing), 'file')} missing there: {', '.join(missing[:5])}{' ...' if missing[5:] else ''}"
        )


def _facts(entry: Entry, data_dir: Path | None) -> dict[str, object]:
    from ..public_data import files_missing, files_there, folder_of, told

    folder = folder_of(entry, data_dir)
    there = files_there(entry, folder) if folder else []
    return {
        "name": entry.name,
        "title": entry.title,
        "path": None if folder is None else str(folder),
        "files": len(there),
        "missing": len(files_missing(entry, folder)) if folder else None,
        "bytes": sum((folder / one).stat().st_size for one in there) if folder else entry.size,
        "licence": entry.licence,
        "must_accept": entry.accept,
        "revision": str(told(folder).get("revision", entry.revision)) if folder else entry.revision,
        "page": entry.page,
    }


def _here(facts: dict[str, object]) -> str:
    if facts["path"] is None:
        return ""
    return f"but {counted(int(str(facts['missing'])), 'file')}" if facts["missing"] else "yes"


def _size(n: object) -> str:
    return "" if not isinstance(n, int) else f"{n / 1e6:,.1f} MB"
