"""People's votes out of a table: who won, who voted, what stood on the left, and which vote of a rater counts."""

from __future__ import annotations

import polars as pl

from ...errors import ConfigError, SchemaError
from ...judgements.pair_rows import Columns
from ..frame import KEY
from .checks import earliest_first
from .columns import NOUN
from .labels import winners_told

_BOTH_BAD = r"both[ _-]?bad"


def people_votes(frame: pl.DataFrame, where: str, *, anonymous: bool) -> tuple[pl.DataFrame, dict[str, int]]:
    """Votes with rater, winner (a, b, tie, both_bad) and policies in order, and how many rows were dropped, by reason."""
    frame = frame.with_columns(_winners(frame, where))
    silent = frame["winner"].is_null()
    itself = (frame["policy_a"] == frame["policy_b"]).fill_null(False) & ~silent
    dropped = {"no verdict": int(silent.sum()), "a policy against itself": int(itself.sum())}
    frame = frame.filter(~silent & ~itself)
    if frame.is_empty():
        raise SchemaError(
            f"{NOUN}: no vote of people is left", where=where, fix="check the column of winners"
        )
    return _in_order(frame.with_columns(_raters(frame, where, anonymous=anonymous))), dropped


def _winners(frame: pl.DataFrame, where: str) -> pl.Series:
    """Who won, by any label, number or name that judgements know; null for no verdict."""
    p = winners_told(frame, Columns("policy_a", "policy_b", "winner"), where)
    label = frame["winner"].cast(pl.String).str.to_lowercase()
    tie = (
        pl.when(label.str.contains(_BOTH_BAD).fill_null(False))
        .then(pl.lit("both_bad"))
        .otherwise(pl.lit("tie"))
    )
    side = pl.when(pl.col("p") > 0.5).then(pl.lit("a")).when(pl.col("p") < 0.5).then(pl.lit("b"))
    winner = pl.when(pl.col("p").is_not_null()).then(side.otherwise(tie))
    return p.to_frame().select(winner.alias("winner"))["winner"]


def _raters(frame: pl.DataFrame, where: str, *, anonymous: bool) -> pl.Series:
    """Who voted: the column of raters, else of judges. Nobody's vote is a person's of its own, where that is asked for."""
    column = next((c for c in ("rater", "judge") if c in frame.columns), None)
    nobody = pl.repeat(None, frame.height, dtype=pl.String, eager=True)
    names = nobody if column is None else frame[column]
    unnamed = names.is_null() | (names.str.strip_chars() == "")
    if not anonymous and unnamed.any():
        row = int(frame["row"][int(unnamed.arg_true()[0])])
        raise ConfigError(
            f"{int(unnamed.sum())} of {frame.height} votes do not say who voted, so nobody knows which belong together",
            where=f"{where}, row {row}",
            fix="say which column it is: --column rater=COLUMN, or take each as a person's of its own: --anonymous",
        )
    word = "unnamed"
    while names.str.starts_with(f"{word} ").any():  # an import's own export, for one: they are other people
        word = f"further {word}"
    own = pl.select(pl.format("{} {}", pl.lit(word), frame["row"])).to_series()
    return names.zip_with(~unnamed, own).alias("rater")


def _in_order(frame: pl.DataFrame) -> pl.DataFrame:
    """policy_a before policy_b, as the noun has them; winner and left go with them."""
    swap = pl.col("policy_a") > pl.col("policy_b")
    other = {"a": "b", "b": "a"}
    sides = [c for c in ("winner", "left") if c in frame.columns]
    return frame.with_columns(
        pl.min_horizontal("policy_a", "policy_b").alias("policy_a"),
        pl.max_horizontal("policy_a", "policy_b").alias("policy_b"),
        *(pl.when(swap).then(pl.col(c).replace(other)).otherwise(c).alias(c) for c in sides),
    )


def with_repeats(frame: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """``repeat`` on a rater's second vote on a comparison; later ones are dropped and counted."""
    frame = earliest_first(frame)
    turn = pl.int_range(pl.len()).over(*KEY, "rater")
    kept = frame.with_columns(turn.alias("_turn")).filter(pl.col("_turn") < 2)
    return kept.with_columns((pl.col("_turn") == 1).alias("repeat")).drop("_turn"), frame.height - kept.height
