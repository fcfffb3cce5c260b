"""What sets a rater apart, and what that means: a look of carelessness, another taste, or one of the two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from ...estimates import SIGNIFICANT
from ...statistics import FloatArray, benjamini_hochberg
from ..estimates.clusters import BoolArray
from ..results import CARELESS, OTHER_TASTE, UNCLEAR
from . import signs as tests
from .signs import Held
from .yardsticks import Yardsticks

_SAID = 0.2  # where checks and repeats stand together, those with a p-value up to this, or the least one, are told
_CARE = 4  # tests of carelessness, the first ones: reading (checks and repeats), one side, ties, haste
_UNTOLD = "whether by taste or for want of care, these votes do not tell"


def with_flags(table: pl.DataFrame, yardsticks: Yardsticks) -> pl.DataFrame:
    """The table of raters with p_value, q_value, verdict and flags; ``yardsticks`` in the order of its rows."""
    signs = _Signs.of(table, yardsticks)
    stands, asked = signs.stands, signs.asked_q
    stands[:, 0] |= asked <= SIGNIFICANT
    stands[:, _CARE:] |= signs.low & (asked <= SIGNIFICANT)[:, None]
    careless = stands[:, :_CARE].any(axis=1)
    apart = stands[:, _CARE:].any(axis=1)
    taste = apart & ~careless & (signs.diluted.p <= SIGNIFICANT)
    verdicts = np.select([careless, taste, apart], [CARELESS, OTHER_TASTE, UNCLEAR], "")
    words = ["; ".join(_words(signs, i, stands[i], str(verdicts[i]))) for i in range(table.height)]
    return table.with_columns(
        pl.Series("p_value", signs.p, dtype=pl.Float64).fill_nan(None),
        pl.Series("q_value", np.fmin(signs.q, asked), dtype=pl.Float64).fill_nan(None),
        pl.Series("verdict", verdicts.tolist(), dtype=pl.String),
        pl.Series("flags", words, dtype=pl.String),
    )


@dataclass(frozen=True, eq=False)
class _Signs:
    """The tests of every rater. ``reading``: p of checks and of repeats; ``found``: p of reading, side, ties, haste, agreement, the model that
    the others follow most (``model``, -1: none); ``diluted``: whether the votes can be the others', diluted by clicks."""

    rows: Sequence[Mapping[str, Any]]
    yardsticks: Yardsticks
    reading: FloatArray
    found: FloatArray
    model: np.ndarray
    diluted: tests.Diluted

    @classmethod
    def of(cls, table: pl.DataFrame, yardsticks: Yardsticks) -> _Signs:
        r = _numbers(table)
        drawn = table["sides_drawn"].fill_null(value=False).to_numpy()
        reading = _reading_p(r)
        model, followed = _model_p(yardsticks)
        found = np.column_stack([tests.combined_p(reading), _habit_p(r, drawn), _agreement_p(r), followed])
        # Where nobody knows that sides were drawn, a habit of the hand can look like a taste: it may go with a judge's, or the others'.
        diluted = _diluted(r, yardsticks)
        known = diluted._replace(p=np.where(drawn, diluted.p, 1.0))
        return cls(
            list(table.iter_rows(named=True)),
            yardsticks,
            reading,
            found,
            model,
            known,
        )

    @property
    def tested(self) -> FloatArray:
        """(raters,) the number of tests."""
        count: FloatArray = (~np.isnan(self.found)).sum(axis=1).astype(np.float64)
        return count

    @property
    def p(self) -> FloatArray:
        """(raters,) the least p-value times the number of tests."""
        least = np.where(np.isnan(self.found), 1.0, self.found).min(axis=1, initial=1.0)
        return np.where(self.tested > 0, np.minimum(1.0, least * self.tested), np.nan)

    @property
    def q(self) -> FloatArray:
        """(raters,) adjusted over raters."""
        return benjamini_hochberg(self.p)

    @property
    def low(self) -> BoolArray:
        """(raters, 2): whether agreement with the others, and with the model, is low at 5 %, adjusted for the two alone."""
        agreement = self.found[:, _CARE:]
        low: BoolArray = agreement * (~np.isnan(agreement)).sum(axis=1)[:, None] <= SIGNIFICANT
        return low

    @property
    def asked_q(self) -> FloatArray:
        """(raters,) of checks and repeats alone, adjusted over those whose agreement is :attr:`low`; NaN for the others.

        What an honest rater's checks and repeats say does not depend on taste. So those who agree little can be asked by themselves,
        which finds more of the careless among them, and no more of the others.
        """
        return benjamini_hochberg(np.where(self.low.any(axis=1), self.found[:, 0], np.nan))

    @property
    def stands(self) -> BoolArray:
        """(raters, tests): what is found at the level of Benjamini and Hochberg, 5 % of the share of raters that are found."""
        level = SIGNIFICANT * np.sum(self.q <= SIGNIFICANT) / max(1, np.sum(~np.isnan(self.q)))
        stands: BoolArray = (self.found * self.tested[:, None] <= level * (1 + 1e-12)) & (level > 0)
        return stands


