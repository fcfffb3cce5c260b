"""What looking costs: a study that is stopped at the first look whose interval of the difference leaves out 0, against one that runs as planned.

Votes come one by one in random order; after every ``planned / looks`` of them somebody looks at the difference of the two models, by the votes
alone. An always-valid interval (a normal-mixture confidence sequence, Robbins 1970; from the same standard errors, tuned to the planned
number) is looked at as often.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import polars as pl

from charm_rm.estimates import SIGNIFICANT, Z95
from charm_rm.study.estimates.intervals import Ranged, ranged_difference
from charm_rm.study.estimates.powered import Layout, mean_line
from charm_rm.study.nouns import Counted

from ._study import MODELS, draw_study, truth
from .cell import Cell, coverage, figure, size

PLANNED = 300  # votes, one a comparison
MIXTURE = 8.2  # of the confidence sequence: narrowest at the planned number of votes


def always_valid(share: float) -> float:
    """Half the width of the confidence sequence, in standard errors, at ``share`` of the planned votes.

    sqrt((x + 1) / x · log((x + 1) / α²)) with x = MIXTURE · share: the mixture of N(0, x) over drifts crosses 1/α with a chance of α, ever.
    """
    x = MIXTURE * share
    return math.sqrt((x + 1) / x * math.log((x + 1) / SIGNIFICANT**2))


def one_study(rng: np.random.Generator, *, looks: int, models: str) -> Mapping[str, float]:
    """One study looked at ``looks`` times: what would have been found at its end, and what by stopping at the first finding."""
    counted = draw_study(
        rng,
        prompts=400,
        comparisons=PLANNED,
        votes=1,
        raters=15,
        taste=0.3,
        ties=0.1,
        models=models,
        targeted=True,
    )
    true = truth(0.1, models, 0.3)["all difference"]
    votes = Votes(counted, rng.permutation(counted.frame.height))
    seen = [votes.look(PLANNED * k // looks) for k in range(1, looks + 1)]
    found = [one.ci_low > 0 or one.ci_high < 0 for one in seen]
    at = found.index(True) if any(found) else looks - 1
    stopped, end = seen[at], seen[-1]
    valid = [abs(one.value) > one.std_err * always_valid((k + 1) / looks) for k, one in enumerate(seen)]
    return {
        "found at the planned end": float(found[-1]),
        "found by stopping": float(any(found)),
        "held by the interval at the end": float(end.ci_low <= true <= end.ci_high),
        "held by the interval where stopped": float(stopped.ci_low <= true <= stopped.ci_high),
        "difference where stopped, points": 100 * stopped.value,
        "difference at the end, points": 100 * end.value,
        "votes used, share": (at + 1) / looks,
        "found by an always-valid interval": float(any(valid)),
        "its width at the end, times": always_valid(1.0) / Z95,
    }


class Votes:
    """The votes of one study in the order in which they come, as arrays, with what the classical difference is made of."""

    def __init__(self, counted: Counted, order: np.ndarray) -> None:
        counted = replace(counted, frame=counted.frame[order.tolist()])
        self.whole = Layout.of(counted)
        self.y = counted.frame["y"].to_numpy()
        self.gap, self.gap_all = (_gap(frame) for frame in (counted.frame, counted.all))

    def look(self, n: int) -> Ranged:
        """The difference by the first ``n`` votes, as :func:`difference_table` has it (classical, all votes); it tells nothing without votes where models differ."""
        gap, inside, inside_all = self.gap[:n], self.gap[:n] != 0, self.gap_all != 0
        if not inside.any():
            return Ranged(0.0, math.nan, -1.0, 1.0)
        whole = self.whole
        layout = replace(whole, weight=whole.weight[:n], prompt=whole.prompt[:n], rater=whole.rater[:n])
        part = {"inside": inside, "inside_all": inside_all}
        zero, zero_all = np.zeros(n), np.zeros(len(self.gap_all))
        top = mean_line(gap * (2 * self.y[:n] - 1), zero, zero_all, layout, **part)
        most = mean_line(np.abs(gap), np.abs(gap), np.abs(self.gap_all), layout, **part)
        value, bound = float(top.value[0]), float(most.value[0])
        given = layout.covariance(top.own - value / bound * most.own, telling=inside)
        return ranged_difference(
            value,
            bound,
            float(given.std_err[0] ** 2),
            given.df,
            layout.effective_prompts(inside),
            votes=layout.effective_size(inside),
            bound_variance=float(np.nan_to_num(layout.covariance(most.own).std_err[0] ** 2)),
        )


def _gap(frame: pl.DataFrame) -> np.ndarray:
    """Verdict of the second model less that of the first: 1, 0, -1."""
    first, second = (0.5 * np.sign(frame[f"margin_{name}"].to_numpy()) for name in MODELS)
    return second - first


def cell(looks: int, models: str, *, replicates: int) -> Cell:
    """Known to fall short where somebody looks often: the bands say by how much."""
    tested = size if models == "alike" else figure
    wrong = {"band": (0.0, 0.45)} if models == "alike" else {}
    figures = [
        tested("found at the planned end"),
        tested("found by stopping", **wrong),
        coverage("held by the interval at the end", band=(0.92, 1.0)),
        coverage("held by the interval where stopped", band=(0.6, 1.0)),
        figure("difference at the end, points"),
        figure("difference where stopped, points"),
        figure("votes used, share"),
        tested("found by an always-valid interval"),
        figure("its width at the end, times"),
    ]
    settings = {"looks": looks, "models": models}
    return Cell(settings, one_study, tuple(figures), replicates=replicates, small=8)


def cells() -> list[Cell]:
    """Models that are equally good, and one that is better; ten looks, and thirty."""
    return [
        cell(10, "alike", replicates=300),
        cell(30, "alike", replicates=300),
        cell(30, "better", replicates=200),
    ]
