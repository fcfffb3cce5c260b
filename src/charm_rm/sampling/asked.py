"""Rows of any source -> what is asked: one prompt a row, without its answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from ..conversations import Messages
from ..errors import ConfigError, SchemaError, UnreadableFile, did_you_mean, listing
from ..reading.names import WEAK_IDS, folded
from ..reading.resolve import columns_of, option
from ..turns import canonical_pair, canonical_prompt

# Whole conversations; what is asked is all up to the last turn of the user.
_CONVERSATIONS = ("conversation", "conversations", "conversation_a", "full_conversation", "dialogue")
_FIELDS = ("prompt", "prompt_id")
_SIDES = ("chosen", "rejected")


@dataclass(frozen=True)
class Layout:
    """Where in a table the prompt is: in ``prompt`` (a column of text, messages or conversations), in a pair's sides, or in both."""

    prompt: str | None
    sides: bool
    prompt_id: str | None
    kept: tuple[str, ...]

    @property
    def columns(self) -> list[str]:
        """The columns that are read."""
        found = [self.prompt, *(_SIDES if self.sides else ()), self.prompt_id, *self.kept]
        return list(dict.fromkeys(c for c in found if c is not None))


@dataclass(frozen=True)
class Asked:
    """One row: its prompt, or why it has none; ``prompt_id`` is the source's, where it gives one."""

    place: int
    prompt: str | Messages | None
    problem: str | None
    prompt_id: str | None
    kept: Mapping[str, Any]


def layout_of(frame: pl.DataFrame, given: Mapping[str, str], *, keep: Sequence[str], where: str) -> Layout:
    """Where the prompts of a table are; ``given`` says which column holds which field, ``keep`` names columns to carry along.

    Raises:
        SchemaError: nothing in the table is a prompt, or several columns may be.
        ConfigError: a column that was named is not there.
    """
    try:
        found = columns_of(frame, _FIELDS, given, noun="prompts")
    except (SchemaError, ConfigError) as error:
        error.where = f"{where}: {error.where}" if error.where else where
        raise
    prompt = found.get("prompt")
    sides = "prompt" not in given and all(side in frame.columns for side in _SIDES)
    if prompt is None and not sides:
        prompt = next((c for c in frame.columns if folded(c) in _CONVERSATIONS), None)
    if prompt is None and not sides:
        raise SchemaError(
            f"no column is a prompt; found {listing(frame.columns, limit=20)}.{did_you_mean('prompt', frame.columns)}",
            where=where,
            fix=f"say which column it is: {option('prompt')}",
        )
    for column in keep:
        if column not in frame.columns:
            raise ConfigError(
                f"the table has no column {column!r}.{did_you_mean(column, frame.columns)}",
                where=where,
                fix=f"name one of its columns: {listing(frame.columns, limit=20)}",
            )
    return Layout(prompt, sides, _ids(found.get("prompt_id"), given), tuple(keep))


def _ids(column: str | None, given: Mapping[str, str]) -> str | None:
    """The column of ids; ``id`` and ``index`` may number rows, and are taken where they are told to be alone."""
    return column if column is None or "prompt_id" in given or folded(column) not in WEAK_IDS else None


def asked_in(frame: pl.DataFrame, layout: Layout, *, first: int) -> Iterator[Asked]:
    """What each row asks; ``first`` is the number of the first row in its file."""
    for place, row in enumerate(frame.select(layout.columns).iter_rows(named=True), start=first):
        prompt, problem = _prompt(row, layout)
        given = row[layout.prompt_id] if layout.prompt_id else None
        kept = {name: row[name] for name in layout.kept}
        yield Asked(place, prompt, problem, None if given is None else _id_text(given, place), kept)


def _id_text(value: Any, place: int) -> str:
    if isinstance(value, float) or not isinstance(value, str | int):
        raise UnreadableFile(
            f"the prompt_id {value!r:.40} is neither text nor a whole number",
            where=f"row {place}",
            fix="write ids as text, or take hashes of the texts: --prompt-ids text",
        )
    return str(value)


def _prompt(row: Mapping[str, Any], layout: Layout) -> tuple[str | Messages | None, str | None]:
    """The prompt, a single turn of the user as its text; or why there is none."""
    value = row[layout.prompt] if layout.prompt else None
    try:
        turns = _from_pair(value, row) if layout.sides else canonical_prompt(_told(value))
    except SchemaError as error:
        return None, error.what
    if turns is None:
        return None, "chosen and rejected differ before the last turn"
    if not any(m["content"].strip() for m in turns if m["role"] == "user"):
        return None, "the prompt is empty"
    if len(turns) == 1 and turns[0]["role"] == "user":
        return turns[0]["content"], None
    return turns, None


def _are_several(side: Any) -> bool:
    """Whether a side is a list of several responses, as in RM-Bench: no conversation that could say more of the prompt."""
    return isinstance(side, list) and len(side) > 1 and all(isinstance(one, str) for one in side)


def _told(value: Any) -> Any:
    if value is None:
        raise SchemaError("the prompt is missing", fix="drop the row")
    return value


def _from_pair(prompt: Any, row: Mapping[str, Any]) -> Messages | None:
    if prompt is not None and any(_are_several(row[side]) for side in _SIDES):
        return canonical_prompt(prompt)
    pair = canonical_pair(prompt, _told(row["chosen"]), _told(row["rejected"]))
    return None if pair is None else pair.prompt
