"""Layouts of judgements met in the wild, each brought to one shape.

That shape is one row per judgement: prompt_id, policy, reference and ``p``, the probability that ``policy`` is
preferred (null: no verdict). Where the order shown is known, ``p_first`` and ``p_second`` are that probability
with ``policy`` shown first, or second, and p is their mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import polars as pl

from ..conversations import prompt_ids
from ..errors import ConfigError, SchemaError, listing
from ..statistics import sigmoid
from .checks import first_turn, needed, note, refuse_rows, without_repeats
from .pair_rows import OUTCOMES, VERDICTS, pair_columns, pair_rows
from .pair_rows import USED as USED_IN_PAIRS

MEASURES = ("margin", "preference", "probability", "winner")
ALPACA_EVAL, ARENA_HARD, MT_BENCH, PAIRS, OWN = (
    "AlpacaEval",
    "Arena-Hard",
    "MT-Bench",
    "pairs of models",
    "own table",
)
LAYOUTS = {
    ALPACA_EVAL: ("generator_1", "generator_2", "preference"),
    ARENA_HARD: ("model", "games"),
    MT_BENCH: ("question_id", "model_1", "model_2", "g1_winner", "g2_winner"),
    PAIRS: ("model_a", "model_b", "winner"),
    OWN: ("prompt_id", "policy", "reference"),
}
USED = {
    *(name for names in LAYOUTS.values() for name in names),
    *MEASURES,
    *("annotator", "judge", "instruction", "output_1", "output_2", "uid", "baseline", "turn"),
    *("p_first", "p_second"),
    *USED_IN_PAIRS,
}


def layout_of(columns: Iterable[str]) -> str | None:
    """Which layout of judgements these columns are; None for none, and for a plain table of margins."""
    names = set(columns)
    telling = {*MEASURES[1:], "annotator", "judge"}
    for layout, columns_needed in LAYOUTS.items():
        if layout == PAIRS:
            if pair_columns(names) is not None:
                return layout
        elif names >= set(columns_needed) and (layout != OWN or names & telling):
            return layout
    return None


def of_several_kinds(layout: str | None) -> tuple[str, ...]:
    """Columns that may hold text or numbers, which the layout sorts out."""
    return OUTCOMES if layout == PAIRS else ()


def judged_rows(frame: pl.DataFrame, *, where: str, baseline: str | None) -> pl.DataFrame:
    """Bring a frame of a known layout (with each row's number, ``row``) to the common shape."""
    layout = layout_of(frame.columns)
    if layout == ALPACA_EVAL:
        return _alpaca_eval(frame, where)
    if layout == ARENA_HARD:
        return _arena_hard(frame, where, baseline)
    if layout == PAIRS:
        return pair_rows(frame, where)
    return _mt_bench(frame, where) if layout == MT_BENCH else _own(frame, where)


# --- AlpacaEval -----------------------------------------------------------------------------------


def _alpaca_eval(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    """preference - 1 is the probability of generator_2; older files say 0 for a tie, newer ones 1.5.

    The random order of the two outputs was undone before the file was written.
    """
    value = frame["preference"]
    tie = value == 0
    complaint = "is neither in [1, 2] nor 0, an older file's tie"
    refuse_rows(frame, ~(value.is_between(1, 2) | tie), "preference", where, complaint)
    frame = frame.with_columns((pl.when(tie).then(1.5).otherwise(value) - 1).alias("p"))
    frame = _named_by_policy(frame, where)
    if "prompt_id" not in frame.columns:
        frame = _ids_of_instructions(frame, where)
    return frame.select(
        "prompt_id",
        pl.col("generator_2").alias("policy"),
        pl.col("generator_1").alias("reference"),
        "p",
    )


def _named_by_policy(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    """A column policy (or the folder's name) that is neither generator names generator_2 anew."""
    if "policy" not in frame.columns:
        return frame
    other = (pl.col("policy") != pl.col("generator_1")) & (pl.col("policy") != pl.col("generator_2"))
    renamed = frame.filter(other).select("policy", "generator_2").unique().sort("policy")
    if renamed.height:
        names = listing(f"{new} for {old}" for new, old in renamed.iter_rows())
        note(f"{where}: the column or folder names generator_2 otherwise, which is taken: {names}")
    return frame.with_columns(pl.when(other).then("policy").otherwise("generator_2").alias("generator_2"))


def _ids_of_instructions(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    """The ids that responses get, so that both can be joined.

    An instruction that one pair meets again, with other outputs, is another prompt.
    """
    needed(frame, ["instruction"], where)
    refuse_rows(frame, frame["instruction"].is_null(), "instruction", where, "is missing")
    texts = [c for c in ("instruction", "output_1", "output_2") if c in frame.columns]
    frame = without_repeats(frame, [*texts, "generator_1", "generator_2", "p"], where)
    pair = pl.concat_str("generator_1", pl.lit("\n"), "generator_2")
    asked = frame.select(pl.col("instruction").alias("prompt"), pair.alias("policy"))
    return frame.with_columns(prompt_ids(asked))


# --- Arena-Hard and MT-Bench ----------------------------------------------------------------------


def _arena_hard(frame: pl.DataFrame, where: str, baseline: str | None) -> pl.DataFrame:
    """Two games a question: in the first the baseline is assistant A, in the second the model is."""
    key = needed(frame, ["uid", "question_id"], where)
    if baseline is None and "baseline" not in frame.columns:
        raise ConfigError(
            "the file does not name the baseline model",
            where=where,
            fix="give baseline= (--baseline); for Arena-Hard v0.1 it is gpt-4-0314",
        )
    games = [list(g) if _are_games(g) else [] for g in frame["games"].to_list()]
    played = pl.Series([len(g) for g in games], dtype=pl.Int64)
    refuse_rows(frame, played != 2, "games", where, "is not 2, one in each order", shown=played)
    first, second = (_verdicts(frame, [g[j] for g in games], where) for j in range(2))
    return frame.select(
        pl.col(key).alias("prompt_id"),
        pl.col("model").alias("policy"),
        (pl.col("baseline") if baseline is None else pl.lit(baseline)).alias("reference"),
    ).with_columns(_both_orders(p_first=_probability(second), p_second=_probability(-first)))


def _are_games(value: Any) -> bool:
    return isinstance(value, list) and all(game is None or isinstance(game, dict) for game in value)


def _verdicts(frame: pl.DataFrame, games: Sequence[Any], where: str) -> pl.Series:
    """Log-odds for A; null where the judge gave no verdict."""
    labels = [None if game is None else game.get("score") for game in games]
    said = [None if x is None else VERDICTS.get(str(x).strip(" []"), np.nan) for x in labels]
    odds = pl.Series(said, dtype=pl.Float64)
    shown = pl.Series([None if x is None else str(x) for x in labels], dtype=pl.String)
    refuse_rows(frame, odds.is_nan(), "score", where, f"is not one of {', '.join(VERDICTS)}", shown=shown)
    return odds


def _probability(odds: pl.Series) -> pl.Series:
    return pl.Series(sigmoid(odds.to_numpy())).fill_nan(None)


def _mt_bench(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    """g1 shows model_1 first, g2 model_2; both winners are named by model. ``error`` is no verdict; the first turn counts."""
    frame = first_turn(frame, where)
    known = {"model_1": 1.0, "model_2": 0.0, "tie": 0.5, "error": None}
    sides = []
    for column in ("g1_winner", "g2_winner"):
        unknown = ~frame[column].is_in(list(known))
        refuse_rows(frame, unknown, column, where, f"is not one of {', '.join(known)}")
        sides.append(frame[column].replace_strict(known, return_dtype=pl.Float64))
    return frame.select(
        pl.col("question_id").alias("prompt_id"),
        pl.col("model_1").alias("policy"),
        pl.col("model_2").alias("reference"),
    ).with_columns(_both_orders(p_first=sides[0], p_second=sides[1]))


def _both_orders(*, p_first: pl.Series, p_second: pl.Series) -> list[pl.Series]:
    """p, the mean of both orders. No verdict in one order is none at all: the other alone has its position bias."""
    return [p_first.alias("p_first"), p_second.alias("p_second"), ((p_first + p_second) / 2).alias("p")]


# --- a table of one's own -------------------------------------------------------------------------


def _own(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    """prompt_id, policy, reference and one of margin, preference, probability (both in [0, 1]) or winner."""
    found = [c for c in MEASURES if c in frame.columns]
    if len(found) != 1:
        raise SchemaError(
            f"need exactly one of the columns {listing(MEASURES)}; found {listing(found) or 'none'}",
            where=where,
            fix="keep the one that the judge gave",
        )
    if found == ["margin"]:
        return frame.select("prompt_id", "policy", "reference", "margin")
    p = _winners(frame, where) if found == ["winner"] else _preferences(frame, found[0], where)
    kept = [c for c in ("p_first", "p_second") if c in frame.columns]
    return frame.select("prompt_id", "policy", "reference", p.alias("p"), *kept)


def _preferences(frame: pl.DataFrame, column: str, where: str) -> pl.Series:
    p = frame[column]
    hint = "is not in [0, 1]; AlpacaEval's [1, 2] needs the columns generator_1 and generator_2"
    refuse_rows(frame, ~p.is_between(0, 1), column, where, hint)
    return p


def _winners(frame: pl.DataFrame, where: str) -> pl.Series:
    """The winner by name, or as ``policy``, ``reference`` or ``tie``."""
    winner = pl.col("winner")
    won = (winner == "policy") | (winner == pl.col("policy"))
    lost = (winner == "reference") | (winner == pl.col("reference"))
    p = frame.select(pl.when(won).then(1.0).when(lost).then(0.0).when(winner == "tie").then(0.5).alias("p"))
    unknown = p["p"].is_null() & frame["winner"].is_not_null()
    complaint = "is neither of the two policies, nor policy, reference or tie"
    refuse_rows(frame, unknown, "winner", where, complaint)
    return p["p"]
