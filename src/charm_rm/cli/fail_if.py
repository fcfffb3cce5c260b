"""``--fail-if EXPRESSION``: a command that measures can end with exit code 3, so that a release waits on what it found.

An expression is ``NAME OP NUMBER`` joined by ``and`` and ``or`` (``and`` binds tighter), OP one of ``>``, ``>=``, ``<``, ``<=``.
NAME may end in ``.low`` or ``.high``, the ends of its 95 % interval. It is read by the grammar below, never evaluated as code.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import click

from ..errors import BadSetting, counted, did_you_mean, listing
from .common import echo
from .look import look

EXIT_CODE = 3

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_CONDITION = re.compile(rf"\s*([A-Za-z_]\w*)(?:\.(low|high))?\s*(>=|<=|>|<)\s*({_NUMBER})\s*", re.ASCII)
_NEARLY = re.compile(r"[A-Za-z_]\w*(?:\s*\.\s*(\w*))?\s*([<>=!≤≥~]+)\s*(.*?)\s*", re.ASCII | re.DOTALL)
_JOINT = re.compile(r"\b(and|or)\b", re.ASCII | re.IGNORECASE)
_LONGEST = 500


@dataclass(frozen=True)
class Figure:
    """A number that was measured, ``None`` where it could not be; an end that is ``None`` beside one that is not is open."""

    value: float | None
    low: float | None = None
    high: float | None = None

    def end(self, which: str) -> float | None:
        """The value, or one end of the interval; ``None`` where there is none."""
        if which == "value":
            return None if self.value is None or math.isnan(self.value) else self.value
        if self.low is None and self.high is None:
            return None
        ends = {"low": (self.low, -math.inf), "high": (self.high, math.inf)}
        found, open_end = ends[which]
        return open_end if found is None else found

    def __str__(self) -> str:
        value = "-" if self.value is None else f"{self.value:.4g}"
        if self.low is None and self.high is None:
            return value
        low = "(open" if self.low is None else f"[{self.low:.4g}"
        return f"{value} {low}, {'open)' if self.high is None else f'{self.high:.4g}]'}"


@dataclass(frozen=True)
class Measured:
    """What a command found: ``whole``, figures of all of it; ``rows``, by their noun (policy, pair), those of each by its name.

    A figure that could not be measured has the value ``None``. One that a row never has (no test of an average of averages) is left out.
    """

    whole: Mapping[str, Figure] = field(default_factory=dict)
    rows: Mapping[str, Mapping[str, Mapping[str, Figure]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Condition:
    """``favour.low > 50``; ``end``: value, low or high."""

    name: str
    end: str
    op: str
    limit: float

    def holds(self, figure: Figure) -> bool | None:
        """``None`` where the figure was not measured."""
        found = figure.end(self.end)
        return None if found is None else _OPERATORS[self.op](found, self.limit)

    def is_settled(self, figure: Figure) -> bool:
        """Whether the interval, too, lies beyond the limit: it does not contradict the condition."""
        near = figure.end("low" if ">" in self.op else "high")
        return near is None or _OPERATORS[self.op](near, self.limit)


@dataclass(frozen=True)
class Gate:
    """An expression: ``text`` as given, conditions of which all in one of ``any_of`` have to hold; ``noun`` of its rows, if any."""

    text: str
    any_of: tuple[tuple[Condition, ...], ...]
    noun: str | None

    def conditions(self) -> Iterator[Condition]:
        """All of them."""
        return (one for group in self.any_of for one in group)


def parse_gate(text: str, nouns: Mapping[str, str | None]) -> Gate:
    """Read an expression; ``nouns`` has every known name, with the noun of its rows, ``None`` for a figure of the whole.

    Raises:
        BadSetting: not of the grammar, an unknown name, or names of rows of two kinds.
    """
    if len(text) > _LONGEST:
        raise _bad(f"is longer than {_LONGEST} characters", "give --fail-if several times")
    groups: list[list[Condition]] = [[]]
    for i, part in enumerate(_JOINT.split(text)):
        if i % 2 == 0:
            groups[-1].append(_condition(part, text, nouns))
        elif part.lower() == "or":
            groups.append([])
    kinds = list(dict.fromkeys(nouns[c.name] for group in groups for c in group if nouns[c.name]))
    if len(kinds) > 1:
        raise _bad(
            f"{text!r} is about each {' and each '.join(map(str, kinds))}", "give --fail-if once for each"
        )
    return Gate(text, tuple(map(tuple, groups)), kinds[0] if kinds else None)


def _condition(part: str, text: str, nouns: Mapping[str, str | None]) -> Condition:
    found = _CONDITION.fullmatch(part)
    if found is None:
        what, fix = _wrong(part.strip())
        raise _bad(f"{part.strip()!r} of {text!r} is not NAME > NUMBER{what}", fix)
    name, end, op, limit = found.groups()
    if name not in nouns:
        raise _bad(f"unknown name {name!r}.{did_you_mean(name, nouns)}", f"known here: {', '.join(nouns)}")
    return Condition(name, end or "value", op, float(limit))


def _wrong(part: str) -> tuple[str, str]:
    """What is wrong with a condition that does not parse, where it can be told, and how to write it."""
    example = "write for example favour>50, favour.low>50 or spearman<0.8 and sharpness>2"
    if found := re.search(r"[&|,;]+", part):
        return f": {found[0]!r} joins no conditions", f"join them with 'and' or 'or'; {example}"
    found = _NEARLY.fullmatch(part)
    if found is None:
        return "", example
    end, op, number = found.groups()
    if end and end not in ("low", "high"):
        return f": there is no end {end!r}", "name an end of the interval, .low or .high, or leave it out"
    if op not in _OPERATORS:
        return f": there is no operator {op!r}", "use one of >, >=, <, <="
    return f": {number!r} is no plain number", "write a number such as 50, -0.5 or 1e-3, without unit"


def _bad(what: str, fix: str) -> BadSetting:
    return BadSetting(what, where="--fail-if", fix=fix)


@dataclass(frozen=True)
class Outcome:
    """Whether the expression holds, and why in one line; ``notes``: what it has to be read with."""

    failed: bool
    words: str
    notes: tuple[str, ...] = ()


def test_gate(gate: Gate, found: Measured) -> Outcome:
    """Hold an expression against what was measured: it fails where it holds for the whole, or for any of its rows.

    Raises:
        BadSetting: it holds for none, and a figure of one was not measured: no release passes on that.
    """
    rows = found.rows.get(gate.noun, {}) if gate.noun else {"": {}}
    tested = {name: _holds(gate, {**found.whole, **row}) for name, row in rows.items()}
    hits = [name for name, held in tested.items() if held]
    never = [name for name, held in tested.items() if held is None and _is_never(gate, found, rows[name])]
    unmeasured = [name for name, held in tested.items() if held is None and name not in never]
    if not hits and (unmeasured or len(never) == len(tested)):
        raise _not_measured(gate, found, rows, unmeasured)
    notes = [f"not tested, for want of figures: {listing(unmeasured, limit=5)}"] if unmeasured else []
    notes += [f"left out, having no such figure: {listing(never, limit=5)}"] if never else []
    if not hits:
        where = (
            f" holds for none of {counted(len(tested) - len(never), gate.noun, _plural(gate.noun))}"
            if gate.noun
            else " does not hold"
        )
        return Outcome(False, f"{gate.text}{where}{_shown_whole(gate, found)}", tuple(notes))
    first = {**found.whole, **rows[hits[0]]}
    notes += _unsettled(gate, first)
    return Outcome(True, f"{gate.text}: {_why(gate, hits, first)}", tuple(notes))


test_gate.__test__ = False  # type: ignore[attr-defined]  # no test, whatever pytest thinks of the name


def _holds(gate: Gate, figures: Mapping[str, Figure]) -> bool | None:
    """True, False, or None where what decides was not measured."""
    groups = [[c.holds(figures.get(c.name, Figure(None))) for c in group] for group in gate.any_of]
    if any(all(held is True for held in group) for group in groups):
        return True
    return False if all(any(held is False for held in group) for group in groups) else None


def _is_never(gate: Gate, found: Measured, row: Mapping[str, Figure]) -> bool:
    """Whether all that is missing of a row are figures that it never has."""
    figures = {**found.whole, **row}
    return all(c.name not in figures or figures[c.name].end(c.end) is not None for c in gate.conditions())


def _not_measured(
    gate: Gate, found: Measured, rows: Mapping[str, Mapping[str, Figure]], unmeasured: Sequence[str]
) -> BadSetting:
    """The error that names the figures that are missing, and of which rows, where others have them."""
    among = [{**found.whole, **rows[name]} for name in unmeasured] or [dict(found.whole)]
    missing = [
        c for c in gate.conditions() if any(f.get(c.name, Figure(None)).end(c.end) is None for f in among)
    ]
    names = ", ".join(dict.fromkeys(c.name if c.end == "value" else f"{c.name}.{c.end}" for c in missing))
    if not gate.noun or len(unmeasured) == len(rows):
        return _bad(
            f"{gate.text}: {names or 'this'} was not measured",
            "see the warnings above: too few prompts or policies, or --draws 0 where the interval needs them",
        )
    several = _plural(gate.noun) if len(unmeasured) > 1 else gate.noun
    return _bad(
        f"{gate.text}: {names} was not measured for {several} {listing(unmeasured, limit=5)}, and it holds for no other",
        "give them more prompts, or leave their rows out of the table: no release passes on what was not measured",
    )


def _why(gate: Gate, hits: Sequence[str], figures: Mapping[str, Figure]) -> str:
    names = dict.fromkeys(
        c.name for group in gate.any_of if _holds(Gate("", (group,), None), figures) for c in group
    )
    shown = ", ".join(f"{name} {figures[name]}" for name in names)
    if gate.noun is None:
        return shown
    more = f"; {counted(len(hits), gate.noun, _plural(gate.noun))} in all" if len(hits) > 1 else ""
    return f"{hits[0]} has {shown}{more}"


def _shown_whole(gate: Gate, found: Measured) -> str:
    names = dict.fromkeys(c.name for c in gate.conditions() if c.name in found.whole)
    return f" ({', '.join(f'{name} {found.whole[name]}' for name in names)})" if names else ""


def _unsettled(gate: Gate, figures: Mapping[str, Figure]) -> list[str]:
    """Where the value is beyond the limit and its interval is not: the verdict may be no finding."""
    return [
        f"the interval of {c.name} reaches back over {c.limit:g}: the data leave it open; "
        f"{c.name}.{'low' if '>' in c.op else 'high'}{c.op}{c.limit:g} fails on evidence alone"
        for c in dict.fromkeys(gate.conditions())
        if c.end == "value" and c.holds(figures[c.name]) and not c.is_settled(figures[c.name])
    ]


def _plural(noun: str | None) -> str | None:
    return "policies" if noun == "policy" else noun and f"{noun}s"


# --- the option ---------------------------------------------------------------------------------


def fail_if_option(nouns: Mapping[str, str | None]) -> Callable[[Any], Any]:
    """``--fail-if EXPRESSION``, repeatable; the command gets the parsed :class:`Gate` objects as ``gates``."""

    def parsed(_context: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> tuple[Gate, ...]:
        return tuple(parse_gate(text, nouns) for text in texts)

    return click.option(
        "--fail-if",
        "gates",
        multiple=True,
        callback=parsed,
        metavar="EXPRESSION",
        help=f"Exit with {EXIT_CODE} where this holds, such as 'favour.low>50' (docs/ci.md); repeatable.",
    )


def apply_gates(gates: Sequence[Gate], found: Measured) -> None:
    """Say of each expression whether it holds, on standard error (of Markdown in the result, too); exit with 3 if any does.

    Raises:
        BadSetting: none holds, and of one that cannot be told.
    """
    if not gates:
        return
    outcomes, refused = _outcomes(gates, found)
    for outcome in outcomes:
        label, colour = ("FAILED", "red") if outcome.failed else ("passed", "green")
        for err in (True, False) if look().form == "markdown" else (True,):
            echo(outcome.words, err=err, label=f"{label}:", colour=colour)
            for note in outcome.notes:
                echo(f"  note: {note}", err=err)
    if any(outcome.failed for outcome in outcomes):
        for error in refused:
            echo(str(error), err=True, label="error:", colour="red")
        raise click.exceptions.Exit(EXIT_CODE)
    if refused:
        raise refused[0]


def _outcomes(gates: Sequence[Gate], found: Measured) -> tuple[list[Outcome], list[BadSetting]]:
    """Of every expression its outcome, or the error that says why there is none."""
    outcomes: list[Outcome] = []
    refused: list[BadSetting] = []
    for gate in gates:
        try:
            outcomes.append(test_gate(gate, found))
        except BadSetting as error:
            refused.append(error)
    return outcomes, refused
