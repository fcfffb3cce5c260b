"""Favour in a study: intervals and verdicts where people and model judge the same prompts, with errors taken together and as if apart.

Answer k to prompt i is liked by luck_ik = log S_ik, S positive stable with exponent ``luck``: a vote for k over l has log-odds
q_k - q_l + luck_ik - luck_il, and over all prompts exactly ``luck`` (q_k - q_l) (a Gumbel variable and log S add up to a Gumbel variable / ``luck``).
A model's scores are m_k + luck_ik + Gumbel noise of its own, with other luck where it is not ``shared``: Bradley-Terry, too. Raters have a taste for a
feature of policies, and votes and verdicts may be ties. The truth are the strengths that all these win rates amount to.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from charm_rm.errors import NotConverged, NotIdentifiable
from charm_rm.margins import pair_margins, tally_margins
from charm_rm.mismatch.favour import Favours, favour_verdict, leave_one_out, sharpness
from charm_rm.mismatch.measured import Measured, measure_line
from charm_rm.mismatch.strengths import fit_strengths, rm_strengths
from charm_rm.ratings import yardstick
from charm_rm.statistics import ELO_PER_LOGIT, FloatArray, benjamini_hochberg, sigmoid
from charm_rm.study.estimates.favour import People, measure_favour, verdicts_of
from charm_rm.study.estimates.ratings import study_ratings
from charm_rm.study.nouns import Counted

from ._study import _inclusion, _systematic
from .cell import Cell, coverage, figure, size

NAN = float("nan")
SPREAD = 100.0  # of the policies' true ratings, Elo
_NODES, _NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(15)
USUAL = {
    "policies": 8, "prompts": 100, "comparisons": 1000, "votes": 1, "raters": 10, "taste": 0.0, "ties": 0.2,
    "luck": 0.6, "shared": True, "sharp": 1.5, "even": True, "favour": 0.0, "one": 0.0,
}  # fmt: skip


# --- the world --------------------------------------------------------------------------------------


def positive_stable(rng: np.random.Generator, alpha: float, shape: tuple[int, ...]) -> FloatArray:
    """log S with E exp(-t S) = exp(-t^alpha) (Kanter 1975)."""
    u, w = np.pi * rng.random(shape), rng.exponential(size=shape)
    log_s = np.log(np.sin(alpha * u)) - np.log(np.sin(u)) / alpha
    return np.asarray(log_s + (1 - alpha) / alpha * (np.log(np.sin((1 - alpha) * u)) - np.log(w)))


def strengths_of(rate: FloatArray) -> FloatArray:
    """The Bradley-Terry strengths (K,), mean 0, that win rates (K, K) of equally frequent pairs amount to."""
    return fit_strengths(rate * (1 - np.eye(len(rate)))).theta


def tied(rate: FloatArray, ties: float) -> FloatArray:
    """Win rates where a share of results is a tie."""
    return np.asarray((1 - ties) * rate + ties / 2)


def locations(theta: FloatArray, ties: float) -> FloatArray:
    """The strengths apart from ties that amount to ``theta`` with them."""
    found = theta / (1 - ties)
    for _ in range(6):
        rate = sigmoid(found[:, None] - found)
        found = found + (theta - strengths_of(tied(rate, ties)))
    return np.asarray(found)


def people_at_large(q: FloatArray, x: FloatArray, *, luck: float, taste: float, ties: float) -> FloatArray:
    """The strengths (K,) of ratings by infinitely many votes of as many raters on as many prompts."""
    gap, feature = q[:, None] - q, x[:, None] - x
    rates = [sigmoid(luck * (gap + taste * node * feature)) for node in _NODES]
    return strengths_of(tied(np.average(rates, axis=0, weights=_NODE_WEIGHTS), ties))


def draw_study(
    rng: np.random.Generator, *, policies: int, prompts: int, comparisons: int, votes: int, raters: int, taste: float,
    ties: float, luck: float, shared: bool, sharp: float, even: bool, favour: float, one: float,
) -> tuple[Counted, FloatArray]:  # fmt: skip
    """A study with one model, and the true favour of every policy in Elo points; the first is favoured by ``one`` besides."""
    q = SPREAD / ELO_PER_LOGIT / luck * rng.standard_normal(policies)
    x = rng.standard_normal(policies)
    rho = people_at_large(q, x, luck=luck, taste=taste, ties=ties)
    true = favour * rng.standard_normal(policies) + one * np.eye(policies)[0]
    m = locations(sharp * (rho + true / ELO_PER_LOGIT), ties / 4) / luck
    lucks = positive_stable(rng, luck, (prompts, policies))
    others = lucks if shared else positive_stable(rng, luck, (prompts, policies))
    scores = m + others + rng.gumbel(size=(prompts, policies))
    a, b = np.array(list(combinations(range(policies), 2))).T
    prompt, a_all, b_all = np.repeat(np.arange(prompts), len(a)), np.tile(a, prompts), np.tile(b, prompts)
    margin = np.where(rng.random(len(prompt)) < ties / 4, 0.0, scores[prompt, a_all] - scores[prompt, b_all])
    # A plan that asks four times as often where a second model disagrees, which is here half of what looks close.
    odd = (np.abs(margin) < 1) & (rng.random(len(prompt)) < 0.5)
    inclusion = _inclusion(np.where(odd & (not even), 4.0, 1.0), min(comparisons, len(prompt)))
    chosen = _systematic(rng, inclusion)
    on = np.repeat(chosen, votes)
    who = np.concatenate([rng.choice(raters, votes, replace=False) for _ in chosen])
    liked = q + lucks
    odds = liked[prompt[on], a_all[on]] - liked[prompt[on], b_all[on]]
    odds = odds + (taste * rng.standard_normal(raters))[who] * (x[a_all[on]] - x[b_all[on]])
    y = np.where(rng.random(len(on)) < ties, 0.5, rng.random(len(on)) < sigmoid(odds))
    everything = pl.DataFrame(
        {
            "prompt_id": [f"q{i:04d}" for i in prompt],
            "policy_a": [f"m{k:02d}" for k in a_all],
            "policy_b": [f"m{k:02d}" for k in b_all],
            "margin_rm": margin,
        }
    )
    frame = everything[on.tolist()].with_columns(
        comparison_id=pl.Series([f"c{j}" for j in on]),
        rater=pl.Series([f"r{r}" for r in who]),
        y=pl.Series(y),
        decided=pl.Series(y != 0.5),
        weight=pl.Series(1 / (inclusion[on] * votes)),
    )
    return Counted(frame, everything, ("rm",)), true


# --- what is found ----------------------------------------------------------------------------------


def one_study(rng: np.random.Generator, **changed: Any) -> Mapping[str, float]:
    """Coverage, verdicts and widths of a study like :data:`USUAL` but for what is ``changed``, joint and as if apart.

    Where there is no line, nothing is found, and the rest is NaN.
    """
    settings = USUAL | changed
    counted, true = draw_study(rng, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        both = dict(zip(("", APART), _measured(counted), strict=True))
    favours = {name: leave_one_out(m, "sample") for name, m in both.items() if m is not None}
    found: dict[str, float] = {}
    for name, measured in both.items():
        if measured is None:
            found |= dict.fromkeys((what + name for what in FIGURES), NAN) | {"found" + name: 0.0}
            continue
        slope = sharpness(measured, "sample")
        right = NAN if slope.ci_low is None else float(slope.ci_low <= settings["sharp"] <= slope.ci_high)
        found |= _figures(favours[name], true, name) | {"sharpness" + name: right}
    found["width, beside apart"] = _beside(*favours.values()) if len(favours) == 2 else NAN
    return found


FIGURES = (
    "favour",
    "sharpness",
    "any false verdict",
    "false share of verdicts",
    "spread over standard error",
)
APART = ", as if apart"


def _beside(ours: Favours, others: Favours) -> float:
    """The median over policies of the ratio of widths, of intervals that both have closed."""
    one, other = ours.high - ours.low, others.high - others.low
    closed = np.isfinite(one) & np.isfinite(other)
    return float(np.median(one[closed] / other[closed])) if closed.any() else NAN


def _figures(found: Favours, true: FloatArray, name: str) -> dict[str, float]:
    """Of one way to take the errors. False is a verdict of the wrong sign, or on a policy whose favour is 0; found is that of the first policy."""
    inside = ((found.low <= true) & (true <= found.high))[found.found]
    q = benjamini_hochberg(found.p)
    ends = [[float(v) if np.isfinite(v) else None for v in side] for side in (found.low, found.high, q)]
    said = np.array([favour_verdict(*row) for row in zip(found.favour, *ends, strict=True)])
    over, under = said == "over-valued", said == "under-valued"
    false = over & (true <= 0) | under & (true >= 0)
    off = ((found.favour - true) / found.std_err)[found.found]
    return {
        "favour" + name: float(inside.mean()) if inside.size else NAN,
        "any false verdict" + name: float(false.any()),
        "false share of verdicts" + name: float(false.sum() / max(int((over | under).sum()), 1)),
        "found" + name: float(over[0]),
        "spread over standard error" + name: float(np.sqrt((off**2).mean())) if inside.size else NAN,
    }


def _measured(counted: Counted) -> tuple[Measured | None, Measured | None]:
    """As the analysis has it, and with errors as if apart, as an audit takes them; None without a line that rises."""
    try:
        ratings = study_ratings(counted)
    except (NotIdentifiable, NotConverged):
        return None, None
    people = People.of(counted, ratings, prior=0.0)
    tally = tally_margins(pair_margins(verdicts_of(counted, "rm", ratings)))
    both: list[Measured | None] = []
    for measure in (
        lambda: measure_favour(counted, "rm", people)[0],
        lambda: measure_line(rm_strengths(tally), yardstick(ratings, tally.policies)),
    ):
        try:
            measured = measure()
        except (NotIdentifiable, NotConverged):
            both.append(None)
            continue
        both.append(measured if measured.line.slope > 0 else None)
    return both[0], both[1]


def _cell(favoured: bool, **changed: Any) -> Cell:
    """Where nobody is favoured any verdict is false; where somebody is, q promises a share of false ones."""
    wrong = "false share of verdicts" if favoured else "any false verdict"
    figures = [
        *(coverage("favour" + name, band=(0.93, 1.0)) for name in ("", APART)),
        *(coverage("sharpness" + name, band=(0.8, 1.0)) for name in ("", APART)),
        *(size(wrong + name) for name in ("", APART)),
        *(figure("found" + name) for name in ("", APART) if favoured),
        *(figure("spread over standard error" + name) for name in ("", APART)),
    ]
    if not favoured:  # where somebody is, some intervals are nearly open, and a mean of ratios says nothing
        figures.append(figure("width, beside apart", band=(0.5, 1.05)))
    where = {name: USUAL[name] for name in ("policies", "prompts", "comparisons")}
    return Cell(where | changed, one_study, tuple(figures), replicates=200, small=6)


def cells() -> list[Cell]:
    """Nobody favoured, one thing changed at a time; all favoured a little, one favoured a lot."""
    nobody: list[dict[str, Any]] = [
        {},
        {"shared": False},
        {"luck": 0.4, "votes": 3},
        {"even": False},
        {"ties": 0.5},
        {"prompts": 30, "comparisons": 300},
        {"policies": 12, "prompts": 60, "comparisons": 230},
        {"policies": 4},
        {"raters": 1},
        {"raters": 3, "taste": 1.0},
        {"raters": 5, "taste": 1.0},
        {"taste": 0.5},
    ]
    somebody: list[dict[str, Any]] = [
        {"favour": 40.0},
        {"one": 100.0},
        {"one": 100.0, "policies": 12, "prompts": 200, "comparisons": 2000},
        {"one": 100.0, "even": False, "luck": 0.4},
    ]
    return [_cell(False, **c) for c in nobody] + [_cell(True, **c) for c in somebody]
