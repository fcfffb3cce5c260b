"""Every pair of K policies counted from scores, prompts some at a time: what memory holds is K x K, not the prompts.

Per pair of policies k < l: prompts shared, wins of either side, Σ σ((s_k - s_l)/τ). Over prompts: the second moments of each policy's
outcomes. And for bootstrap draws the outcomes of :data:`GROUPS` random groups of prompts, whose weighted sums stand for those of
single prompts (:meth:`PairCounts.draw_rates`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..settings import Outcome, TieRule
from ..statistics import FloatArray, IntArray, draw_prompt_weights, win_rate_variance
from .outcomes import soft_outcomes, tie_credit

# Prompts that are compared at once, and random groups of prompts: a multiple of 8 below 2,048, so that sums of bytes do not overflow.
GROUPS = 2040
_BYTES = np.uint64(0x00FF00FF00FF00FF)
_EIGHT, _ADD_UP, _TOP = np.uint64(8), np.uint64(0x0001000100010001), np.uint64(48)
_STEEPEST = 600.0  # beyond, exponentials of scores over temperatures leave the range of floats
_FLUSH = 127  # groups' sums are kept in bytes for so many blocks
_FEW = 256  # policies whose wins on one prompt a byte can count
BoolArray = NDArray[np.bool_]
Float32Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PairCounts:
    """What the scores of some prompts came to; arrays are by pair (m,), in the order of :func:`.pairing.all_pairs`.

    ``soft`` and ``soft_squares`` are Σ σ and Σ σ² of the margins over the temperature. ``balance`` (K,) and ``moment`` (K, K) are Σ_i r_i
    and Σ_i r_i r_iᵀ of what each policy won less what it lost on a prompt, halved (of soft outcomes: σ - ½). ``group_sums`` (m, groups) are
    sums of outcomes less ½ (of wins, where a tie is lost), ``group_sizes`` (m or 1, groups) prompts; None where no draws were asked for. ``ties`` is the rule of those sums.
    ``complete``: every policy has a score on every prompt.
    """

    size: int
    n: FloatArray
    wins: FloatArray
    losses: FloatArray
    soft: FloatArray
    soft_squares: FloatArray
    prompts: int
    complete: bool
    ties: TieRule
    balance: FloatArray
    moment: FloatArray
    group_sums: Float32Array | None = None
    group_sizes: Float32Array | None = None

    def rates(self, outcome: Outcome, ties: TieRule) -> tuple[FloatArray, FloatArray]:
        """Σ o and Σ o² over prompts."""
        if outcome == "soft":
            return self.soft, self.soft_squares
        credit = tie_credit(ties)
        tied = self.n - self.wins - self.losses
        return self.wins + credit * tied, self.wins + credit**2 * tied

    def score_covariance(self) -> FloatArray:
        """(K, K) Σ_i u_i u_iᵀ, u_i = r_i - mean r, of complete scores; of others see :func:`influences`."""
        return np.asarray(self.moment - np.outer(self.balance, self.balance) / max(self.prompts, 1))

    def draw_rates(
        self, outcome: Outcome, ties: TieRule, *, draws: int, rng: np.random.Generator
    ) -> FloatArray | None:
        """(draws, m) win rates under unit exponential weights of the groups, with Jeffreys' pseudo-observation; None without groups, and
        where they were summed by another rule for ties.

        With every prompt a group of its own these are the draws of :func:`charm_rm.statistics.weighted_win_rates`. Else each pair's draws are scaled
        about their centre to the variance that single prompts give in closed form (:func:`charm_rm.statistics.win_rate_variance`), so
        that groups only stand for how pairs go together.
        """
        if self.group_sums is None or self.group_sizes is None or (outcome == "hard" and ties != self.ties):
            return None
        drawn = draw_prompt_weights(self.group_sums.shape[1], draws=draws, rng=rng)
        lost_ties = outcome == "hard" and ties == "loss"
        totals = self.group_sums if lost_ties else self.group_sums + np.float32(0.5) * self.group_sizes
        weights = drawn.weights.astype(np.float32)
        both = drawn.pseudo_wins + drawn.pseudo_losses
        won = weights @ totals.T + drawn.pseudo_wins[:, None].astype(np.float32)
        won /= weights @ self.group_sizes.T + both[:, None].astype(np.float32)
        rates = np.asarray(won, dtype=np.float64)
        if self.prompts <= GROUPS:
            return rates
        return self._scaled(rates, totals, self.group_sizes, self.rates(outcome, ties))

    def _scaled(
        self,
        rates: FloatArray,
        totals: Float32Array,
        sizes: Float32Array,
        sums: tuple[FloatArray, FloatArray],
    ) -> FloatArray:
        total, squares = sums
        size = self.n + 1
        centre = (total + 0.5) / size
        residual = totals - centre[:, None].astype(np.float32) * sizes
        pseudo = 0.5 * (1 - centre) ** 2 + 0.5 * centre**2
        spread = (np.einsum("mg,mg->m", residual, residual, dtype=np.float64) + pseudo) / size**2
        scale = np.sqrt(win_rate_variance(self.n, total, squares) / spread)
        rates -= centre
        rates *= scale
        rates += centre
        return np.clip(rates, 0.0, 1.0, out=rates)


@dataclass(eq=False)
class PairCounter:
    """Counts scores as they come, (K, n) at a time, NaN where a policy has none: :meth:`add`, then :meth:`counts`.

    ``soft_squares`` also counts soft outcomes' squares and moments (``outcome`` soft). ``groups`` keeps the sums of groups; ``keep``
    the balances of all prompts, which :attr:`balances` then gives. Without ``soften`` hard outcomes alone are counted.
    """

    size: int
    outcome: Outcome = "hard"
    ties: TieRule = "half"
    temperature: float = 1.0
    groups: bool = False
    keep: bool = False
    soften: bool = True
    _rest: FloatArray | None = None
    _kept: list[FloatArray] = field(default_factory=list)

    def __post_init__(self) -> None:
        k = np.arange(self.size)
        self._starts = np.concatenate([[0], np.cumsum(self.size - 1 - k)])
        m = int(self._starts[-1])
        self._n, self._wins, self._losses = (np.zeros(m) for _ in range(3))
        self._soft, self._squares = np.zeros(m), np.zeros(m)
        self._balance, self._moment = np.zeros(self.size), np.zeros((self.size, self.size))
        self._prompts, self._complete, self._since = 0, True, 0
        self._sums: Float32Array | None = None
        self._sizes: Float32Array = np.zeros((1, GROUPS), dtype=np.float32)
        if self.groups:
            self._sums = np.zeros((m, GROUPS), dtype=np.float32)
            if self.outcome == "hard":
                self._bytes = np.zeros((m, GROUPS), dtype=np.int8)

    def add(self, scores: FloatArray) -> None:
        """Count more prompts; a prompt without any score is none."""
        if self._rest is not None:
            scores = np.concatenate([self._rest, scores], axis=1)
        whole = scores.shape[1] - scores.shape[1] % GROUPS
        for start in range(0, whole, GROUPS):
            self._count(np.ascontiguousarray(scores[:, start : start + GROUPS]), GROUPS)
        self._rest = np.array(scores[:, whole:]) if whole < scores.shape[1] else None

    def counts(self) -> PairCounts:
        """All that was counted."""
        if self._rest is not None:
            width = self._rest.shape[1]
            padded = np.full((self.size, GROUPS), np.nan)
            padded[:, :width] = self._rest
            self._count(padded, width)
            self._rest = None
        self._flush()
        used = min(self._prompts, GROUPS)
        return PairCounts(
            self.size,
            n=self._n,
            wins=self._wins,
            losses=self._losses,
            soft=self._soft,
            soft_squares=self._squares,
            prompts=self._prompts,
            complete=self._complete,
            ties=self.ties,
            balance=self._balance,
            moment=self._moment,
            group_sums=None if self._sums is None else self._sums[:, :used],
            group_sizes=None if self._sums is None else self._sizes[:, :used],
        )

    @property
    def balances(self) -> FloatArray:
        """(K, n) what each policy won less what it lost on each prompt, halved."""
        return np.concatenate(self._kept, axis=1) if self._kept else np.zeros((self.size, 0))

    def _count(self, scores: FloatArray, width: int) -> None:
        """One block of :data:`GROUPS` columns, of which the first ``width`` are prompts."""
        seen = ~np.isnan(scores)
        complete = bool(seen[:, :width].all())
        self._prompts += width
        self._shared(seen, width, complete=complete)
        balance = self._hard(scores)[:, :width]
        if self.soften or self.outcome == "soft":
            soft = self._soften(scores)[:, :width]
            balance = soft if self.outcome == "soft" else balance
        self._balance += balance.sum(axis=1)
        self._moment += balance @ balance.T
        if self.keep:
            self._kept.append(balance.copy())
        self._since += 1
        if self._since == _FLUSH:
            self._flush()

    def _shared(self, seen: BoolArray, width: int, *, complete: bool) -> None:
        """Prompts that both of a pair have, in all and by group."""
        if complete:
            self._n += width
        else:
            self._complete = False
            both = seen.astype(np.float32)
            self._n += (both @ both.T)[np.triu_indices(self.size, k=1)]
        if self._sums is None:
            return
        if not complete and len(self._sizes) == 1:
            self._sizes = np.repeat(self._sizes, len(self._n), axis=0)
        if complete:
            self._sizes[:, :width] += 1
            return
        for k in range(self.size - 1):
            self._sizes[self._starts[k] : self._starts[k + 1]] += seen[k] & seen[k + 1 :]

    def _hard(self, scores: FloatArray) -> FloatArray:
        """Wins and losses of each pair; returns (K, columns) halved differences of them by prompt."""
        kind = np.uint8 if self.size <= _FEW else np.uint16
        won, lost = (np.zeros(scores.shape, dtype=kind) for _ in range(2))
        above, below = (np.empty((max(self.size - 1, 1), scores.shape[1]), dtype=bool) for _ in range(2))
        for k in range(self.size - 1):
            others, rows = scores[k + 1 :], slice(self._starts[k], self._starts[k + 1])
            g = np.greater(scores[k], others, out=above[: len(others)])
            h = np.less(scores[k], others, out=below[: len(others)])
            self._wins[rows] += _row_sums(g)
            self._losses[rows] += _row_sums(h)
            gb, hb = g.view(np.uint8), h.view(np.uint8)
            won[k] += np.add.reduce(gb, axis=0, dtype=kind)
            lost[k] += np.add.reduce(hb, axis=0, dtype=kind)
            won[k + 1 :] += hb
            lost[k + 1 :] += gb
            if self._sums is not None and self.outcome == "hard":
                sums = self._bytes[rows]
                sums += g.view(np.int8)
                if self.ties == "half":
                    sums -= h.view(np.int8)
        return 0.5 * (won.astype(np.float64) - lost)

    def _soften(self, scores: FloatArray) -> FloatArray:
        """Σ σ of each pair; for soft outcomes also squares, groups and (K, columns) Σ (σ - ½) by prompt, else zeros."""
        balance = np.zeros(scores.shape if self.outcome == "soft" else (self.size, 0))
        top, bottom = _powers(scores, self.temperature)
        work = np.empty((max(self.size - 1, 1), scores.shape[1]))
        for k in range(self.size - 1):
            rows = slice(self._starts[k], self._starts[k + 1])
            if top is None or bottom is None:
                with np.errstate(over="ignore"):
                    margins = scores[k] - scores[k + 1 :]
                outcomes = np.nan_to_num(soft_outcomes(margins, temperature=self.temperature), nan=0.0)
            else:
                outcomes = np.add(top[k], bottom[k + 1 :], out=work[: self.size - 1 - k])
                np.divide(top[k], outcomes, out=outcomes)
            self._soft[rows] += outcomes.sum(axis=1)
            if self.outcome == "soft":
                self._squares[rows] += np.einsum("mn,mn->m", outcomes, outcomes)
                outcomes -= 0.5
                outcomes[np.isnan(scores[k]) | np.isnan(scores[k + 1 :])] = 0.0
                balance[k] += outcomes.sum(axis=0)
                balance[k + 1 :] -= outcomes
                if self._sums is not None:
                    self._sums[rows] += outcomes
        return balance

    def _flush(self) -> None:
        """Bytes into the groups' sums."""
        if self._sums is not None and self.outcome == "hard" and self._since:
            share = np.float32(0.5 if self.ties == "half" else 1.0)
            for start in range(0, len(self._sums), 1024):
                rows = slice(start, start + 1024)
                self._sums[rows] += share * self._bytes[rows]
            self._bytes[:] = 0
        self._since = 0


