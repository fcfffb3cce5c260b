"""``charm init``: write a commented configuration."""

from __future__ import annotations

from pathlib import Path

import click

from .common import print_json, say
from .help import CharmCommand
from .options import PATH, force_option


@click.command("init", cls=CharmCommand)
@click.argument("path", type=PATH, default="charm.yaml")
@click.option("--schema", is_flag=True, help="Print the JSON schema of the configuration, and write nothing.")
@force_option
def command(path: Path, schema: bool, force: bool) -> None:
    """Write a commented configuration for `charm run`, every key with its meaning and its default.

    PATH (default charm.yaml) is overwritten only with --force. Fill in two things: where the responses are, and which
    reward model scores them.

    With the JSON schema beside the configuration, an editor completes and checks the keys. Save the schema as
    charm.schema.json first; the configuration then names it in its first line.

    \b
    Examples:
      charm init                      writes charm.yaml
      charm init audits/mine.yaml
      charm init --schema > charm.schema.json && charm init
      charm run charm.yaml --dry-run  what the configuration would do
    """
    from ..pipeline import config_schema, config_template
    from ..pipeline.schema import SCHEMA_FILE
    from ..store import write_text

    if schema:
        print_json(config_schema())
        return
    beside = (path.parent / SCHEMA_FILE).exists()
    write_text(config_template(path.name, schema=beside), path, force=force)
    say(f"Wrote {path}. Fill in responses.source and rm.model, then: charm run {path}")
