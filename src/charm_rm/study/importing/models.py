"""Models whose verdicts or scores are columns of the votes themselves: as somebody named them, read as margins."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from ...errors import ConfigError, ReadingNote, SchemaError, counted, did_you_mean, listing
from ...judgements.checks import NO_VERDICT, note, refuse_rows
from ...judgements.margins import as_margins
from ...judgements.pair_rows import Columns, has_cells
from ...provenance import source_record
from ...reading.names import folded
from ...tables import Margins
from ..nouns import StudyModel
from .labels import by_policy, numbers_told, winners_told, with_meanings, with_policy_names

WINNER, MARGIN, PROBABILITY, PREFERENCE, SCORES = "winner", "margin", "probability", "preference", "scores"
# What one column may hold, as it is written after it: COLUMN:margin.
KINDS = {
    WINNER: "who won: a label, a policy's name, 1 and 2",
    MARGIN: "a number above 0 where the first answer is preferred",
    PROBABILITY: "the probability that the first answer is preferred, 0 to 1",
    PREFERENCE: "AlpacaEval's 1 (the first) to 2 (the second)",
}
_KEY = ["prompt_id", "policy", "reference"]
_LABELLED = ({0.0, 1.0, 1.5, 2.0}, {-1.0, 0.0, 1.0})
# Means of probabilities that are the same but for rounding do not differ.
_SAME = 1e-9


@dataclass(frozen=True)
class ModelColumns:
    """A model and its one column, of a kind that was told or is to be found (None), or its two of scores of either answer."""

    name: str
    columns: tuple[str, ...]
    kind: str | None
    told: str

    @property
    def of_the_chosen(self) -> bool:
        """Whether the scores are those of the answer that people chose, and of the other one, by their columns' names."""
        words = [folded(column).split("_") for column in self.columns]
        return len(words) == 2 and "chosen" in words[0] and "rejected" in words[1]


def model_columns(text: str, there: Sequence[str]) -> ModelColumns:
    """``NAME=COLUMN``, ``NAME=COLUMN:KIND`` or ``NAME=COLUMN_A,COLUMN_B`` taken apart, for a table with the columns ``there``.

    A column's own name may hold ``=``, ``,`` and ``:``.

    Raises:
        ConfigError: it is something else, or names a column that is not there.
    """
    name, equals, rest = text.partition("=")
    if not (name.strip() and equals and rest.strip()):
        raise ConfigError(
            "is not NAME=COLUMN",
            where=f"--model {text}",
            fix="write, for example, gpt4=gpt4_winner, or rm=score_a,score_b",
        )
    name = name.strip()
    if rest in there:
        return ModelColumns(name, (rest,), None, text)
    column, colon, kind = rest.rpartition(":")
    if colon and column in there:
        if kind not in KINDS:
            raise ConfigError(
                f"{kind!r} is nothing that a column holds.{did_you_mean(kind, KINDS)}",
                where=f"--model {text}",
                fix=_kinds_in_words(name, column),
            )
        return ModelColumns(name, (column,), kind, text)
    parts = rest.split(",")
    for i in range(1, len(parts)):
        pair = (",".join(parts[:i]).strip(), ",".join(parts[i:]).strip())
        if set(pair) <= set(there):
            return _pair(ModelColumns(name, pair, SCORES, text))
    lost = [part.strip() for part in parts if part.strip() not in there]
    raise ConfigError(
        f"the table has no column {lost[0]!r}.{did_you_mean(lost[0], there)}",
        where=f"--model {text}",
        fix=f"name one of its columns: {listing(there, limit=20)}",
    )


def _pair(asked: ModelColumns) -> ModelColumns:
    """Two columns of scores, where they are two, and in the order in which they are read.

    Raises:
        ConfigError: they are one, or that of the answer that was not chosen comes first.
    """
    first, second = asked.columns
    if first == second:
        raise ConfigError(
            f"column {first!r} is given for both answers",
            where=f"--model {asked.told}",
            fix="name the column of each answer's score",
        )
    turned = ModelColumns(asked.name, (second, first), asked.kind, asked.told)
    if turned.of_the_chosen:
        raise ConfigError(
            "the scores of the answer that was not chosen come first",
            where=f"--model {asked.told}",
            fix=f"write --model {asked.name}={second},{first}",
        )
    return asked