def influences(balances: FloatArray, seen: BoolArray, rate: FloatArray) -> FloatArray:
    """(K, n) u_ki = r_ki - Σ_l (rate_kl - ½) over the opponents l that have a score on prompt i too; 0 without a score."""
    size = len(balances)
    excess = np.zeros((size, size))
    k, r = np.triu_indices(size, k=1)
    excess[k, r] = rate - 0.5
    excess -= excess.T
    present = seen.astype(np.float64)
    return np.asarray(balances - present * (excess @ present))


def _row_sums(bits: BoolArray) -> IntArray:
    """Row sums of booleans, eight at a time: bytes of 64-bit words add up side by side, up to 255 words."""
    words = np.add.reduce(bits.view(np.uint64), axis=1)
    pairs = (words & _BYTES) + ((words >> _EIGHT) & _BYTES)
    return np.asarray((pairs * _ADD_UP) >> _TOP, dtype=np.int64)


def _powers(scores: FloatArray, temperature: float) -> tuple[FloatArray | None, FloatArray | None]:
    """exp(s/τ) by prompt, over its largest: σ((a - b)/τ) is A/(A + B). A missing score is 0 above and infinite below, so that it adds 0.

    None where a prompt's scores lie too far apart for that.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = scores / temperature
        highest = np.fmax.reduce(scaled, axis=0)
        scaled -= highest
        if np.isinf(highest).any() or not np.fmin.reduce(scaled, axis=None, initial=0.0) > -_STEEPEST:
            return None, None
        top = np.exp(scaled, out=scaled)
    missing = np.isnan(top)
    if not missing.any():
        return top, top
    return np.where(missing, 0.0, top), np.where(missing, np.inf, top)
