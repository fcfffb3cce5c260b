"""What models say of a vote before it is cast: the probability that people choose a, b, or neither, by the models' margins.

Margins have scales of their own. Two logistic regressions put them on people's: whether a vote takes a side, by how large the margins are; and
which side it takes, by the margins themselves. Both are fitted on the votes of other prompts (five folds), so that a prediction never has
seen what it is held against.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...statistics import FloatArray, IntArray, sigmoid
from ..frame import margin_column
from ..nouns import Counted
from .powered import Layout

FOLDS = 5
_RIDGE = 1.0  # a normal prior of standard deviation 1 on slopes of features that lie between -1 and 1 or so
_STEPS, _TOLERANCE = 50, 1e-8


@dataclass(frozen=True, eq=False)
class Predictions:
    """P(a wins) and P(b wins) of every vote (n,) and candidate (N,), by models fitted without that prompt's votes."""

    win: FloatArray
    loss: FloatArray
    win_all: FloatArray
    loss_all: FloatArray

    @property
    def y(self) -> FloatArray:
        """(n,) expected outcome of a vote: P(a wins) + ½ P(neither)."""
        return 0.5 * (1 + self.win - self.loss)

    @property
    def y_all(self) -> FloatArray:
        """(N,) the same of every candidate."""
        return 0.5 * (1 + self.win_all - self.loss_all)


def predict_votes(counted: Counted, *, folds: int = FOLDS, seed: int = 0) -> Predictions:
    """Predict every vote and every candidate from the margins of all models, cross-fitted by prompt.

    Without models every prediction is even, which helps nothing and harms nothing.
    """
    layout = Layout.of(counted)
    n, n_all = counted.frame.height, counted.all.height
    side, size = _features(counted)
    fold = _folds(layout, folds=folds, seed=seed)
    of_vote, of_candidate = fold[layout.prompt], fold[layout.prompt_all]
    y = counted.frame["y"].to_numpy()
    decided = counted.frame["decided"].to_numpy()
    found = Predictions(np.empty(n), np.empty(n), np.empty(n_all), np.empty(n_all))
    for k in range(folds):
        rest = of_vote != k
        a_wins, takes_side = _fitted(side[:n], size[:n], y, decided, np.where(rest, layout.weight, 0.0))
        here = np.concatenate([of_vote == k, of_candidate == k])
        p, q = sigmoid(side[here] @ a_wins), sigmoid(size[here] @ takes_side)
        votes = int((of_vote == k).sum())
        for ours, of_all, values in (
            (found.win, found.win_all, q * p),
            (found.loss, found.loss_all, q * (1 - p)),
        ):
            ours[of_vote == k] = values[:votes]
            of_all[of_candidate == k] = values[votes:]
    return found


def fit_logistic(x: FloatArray, y: FloatArray, weight: FloatArray, ridge: FloatArray) -> FloatArray:
    """Slopes (p,) that maximise Σ w (y log σ(xβ) + (1 − y) log σ(−xβ)) − ½ Σ ridge_j β_j², by Newton's method with halved steps."""
    beta = np.zeros(x.shape[1])

    def loss(b: FloatArray) -> float:
        eta = x @ b
        return float((weight * (np.logaddexp(0, eta) - y * eta)).sum() + 0.5 * (ridge * b**2).sum())

    now = loss(beta)
    for _ in range(_STEPS):
        p = sigmoid(x @ beta)
        slope = x.T @ (weight * (y - p)) - ridge * beta
        step = np.linalg.solve((x * (weight * p * (1 - p))[:, None]).T @ x + np.diag(ridge), slope)
        size = 1.0
        while (then := loss(beta + size * step)) > now + 1e-12 and size > 1e-6:
            size /= 2
        beta, now = beta + size * step, min(then, now)
        if np.abs(size * step).max(initial=0.0) < _TOLERANCE:
            break
    return beta


# --- details ------------------------------------------------------------------------------------


def _fitted(
    side: FloatArray, size: FloatArray, y: FloatArray, decided: np.ndarray, weight: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Slopes of which side a vote takes, and of whether it takes one; weights are scaled to as many votes as there are in effect."""
    total = weight.sum()
    if not total > 0:
        return np.zeros(side.shape[1]), np.zeros(size.shape[1])
    weight = weight * total / (weight**2).sum()
    a_wins = fit_logistic(side, y, weight * decided, np.full(side.shape[1], _RIDGE))
    ridge = np.full(size.shape[1], _RIDGE)
    ridge[0] = 0.1
    return a_wins, fit_logistic(size, decided.astype(np.float64), weight, ridge)


def _features(counted: Counted) -> tuple[FloatArray, FloatArray]:
    """(n + N, ·) of votes and candidates: margins in units of their median size, squashed (odd functions); 1 and their sizes (even ones)."""
    rows = counted.frame.height + counted.all.height
    sides: list[FloatArray] = []
    for column in map(margin_column, counted.models):
        of_all = counted.all[column].to_numpy().astype(np.float64)
        margin = np.concatenate([counted.frame[column].to_numpy().astype(np.float64), of_all])
        unit = float(np.median(np.abs(of_all))) or float(np.abs(margin).max()) or 1.0
        sides += [np.tanh(margin / (2 * unit)), np.sign(margin) * np.log1p(np.abs(margin) / unit)]
    side = np.column_stack(sides) if sides else np.zeros((rows, 0))
    return side, np.column_stack([np.ones(rows), np.abs(side)])


def _folds(layout: Layout, *, folds: int, seed: int) -> IntArray:
    """(n_prompts,) fold of every prompt; prompts with votes are dealt out evenly."""
    rng = np.random.default_rng(seed)
    voted = np.zeros(layout.n_prompts, dtype=bool)
    voted[layout.prompt] = True
    order = rng.permutation(layout.n_prompts)
    fold = np.empty(layout.n_prompts, dtype=np.int64)
    for some in (order[voted[order]], order[~voted[order]]):
        fold[some] = np.arange(len(some)) % folds
    return fold