def refuse_scores_of_the_chosen(texts: Sequence[str], there: Sequence[str]) -> None:
    """Refuse scores of the chosen and the rejected answer where a row holds several people's votes: each may have chosen another.

    Raises:
        ConfigError: there are some.
    """
    for asked in (model_columns(text, there) for text in texts):
        if asked.of_the_chosen:
            raise ConfigError(
                "these are scores of the answer that was chosen and of the other one, and a row holds the votes of several people",
                where=f"--model {asked.told}",
                fix="give the scores of the first and of the second answer, as columns called otherwise",
            )


def model_of_columns(
    votes: pl.DataFrame, frame: pl.DataFrame, asked: ModelColumns, where: str, *, labels: Mapping[str, str]
) -> StudyModel:
    """What a model says of each comparison by its columns, as margins of the first policy over the second in each order.

    Rows of one comparison are votes on it, and repeat what the model said. Where they differ the mean counts, as of a judge that was asked
    again, which is said; of both orders of a pair the mean of the two means. A row without a value says nothing.

    Args:
        votes: the table as it came.
        frame: its rows that count, with prompt_id, policy_a, policy_b, winner, perhaps left (a or b), and ``row``, which numbers those of ``votes``.
        asked: the model, and which columns.
        where: what messages call the table.
        labels: what labels mean that are not known by themselves.

    Raises:
        ConfigError: what numbers in a single column mean is not clear.
        SchemaError: a label or a number means nothing, or there is no verdict at all.
    """
    raw = votes.select(asked.columns)[frame["row"].to_list()]
    told = [c for c in ("row", "policy_a", "policy_b", "winner", "left") if c in frame.columns]
    rows = frame.select(told).hstack(
        [raw.to_series(i).alias(name) for i, name in enumerate(("_first", "_second")[: raw.width])]
    )
    value, kind = _scores(rows, asked, where) if raw.width == 2 else _verdicts(rows, asked, where, labels)
    judged = frame.select(
        "prompt_id", pl.col("policy_a").alias("policy"), pl.col("policy_b").alias("reference"), value
    ).filter(pl.col("value").is_not_null() & (pl.col("policy") != pl.col("reference")))
    if judged.is_empty():
        raise SchemaError(
            f"{asked.name!r} has no verdict in {listing(asked.columns)}",
            where=where,
            fix=f"name other columns than --model {asked.told}",
        )
    differing = _say_differing(judged, asked, where, centre=0.0 if kind in (MARGIN, SCORES) else 0.5)
    record = {
        "verb": "import_votes",
        **source_record(where),
        "columns": list(asked.columns),
        "read_as": kind,
        "differing_comparisons": differing,
    }
    return StudyModel(asked.name, margins=_margins(judged, kind, f"{where}, {asked.name}", record))


def _margins(judged: pl.DataFrame, kind: str, where: str, record: dict[str, Any]) -> Margins:
    """The mean of each order of a pair, as a margin; probabilities as log-odds."""
    means = judged.group_by(_KEY, maintain_order=True).agg(pl.col("value").mean())
    if kind in (MARGIN, SCORES):
        return Margins(means.rename({"value": "margin"}), provenance=record)
    return as_margins(means.rename({"value": "p"}), where=where, provenance=record)


def _say_differing(judged: pl.DataFrame, asked: ModelColumns, where: str, *, centre: float) -> int:
    """Say on how many comparisons rows differ in what the model says, and return that; values are turned about ``centre``."""
    turned = (
        pl.when(pl.col("policy") < pl.col("reference")).then("value").otherwise(2 * centre - pl.col("value"))
    )
    spread = judged.group_by(
        "prompt_id",
        pl.min_horizontal("policy", "reference").alias("low"),
        pl.max_horizontal("policy", "reference").alias("high"),
    ).agg(turned.max().alias("most"), turned.min().alias("least"))
    differing = int((spread["most"] - spread["least"] > _SAME).sum())
    if differing:
        note(
            f"{where}: on {differing:,} of {counted(spread.height, 'comparison')} rows differ in what {asked.name!r} says "
            f"({listing(asked.columns)}): the mean counts"
        )
    return differing


# --- two columns of scores ------------------------------------------------------------------------


