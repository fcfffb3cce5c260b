"""``charm study serve``: the page on which raters vote."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from ...settings import ServeSettings
from ..common import echo, say
from ..help import CharmCommand
from ..options import settings_options
from .common import Place, say_if_done, study_argument

if TYPE_CHECKING:
    from ...study.database.study_database import StudyDatabase

# What the page is built of, in the order of their import.
_NEEDED = ("fastapi", "uvicorn", "itsdangerous", "limits", "multipart", "nh3", "markdown_it", "sqlalchemy")


@click.command("serve", cls=CharmCommand)
@study_argument
@settings_options(ServeSettings, "settings")
@click.option(
    "--no-admin-link",
    is_flag=True,
    help="Print no new admin link; the one from the last start stays good. For services whose output is kept in a log.",
)
@click.option("--open", "show", is_flag=True, help="Open the admin page in this machine's browser.")
def command(study: Place, settings: ServeSettings, no_admin_link: bool, show: bool) -> None:
    """Open the page on which raters vote, until Ctrl-C.

    A rater opens a link from `charm study invite` and compares two answers at a time: by keys or by mouse, on a phone, with or without
    JavaScript. Nothing in the page says whose answers they are. The admin page shows progress, and exports; its link is printed here, new at
    every start, and the one before ends.

    It listens on this machine alone. For others to reach it, put a proxy with HTTPS in front (nginx, Caddy) and give --public-url and
    --behind-proxy; docs/study.md has lines for both. Votes are on disk before a rater's browser hears that they are saved. On Ctrl-C or SIGTERM,
    requests under way are finished first.

    \b
    Examples:
      charm study serve study.db
      charm study serve study.db --open
      charm study serve study.db --public-url https://vote.example.org \\
          --behind-proxy
      charm study serve study.db --host 192.168.1.5 --expose
      charm study serve --database-url postgresql://charm@localhost/study
    """
    if show and no_admin_link:
        raise click.UsageError("--open needs the admin link, which --no-admin-link does not make")
    from ...extras import require

    for module in _NEEDED:
        require(module, extra="study", what="the page for raters")
    from ...study.web.server import check_exposure

    check_exposure(settings)
    with study.open() as database:
        serve_study(database, str(study), settings, admin=not no_admin_link, show=show)


def serve_study(
    database: StudyDatabase,
    where: str,
    settings: ServeSettings,
    *,
    admin: bool = True,
    show: bool = False,
    token: str | None = None,
) -> None:
    """Serve until Ctrl-C, saying where; ``token`` is a rater's, whose link is said, too.

    Raises:
        ConfigError: the study has no texts to show.
    """
    database.refuse_without_texts()
    from ...study.web.app import create_app
    from ...study.web.server import base_url, listen, serve_app

    app = create_app(database, settings)
    with listen(settings) as listening:
        url = base_url(settings, listening)
        echo(url, label="Page for raters:", wrap=False)
        if token is not None:
            echo(f"{url}/i/{token}", label="Your link, to vote:", wrap=False)
        if admin:
            link = f"{url}/admin/i/{database.new_admin_token()}"
            echo(link, label="Admin:", wrap=False)
        _advise(where, url, settings)
        say_if_done(database)
        if show:
            import webbrowser

            webbrowser.open(link)
        serve_app(app, settings, listening)
    say("stopped; every vote that was saved is on disk")


def _advise(where: str, url: str, settings: ServeSettings) -> None:
    """What to do next, and what to beware of."""
    asked = shlex.quote(where) if "://" not in where else "--database-url ..."
    say(f"links for raters: charm study invite {asked} --count 5 --base-url {url}")
    if settings.expose and not settings.https:
        say("plain HTTP on a network: everyone on the way can read links and votes")
    if settings.public_url is not None and not settings.behind_proxy:
        say("without --behind-proxy all raters seem to come from the proxy's address")
    say("Ctrl-C stops the page")


__all__ = ["command", "serve_study"]
