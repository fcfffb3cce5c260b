"""Margins by prompt -> win rates: one pass over the blocks gives all that is ever asked of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import NoOverlap, listing
from ..settings import Outcome, TieRule
from ..statistics import (
    FloatArray,
    IntArray,
    PromptWeights,
    weighted_win_rates,
    win_rate_variance,
)
from ..tables import WinRates
from .counting import PairCounter, PairCounts, influences
from .outcomes import hard_outcomes, soft_outcomes, tie_credit
from .pairing import PairedMargins, SampledMargins, ScoreMargins, all_pairs, blocks, incidence, position


@dataclass(frozen=True, eq=False)
class Tally:
    """What one pass over paired margins (or a published table) gives; arrays are by pair, (m,).

    ``win_rate``, its ``std_err``, ``win_rate_draws`` (draws, m) and ``score_covariance`` are those of the ``outcome``:
    the share of wins (hard) or the mean sigmoid(margin / temperature) (soft). ``win_rate_soft``, ``wins`` and ``ties``
    are there with either. ``score_covariance`` is (K, K), the covariance of each policy's total outcomes over
    prompts: what a sandwich covariance of the RM's own strengths needs. ``prompt_scores`` is what it is made of, (K, n_prompts):
    by how much each prompt's outcomes of a policy exceed what its win rates say; None where nothing is known by prompt.
    """

    policies: tuple[str, ...]
    pairs: IntArray
    n: FloatArray
    win_rate: FloatArray
    std_err: FloatArray
    wins: FloatArray | None
    ties: FloatArray | None
    win_rate_soft: FloatArray | None
    win_rate_draws: FloatArray | None
    score_covariance: FloatArray
    outcome: Outcome = "hard"
    prompt_scores: FloatArray | None = None

    def against(self, references: Sequence[str]) -> Tally:
        """Only the pairs with one of ``references``, that one on the reference's side.

        Raises:
            UnknownPolicy: a reference is not among the policies.
            NoOverlap: no pair has one.
        """
        chosen = np.isin(np.arange(len(self.policies)), [position(self.policies, r) for r in references])
        left, right = chosen[self.pairs].T
        kept = left | right
        if not kept.any():
            raise NoOverlap(f"no pair has {listing(references)}", fix="name a reference that was compared")
        return self.turned(left & ~right).subset(kept)

    def common_policy(self) -> list[str] | None:
        """The one policy that all pairs (two or more) have in common, as where all met a judge's baseline; None if none."""
        if len(self.pairs) < 2:
            return None
        both = [set(pair) for pair in self.pairs.tolist()]
        shared = set.intersection(*both)
        return [self.policies[i] for i in shared] if len(shared) == 1 else None

    def subset(self, kept: NDArray[np.bool_]) -> Tally:
        """The same tally for some of its pairs; the score covariance stays that of all."""

        def some(values: FloatArray | None) -> FloatArray | None:
            return None if values is None else values[..., kept]

        return replace(
            self,
            pairs=self.pairs[kept],
            n=self.n[kept],
            win_rate=self.win_rate[kept],
            std_err=self.std_err[kept],
            wins=some(self.wins),
            ties=some(self.ties),
            win_rate_soft=some(self.win_rate_soft),
            win_rate_draws=some(self.win_rate_draws),
        )

    def turned(self, turn: NDArray[np.bool_]) -> Tally:
        """The same tally with policy and reference exchanged where ``turn`` holds."""
        rate = 1.0 - self.win_rate
        wins = self.wins
        if self.wins is not None and self.ties is not None:
            wins = self.n - self.wins - self.ties
            if self.outcome == "hard":
                # A tie counted as a loss is a loss to either side: 1 - rate would make it a win.
                credit = self.win_rate * self.n - self.wins
                rate = (wins + credit) / self.n
        shift = rate - (1.0 - self.win_rate)

        def complement(rates: FloatArray | None, moved: FloatArray | float = 0.0) -> FloatArray | None:
            return None if rates is None else np.where(turn, 1.0 - rates + moved, rates)

        return replace(
            self,
            pairs=np.where(turn[:, None], self.pairs[:, ::-1], self.pairs),
            win_rate=np.where(turn, rate, self.win_rate),
            wins=None if wins is None or self.wins is None else np.where(turn, wins, self.wins),
            win_rate_soft=complement(self.win_rate_soft),
            win_rate_draws=complement(self.win_rate_draws, shift),
        )

    def to_win_rates(self, provenance: Mapping[str, Any] | None = None) -> WinRates:
        """The tally as a table."""
        names = np.array(self.policies, dtype=object)
        counts = None if self.wins is None else np.rint(self.n).astype(np.int64)
        columns = {
            "policy": names[self.pairs[:, 0]].tolist(),
            "reference": names[self.pairs[:, 1]].tolist(),
            "win_rate": self.win_rate,
            "n": counts,
            "wins": self.wins,
            "ties": self.ties,
            "std_err": self.std_err,
            "win_rate_soft": self.win_rate_soft,
        }
        frame = pl.DataFrame({k: v for k, v in columns.items() if v is not None})
        return WinRates(frame, provenance=provenance or {})


