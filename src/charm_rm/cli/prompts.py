"""The options that choose prompts: a list of ids, or one side of a split. The same for every command that takes scores."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from .options import PATH

if TYPE_CHECKING:
    from ..splits import Side, Split
    from ..tables import Table

T = TypeVar("T", bound="Table")

_FRACTION, _SEED = 0.5, 0


@dataclass(frozen=True)
class PromptChoice:
    """Which prompts to use: those of a file (of one side there), or those of one side by hash; all without either."""

    file: Path | None = None
    side: str | None = None
    fraction: float | None = None
    seed: int | None = None

    def of(self, table: T) -> T:
        """The rows of a table about these prompts; they must name prompts where some are chosen."""
        from ..splits import on_side, only_prompts, read_prompt_ids

        if self.file is not None:
            return only_prompts(table, read_prompt_ids(self.file, side=self.side))
        if self.side is None:
            return table
        return on_side(table, self._split())

    def kept(self) -> Callable[[list[str]], Collection[str]] | None:
        """Of a list of prompt ids those to use, for tables that are read some rows at a time; None: all."""
        from ..splits import read_prompt_ids

        if self.file is not None:
            chosen = set(read_prompt_ids(self.file, side=self.side))
            return chosen.intersection
        return None if self.side is None else self._split().of

    def provenance(self) -> dict[str, Any]:
        """What :func:`charm_rm.splits.on_side` notes of a side by hash."""
        return {} if self.side is None or self.file is not None else {"split": asdict(self._split())}

    def _split(self) -> Split:
        from ..splits import Split

        fraction = _FRACTION if self.fraction is None else self.fraction
        return Split(cast("Side", self.side), fraction, self.seed or _SEED)

    def other(self) -> PromptChoice:
        """The other side, where one is chosen; else all prompts."""
        other = {"train": "test", "test": "train"}
        return replace(self, side=other[self.side]) if self.side else PromptChoice()

    def check(self) -> None:
        """Raise :class:`click.UsageError` for a fraction or seed that no split is made with."""
        if (self.fraction is not None or self.seed is not None) and (self.side is None or self.file):
            raise click.UsageError("--split-fraction and --split-seed go with --split, and without --prompts")


def prompt_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--prompts, --split, --split-fraction, --split-seed; the command gets them as ``prompts``."""

    @functools.wraps(command)
    def with_prompts(
        *args: Any,
        prompts: Path | None,
        split: str | None,
        split_fraction: float | None,
        split_seed: int | None,
        **values: Any,
    ) -> Any:
        choice = PromptChoice(prompts, split, split_fraction, split_seed)
        choice.check()
        return command(*args, prompts=choice, **values)

    options = [
        click.option(
            "--prompts",
            type=PATH,
            help="Use only these prompts: a table with a column prompt_id, or a .txt file with an id per line.",
        ),
        click.option(
            "--split",
            type=click.Choice(["train", "test"]),
            help="Use one side: by the column `split` of --prompts, or else by a hash of prompt ids, which is the same in every file.",
        ),
        click.option(
            "--split-fraction",
            type=click.FloatRange(0, 1, min_open=True, max_open=True),
            help=f"Share of prompts on the test side (default: {_FRACTION}).",
        ),
        click.option("--split-seed", type=int, help=f"Seed of the split by hash (default: {_SEED})."),
    ]
    decorated: Callable[..., Any] = with_prompts
    for option in reversed(options):
        decorated = option(decorated)
    return decorated
