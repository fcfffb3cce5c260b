"""AlpacaEval's leaderboards as they stand -> WinRates: in percent, the baseline's own row among them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl

from ..errors import ConfigError, ReadingNote, SchemaError, listing
from ..policy_names import near_policies
from ..provenance import source_record
from ..reading.resolve import columns_of, renamed
from ..store import naming, read_frame
from ..tables import NUMBER, TEXT, WHOLE, WinRates, with_kinds
from .checks import note

_POLICIES = ("policy", "model", "name", "generator", "Unnamed: 0", "")
_KINDS = {"win_rate": NUMBER, "standard_error": NUMBER, "n_total": WHOLE} | dict.fromkeys(_POLICIES, TEXT)


def is_leaderboard(columns: Iterable[str]) -> bool:
    """Whether these are the columns of an AlpacaEval leaderboard: win_rate and standard_error, and no reference."""
    names = set(columns)
    return names >= {"win_rate", "standard_error"} and "reference" not in names


def load_leaderboard(
    path: Path, *, baseline: str | None, columns: Mapping[str, str] = MappingProxyType({})
) -> WinRates:
    """Published win rates against one baseline: ``win_rate`` (raw, in percent), ``standard_error``, ``n_total``.

    The first column, which AlpacaEval leaves unnamed, has the policies. ``baseline`` names who all others met; without, it is the
    one policy that wins 50 % against itself without error. Its own row is left out. ``columns`` says which column is which field
    where another is meant: ``{"win_rate": "length_controlled_winrate"}``.

    Raises:
        ConfigError: no baseline was named and no row is one, or a column that was told is missing.
        SchemaError: no column of policies, or rates that are no percentages.
    """
    frame = read_frame(path, texts=(*_POLICIES, *(c for f, c in columns.items() if f == "policy")))
    with naming(path):
        found = columns_of(
            frame, ("policy", "win_rate", "standard_error", "n_total"), columns, noun=WinRates.noun
        )
    told = {field: column for field, column in found.items() if field in columns}
    return leaderboard_from_frame(
        renamed(frame, told), where=str(path), baseline=baseline, rate=found["win_rate"]
    )


def leaderboard_from_frame(
    frame: pl.DataFrame, *, where: str, baseline: str | None, rate: str = "win_rate"
) -> WinRates:
    """:func:`load_leaderboard` of a frame; ``where`` names it in messages, and ``rate`` the column that its win rates came from."""
    with naming(where):
        frame = with_kinds(frame, _KINDS, noun=WinRates.noun)
        column = next((c for c in _POLICIES if c in frame.columns), None)
        if column is None:
            raise SchemaError(
                f"no column names the policies; found {listing(frame.columns, limit=12)}",
                fix="name it 'policy'",
            )
        frame = frame.rename({column: "policy"})
        _check_percentages(frame)
        baseline = _baseline(frame, baseline)
        provenance: dict[str, Any] = {
            "verb": "load_leaderboard",
            **source_record(where),
            "baseline": baseline,
        }
        warnings.warn(_told(frame, baseline, where, rate), ReadingNote, stacklevel=4)
        others = frame.filter(pl.col("policy") != baseline)
        n = [pl.col("n_total").alias("n")] if "n_total" in frame.columns else []
        return WinRates(
            others.select(
                "policy",
                pl.lit(baseline).alias("reference"),
                pl.col("win_rate") / 100,
                *n,
                (pl.col("standard_error") / 100).alias("std_err"),
            ),
            provenance=provenance,
        )


def _told(frame: pl.DataFrame, baseline: str, where: str, rate: str) -> str:
    words = f"{where}: read as an AlpacaEval leaderboard: {rate} in percent against {baseline!r}"
    if (frame["policy"] == baseline).any():
        words += ", whose own row is left out"
    if "length_controlled_winrate" in frame.columns:
        words += "; --column win_rate=length_controlled_winrate reads the length-controlled ones"
    return words


def _check_percentages(frame: pl.DataFrame) -> None:
    outside = ~frame["win_rate"].is_between(0, 100)
    if outside.fill_null(True).any():
        row = int(outside.fill_null(True).arg_true()[0])
        raise SchemaError(
            f"win_rate {frame['win_rate'][row]} is no percentage",
            where=f"win rates, row {row} (policy {frame['policy'][row]!r})",
            fix="correct or drop the row",
        )
    if (frame["win_rate"] <= 1).all():
        raise SchemaError(
            "every win_rate is at most 1: these are shares, and an AlpacaEval leaderboard has percentages",
            fix="name the columns policy, reference, win_rate and std_err",
        )


def _baseline(frame: pl.DataFrame, baseline: str | None) -> str:
    if baseline is not None:
        if baseline not in frame["policy"] and (
            near := near_policies(baseline, frame["policy"].drop_nulls())
        ):
            note(f"the baseline {baseline!r} has no row of its own.{near}")
        return baseline
    itself = frame.filter((pl.col("win_rate") == 50) & (pl.col("standard_error") == 0))["policy"].to_list()
    if len(itself) == 1:
        return str(itself[0])
    raise ConfigError(
        "the leaderboard does not say whom all others met: "
        + (f"{listing(itself)} win 50 % without error" if itself else "no row wins 50 % against itself"),
        fix="give baseline= (--baseline); for AlpacaEval 2 it is gpt4_1106_preview, for AlpacaEval 1 text_davinci_003",
    )
