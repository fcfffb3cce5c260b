"""Which features there are: a number of a response by name, from an expression over its prepared texts.

A feature registers itself where it is defined, by :func:`feature` above a function that gives its expression; the modules of
this package that hold such functions are listed in ``catalogue.py`` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import polars as pl

from ..errors import ConfigError, did_you_mean, listing

# Which kind of thing a feature tells, in the order of tables.
Group = Literal["length", "markdown", "form", "tone", "language", "prompt"]
_Raw = Callable[[], pl.Expr]


@dataclass(frozen=True)
class Feature:
    """A number that can be seen in a response.

    Args:
        name: as in ``--feature NAME``, and of its column.
        group: which kind of thing it tells.
        about: its definition, in a line or two.
        version: of the definition; another one gives other numbers, and a calibration made with it does not fit.
        log: the feature is log(1 + raw); else it is the raw number.
        default: one of those that are measured unless others are named.
        raw: gives the expression of the raw number (at least 0, finite) over the columns of
            :func:`~charm_rm.features.texts.prepare`.
    """

    name: str
    group: Group
    about: str
    version: int
    log: bool
    default: bool
    raw: _Raw

    @cached_property
    def expression(self) -> pl.Expr:
        """The raw number as Float64, under the feature's name."""
        return self.raw().cast(pl.Float64).alias(self.name)

    @cached_property
    def needs(self) -> frozenset[str]:
        """The prepared columns that the expression reads."""
        return frozenset(self.expression.meta.root_names())


_REGISTERED: dict[str, Feature] = {}


def feature(
    name: str, *, group: Group, about: str, version: int = 1, log: bool = False, default: bool = True
) -> Callable[[_Raw], _Raw]:
    """Register the decorated function, which returns a Polars expression, as the raw number of feature ``name``.

    Raises:
        ConfigError: another function has this name already, or there is no such group.
    """

    def register(raw: _Raw) -> _Raw:
        old = _REGISTERED.get(name)
        if old is not None and _home(old.raw) != _home(raw):
            raise ConfigError(
                f"two features are called {name!r}: {_home(old.raw)} and {_home(raw)}",
                fix="rename one of them",
            )
        if group not in get_args(Group):
            raise ConfigError(
                f"feature {name!r} is of no known group: {group!r}",
                fix=f"choose one of {listing(get_args(Group), limit=9)}",
            )
        _REGISTERED[name] = Feature(name, group, about, version, log, default, raw)
        return raw

    return register


def registered() -> dict[str, Feature]:
    """All features that are defined so far, by group and then as they were defined."""
    groups = get_args(Group)
    return dict(sorted(_REGISTERED.items(), key=lambda item: groups.index(item[1].group)))


def choose(names: Sequence[str], known: dict[str, Feature]) -> list[Feature]:
    """The features of these names, in their order.

    Raises:
        ConfigError: none are named, one is unknown, or one is named twice.
    """
    for name in names:
        if name not in known:
            raise ConfigError(
                f"unknown feature {name!r}.{did_you_mean(name, known)}",
                fix=f"known are {listing(known, limit=len(known))}; your own are column:NAME and python:MODULE:FUNCTION",
            )
    refuse_repeats(names)
    return [known[name] for name in names]


def refuse_repeats(names: Iterable[str]) -> None:
    """Raise :class:`ConfigError` where a name comes twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ConfigError(f"feature {name!r} is named twice", fix="name it once")
        seen.add(name)


def _home(function: _Raw) -> str:
    return f"{function.__module__}.{function.__qualname__}"
