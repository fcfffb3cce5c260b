"""Columns of votes that look like a model's verdicts or scores, or a person's votes, and that nobody named: said, with the option that takes them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Sequence

import polars as pl

from ...errors import ConfigError, SchemaError
from ...judgements.checks import note
from ...judgements.pair_rows import Columns, outcomes
from ...reading.names import OTHER_NUMBERS, folded, is_index
from .labels import numbers_told
from .models import ModelColumns

_SIDES = (("a", "b"), ("1", "2"), ("0", "1"), ("chosen", "rejected"), ("left", "right"), ("first", "second"))
# Words in the names of columns that are measures of something else than how good an answer is.
_OTHER = {
    *(word for name in OTHER_NUMBERS for word in name.split("_")),
    *("id", "ids", "idx", "index", "tokens", "token", "count", "number", "num", "elo", "price", "sum", "weight", "date", "age", "version"),
}  # fmt: skip
_VERDICTS = {
    *("winner", "verdict", "judgement", "judgment", "preference", "pref", "prefers", "preferred", "prefer", "label", "choice", "vote"),
    *("margin", "logit", "logits", "diff", "delta", "prob", "probability", "score", "scores", "reward", "rm", "outcome", "decision"),
}  # fmt: skip
_PEOPLE = {
    "annotator",
    "rater",
    "worker",
    "voter",
    "human",
    "person",
    "labeler",
    "labeller",
    "crowd",
    "expert",
    "participant",
}
# Sides of the screen as labels, whichever policy stood there.
_BY_SIDE = {"left": "a", "Left": "a", "LEFT": "a", "right": "b", "Right": "b", "RIGHT": "b"}
# Of a column's name, what says only that it holds verdicts or scores, and not whose.
_PLAIN = _VERDICTS | {"model", "of", "answer", "response", "by"}


def say_unused_models(votes: pl.DataFrame, frame: pl.DataFrame, used: Collection[str], where: str) -> None:
    """Say which columns may be a model's, and how to take them.

    Two columns of numbers whose names differ in the side alone (``rm_a``, ``rm_b``) look like scores; one column of labels, or of numbers that is
    called so, like verdicts.

    Args:
        votes: as they came.
        frame: the same rows with policy_a, policy_b and row.
        used: the columns that are a field of the votes, or a model's already.
        where: what messages call the table.
    """
    spare = [c for c in votes.columns if c not in used and not is_index(c)]
    pairs = _pairs(votes, spare)
    in_pairs = {column for _, *pair in pairs for column in pair}
    verdicts = [c for c in spare if c not in in_pairs and _is_verdict(votes[c], frame, where)]
    peoples = [c for c in verdicts if _PEOPLE & set(_words(c))]
    found = [f"{_named(stem)}={','.join(pair)}" for stem, *pair in pairs]
    found += [f"{_named(folded(c).split('_'))}={c}" for c in verdicts if c not in peoples]
    _say_unused("a model's verdicts or scores", "To hold votes against {}", "--model", found, where)
    taken = "To take {} in place of the column of winners"
    _say_unused("a person's votes", taken, "--votes-of", [f"{folded(c)}={c}" for c in peoples], where)


def whole_pairs(votes: pl.DataFrame, asked: Sequence[ModelColumns]) -> Sequence[ModelColumns]:
    """The columns asked for, where none is one of two scores that was given for a verdict; a note says which pairs are given second policy first.

    Raises:
        ConfigError: a single column, of which nothing says what it holds, is one of two whose names differ in the side alone.
    """
    pairs = [(one, other) for _, one, other in _pairs(votes, votes.columns)] if asked else []
    for model in asked:
        if model.kind is None and (pair := next((p for p in pairs if model.columns[0] in p), None)):
            (column,) = model.columns
            raise ConfigError(
                f"column {column!r} looks like the score of one of two answers: there is {(set(pair) - {column}).pop()!r}, too",
                where=f"--model {model.told}",
                fix=f"give both: --model {shlex.quote(f'{model.name}={pair[0]},{pair[1]}')}; or say that it is a verdict of its own: "
                f"--model {shlex.quote(f'{model.name}={column}:margin')}",
            )
        if model.columns[::-1] in pairs:
            note(
                f"--model {model.told}: {model.columns[0]!r} is read as the score of the first policy of each row, and by its name is that of the second"
            )
    return asked


def _say_unused(what: str, aim: str, option: str, found: Sequence[str], where: str) -> None:
    if found:
        one = len(found) == 1
        note(
            f"{where}: {'what looks' if one else f'{len(found)} things that look'} like {what} {'is' if one else 'are'} not used. "
            f"{aim.format('it' if one else 'them')}: {', '.join(f'{option} {shlex.quote(text)}' for text in found)}"
        )


def _words(column: str) -> list[str]:
    """The words of a column's name; a last letter or number that is joined to one is a word."""
    return [part for word in folded(column).split("_") for part in re.findall(r"\d+|[^\d]+", word)]


def _named(words: list[str]) -> str:
    """A model's name out of the words of its columns: those that say whose they are."""
    return "_".join([w for w in words if w not in _PLAIN] or words)


def _pairs(votes: pl.DataFrame, spare: list[str]) -> list[tuple[list[str], str, str]]:
    """(words without the side, first column, second column) of columns of numbers that differ in the side alone."""
    numbers = {tuple(_words(c)): c for c in spare if not _OTHER & set(_words(c)) and _are_numbers(votes[c])}
    found = []
    for words, column in numbers.items():
        for one, other in _SIDES:
            at = [i for i, word in enumerate(words) if word == one]
            for i in at:
                second = numbers.get((*words[:i], other, *words[i + 1 :]))
                if second is not None:
                    found.append(([*words[:i], *words[i + 1 :]] or ["model"], column, second))
    return found


def _are_numbers(cells: pl.Series) -> bool:
    if cells.dtype.is_numeric():
        return cells.null_count() < cells.len()
    if cells.dtype != pl.String:
        return False
    numbers = numbers_told(cells)
    return numbers is not None and numbers.len() > 0


def _is_verdict(cells: pl.Series, frame: pl.DataFrame, where: str) -> bool:
    """Whether a column holds nothing but labels that name a winner in some row; or numbers, and is called like verdicts or scores."""
    words = set(_words(cells.name))
    if _are_numbers(cells) or cells.dtype == pl.Boolean:
        return bool(words & _VERDICTS) and not words & _OTHER
    if cells.dtype not in (pl.String, pl.Categorical, pl.Enum):
        return False
    rows = frame.select("row", "policy_a", "policy_b").with_columns(
        cells[frame["row"].to_list()].cast(pl.String).str.strip_chars().replace(_BY_SIDE).alias("_told")
    )
    if any(rows["_told"].equals(rows[side], check_names=False) for side in ("policy_a", "policy_b")):
        return False
    try:
        p = outcomes(rows, Columns("policy_a", "policy_b", "_told"), where)
    except SchemaError:
        return False
    return bool((p != 0.5).any())
