"""``charm study``: ask people which of two answers is better, and hold reward models and judges against what they say."""

from __future__ import annotations

import importlib

import click

from ..help import CharmGroup

# In the order of a study. The module of that name here holds a click command `command`; it is loaded when it is asked for.
COMMANDS = {
    "plan": "Choose comparisons for people to vote on",
    "import": "Make a study of votes that exist already",
    "demo": "A small study with simulated raters, to look at",
    "serve": "Open the page on which raters vote",
    "invite": "Make links for raters",
    "progress": "Who has voted on how much",
    "analyse": "What the votes say of each model",
    "export": "Write the votes as battles",
}
_MODULES = {"import": "importing"}


class _StudyGroup(CharmGroup):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"{__name__}.{_MODULES.get(cmd_name, cmd_name)}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with their summaries: no module is loaded for it."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_StudyGroup)
def command() -> None:
    """Ask people which of two answers is better: blind, on a page of your own, and with as few votes as will do.

    \b
    Examples:
      charm study demo
      charm study plan responses.parquet --scores before.parquet \\
          --scores after.parquet -o study.db
      charm study serve study.db
      charm study analyse study.db
      charm study export study.db -o battles.parquet
    """