def _scores(rows: pl.DataFrame, asked: ModelColumns, where: str) -> tuple[pl.Series, str]:
    """s_a - s_b per row; scores of the chosen and the rejected answer are turned to a and b by who won, of a tie none is known."""
    first, second = (
        _numbers(rows, side, column, where)
        for side, column in zip(("_first", "_second"), asked.columns, strict=True)
    )
    margin = (first - second).alias("value")
    if not asked.of_the_chosen:
        return margin, SCORES
    told = f"scores of the answer that the vote of their row prefers, and of the other one ({listing(asked.columns)})"
    warnings.warn(f"{where}: {asked.name!r}: read as {told}", ReadingNote, stacklevel=4)
    p = winners_told(rows, Columns("policy_a", "policy_b", "winner"), where)
    turn = pl.when(p > 0.5).then(1.0).when(p < 0.5).then(-1.0)
    return pl.select((margin * turn).alias("value")).to_series(), SCORES


def _numbers(rows: pl.DataFrame, side: str, column: str, where: str) -> pl.Series:
    """Cells as numbers; what stands for no verdict is null."""
    cells = rows[side]
    if not has_cells(cells):
        raise SchemaError(
            f"column {column!r} should hold a number a row, found {cells.dtype}",
            where=where,
            fix="write each answer's score into a column of its own: --model NAME=COLUMN_A,COLUMN_B",
        )
    words = cells.cast(pl.String).str.strip_chars().str.to_lowercase()
    words = words.replace({"true": "1", "false": "0"}) if cells.dtype == pl.Boolean else words
    numbers = words.cast(pl.Float64, strict=False).fill_nan(None)
    strange = numbers.is_null() & words.is_not_null() & ~words.is_in(list(NO_VERDICT))
    refuse_rows(rows, strange, column, where, "is no number", shown=cells)
    refuse_rows(rows, numbers.is_infinite(), column, where, "is no finite number", shown=cells)
    return numbers


# --- one column -----------------------------------------------------------------------------------


def _verdicts(
    rows: pl.DataFrame, asked: ModelColumns, where: str, labels: Mapping[str, str]
) -> tuple[pl.Series, str]:
    """A row's value, and what it is: a margin, or the probability that the first answer is preferred."""
    column = asked.columns[0]
    kind = asked.kind or _kind_of(rows["_first"], asked)
    if asked.kind is None:
        warnings.warn(f"{where}: {asked.name!r}: read {column!r} as {KINDS[kind]}", ReadingNote, stacklevel=4)
    if kind == WINNER:
        shown = "_first" if column in ("row", "policy_a", "policy_b", "left") else column
        named = rows.drop("winner", "_first").with_columns(with_meanings(rows["_first"], labels).alias(shown))
        named = by_policy(with_policy_names(named, shown, where), shown, where)
        return winners_told(named, Columns("policy_a", "policy_b", shown), where).alias("value"), kind
    numbers = _numbers(rows, "_first", column, where)
    if kind == PROBABILITY:
        refuse_rows(
            rows, ~numbers.is_between(0, 1), column, where, "is no probability: not in [0, 1]", shown=numbers
        )
    if kind == PREFERENCE:
        refuse_rows(rows, ~numbers.is_between(1, 2), column, where, "is not in [1, 2]", shown=numbers)
        numbers = 2 - numbers
    return numbers.alias("value"), kind


def _kind_of(cells: pl.Series, asked: ModelColumns) -> str:
    """What a column holds: labels where any cell is no number, or numbers are those of labels; numbers of both signs are margins.

    Raises:
        ConfigError: numbers of one sign alone, which as margins would prefer one side in every row.
    """
    if not has_cells(cells):
        return WINNER  # which refuses it, with the reason
    numbers = numbers_told(cells.cast(pl.Int8) if cells.dtype == pl.Boolean else cells)
    if numbers is None:
        return WINNER
    values = set(numbers.unique())
    if any(
        values <= labels and extreme in values for labels, extreme in zip(_LABELLED, (2.0, -1.0), strict=True)
    ):
        return WINNER
    if values and min(values) < 0 < max(values):
        return MARGIN
    shown = f"numbers from {min(values):g} to {max(values):g}" if values else "no value"
    raise ConfigError(
        f"column {asked.columns[0]!r} holds {shown}, which may mean several things",
        where=f"--model {asked.told}",
        fix=_kinds_in_words(asked.name, asked.columns[0]),
    )


def _kinds_in_words(name: str, column: str) -> str:
    kinds = "; ".join(f":{kind} ({words})" for kind, words in KINDS.items())
    return f"say what it holds, as in --model {name}={column}:margin: {kinds}"
