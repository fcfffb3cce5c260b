"""What an audit can start from: scores, judgements or published win rates, told apart by their columns."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from .errors import ConfigError, ReadingNote, SchemaError, did_you_mean, listing
from .reading.resolve import columns_of, renamed, told
from .scores import scores_from_frame
from .settings import TableSettings
from .store import naming, payload_of, read_conversations, read_frame, restored
from .tables import Margins, Ratings, Scores, Table, WinRates

_AS_NAMED = TableSettings()
# Where the example's ratings come from.
EXAMPLE_ATTRIBUTION = "Arena scores of the shipped example, without intervals, out of llm-bench-cost 0.1.0"
T = TypeVar("T", bound=Table)

_BY_COLUMN: dict[str, type[Scores] | type[Margins] | type[WinRates]] = {
    "score": Scores,
    "margin": Margins,
    "win_rate": WinRates,
}


def load_source(
    path: str | Path,
    *,
    annotator: str | None = None,
    baseline: str | None = None,
    table: TableSettings = _AS_NAMED,
) -> Scores | Margins | WinRates:
    """Read scores (column ``score``), judgements (``margin``) or published win rates (``win_rate``).

    What judges said is told by its columns in the layouts of other tools, too (:func:`charm_rm.judgements.load_judged`): pairs
    become margins, grades of single answers scores, AlpacaEval's leaderboards win rates. ``annotator`` and ``baseline`` are passed
    on to it.

    Scores are read in any layout that :func:`charm_rm.load_scores` knows; ``table`` says what names do not tell.

    Raises:
        SchemaError: none of these columns, or more than one, is there.
        ConfigError: ``annotator`` or ``baseline`` is given for a file that is no list of judgements.
        UnreadableFile: the file cannot be read.
    """
    from .judgements import holds_judgements, load_judged

    path = Path(path)
    asked = table.reward_model is not None or table.sample is not None  # of scores alone
    judged = None
    if not asked and (not path.is_dir() or holds_judgements(path)):
        judged = load_judged(path, annotator=annotator, baseline=baseline, columns=table.fields("scores"))
    if judged is not None:
        return judged
    if annotator is not None or baseline is not None:
        raise ConfigError(
            "an annotator or a baseline can be chosen in judgements alone, and this file's columns are of no layout "
            "of judgements",
            where=str(path),
            fix="leave out --judge and --baseline, or name the file of judgements",
        )
    frame = read_conversations(path, noun=Scores, texts=table.fields("scores").values())
    return source_from_frame(frame, where=str(path), table=table, payload=payload_of(path))


def source_from_frame(
    frame: pl.DataFrame,
    *,
    where: str,
    table: TableSettings = _AS_NAMED,
    payload: Mapping[str, Any] | None = None,
) -> Scores | Margins | WinRates:
    """Scores, margins or win rates of a frame, by its columns; ``where`` names it in messages, ``payload`` is what charm kept beside it.

    Errors as :func:`load_source`.
    """
    kinds = [c for c in _BY_COLUMN if c in frame.columns]
    if len(kinds) > 1:
        raise _no_kind(frame.columns, where)
    if kinds in (["margin"], ["win_rate"]):
        return _in_other_names(_BY_COLUMN[kinds[0]], frame, payload or {}, where, table)
    try:
        return scores_from_frame(frame, source=where, table=table, payload=payload)
    except SchemaError as error:
        if kinds or error.fix is None or "--column score" not in error.fix:
            raise
        raise _no_kind(frame.columns, where, as_scores=error) from error


def _in_other_names(
    noun: type[T], frame: pl.DataFrame, payload: Mapping[str, Any], where: str, table: TableSettings
) -> T:
    """A noun of a frame in which some of its columns have other names."""
    with naming(where):
        given = table.fields("scores")
        found = columns_of(frame, [c.name for c in noun.columns], given, noun=noun.noun)
    if words := told(found):
        warnings.warn(f"{where}: {words}", ReadingNote, stacklevel=3)
    return restored(noun, renamed(frame, found), payload, where)


def _no_kind(columns: list[str], where: str, *, as_scores: SchemaError | None = None) -> SchemaError:
    """The error for a table that is none of the three, or more than one."""
    hints = {c: did_you_mean(c, columns) for c in _BY_COLUMN}
    near = next((f" No {c!r}.{hint}" for c, hint in hints.items() if hint and c not in columns), "")
    of_scores = "" if as_scores is None else f" {as_scores.what[0].upper()}{as_scores.what[1:]}."
    return SchemaError(
        f"need exactly one of the columns {listing(_BY_COLUMN)}; found {listing(columns, limit=12)}.{near}{of_scores}",
        where=where,
        fix=("" if as_scores is None else f"{as_scores.fix}; or: ")
        + "scores: prompt_id, policy, score; judgements: prompt_id, policy, reference, margin (or an "
        "AlpacaEval, Arena-Hard or MT-Bench file); published: policy, reference, win_rate, std_err or n",
    )


@dataclass(frozen=True)
class PublishedJudge:
    """The shipped example: a judge's published win rates, raw and length-controlled, and Arena scores."""

    name: str
    baseline: str
    win_rates: WinRates
    length_controlled: WinRates
    ratings: Ratings


def load_example() -> PublishedJudge:
    """The AlpacaEval 2 GPT-4-turbo judge against gpt4_1106_preview, 44 policies and the baseline.

    Win rates out of the package alpaca-eval 0.6.6, Arena scores out of llm-bench-cost 0.1.0 (without
    intervals). The length-controlled rates are published without standard errors: those of the raw ones stand in.
    """
    with resources.as_file(resources.files("charm_rm.data") / "alpaca_eval_2_judge.csv") as path:
        frame = read_frame(path)
    baseline = str(frame["reference"][0])
    judged = frame.filter(pl.col("policy") != pl.col("reference"))
    columns = ["policy", "reference", "n", "std_err"]
    return PublishedJudge(
        name="AlpacaEval 2 judge (GPT-4-turbo)",
        baseline=baseline,
        win_rates=WinRates(judged.select(*columns, "win_rate")),
        length_controlled=WinRates(
            judged.select(*columns, pl.col("length_controlled_win_rate").alias("win_rate"))
        ),
        ratings=Ratings(frame.select("policy", "rating", source=pl.lit(EXAMPLE_ATTRIBUTION))),
    )
