"""Settings of reading a table that is not in charm's own columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import BadSetting
from .definition import Settings, setting
from .vocabulary import Sample


def parse_columns(given: Iterable[str]) -> dict[str, str]:
    """``FIELD=COLUMN`` taken apart, for each; a field may be ``TABLE.FIELD``.

    Raises:
        BadSetting: it is something else, or a field is given twice.
    """
    found: dict[str, str] = {}
    for text in given:
        field, equals, column = text.partition("=")
        if not (field.strip() and equals):
            raise BadSetting(
                f"column {text!r} is not FIELD=COLUMN",
                setting="columns",
                fix="write, for example, policy=model",
            )
        if field.strip() in found:
            raise BadSetting(
                f"column {field.strip()!r} is given twice",
                setting="columns",
                fix="name one column of the file for it",
            )
        found[field.strip()] = column
    return found


def column_setting() -> Any:
    """The setting of which column holds which field."""
    return setting(
        (),
        "Column of the table for a field: policy=model, prompt_id=..., score=...; repeatable. "
        "For a table other than the first: responses.policy=model.",
        flags=("--column",),
        metavar="FIELD=COLUMN",
        check=parse_columns,
    )


@dataclass(frozen=True, kw_only=True)
class TableSettings(Settings):
    """How to read a table with other column names than charm's."""

    columns: tuple[str, ...] = column_setting()
    reward_model: str | None = setting(
        None, "Which reward model's scores, where the table has several.", metavar="NAME"
    )
    sample: Sample | None = setting(
        None,
        "Several responses of a policy to a prompt: take the first, the mean of their scores, the max (best of n), or keep all.",
    )

    @classmethod
    def of(
        cls,
        columns: Mapping[str, str] | None = None,
        *,
        reward_model: str | None = None,
        sample: Sample | None = None,
    ) -> TableSettings:
        """From what Python functions take: ``columns`` maps a field to the column that holds it."""
        given = tuple(f"{field}={column}" for field, column in (columns or {}).items())
        return cls(columns=given, reward_model=reward_model, sample=sample)

    def fields(self, table: str) -> dict[str, str]:
        """Which column holds which field of one table: fields without a table's name, and those of this one's name."""
        found: dict[str, str] = {}
        for field, column in parse_columns(self.columns).items():
            about, dot, name = field.rpartition(".")
            if about == table or not dot:
                found[name] = column
        return found

    def named(self, table: str) -> dict[str, str]:
        """Which column holds which field, of what is told with this table's name before the field."""
        return self.part(table).fields(table)

    def part(self, table: str, *, first: bool = False) -> TableSettings:
        """What is told of one table of a command that reads several; what names no table is about the ``first`` ones."""
        given = parse_columns(self.columns).items()
        named = [f"{f.removeprefix(table + '.')}={c}" for f, c in given if f.startswith(f"{table}.")]
        bare = [f"{f}={c}" for f, c in given if first and "." not in f]
        if not first:
            return TableSettings(columns=tuple(named))
        return TableSettings(columns=(*bare, *named), reward_model=self.reward_model, sample=self.sample)
