"""How a setting is defined: once, as a field of a frozen dataclass, with type, default, bounds and one description.

From that one definition come the option of the command line (``cli/options.py``), the key of the YAML file and its
comment (``pipeline/config.py``, ``pipeline/template.py``), and the check with its message. Nothing here imports more
than the standard library, so that a command that needs no configuration file loads no pydantic.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import typing
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, ClassVar, Literal

from ..errors import BadSetting

_ABOUT = "charm"  # the key of a field's metadata; pydantic reads `description` beside it
Path = Literal["path", "path or id"]


@dataclass(frozen=True)
class _About:
    """What a field's metadata say besides its description."""

    above: float | None = None
    least: float | None = None
    below: float | None = None
    flags: tuple[str, ...] = ()
    metavar: str | None = None
    path: Path | None = None
    check: Callable[[Any], object] | None = None


def setting(default: Any = dataclasses.MISSING, about: str = "", **more: Any) -> Any:
    """A field of a settings class.

    Args:
        default: the default of API, command line and YAML alike; left out: it must be given.
        about: one line, for ``--help``, the YAML comment and the documentation.
        more: ``above``, ``least``, ``below``: bounds of a number; ``flags``: options of the command line, where
            they are not ``--name``; ``metavar``; ``path``: ``path``, or ``path or id`` of a hub; ``check``: raises
            :class:`~charm_rm.errors.BadSetting`.
    """
    return dataclasses.field(default=default, metadata={"description": about, _ABOUT: _About(**more)})


@dataclass(frozen=True)
class Setting:
    """A setting as the interfaces see it; ``kind`` is the type without ``None``, a choice or a list taken apart.

    ``items``: what a list holds, where those are sections with settings of their own.
    """

    name: str
    about: str
    default: Any
    kind: Any
    optional: bool
    many: bool
    choices: tuple[str, ...]
    bounds: _About
    items: type[Settings] | None = None  # of a list of sections

    @property
    def required(self) -> bool:
        """Whether there is no default."""
        return self.default is dataclasses.MISSING

    @property
    def flags(self) -> tuple[str, ...]:
        """The options of the command line."""
        return self.bounds.flags or (f"--{self.name.replace('_', '-')}",)

    def check(self, value: Any, *, where: str) -> None:
        """Refuse a value that is out of bounds.

        Raises:
            BadSetting: always the same words, wherever the value came from.
        """
        if value is None:
            if not self.optional:
                raise BadSetting(f"{self.name} is missing", setting=self.name, where=where, fix="give it")
            return
        if self.choices and value not in self.choices:
            raise BadSetting(
                f"{self.name} {value!r} is not known",
                setting=self.name,
                where=where,
                fix=f"use {' or '.join(self.choices)}",
            )
        if wanted := self._outside(value):
            raise BadSetting(
                f"{self.name} must be {wanted}, got {value}",
                setting=self.name,
                where=where,
                fix=f"give {wanted}",
            )
        if self.bounds.check is not None:
            self.bounds.check(value)

    def _outside(self, value: Any) -> str | None:
        """The bounds in words where the value lies outside of them."""
        about = self.bounds
        if not isinstance(value, int | float) or isinstance(value, bool):
            return None
        inside = (
            math.isfinite(value)
            and (about.above is None or value > about.above)
            and (about.least is None or value >= about.least)
            and (about.below is None or value < about.below)
        )
        return None if inside else self.range or "a finite number"

    @property
    def range(self) -> str:
        """The bounds in words."""
        about = self.bounds
        words = {"above": about.above, "at least": about.least, "below": about.below}
        return " and ".join(f"{word} {bound:g}" for word, bound in words.items() if bound is not None)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Base of every stage's settings: frozen, and checked when made.

    Raises:
        BadSetting: a value is out of bounds.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {
        "extra": "forbid"
    }  # an unknown key of the file is an error

    def __post_init__(self) -> None:
        for one in settings_of(type(self)):
            one.check(getattr(self, one.name), where="settings")

    def accepted_by(self, verb: Callable[..., Any]) -> dict[str, Any]:
        """The settings that ``verb`` takes as keyword arguments, by name."""
        known = inspect.signature(verb).parameters
        return {name: value for name, value in self.values().items() if name in known}

    def values(self, kind: type[Settings] | None = None) -> dict[str, Any]:
        """The settings by name; of a base class, where one is given, those that it has."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(kind or self)}


def settings_of(cls: type[Settings]) -> tuple[Setting, ...]:
    """The settings of a class, in order."""
    return _settings_of(cls)  # type: ignore[arg-type]  # a class is hashable, whatever its instances are


@cache
def _settings_of(cls: Any) -> tuple[Setting, ...]:
    hints = typing.get_type_hints(cls)
    return tuple(_described(field, hints[field.name]) for field in dataclasses.fields(cls))


def setting_named(cls: type[Settings], name: str) -> Setting:
    """One setting of a class."""
    return next(one for one in settings_of(cls) if one.name == name)


def _described(field: dataclasses.Field[Any], hint: Any) -> Setting:
    parts = (
        typing.get_args(hint)
        if isinstance(hint, UnionType) or typing.get_origin(hint) is typing.Union
        else (hint,)
    )
    kinds = [p for p in parts if p is not NoneType]
    kind = kinds[0]
    many = any(typing.get_origin(k) is tuple for k in kinds)
    choices = typing.get_args(kind) if typing.get_origin(kind) is Literal and not many else ()
    return Setting(
        name=field.name,
        about=str(field.metadata.get("description", "")),
        default=field.default,
        kind=str if many or choices else kind,
        optional=NoneType in parts,
        many=many,
        choices=choices,
        bounds=field.metadata.get(_ABOUT, _About()),
        items=next((i for k in kinds if (i := _item(k)) is not None), None),
    )


def _item(kind: Any) -> type[Settings] | None:
    """The settings that a list holds."""
    inner = typing.get_args(kind)[:1] if typing.get_origin(kind) is tuple else ()
    return next((i for i in inner if isinstance(i, type) and issubclass(i, Settings)), None)


# A thousand are plenty; a draw holds a number for every prompt.
MOST_DRAWS = 100_000


def check_draws(draws: int) -> None:
    """Bootstrap draws: none, or enough for the ends of a 95 % interval.

    Raises:
        BadSetting: too few, or too many.
    """
    if draws < 0 or 0 < draws < 100 or draws > MOST_DRAWS:
        raise BadSetting(
            f"draws is {draws}",
            setting="draws",
            fix=f"use 0 (no bootstrap: normal intervals or none), or 100 to {MOST_DRAWS:,}",
        )
