"""How far raters agree with each other: Krippendorff's alpha, and the share of pairs of raters who name the same winner.

Alpha comes from nltk (``nltk.metrics.agreement``, Apache-2.0). The package ``krippendorff`` on PyPI is under the GPL, so this
project, which is under Apache-2.0, does not depend on it, nor do its tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from ...estimates import LEVEL, Estimate
from ...extras import require
from ...mismatch.student import student_quantile
from ...statistics import FloatArray, IntArray
from ..estimates.clusters import degrees_of_freedom, effective_number
from ..estimates.intervals import ranged_share
from ..nouns import Study
from ..results import ALPHA, ALPHA_DECIDED, PAIRWISE, PAIRWISE_DECIDED
from .pairs import first_votes, vote_pairs

GROUPS = 20  # of prompts, left out one after another: so many calls of the library
SCHEMA = {
    "figure": pl.String,
    "value": pl.Float64,
    "ci_low": pl.Float64,
    "ci_high": pl.Float64,
    "n_comparisons": pl.Int64,
    "n_raters": pl.Int64,
}


@dataclass(frozen=True)
class Shared:
    """A figure over comparisons that two raters or more voted on; ``estimate`` is None where there are none, or they do not tell."""

    figure: str
    estimate: Estimate | None
    n_comparisons: int
    n_raters: int


def inter_rater(study: Study) -> pl.DataFrame:
    """Agreement of raters with each other: figure, value, ci_low, ci_high, n_comparisons, n_raters.

    - ``krippendorff_alpha``: nominal, over the four answers a, b, tie and both_bad, none of them merged; 1 is full agreement, 0 what
      chance gives. Of the comparisons that were voted on, each vote alike: where the plan preferred disputed comparisons, so does this.
    - ``alpha_decided``: of a and b alone.
    - ``pairwise_agreement``: the share of pairs of raters who agree, a tie by half; weighted to all candidates. It is on the scale of a
      model's agreement over ``all`` votes, and what one person's verdict attains against another's.
    - ``pairwise_decided``: of pairs who both named a winner; on the scale of a model's agreement over ``decided`` votes.

    Values are null where no comparison has two raters: ``votes_wanted`` of the plan says how many see each.

    Raises:
        MissingExtra: nltk is not installed.
        SchemaError: votes on comparisons that the study does not have.
    """
    votes = first_votes(study)
    pairs = vote_pairs(votes)
    found = [
        krippendorff_alpha(votes, figure=ALPHA),
        krippendorff_alpha(votes.filter(pl.col("y") != 0.5), figure=ALPHA_DECIDED),
        pairwise_agreement(pairs),
        pairwise_agreement(pairs, decided=True),
    ]
    return pl.DataFrame([_row(one) for one in found], schema=SCHEMA, orient="row")


# --- alpha --------------------------------------------------------------------------------------


def krippendorff_alpha(votes: pl.DataFrame, *, figure: str = ALPHA, groups: int = GROUPS) -> Shared:
    """alpha = 1 − D_o / D_e of nominal labels (Krippendorff 1980), with a 95 % interval by the jackknife over groups of prompts.

    Args:
        votes: comparison_id, prompt_id, rater, winner; comparisons with one vote tell nothing and are left out.
        figure: what it is called.
        groups: prompts are dealt into so many groups, and each is left out once: V = (G − 1)/G Σ (alpha_(g) − mean)².

    The estimate is None where no comparison has two votes, or where all votes say the same: there is no disagreement to expect, and alpha
    is 0/0 (the library would give 1). Its interval is missing where there is a single prompt.
    """
    votes = votes.filter(pl.len().over("comparison_id") > 1)
    n_comparisons, n_raters = votes["comparison_id"].n_unique(), votes["rater"].n_unique()
    value = _alpha(votes)
    if value is None:
        return Shared(figure, None, n_comparisons, n_raters)
    held_out = _left_out_alphas(votes, groups)
    estimate = Estimate(value) if held_out is None else _jackknifed(value, held_out)
    return Shared(figure, estimate, n_comparisons, n_raters)


def _alpha(votes: pl.DataFrame) -> float | None:
    if votes["winner"].n_unique() < 2:
        return None
    library = require("nltk.metrics.agreement", extra="study", what="agreement of raters")
    rows = votes.select("rater", "comparison_id", "winner").rows()
    return float(library.AnnotationTask(rows).alpha())


def _left_out_alphas(votes: pl.DataFrame, groups: int) -> FloatArray | None:
    """Alpha without each group of prompts, which have about as many votes; None where there is one prompt, or alpha goes."""
    sizes = votes.group_by("prompt_id").len().sort("len", "prompt_id", descending=[True, False])
    n_groups = min(groups, sizes.height)
    if n_groups < 2:
        return None
    dealt = sizes.with_columns(group=pl.Series(np.arange(sizes.height) % n_groups))
    votes = votes.join(dealt.select("prompt_id", "group"), on="prompt_id")
    alphas = [_alpha(votes.filter(pl.col("group") != g)) for g in range(n_groups)]
    return None if None in alphas else np.array(alphas, dtype=np.float64)


def _jackknifed(value: float, held_out: FloatArray) -> Estimate:
    """value ± t √V with G − 1 degrees of freedom, cut at 1, which alpha cannot exceed."""
    g = len(held_out)
    std_err = float(np.sqrt((g - 1) / g * np.sum((held_out - held_out.mean()) ** 2)))
    half = float(student_quantile(g - 1, tail=1 - LEVEL)) * std_err
    return Estimate(value, std_err, value - half, min(1.0, value + half))


# --- pairs of raters ----------------------------------------------------------------------------


def pairwise_agreement(pairs: pl.DataFrame, *, decided: bool = False) -> Shared:
    """Σ w a / Σ w over pairs of raters on one comparison, a their agreement and w = 1 / (inclusion · pairs on that comparison).

    So each comparison counts for the candidates that it stands for, however many raters it had. ``decided``: over pairs who both
    named a winner. The interval is clustered by prompt and by rater (:func:`pair_variance`).
    """
    weight = 1.0 / (pl.col("inclusion") * pl.len().over("comparison_id"))
    pairs = pairs.with_columns(weight=weight)
    if decided:
        pairs = pairs.filter(pl.col("decided"))
    n_raters = pl.concat([pairs["rater"], pairs["other"].alias("rater")]).n_unique()
    n_comparisons = pairs["comparison_id"].n_unique()
    figure = PAIRWISE_DECIDED if decided else PAIRWISE
    if not pairs.height:
        return Shared(figure, None, 0, 0)
    weights, agree = pairs["weight"].to_numpy(), pairs["agree"].to_numpy()
    value = min(1.0, float(weights @ agree / weights.sum()))
    prompt, rater, other = _codes(pairs["prompt_id"]), *_codes(pairs["rater"], pairs["other"])
    variance, df = pair_variance(weights * (agree - value) / weights.sum(), prompt[0], rater, other)
    of_prompt = np.bincount(prompt[0], weights).astype(np.float64)
    size = effective_number(of_prompt), effective_number(weights)
    return Shared(figure, _share(value, variance, df, *size), n_comparisons, n_raters)


def pair_variance(
    influence: FloatArray, prompt: IntArray, rater: IntArray, other: IntArray
) -> tuple[float, float]:
    """Variance of a sum over pairs of raters, and its degrees of freedom: V = V_P + V_R − V_PR.

    V_P = Σ_p u_p². Two pairs of raters go together where they share a rater (Aronow, Samii and Assenova 2015): V_R = Σ_r u_r² − Σ_d u_d²,
    u_r the sum over the pairs that r is in, u_d over one pair of raters, whose square the first sum has twice. V_PR is the same within
    prompts, which V_P has already. V is never below V_P or V_R.
    """
    n_raters = int(max(rater.max(), other.max())) + 1
    dyad = np.minimum(rater, other) * n_raters + np.maximum(rater, other)
    by_prompt = _squares(influence, [prompt], factor=True)
    ends = [(np.concatenate([rater, other]),), (dyad,)]
    shared = _squares(np.tile(influence, 2), ends[0], factor=True) - _squares(influence, ends[1])
    both = _squares(np.tile(influence, 2), [np.tile(prompt, 2), *ends[0]]) - _squares(
        influence, [prompt, dyad]
    )
    raters = len(np.unique(ends[0][0]))
    prompts = len(np.unique(prompt))
    variance = max(by_prompt, shared, by_prompt + shared - both)
    if variance <= 0 or prompts < 2:
        return max(variance, 0.0), float(prompts - 1)
    return variance, degrees_of_freedom(variance, by_prompt, max(shared, 0.0), prompts=prompts, raters=raters)


def _squares(influence: FloatArray, keys: Sequence[IntArray], *, factor: bool = False) -> float:
    """Σ_g u_g² over the clusters of equal ``keys``; times G / (G − 1) where asked for."""
    joint = keys[0]
    for key in keys[1:]:  # as one number: np.unique of several columns at once takes many times as long
        joint = joint * (int(key.max()) + 1) + key
    _, code = np.unique(joint, return_inverse=True)
    sums = np.bincount(code.ravel(), influence)
    g = len(sums)
    return float(sums @ sums) * (g / (g - 1) if factor and g > 1 else 1.0)


def _share(value: float, variance: float, df: float, prompts: float, pairs: float) -> Estimate:
    """The share with the interval that a model's agreement has (:func:`..estimates.intervals.ranged_share`); a single prompt tells none."""
    if not df > 0:
        return Estimate(value)
    found = ranged_share(value, variance, df, prompts, votes=pairs)
    return Estimate(value, found.std_err, found.ci_low, found.ci_high)


def _codes(*series: pl.Series) -> list[IntArray]:
    """The names of all series as 0, 1, ..."""
    names = pl.concat([s.rename("name") for s in series]).unique().sort()
    enum = pl.Enum(names)
    return [s.cast(enum).to_physical().cast(pl.Int64).to_numpy() for s in series]


def _row(one: Shared) -> tuple[str, float | None, float | None, float | None, int, int]:
    e = one.estimate
    ends = (None, None, None) if e is None else (e.value, e.ci_low, e.ci_high)
    return (one.figure, *ends, one.n_comparisons, one.n_raters)