# --- tests ----------------------------------------------------------------------------------------


def _reading_p(r: Mapping[str, FloatArray]) -> FloatArray:
    """(raters, 2): checks, repeats; NaN where there is nothing to test."""
    others_same, others_repeats = _of_others(r["consistent"], r["repeats"])
    with np.errstate(divide="ignore", invalid="ignore"):
        checks = tests.failed_checks_p(r["checks"] - r["passed"], r["checks"])
        repeats = tests.low_share_p(
            r["consistent"], r["repeats"], others_same / others_repeats, others_repeats
        )
    return np.column_stack(
        [
            np.where(r["checks"] > 0, checks, np.nan),
            np.where((r["repeats"] > 0) & (others_repeats > 0), repeats, np.nan),
        ]
    )


def _habit_p(r: Mapping[str, FloatArray], drawn: BoolArray) -> FloatArray:
    """(raters, 3): one side, ties, haste; NaN where there is nothing to test."""
    others_ties, others_votes = _of_others(r["ties"], r["votes"])
    with np.errstate(divide="ignore", invalid="ignore"):
        ties = tests.many_ties_p(r["ties"], r["votes"], others_ties / others_votes)
    return np.column_stack(
        [
            np.where((r["sided"] > 0) & drawn, tests.side_p(r["lefts"], r["sided"]), np.nan),
            np.where((r["votes"] > 0) & (others_votes > 0), ties, np.nan),
            np.where(r["timed"] > 0, tests.quick_votes_p(r["quick"], r["timed"]), np.nan),
        ]
    )


def _agreement_p(r: Mapping[str, FloatArray]) -> FloatArray:
    """(raters,) low agreement with the others; NaN where there is nothing to test.

    A tie is half an agreement: who calls more of them than the others agrees less for that alone, which is no fault here.
    """
    held = _agreement(r)
    others_ties, others_votes = _of_others(r["ties"], r["votes"])
    with np.errstate(divide="ignore", invalid="ignore"):
        sided = np.minimum(1.0, (1 - r["tie_share"]) / (1 - others_ties / others_votes))
        p = tests.low_share_p(held.hits, held.n, held.others, r["expected_of"], kept=tests.AGREES * sided)
    return np.where((r["shared"] > 0) & (r["expected_of"] > 0), p, np.nan)


def _model_p(yardsticks: Yardsticks) -> tuple[np.ndarray, FloatArray]:
    """(raters,) the model that the others follow most, -1 where none more than a coin does, and the p-value of following it less."""
    models = len(yardsticks.names) - yardsticks.lengths
    others = np.nan_to_num(yardsticks.others[:, :models], nan=0.0)
    n = len(others)
    if not models:
        return np.full(n, -1), np.full(n, np.nan)
    best, rows = (
        _most_followed(others, yardsticks.others_n[:, :models], yardsticks.names[:models]),
        np.arange(n),
    )
    tested = (others[rows, best] > 0.5) & (yardsticks.n[rows, best] > 0)
    p = tests.low_share_p(
        yardsticks.hits[rows, best],
        yardsticks.n[rows, best],
        others[rows, best],
        yardsticks.others_n[rows, best],
        kept=tests.AGREES,
    )
    return np.where(tested, best, -1), np.where(tested, p, np.nan)


