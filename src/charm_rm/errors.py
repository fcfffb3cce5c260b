"""Typed errors: what is wrong, where, and how to fix it.

Raise one of these when the result would be wrong; emit :class:`CharmWarning` when the result is
right but may mislead. The command line prints them without a traceback and exits with
``exit_code`` (2: bad input or usage, 1: a failure of ours or of the machine).
"""

from __future__ import annotations

import contextlib
import difflib
import re
import warnings
from collections.abc import Iterable, Iterator


class CharmError(Exception):
    """Base of every expected error.

    Args:
        what: one sentence that says what is wrong.
        where: file, row, column or policy, where known.
        fix: what the reader can do about it.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str | None = None, fix: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\n  Fix: {self.fix}" if self.fix else text


class SchemaError(CharmError):
    """A table breaks the schema or an invariant of its noun."""


class UnreadableFile(CharmError):
    """A file is missing, empty, cut short, wrongly encoded, or of an unknown kind."""


class NothingThere(UnreadableFile):
    """A folder is there, and holds nothing of what was looked for."""


class OutputExists(CharmError):
    """An output path exists and overwriting was not asked for."""


class WriteFailed(CharmError):
    """Writing did not complete (disk full, permissions); what was there before is untouched."""

    exit_code = 1


class ConfigError(CharmError):
    """A setting or a configuration file is not usable."""


class SeveralModels(ConfigError):
    """A table has scores of several reward models, and none is chosen."""


class NoModels(ConfigError):
    """A reward model is chosen in a table that names none."""


class SeveralSamples(ConfigError):
    """A table has several responses of a policy to a prompt where one is needed, and none is chosen."""


class BadSetting(ConfigError, ValueError):
    """A setting is out of bounds; ``setting`` names it (empty: several do not fit together). (A ValueError too, so that pydantic reports its place.)"""

    def __init__(
        self, what: str, *, setting: str = "", where: str | None = None, fix: str | None = None
    ) -> None:
        super().__init__(what, where=where, fix=fix)
        self.setting = setting


class UnknownPolicy(CharmError):
    """A policy name has no counterpart where one is needed."""


class NoOverlap(CharmError):
    """Two tables share no prompts or no policies, or too few."""


class NotIdentifiable(CharmError):
    """The data do not determine the quantity asked for, whatever the solver."""


class NotConverged(CharmError):
    """A solver stopped short of its tolerance."""

    exit_code = 1


class MissingExtra(CharmError):
    """An optional dependency is not installed: one of charm's ``extra``, whose pip command works in the clone, or another, with its own fix."""

    def __init__(self, what: str, *, extra: str = "", fix: str | None = None) -> None:
        super().__init__(what, fix=fix or f'in the folder of the clone: pip install ".[{extra}]"')


class ModelError(CharmError):
    """A model directory or hub id cannot be used as asked."""


class RemoteError(CharmError):
    """A server could not be reached, or did not answer as it should, for all that was tried."""

    exit_code = 1


class RemoteRefused(RemoteError):
    """A server turned a request down for good; ``status`` is its HTTP status."""

    exit_code = 2

    def __init__(self, what: str, *, status: int, where: str | None = None, fix: str | None = None) -> None:
        super().__init__(what, where=where, fix=fix)
        self.status = status


class StageFailed(CharmError):
    """A pipeline stage ended without its output."""

    exit_code = 1


class CharmWarning(UserWarning):
    """The result is right, but may mislead if this is not known."""


class ReadingNote(UserWarning):
    """How a table was read that has not charm's own columns: nothing is wrong, and it is worth a look."""


@contextlib.contextmanager
def noting_warnings() -> Iterator[list[str]]:
    """Yield a list that, after the block, holds the block's CharmWarnings, each once; they are said then, too.

    So a result can carry what was said while it was made. Other warnings pass as they would have. All of them are
    said where the block fails, too: what it warned of may be why.
    """
    notes: list[str] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", CharmWarning)
            yield notes
    except BaseException:
        with contextlib.suppress(
            Warning
        ):  # a warning that is an error here must not take the place of the error
            _say_again(caught, notes)
        raise
    _say_again(caught, notes)


def _say_again(caught: Iterable[warnings.WarningMessage], notes: list[str]) -> None:
    """Say what was recorded: other warnings as they were, CharmWarnings once each, which are added to ``notes``."""
    for warning in caught:
        if not issubclass(warning.category, CharmWarning):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        elif str(warning.message) not in notes:
            notes.append(str(warning.message))
    for note in notes:
        warnings.warn(note, CharmWarning, stacklevel=5)


def first_line(error: BaseException) -> str:
    """The line of a library's error, which may be long, that says what is wrong; its kind where it has no message.

    That is the first, and those after it as long as a line only announces the next: one that ends in a colon, a server's status,
    a count of errors. A missing key is said to be one.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    if isinstance(error, KeyError):
        return f"KeyError: {lines[0]}"
    said = lines[0]
    for line in lines[1:5]:
        if not _ANNOUNCES.search(said):
            break
        said = f"{said} {line}"
    return said.removesuffix(":")


# Of a library's message: the cause is in the lines that follow.
_ANNOUNCES = re.compile(
    r":$|^\d{3} \w+ Error\b[^:]*(\(Request ID[^)]*\))?\.?$|^\d+ validation errors? for \S+( \S+)?$"
)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x' or 'y'?"`` for near misses of ``name``, else an empty string."""
    folded = {k.casefold(): k for k in known}
    near = difflib.get_close_matches(name.casefold(), list(folded), n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(repr(folded[k]) for k in near)}?" if near else ""


def counted(n: int, noun: str, plural: str | None = None) -> str:
    """``1 policy``, ``46 policies``: a count with its noun."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def verb(n: int, one: str, several: str) -> str:
    """``one`` of a count of 1, ``several`` of any other: the verb (or pronoun) that goes with it."""
    return one if n == 1 else several


def listing(names: Iterable[object], *, limit: int = 5) -> str:
    """Return the names quoted and joined, the tail beyond ``limit`` counted."""
    shown = list(names)
    tail = f" and {len(shown) - limit} more" if len(shown) > limit else ""
    return ", ".join(repr(str(n)) for n in shown[:limit]) + tail
