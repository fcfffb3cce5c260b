"""Which penalty: by how well weights fitted on some policies and prompts do on other policies and other prompts.

Policies are dealt into folds and prompts into halves. For each fold and half the weights are fitted on the other policies and the other
half; the loss is that of the pairs with a policy of the fold, on the prompts of the half. So no policy, and no prompt, that a figure is of
had a part in the weights behind it. A fold's own penalty is the one that is best in the other folds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, NotIdentifiable, counted
from ..policy_names import near_policies
from ..splits import fold_of
from ..statistics import FloatArray, IntArray
from .comparisons import MarginsView, Part, kept_of_order, restricted, soft_rates, stacked, thinned
from .fitting import Bounds, Fitted, fit_weights, policy_loss
from .inputs import Problem

PENALTIES = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5)
HALVES = 2
_CELLS = 1_000_000  # comparisons of one fit while searching
_PROMPTS = 2000  # a search needs no more
_ROUGH = 1e-4  # relative change at which a fit of the search stops


@dataclass(frozen=True, eq=False)
class Folds:
    """The fold of each policy (K,), and the half of each prompt (n,).

    A baseline that every pair has cannot be left out, or no pair would be left: its fold is -1.
    """

    policy: IntArray
    prompt: IntArray

    @property
    def count(self) -> int:
        return int(self.policy.max()) + 1


@dataclass(frozen=True, eq=False)
class CrossFits:
    """For each penalty, what is fitted without a fold's policies and a half's prompts, and the loss there.

    ``weights`` (penalties, folds, halves, d), ``temperature`` (penalties, folds, halves), ``loss`` (penalties, folds); ``kept``
    (penalties,) is how much of the within-prompt order the weights fitted on everything keep.
    """

    penalties: tuple[float, ...]
    weights: FloatArray
    temperature: FloatArray
    loss: FloatArray
    kept: FloatArray

    def best(self, keep: float, *, without: int | None = None) -> int:
        """The penalty of the least loss (over the folds but one) among those that keep enough of the order; where none does, the one that keeps most."""
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
            fix="score more prompts, a hundred at least",
        )
    halves = fold_of(problem.paired.prompts, HALVES, seed=seed)
    free = np.flatnonzero(~_in_every_pair(problem))
    fold = np.full(len(policies), -1, dtype=np.int64)
    if families is not None:
        fold[free] = _by_family([policies[k] for k in free], families)
        return Folds(fold, halves)
    if folds < 2:
        raise ConfigError(f"{folds} folds of policies", fix="use two folds or more")
    some = min(folds, len(free) // 2)
    if some < 2:
        raise NotIdentifiable(
            f"{counted(len(policies), 'policy', 'policies')}: some cannot be left out",
            where="style calibration",
            fix="score the responses of at least four rated policies; dozens are needed for weights that mean something",
        )
    order = free[np.random.default_rng(seed).permutation(len(free))]
    fold[order] = np.arange(len(free)) % some
    return Folds(fold, halves)


def _in_every_pair(problem: Problem) -> NDArray[np.bool_]:
    """(K,) whether a policy is on one side of every pair: the baseline of a judge who saw no other."""
    pairs = problem.paired.pairs
    counts = np.bincount(pairs.ravel(), minlength=len(problem.policies))
    return np.asarray(counts == len(pairs))


def _by_family(policies: Sequence[str], families: Mapping[str, str]) -> IntArray:
    for policy in policies:
        if policy not in families:
            raise ConfigError(
                f"policy {policy!r} has no family.{near_policies(policy, families)}",
                where="style calibration",
                fix="name a family for every policy",
            )
    names = sorted({families[p] for p in policies})
    if len(names) < 2:
        raise ConfigError(
            "all policies are of one family", fix="name several families, or leave folds to chance"
        )
    return np.array([names.index(families[p]) for p in policies], dtype=np.int64)


def cross_fit(
    problem: Problem,
    folds: Folds,
    *,
    temperature: float | None = None,
    penalties: Sequence[float] = PENALTIES,
    bounds: Bounds,
    seed: int = 0,
) -> CrossFits:
    """Fit with every penalty without each fold and half, and measure it there."""
    penalties = tuple(sorted(penalties, reverse=True))  # each fit starts from that of the larger penalty
    weights = np.zeros((len(penalties), folds.count, HALVES, len(problem.names)))
    heat, loss = (np.zeros((len(penalties), folds.count, HALVES)) for _ in range(2))
    rng = np.random.default_rng(seed)
    some = rng.permutation(problem.paired.n_prompts) < _PROMPTS
    if not some.all():
        problem, folds = problem.at(some), replace(folds, prompt=folds.prompt[some])
    for fold in range(folds.count):
        for half in range(HALVES):
            used, left_out = _sides(problem.part, folds, fold, half)
            train, test = (thinned(part, _CELLS, rng) for part in (used, left_out))
            for i, fitted in enumerate(_along(problem, penalties, train, temperature, bounds)):
                weights[i, fold, half], heat[i, fold, half] = fitted.weights, fitted.temperature
                loss[i, fold, half] = _loss(problem, test, fitted)
    kept = _kept(problem, penalties, temperature, bounds, rng)
    return CrossFits(penalties, weights, heat, loss.mean(axis=2), kept)


def _sides(part: Part, folds: Folds, fold: int, half: int) -> tuple[Part, Part]:
    """The pairs without the fold's policies on the other prompts, and those with one of them on the half's prompts."""
    inside = (folds.policy == fold)[part.paired.pairs].any(axis=1)
    if inside.all():
        raise NotIdentifiable(
            "without the policies that are left out no pair is left",
            where="style calibration",
            fix="compare more pairs of policies, or name fewer, smaller families",
        )
    here = folds.prompt == half
    return restricted(part, pairs=~inside, prompts=~here), restricted(part, pairs=inside, prompts=here)


def _along(
    problem: Problem,
    penalties: Sequence[float],
    train: Sequence[Part],
    temperature: float | None,
    bounds: Bounds,
) -> Iterator[Fitted]:
    """The fit with each penalty, from that with the one before."""
    fitted: Fitted | None = None
    for penalty in penalties:
        fitted = fit_weights(
            train,
            scale=problem.spread,
            temperature=temperature,
            penalty=penalty,
            bounds=bounds,
            start=fitted,
            tolerance=_ROUGH,
        )
        yield fitted


def _loss(problem: Problem, test: Sequence[Part], fitted: Fitted) -> float:
    rates = [soft_rates(p, problem.spread, fitted.weights, fitted.temperature) for p in test]
    return policy_loss(test, stacked(rates))


def _kept(
    problem: Problem,
    penalties: Sequence[float],
    temperature: float | None,
    bounds: Bounds,
    rng: np.random.Generator,
) -> FloatArray:
    """How much of the order within prompts is kept by the weights fitted on everything, by penalty."""
    some = thinned(problem.part, _CELLS, rng)
    fits = _along(problem, penalties, some, temperature, bounds)
    part = some[0]
    return np.array([kept_of_order(part.paired, part.features, problem.spread, f.weights) for f in fits])


# --- margins of policies and prompts that were left out ---------------------------------------------


@dataclass(frozen=True, eq=False)
class HeldOutMargins(MarginsView):
    """Calibrated margins each of whose pairs has a policy, and each of whose prompts is one, that its weights were fitted without.

    ``moved`` (folds, K, n) is w·φ in the margins' unit by the weights of a fold, of each prompt's half. On every other prompt a pair takes
    the weights fitted without its first policy, on the rest those without its second.
    """

    moved: FloatArray
    fold: IntArray

    def rows(self, which: slice | IntArray) -> FloatArray:
        """(pairs, n_prompts) margins."""
        k, r = self.pairs[which].T
        even = np.arange(self.n_prompts) % 2 == 0
        first, second = self.fold[k], self.fold[r]
        first, second = np.where(first < 0, second, first), np.where(second < 0, first, second)
        by_first = self.moved[first, k] - self.moved[first, r]
        by_second = self.moved[second, k] - self.moved[second, r]
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
