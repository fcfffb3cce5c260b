"""Which temperature and penalty: by how well weights fitted on some policies and prompts do on other policies and other prompts.

Policies are dealt into folds and prompts into halves. For each fold and half the weights are fitted on the other policies and the other
half; the loss is that of the pairs with a policy of the fold, on the prompts of the half. So no policy, and no prompt, that a figure is of
had a part in the weights behind it. A fold's own temperature and penalty are those that are best in the other folds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import ConfigError, NotIdentifiable, counted, did_you_mean
from ..margins import PairedMargins
from ..splits import fold_of
from ..statistics import FloatArray, IntArray
from .comparisons import Part, kept_of_order, restricted, soft_rates, stacked, thinned
from .fitting import Bounds, fit_weights, policy_loss
from .inputs import Problem

TEMPERATURES = (0.7, 1.4, 2.8)  # in units of the margins' spread
PENALTIES = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5)
HALVES = 2
_CELLS = 1_000_000  # comparisons of one fit while searching
_ROUGH = 1e-4  # relative change at which a fit of the search stops


@dataclass(frozen=True, eq=False)
class Folds:
    """The fold of each policy (K,), and the half of each prompt (n,)."""

    policy: IntArray
    prompt: IntArray

    @property
    def count(self) -> int:
        return int(self.policy.max()) + 1


@dataclass(frozen=True)
class Choice:
    """A temperature (in units of the margins' spread) and a penalty."""

    temperature: float
    penalty: float


@dataclass(frozen=True, eq=False)
class CrossFits:
    """Weights (choices, folds, halves, d) fitted without a fold's policies and a half's prompts, and the loss (choices, folds) there.

    ``kept`` (choices,) is how much of the within-prompt order the weights fitted on everything keep.
    """

    choices: tuple[Choice, ...]
    weights: FloatArray
    loss: FloatArray
    kept: FloatArray

    def best(self, keep: float, *, without: int | None = None) -> int:
        """The choice of the least loss (over the folds but one) among those that keep enough of the order; where none does, the one that keeps most."""
        allowed = self.kept >= keep
        if not allowed.any():
            return int(np.argmax(self.kept))
        folds = [f for f in range(self.loss.shape[1]) if f != without] or [0]
        total = np.where(allowed, self.loss[:, folds].mean(axis=1), np.inf)
        return int(np.argmin(total))


def deal_folds(
    problem: Problem, *, folds: int, seed: int, families: Mapping[str, str] | None = None
) -> Folds:
    """Policies into ``folds`` of equal size by a seeded shuffle, or one fold a family; prompts into halves by a hash of their ids.

    Raises:
        ConfigError: fewer than two folds or families, or a policy without a family.
        NotIdentifiable: too few policies or prompts to leave any out.
    """
    policies = problem.policies
    if problem.paired.n_prompts < 2 * HALVES:
        raise NotIdentifiable(
            f"{counted(problem.paired.n_prompts, 'prompt')}: some cannot be left out",
            where="style calibration",
            mend="score more prompts, a hundred at least",
        )
    halves = fold_of(problem.paired.prompts, HALVES, seed=seed)
    if families is not None:
        return Folds(_by_family(policies, families), halves)
    if folds < 2:
        raise ConfigError(f"{folds} folds of policies", mend="use two folds or more")
    some = min(folds, len(policies) // 2)
    if some < 2:
        raise NotIdentifiable(
            f"{counted(len(policies), 'policy', 'policies')}: some cannot be left out",
            where="style calibration",
            mend="score the responses of at least four rated policies; dozens are needed for weights that mean something",
        )
    order = np.random.default_rng(seed).permutation(len(policies))
    fold = np.empty(len(policies), dtype=np.int64)
    fold[order] = np.arange(len(policies)) % some
    return Folds(fold, halves)


def _by_family(policies: Sequence[str], families: Mapping[str, str]) -> IntArray:
    for policy in policies:
        if policy not in families:
            raise ConfigError(
                f"policy {policy!r} has no family.{did_you_mean(policy, families)}",
                where="style calibration",
                mend="name a family for every policy",
            )
    names = sorted({families[p] for p in policies})
    if len(names) < 2:
        raise ConfigError(
            "all policies are of one family", mend="name several families, or leave folds to chance"
        )
    return np.array([names.index(families[p]) for p in policies], dtype=np.int64)


def cross_fit(
    problem: Problem,
    folds: Folds,
    *,
    temperatures: Sequence[float] = TEMPERATURES,
    penalties: Sequence[float] = PENALTIES,
    bounds: Bounds,
    seed: int = 0,
) -> CrossFits:
    """Fit every choice without each fold and half, and measure it there."""
    penalties = sorted(penalties, reverse=True)  # each fit starts from that of the larger penalty
    choices = tuple(Choice(t, p) for t in temperatures for p in penalties)
    d = len(problem.names)
    weights = np.zeros((len(choices), folds.count, HALVES, d))
    loss = np.zeros((len(choices), folds.count, HALVES))
    rng = np.random.default_rng(seed)
    for fold in range(folds.count):
        for half in range(HALVES):
            used, left_out = _sides(problem.part, folds, fold, half)
            train = thinned(used, _CELLS, rng)
            test = thinned(left_out, _CELLS, rng)
            found, losses = _along(problem, choices, train, test, bounds)
            weights[:, fold, half], loss[:, fold, half] = found, losses
    return CrossFits(choices, weights, loss.mean(axis=2), _kept(problem, choices, bounds, rng))


def _sides(part: Part, folds: Folds, fold: int, half: int) -> tuple[Part, Part]:
    """The pairs without the fold's policies on the other prompts, and those with one of them on the half's prompts."""
    inside = (folds.policy == fold)[part.paired.pairs].any(axis=1)
    here = folds.prompt == half
    return restricted(part, pairs=~inside, prompts=~here), restricted(part, pairs=inside, prompts=here)


def _along(
    problem: Problem, choices: Sequence[Choice], train: Sequence[Part], test: Sequence[Part], bounds: Bounds
) -> tuple[FloatArray, FloatArray]:
    """Weights (choices, d) of every choice, and the losses (choices,) on ``test``."""
    weights, losses = [], []
    start: FloatArray | None = None
    before: Choice | None = None
    for choice in choices:
        if before is None or before.temperature != choice.temperature:
            start = None
        fitted = fit_weights(
            train,
            scale=problem.spread,
            temperature=choice.temperature,
            penalty=choice.penalty,
            bounds=bounds,
            start=start,
            tolerance=_ROUGH,
        )
        start, before = fitted.weights, choice
        weights.append(fitted.weights)
        losses.append(_loss(problem, test, fitted.weights, choice.temperature))
    return np.array(weights), np.array(losses)


def _loss(problem: Problem, test: Sequence[Part], weights: FloatArray, temperature: float) -> float:
    return policy_loss(test, stacked([soft_rates(p, problem.spread, weights, temperature) for p in test]))


def _kept(
    problem: Problem, choices: Sequence[Choice], bounds: Bounds, rng: np.random.Generator
) -> FloatArray:
    """How much of the order within prompts is kept by the weights fitted on everything, by choice."""
    some = thinned(problem.part, _CELLS, rng)
    weights, _ = _along(problem, choices, some, some[:1], bounds)
    part = some[0]
    return np.array([kept_of_order(part.paired, part.features, problem.spread, w) for w in weights])


# --- margins of policies and prompts that were left out ---------------------------------------------


@dataclass(frozen=True, eq=False)
class HeldOutMargins:
    """Calibrated margins each of whose pairs has a policy, and each of whose prompts is one, that its weights were fitted without.

    ``moved`` (folds, K, n) is w·φ in the margins' unit by the weights of a fold, of each prompt's half. On every other prompt a pair takes
    the weights fitted without its first policy, on the rest those without its second.
    """

    whole: PairedMargins
    moved: FloatArray
    fold: IntArray

    @property
    def policies(self) -> tuple[str, ...]:
        return self.whole.policies

    @property
    def n_prompts(self) -> int:
        return self.whole.n_prompts

    @property
    def prompts(self) -> tuple[str, ...]:
        return self.whole.prompts

    @property
    def pairs(self) -> IntArray:
        return self.whole.pairs

    def rows(self, which: slice | IntArray) -> FloatArray:
        """(pairs, n_prompts) margins."""
        k, r = self.pairs[which].T
        even = np.arange(self.n_prompts) % 2 == 0
        by_first = self.moved[self.fold[k], k] - self.moved[self.fold[k], r]
        by_second = self.moved[self.fold[r], k] - self.moved[self.fold[r], r]
        return np.asarray(self.whole.rows(which) + np.where(even, by_first, by_second))

    def at(self, prompts: np.ndarray) -> HeldOutMargins:
        """The same pairs on some of the prompts."""
        return replace(
            self, whole=self.whole.at(prompts), moved=np.ascontiguousarray(self.moved[:, :, prompts])
        )


def held_out_margins(problem: Problem, fits: CrossFits, folds: Folds, *, keep: float) -> HeldOutMargins:
    """The margins of every pair by weights that saw neither the prompt nor (one of) its policies."""
    k, n, _ = problem.part.features.shape
    moved = np.empty((folds.count, k, n))
    for fold in range(folds.count):
        weights = fits.weights[fits.best(keep, without=fold), fold]
        for half in range(HALVES):
            here = folds.prompt == half
            moved[fold][:, here] = problem.part.features[:, here] @ weights[half]
    return HeldOutMargins(problem.paired, problem.spread * moved, folds.policy)
