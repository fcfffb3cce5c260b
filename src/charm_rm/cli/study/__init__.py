"""``charm study``: ask people which of two answers is better, and hold reward models and judges against what they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import click

from ..help import LazyGroup

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


class _StudyGroup(LazyGroup):
    summaries = COMMANDS
    package = __name__
    modules: ClassVar[Mapping[str, str]] = {"import": "importing"}


@click.group(cls=_StudyGroup)
def command() -> None:
    """Ask people which of two answers is better: blind, on a page of your own, and with as few votes as will do.

    \b
    Examples:
      charm study demo
      charm study plan responses.parquet --scores before.parquet \\
          --scores after.parquet -o study.db
      charm study invite study.db Ann Bob Cy
      charm study serve study.db
      charm study analyse study.db
      charm study export study.db -o battles.parquet
    """