def tally_margins(
    paired: PairedMargins | SampledMargins,
    *,
    outcome: Outcome = "hard",
    ties: TieRule = "half",
    temperature: float = 1.0,
    drawn: PromptWeights | None = None,
) -> Tally:
    """Aggregate paired margins into win rates, hard or soft (``outcome``), with their uncertainty.

    ``ties`` is for hard outcomes alone; a soft tie is sigmoid(0) = ½. Pairs that share no prompt are left out. Of several samples the outcome of
    a prompt is the mean over every sample of the one with every sample of the other: a prompt counts once, and draws are of prompts.

    Raises:
        NoOverlap: no pair shares a prompt.
    """
    if isinstance(paired, ScoreMargins) and drawn is None and paired.of_all_pairs and outcome == "hard":
        return _tally_scores(paired, ties=ties, temperature=temperature)
    count = _counter(outcome, ties=ties, temperature=temperature)
    influence = np.zeros((len(paired.policies), paired.n_prompts))
    counted, draws = [], []
    for some in blocks(paired):
        # The block is handed on without a name: it should be gone before the next arrays of its size are made.
        outcomes, counts = (
            _count_samples(paired.sample_rows(some), outcome, ties=ties, temperature=temperature)
            if isinstance(paired, SampledMargins)
            else count(paired.rows(some))
        )
        rate = counts.total / np.maximum(counts.n, 1)
        influence += _influence(outcomes, rate, paired.pairs[some], len(influence))
        counted.append(counts)
        if drawn is not None:
            draws.append(weighted_win_rates(outcomes, drawn))
    found = _Counts(*(np.concatenate(parts) for parts in zip(*map(astuple, counted), strict=True)))
    check_shared(found.n)
    n = np.maximum(found.n, 1)
    tally = Tally(
        policies=paired.policies,
        pairs=paired.pairs,
        n=found.n,
        win_rate=found.total / n,
        std_err=np.sqrt(win_rate_variance(found.n, found.total, found.squares)),
        wins=found.wins,
        ties=found.ties,
        win_rate_soft=found.soft / n,
        win_rate_draws=np.concatenate(draws, axis=1) if draws else None,
        score_covariance=influence @ influence.T,
        outcome=outcome,
        prompt_scores=influence,
    )
    return tally if found.n.all() else tally.subset(found.n > 0)


def tally_counts(
    policies: tuple[str, ...],
    counts: PairCounts,
    *,
    outcome: Outcome,
    ties: TieRule,
    score_covariance: FloatArray,
    win_rate_draws: FloatArray | None = None,
    prompt_scores: FloatArray | None = None,
) -> Tally:
    """The tally of all pairs from what :class:`.counting.PairCounter` counted. Errors as :func:`tally_margins`."""
    check_shared(counts.n)
    total, squares = counts.rates(outcome, ties)
    n = np.maximum(counts.n, 1)
    tally = Tally(
        policies=policies,
        pairs=all_pairs(len(policies)),
        n=counts.n,
        win_rate=total / n,
        std_err=np.sqrt(win_rate_variance(counts.n, total, squares)),
        wins=counts.wins,
        ties=counts.n - counts.wins - counts.losses,
        win_rate_soft=counts.soft / n,
        win_rate_draws=win_rate_draws,
        score_covariance=score_covariance,
        outcome=outcome,
        prompt_scores=prompt_scores,
    )
    return tally if counts.n.all() else tally.subset(counts.n > 0)


def check_shared(n: FloatArray) -> None:
    """Raise :class:`NoOverlap` where no pair has a prompt."""
    if not n.any():
        raise NoOverlap(
            "no two policies share a prompt", fix="score the same prompts for every policy (check prompt_id)"
        )


def _tally_scores(paired: ScoreMargins, *, ties: TieRule, temperature: float) -> Tally:
    """All pairs of scores, counted some prompts at a time: three times as fast as pair by pair."""
    counter = PairCounter(len(paired.policies), ties=ties, temperature=temperature, keep=True)
    counter.add(paired.scores)
    counts = counter.counts()
    check_shared(counts.n)
    rate = counts.rates("hard", "half")[0] / np.maximum(counts.n, 1)
    influence = influences(counter.balances, ~np.isnan(paired.scores), rate)
    return tally_counts(
        paired.policies,
        counts,
        outcome="hard",
        ties=ties,
        score_covariance=influence @ influence.T,
        prompt_scores=influence,
    )


