"""``charm init``: write a commented configuration."""

from __future__ import annotations

from pathlib import Path

import click

from .common import say
from .help import CharmCommand
from .options import PATH, force_option


@click.command("init", cls=CharmCommand)
@click.argument("path", type=PATH, default="charm.yaml")
@force_option
def command(path: Path, force: bool) -> None:
    """Write a commented configuration for `charm run`, every key with its meaning and its default.

    PATH (default charm.yaml) is never overwritten unless --force is given. Two things have to be filled in: where
    the responses are, and which reward model scores them.

    \b
    Examples:
      charm init                      writes charm.yaml
      charm init audits/mine.yaml
      charm run charm.yaml --dry-run  what the configuration would do
    """
    from ..pipeline import config_template
    from ..store import write_text

    write_text(config_template(path.name), path, force=force)
    say(f"Wrote {path}. Fill in responses.source and rm.model, then: charm run {path}")