def _most_followed(share: FloatArray, votes: FloatArray, names: Sequence[str]) -> np.ndarray:
    """(raters,) the column of the largest share; of equal ones that of most votes, then of the first name, whatever the models' order."""
    places = np.empty(len(names))
    places[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    return np.lexsort((np.broadcast_to(-places, share.shape), votes, share), axis=1)[:, -1]


def _diluted(r: Mapping[str, FloatArray], yardsticks: Yardsticks) -> tests.Diluted:
    """:func:`.signs.diluted` of all there is."""
    others_same, others_repeats = _of_others(r["consistent"], r["repeats"])
    with np.errstate(divide="ignore", invalid="ignore"):
        repeats = Held(r["consistent"], r["repeats"], others_same / others_repeats)
        return tests.diluted(
            _agreement(r),
            Held(yardsticks.hits, yardsticks.n, yardsticks.others),
            repeats,
            Held(r["passed"], r["checks"], np.ones_like(r["checks"])),
            same_by_chance=r["same_by_chance"],
        )


def _agreement(r: Mapping[str, FloatArray]) -> Held:
    """Agreement with the others, as of so many coins as vary like it."""
    n = np.nan_to_num(r["shared"] * r["evenness"])
    return Held(np.nan_to_num(r["agreement"]) * n, n, r["expected_agreement"])


def _numbers(table: pl.DataFrame) -> dict[str, FloatArray]:
    """The columns of numbers, NaN where one is missing."""
    numeric = [name for name in table.columns if table[name].dtype.is_numeric()]
    return {name: table[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in numeric}


def _of_others(part: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Totals over all raters but the one of each row."""
    return np.nansum(part) - np.nan_to_num(part), np.nansum(n) - np.nan_to_num(n)


# --- words ----------------------------------------------------------------------------------------


def _words(signs: _Signs, i: int, stands: BoolArray, verdict: str) -> Iterator[str]:
    """Why a rater is not like the others: each sign that stands, and what speaks for a taste."""
    r = {name: float("nan") if value is None else value for name, value in signs.rows[i].items()}
    if stands[0]:
        p = np.where(np.isnan(signs.reading[i]), 1.0, signs.reading[i])
        yield from np.array(_reading_words(r))[p <= max(_SAID, p.min())].tolist()
    yield from (words for words, shown in zip(_habit_words(r), stands[1:_CARE], strict=True) if shown)
    if stands[_CARE]:
        yield (
            f"agrees with the others on {r['agreement']:.0%} of {r['shared']} comparisons, where they agree on "
            f"{r['expected_agreement']:.0%}"
        )
    if stands[_CARE + 1]:
        yield _yardstick_words(signs.yardsticks, i, int(signs.model[i]))
    if verdict == OTHER_TASTE:
        yield from _taste_words(signs, i, r)
    if verdict == UNCLEAR:
        yield _UNTOLD


def _reading_words(r: Mapping[str, Any]) -> tuple[str, str]:
    return (
        f"failed {r['checks'] - r['passed']} of {r['checks']} attention checks",
        f"gave the same answer again on {r['consistent']} of {r['repeats']} repeats",
    )


def _habit_words(r: Mapping[str, Any]) -> tuple[str, str, str]:
    side, most = ("left", r["left_share"]) if r["left_share"] > 0.5 else ("right", 1 - r["left_share"])
    return (
        f"chose the answer on the {side} in {most:.0%} of {r['sided']} votes",
        f"gave no winner in {r['tie_share']:.0%} of {r['votes']} votes",
        f"{r['quick']} of {r['timed']} votes took less than {r['quick_seconds']:.1f} s, as 1 in 20 of a typical rater's do",
    )


def _taste_words(signs: _Signs, i: int, r: Mapping[str, Any]) -> Iterator[str]:
    """What tells a taste from clicks: checks and repeats, and yardsticks that do not fit the likeliest dilution."""
    if r["checks"] > 0:
        yield f"passed {r['passed']} of {r['checks']} attention checks"
    if r["repeats"] > 0:
        yield f"gave the same answer again on {r['consistent']} of {r['repeats']} repeats"
    for k in np.flatnonzero(signs.diluted.yardsticks[i] <= SIGNIFICANT):
        if k != signs.model[i] or not signs.stands[i, _CARE + 1]:
            yield _yardstick_words(signs.yardsticks, i, int(k))


def _yardstick_words(yardsticks: Yardsticks, i: int, k: int) -> str:
    share, others = yardsticks.hits[i, k] / yardsticks.n[i, k], yardsticks.others[i, k]
    longer = yardsticks.lengths and k == len(yardsticks.names) - 1
    chose = "chose the longer answer" if longer else f"chose as {yardsticks.names[k]} does"
    return f"{chose} in {share:.0%} of {yardsticks.n[i, k]:.0f} votes, where the others do in {others:.0%}"