def prompt_outcomes(
    paired: PairedMargins | SampledMargins,
    some: slice,
    *,
    outcome: Outcome,
    ties: TieRule = "half",
    temperature: float = 1.0,
) -> FloatArray:
    """(pairs, n_prompts) outcomes of some pairs, NaN where a side is missing."""
    if isinstance(paired, SampledMargins):
        return _count_samples(paired.sample_rows(some), outcome, ties=ties, temperature=temperature)[0]
    margins = paired.rows(some)
    if outcome == "hard":
        return hard_outcomes(margins, ties=ties)
    return soft_outcomes(margins, temperature=temperature)


@dataclass(frozen=True, eq=False)
class _Counts:
    """Counts of a block, by pair: prompts, Σ outcomes, Σ outcomes², wins, ties, Σ soft outcomes."""

    n: FloatArray
    total: FloatArray
    squares: FloatArray
    wins: FloatArray
    ties: FloatArray
    soft: FloatArray


def _counter(
    outcome: Outcome, *, ties: TieRule, temperature: float
) -> Callable[[FloatArray], tuple[FloatArray, _Counts]]:
    if outcome == "hard":
        return lambda margins: _count_hard(margins, ties=ties, temperature=temperature)
    return lambda margins: _count_soft(margins, temperature=temperature)


def _count_hard(margins: FloatArray, *, ties: TieRule, temperature: float) -> tuple[FloatArray, _Counts]:
    """Hard outcomes of a block, and its counts."""
    outcomes, credit = hard_outcomes(margins, ties=ties), tie_credit(ties)
    missing = np.count_nonzero(np.isnan(margins), axis=1)
    add_up = np.nansum if missing.any() else np.sum  # nansum copies the block
    tied = np.count_nonzero(margins == 0, axis=1).astype(np.float64)
    total = add_up(outcomes, axis=1)
    wins = total - credit * tied
    return outcomes, _Counts(
        n=(margins.shape[1] - missing).astype(np.float64),
        total=total,
        squares=wins + credit**2 * tied,
        wins=wins,
        ties=tied,
        soft=add_up(soft_outcomes(margins, temperature=temperature), axis=1),
    )


def _count_soft(margins: FloatArray, *, temperature: float) -> tuple[FloatArray, _Counts]:
    """Soft outcomes of a block, and its counts."""
    outcomes = soft_outcomes(margins, temperature=temperature)
    missing = np.count_nonzero(np.isnan(margins), axis=1)
    add_up = np.nansum if missing.any() else np.sum
    total = add_up(outcomes, axis=1)
    return outcomes, _Counts(
        n=(margins.shape[1] - missing).astype(np.float64),
        total=total,
        squares=add_up(outcomes**2, axis=1),
        wins=np.count_nonzero(margins > 0, axis=1).astype(np.float64),
        ties=np.count_nonzero(margins == 0, axis=1).astype(np.float64),
        soft=total,
    )


def _count_samples(
    margins: FloatArray, outcome: Outcome, *, ties: TieRule, temperature: float
) -> tuple[FloatArray, _Counts]:
    """Outcomes of a block (pairs, n_prompts), o_i = mean_ab outcome(s_ia - s'_ib) over the samples, and its counts.

    ``wins`` and ``ties`` are Σ_i of the shares of a prompt's sample pairs that are won and tied.
    """
    pairs_there = np.count_nonzero(~np.isnan(margins), axis=2)
    size = np.where(pairs_there, pairs_there, np.nan)

    def by_prompt(values: FloatArray | NDArray[np.bool_]) -> FloatArray:
        return np.asarray(np.nansum(values, axis=2) / size)

    won, tied = by_prompt(margins > 0), by_prompt(margins == 0)
    soft = by_prompt(soft_outcomes(margins, temperature=temperature))
    outcomes = by_prompt(hard_outcomes(margins, ties=ties)) if outcome == "hard" else soft
    return outcomes, _Counts(
        n=np.count_nonzero(pairs_there, axis=1).astype(np.float64),
        total=np.nansum(outcomes, axis=1),
        squares=np.nansum(outcomes**2, axis=1),
        wins=np.nansum(won, axis=1),
        ties=np.nansum(tied, axis=1),
        soft=np.nansum(soft, axis=1),
    )


def _influence(outcomes: FloatArray, rate: FloatArray, pairs: IntArray, n_policies: int) -> FloatArray:
    """(K, n_prompts): by how much each prompt's wins of a policy exceed what its win rates say."""
    excess = outcomes - rate[:, None]
    if np.isnan(excess).any():
        np.nan_to_num(excess, copy=False)
    return np.asarray(incidence(pairs, n_policies).T @ excess)
