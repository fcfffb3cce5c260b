"""Published win rates as a tally: an audit without a single score."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import polars as pl

from ..errors import CharmWarning, NotIdentifiable, SchemaError, listing
from ..margins import Tally, position
from ..statistics import FloatArray, IntArray, win_rate_variance
from ..tables import WinRates


def tally_published(win_rates: WinRates, *, draws: int, rng: np.random.Generator) -> Tally:
    """Read published win rates with their standard errors (or n) as a tally.

    A table does not say how its pairs vary together. Where all met one baseline they are taken as independent; where policies met one
    another, as a model's scores of the same prompts make them vary (:func:`_shared_score_covariance`), with a warning.

    Raises:
        SchemaError: a row has neither std_err nor n.
        NotIdentifiable: a win rate is exactly 0 or 1 and no n says how sure that is.
    """
    frame = _with_uncertainty(win_rates.frame)
    policies = tuple(win_rates.policies)
    pairs = np.array(
        [
            [position(policies, k), position(policies, r)]
            for k, r in frame.select("policy", "reference").iter_rows()
        ],
        dtype=np.int64,
    )
    rate, std_err, n = (frame[c].to_numpy() for c in ("win_rate", "std_err", "n"))
    soft = frame["win_rate_soft"].to_numpy() if "win_rate_soft" in frame.columns else None
    tally = Tally(
        policies=policies,
        pairs=pairs,
        n=n,
        win_rate=rate,
        std_err=std_err,
        wins=None,
        ties=None,
        win_rate_soft=soft,
        win_rate_draws=draw_win_rates(rate, std_err, n, draws=draws, rng=rng) if draws else None,
        score_covariance=_independent_score_covariance(pairs, n * std_err, len(policies)),
    )
    if len(pairs) < 2 or tally.common_policy() is not None:
        return tally
    warnings.warn(
        "published win rates of policies that were compared with one another are assumed to share prompts; "
        "audit the scores or judgements themselves if you have them",
        CharmWarning,
        stacklevel=2,
    )
    return replace(tally, score_covariance=_shared_score_covariance(pairs, n * std_err, len(policies)))


def draw_win_rates(
    rate: FloatArray, std_err: FloatArray, n: FloatArray, *, draws: int, rng: np.random.Generator
) -> FloatArray:
    """(draws, m) Beta draws with mean ``rate`` and standard error ``std_err``; Jeffreys at exactly 0 and 1."""
    inside = (rate > 0) & (rate < 1)
    size = (
        np.divide(rate * (1 - rate), std_err**2, out=np.full_like(rate, 1e12), where=inside & (std_err > 0))
        - 1
    )
    size = np.maximum(size, 1e-3)
    alpha = np.where(inside, rate * size, rate * n + 0.5)
    beta = np.where(inside, (1 - rate) * size, (1 - rate) * n + 0.5)
    return rng.beta(alpha, beta, size=(draws, rate.size))


def _with_uncertainty(frame: pl.DataFrame) -> pl.DataFrame:
    """Fill std_err from n, and n (as an effective number of prompts) from std_err."""
    for name, dtype in (("n", pl.Float64), ("std_err", pl.Float64)):
        values = pl.col(name).cast(dtype) if name in frame.columns else pl.lit(None, dtype=dtype)
        frame = frame.with_columns(values.alias(name))
    lost = frame.filter(pl.col("n").is_null() & pl.col("std_err").is_null())
    if lost.height:
        raise SchemaError(
            f"win rates: neither std_err nor n for {listing(lost['policy'])}",
            fix="add the standard error or the number of prompts; without either chance cannot be estimated",
        )
    sure = frame.filter(pl.col("n").is_null() & pl.col("win_rate").is_in([0.0, 1.0]))
    if sure.height:
        raise NotIdentifiable(
            f"win rate of exactly {sure['win_rate'][0]:g} for {listing(sure['policy'])} and no n",
            fix="add the number of prompts (column n)",
        )
    n = pl.col("n").fill_null(pl.col("win_rate") * (1 - pl.col("win_rate")) / pl.col("std_err") ** 2)
    frame = frame.with_columns(n.alias("n"))
    size, rate = frame["n"].to_numpy(), frame["win_rate"].to_numpy()
    binomial = pl.Series(np.sqrt(win_rate_variance(size, size * rate, size * rate)))
    return frame.with_columns(pl.col("std_err").fill_null(binomial))


def _independent_score_covariance(pairs: IntArray, wins_error: FloatArray, size: int) -> FloatArray:
    """Σ_pairs (n σ)² (e_k - e_r)(e_k - e_r)ᵀ."""
    covariance = np.zeros((size, size))
    k, r = pairs.T
    variance = wins_error**2
    np.add.at(covariance, (k, k), variance)
    np.add.at(covariance, (r, r), variance)
    np.add.at(covariance, (k, r), -variance)
    np.add.at(covariance, (r, k), -variance)
    return covariance


def _shared_score_covariance(pairs: IntArray, wins_error: FloatArray, size: int) -> FloatArray:
    """Σ over pairs a, b of ρ_ab σ_a σ_b s_a s_bᵀ, with s = e_k - e_r, ρ_aa = 1 and |ρ_ab| = ⅓ where a and b share one policy.

    Of three alike responses to a prompt, scored one by one, the first beats both others with probability ⅓: the two wins covary
    by ⅓ - ¼, a third of their variance ¼. The sign is that of s_a · s_b, which is 2 for a = b and ±1 for pairs that share a policy.

    With G = Σ_a σ_a s_a s_aᵀ, G Gᵀ = Σ_ab (s_a · s_b) σ_a σ_b s_a s_bᵀ. A third of it counts a = b by ⅔; the rest of 1 is a third of what
    independent pairs have.
    """
    sides = np.zeros((len(pairs), size))
    rows = np.arange(len(pairs))
    sides[rows, pairs[:, 0]], sides[rows, pairs[:, 1]] = 1.0, -1.0
    together = (sides * wins_error[:, None]).T @ sides
    covariance: FloatArray = (
        together @ together.T + _independent_score_covariance(pairs, wins_error, size)
    ) / 3
    return covariance
