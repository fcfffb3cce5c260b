"""How often each model agrees with people, and whether a calibrated one agrees more often than the original.

A model's verdict s on a comparison is 1 (policy a), 0 (policy b) or ½, by the sign of its margin, and y is a vote likewise. They agree by
s y + (1 − s)(1 − y). Two models differ on a vote by (s − s')(2 y − 1), which is exactly 0 wherever their verdicts are the same: all that votes
tell of the difference is in the comparisons on which the two disagree, whose share of all candidates is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from ...errors import NotIdentifiable
from ...errors import counted as count_of
from ...statistics import FloatArray, IntArray
from ..frame import verdicts
from ..nouns import Counted
from ..results import ALL, BETTER, CLASSICAL, DECIDED, POWERED, UNTESTED, WITHIN, WORSE
from .clusters import FEW_RATERS, BoolArray, effective_clusters
from .intervals import Ranged, ranged_difference, ranged_share
from .powered import Layout, Line, effective_votes, mean_line, ratio_line, tuned
from .predictions import Predictions, predict_votes

FEW_PROMPTS = 20  # voted on: below, variances by prompt are rough

AGREEMENT_SCHEMA = {
    "model": pl.String, "votes_used": pl.String, "estimator": pl.String, "value": pl.Float64, "std_err": pl.Float64,
    "ci_low": pl.Float64, "ci_high": pl.Float64, "n_votes": pl.Int64, "effective_votes": pl.Float64,
}  # fmt: skip
DIFFERENCE_SCHEMA = {
    "model": pl.String, "baseline": pl.String, "votes_used": pl.String, "estimator": pl.String, "difference": pl.Float64,
    "std_err": pl.Float64, "ci_low": pl.Float64, "ci_high": pl.Float64, "p_value": pl.Float64, "reading": pl.String,
    "n_votes": pl.Int64, "n_discordant": pl.Int64, "discordant_share": pl.Float64,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Votes:
    """The votes as arrays, with what was predicted of them."""

    counted: Counted
    layout: Layout
    y: FloatArray
    decided: BoolArray
    predicted: Predictions

    @classmethod
    def of(cls, counted: Counted, predicted: Predictions | None) -> _Votes:
        if counted.frame.is_empty():
            raise NotIdentifiable(
                "the study has no votes that count", fix="wait for votes, or look at `charm study progress`"
            )
        frame = counted.frame
        predicted = predict_votes(counted) if predicted is None else predicted
        return cls(counted, Layout.of(counted), frame["y"].to_numpy(), frame["decided"].to_numpy(), predicted)

    def verdicts(self, model: str) -> tuple[FloatArray, FloatArray]:
        """(n,) and (N,) verdicts 1, 0, ½ of a model."""
        return verdicts(self.counted.frame, model), verdicts(self.counted.all, model)


def agreement_table(counted: Counted, predicted: Predictions | None = None) -> pl.DataFrame:
    """Each model's agreement with people: the ``agreement`` table of :class:`..results.StudyAnalysis`.

    Of ``all`` votes a tie agrees by half with either verdict. ``decided`` is the agreement among votes for one side: a ratio of two means.

    Args:
        counted: the votes that count, and every candidate.
        predicted: what :func:`.predictions.predict_votes` said of them; made where it is not given.

    Raises:
        NotIdentifiable: there are no votes.
    """
    votes = _Votes.of(counted, predicted)
    rows = [row for m in counted.models for used in (ALL, DECIDED) for row in _agreement_rows(votes, m, used)]
    return pl.DataFrame(rows, schema=AGREEMENT_SCHEMA, orient="row")


def difference_table(counted: Counted, predicted: Predictions | None = None) -> pl.DataFrame:
    """Each model against the first, paired: the ``differences`` table of :class:`..results.StudyAnalysis`.

    Intervals and p-values are adjusted for how many models are compared with the first (Bonferroni), and the reading is the interval's:
    better or worse where it leaves out 0, which is where p <= 0.05.

    Raises:
        NotIdentifiable: there are no votes.
    """
    votes = _Votes.of(counted, predicted)
    rows = [
        row
        for m in counted.models[1:]
        for used in (ALL, DECIDED)
        for row in _difference_rows(votes, m, counted.models[0], used, tests=len(counted.models) - 1)
    ]
    return pl.DataFrame(rows, schema=DIFFERENCE_SCHEMA, orient="row")


def cautions(counted: Counted) -> tuple[str, ...]:
    """What a reader of the intervals has to know: few raters, few prompts, one rater."""
    raters, prompts = counted.frame["rater"].n_unique(), counted.frame["prompt_id"].n_unique()
    words = []
    if raters == 1:
        words.append(
            "there is one rater: intervals say how sure the figures are for this rater, and nothing of other people"
        )
    elif raters >= FEW_RATERS and (worth := effective_clusters(*_votes_by_rater(counted))) < FEW_RATERS - 1:
        words.append(
            f"{raters} raters voted, some so much more often than others that they are worth {worth:.1f} who vote alike: how much raters "
            "differ is hardly known, and intervals are rough"
        )
    elif raters < FEW_RATERS:
        words.append(
            f"there are {count_of(raters, 'rater')}: how much raters differ is hardly known, and intervals are rough; "
            f"invite {FEW_RATERS} or more"
        )
    if prompts < FEW_PROMPTS:
        words.append(f"votes are on {count_of(prompts, 'prompt')}: intervals are rough below {FEW_PROMPTS}")
    return tuple(words)


def _votes_by_rater(counted: Counted) -> tuple[IntArray, FloatArray]:
    layout = Layout.of(counted)
    return layout.rater, layout.weight


# --- agreement ----------------------------------------------------------------------------------


def _agreement_rows(votes: _Votes, model: str, used: str) -> list[tuple[Any, ...]]:
    s, s_all = votes.verdicts(model)
    counting = np.ones(len(s), dtype=bool) if used == ALL else votes.decided
    n = int(counting.sum())
    if not n:
        unknown = (None, None, None, None, n, None)
        return [(model, used, estimator, *unknown) for estimator in (CLASSICAL, POWERED)]
    lines = _agreement_lines(votes, s, s_all, used)
    prompts, size = votes.layout.effective_prompts(counting), votes.layout.effective_size(counting)
    ranged = {}
    for estimator in (CLASSICAL, POWERED):
        value, influence = _ratio(votes, *lines, powered=estimator == POWERED)
        found = votes.layout.covariance(influence, telling=counting)
        ranged[estimator] = ranged_share(value, float(found.std_err[0] ** 2), found.df, prompts, votes=size)
    worth = effective_votes(n, ranged[CLASSICAL].std_err, ranged[POWERED].std_err)
    return [
        (model, used, e, r.value, r.std_err, r.ci_low, r.ci_high, n, float(n) if e == CLASSICAL else worth)
        for e, r in ranged.items()
    ]


def _agreement_lines(votes: _Votes, s: FloatArray, s_all: FloatArray, used: str) -> tuple[Line, Line]:
    """Numerator and denominator of agreement: means of a and 1, or of decided · a and decided."""
    f, layout = votes.predicted, votes.layout
    if used == ALL:
        return mean_line(_agree(s, votes.y), _agree(s, f.y), _agree(s_all, f.y_all), layout), _ones(votes)
    agrees = votes.decided * _agree(s, votes.y)
    predicted, predicted_all = s * f.win + (1 - s) * f.loss, s_all * f.win_all + (1 - s_all) * f.loss_all
    return mean_line(agrees, predicted, predicted_all, layout), _decided_line(votes)


# --- differences --------------------------------------------------------------------------------


def _difference_rows(
    votes: _Votes, model: str, baseline: str, used: str, *, tests: int
) -> list[tuple[Any, ...]]:
    (s, s_all), (b, b_all) = votes.verdicts(model), votes.verdicts(baseline)
    counting = np.ones(len(s), dtype=bool) if used == ALL else votes.decided
    apart = counting & (s != b)
    n_apart = votes.counted.frame["comparison_id"].gather(np.flatnonzero(apart)).n_unique()
    facts = (int(counting.sum()), n_apart, float((s_all != b_all).mean()))
    found = {
        e: _difference(votes, s - b, s_all - b_all, used, powered=e == POWERED, tests=tests)
        for e in (CLASSICAL, POWERED)
    }
    return [(model, baseline, used, e, *_cells_of(ranged), *facts) for e, ranged in found.items()]


def _difference(
    votes: _Votes, gap: FloatArray, gap_all: FloatArray, used: str, *, powered: bool, tests: int
) -> Ranged | None:
    """The difference of two models whose verdicts differ by ``gap``; None where the votes say nothing of it."""
    inside = (gap != 0) & (votes.decided if used == DECIDED else True)
    if not (gap_all != 0).any():
        return Ranged(0.0, 0.0, 0.0, 0.0, 1.0)
    if not inside.any():
        return None
    top, bottom = _difference_lines(votes, gap, gap_all, used)
    value, influence = _ratio(votes, top, bottom, powered=powered)
    bound, of_bound = _ratio(votes, _apart_line(votes, gap, gap_all, used), bottom, powered=False)
    given = votes.layout.covariance(influence - value / bound * of_bound, telling=inside)
    return ranged_difference(
        value,
        bound,
        float(given.std_err[0] ** 2),
        given.df,
        votes.layout.effective_prompts(inside),
        votes=votes.layout.effective_size(inside),
        bound_variance=float(np.nan_to_num(votes.layout.covariance(of_bound).std_err[0] ** 2)),
        tests=tests,
    )


def _difference_lines(votes: _Votes, gap: FloatArray, gap_all: FloatArray, used: str) -> tuple[Line, Line]:
    """Numerator (s − s')(2 y − 1), 0 where the verdicts are the same, whose share is known; and denominator."""
    f = votes.predicted
    # 2 y − 1 is 0 of a tie, and so is its part in decided votes: the numerator is the same.
    won, predicted, predicted_all = 2 * votes.y - 1, f.win - f.loss, f.win_all - f.loss_all
    apart, apart_all = gap != 0, gap_all != 0
    top = mean_line(
        gap * won, gap * predicted, gap_all * predicted_all, votes.layout, inside=apart, inside_all=apart_all
    )
    return top, _ones(votes) if used == ALL else _decided_line(votes, apart, apart_all)


def _apart_line(votes: _Votes, gap: FloatArray, gap_all: FloatArray, used: str) -> Line:
    """|s − s'|, of decided votes alone where these are asked for: numerator of the largest difference there can be."""
    size, size_all = np.abs(gap), np.abs(gap_all)
    counts = size if used == ALL else size * votes.decided
    return mean_line(counts, size, size_all, votes.layout, inside=size > 0, inside_all=size_all > 0)


def _cells_of(ranged: Ranged | None) -> tuple[Any, ...]:
    if ranged is None:
        return (None,) * 5 + (UNTESTED,)
    return (
        ranged.value,
        ranged.std_err,
        ranged.ci_low,
        ranged.ci_high,
        ranged.p_value,
        reading(ranged.ci_low, ranged.ci_high),
    )


def reading(low: float, high: float) -> str:
    """Better or worse where the interval leaves out 0."""
    return BETTER if low > 0 else WORSE if high < 0 else WITHIN


# --- details ------------------------------------------------------------------------------------


def _ratio(votes: _Votes, top: Line, bottom: Line, *, powered: bool) -> tuple[float, FloatArray]:
    """top / bottom at one λ for both, and its influences (u_top − θ u_bottom) / bottom."""
    lam = 0.0
    if powered:
        first = float(top.value[0] / bottom.value[0])
        lam = float(tuned(ratio_line(top, bottom, first), votes.layout)[0])
    (up, of_up), (down, of_down) = top.at(lam), bottom.at(lam)
    value = float(up[0] / down[0])
    return value, (of_up - value * of_down) / down[0]


def _ones(votes: _Votes) -> Line:
    """The mean of 1: exactly 1, whatever the votes."""
    n, n_all = len(votes.y), votes.counted.all.height
    return mean_line(np.ones(n), np.ones(n), np.ones(n_all), votes.layout)


def _decided_line(votes: _Votes, part: BoolArray | None = None, part_all: BoolArray | None = None) -> Line:
    """The share of votes for one side; where a part of the candidates is given, and votes are on both, as the sum over the two."""
    f = votes.predicted
    figure = (votes.decided.astype(np.float64), f.win + f.loss, f.win_all + f.loss_all, votes.layout)
    if part is None or part_all is None or part.all() or not part.any():
        return mean_line(*figure)
    inside = mean_line(*figure, inside=part, inside_all=part_all)
    return inside + mean_line(*figure, inside=~part, inside_all=~part_all)


def _agree(s: FloatArray, y: FloatArray) -> FloatArray:
    """s y + (1 − s)(1 − y)."""
    return s * y + (1 - s) * (1 - y)
