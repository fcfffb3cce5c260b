"""Is a pair's win rate what the ratings say? p-values that hold far out in the tails, where adjusting for many pairs reads them.

Under the hypothesis P̂ varies as it would at P, not as it does at P̂: two wins in two are no proof against P = 0.36, however little two
equal outcomes vary. So the test is binomial, at P: exact where ratings are certain and no prompt is tied.
"""

from __future__ import annotations

import numpy as np

from ..margins import Tally
from ..statistics import FloatArray, normal_tail
from .gammas import digamma, log_gamma, trigamma

_MOST = 1e8  # prompts; beyond, a mismatch of 0.0003 is plain, and log-gammas lose digits
_STEPS = 100


def pair_p_values(tally: Tally, gap: FloatArray, gap_variance: FloatArray) -> FloatArray:
    """Two-sided mid-p of every pair: 2 min(U, 1 - U), U = Pr(W > w) + ½ Pr(W = w) for W wins of n at the rated P.

    ``gap`` and its variance are ρ_k - ρ_r in log-odds, P = σ(gap). Ties and soft outcomes vary less than wins and losses: n is then the
    number of plain outcomes that vary as much (:func:`plain_outcomes`), and W need not be whole.
    """
    size, rate = plain_outcomes(tally, gap), tally.win_rate
    # Only the tail on the side of P̂ is needed; the other one is its mirror image.
    above = rate >= 1 / (1 + np.exp(-np.clip(gap, -700, 700)))
    wins = size * np.where(above, rate, 1 - rate)
    gap = np.where(above, gap, -gap)
    # Of half-integers and sums in floating point: a whole number meant is a whole number.
    wins = np.where(np.abs(wins - np.rint(wins)) < 1e-9 * size, np.rint(wins), wins)
    counted = tally.wins is not None
    reached, passed = (
        upper_tail(least, size, gap, gap_variance, counted=counted) for least in (wins, wins + 1)
    )
    tail = 0.5 * (reached + passed)
    return np.asarray(2 * np.clip(np.minimum(tail, 1 - tail), 0.0, 0.5))


def plain_outcomes(tally: Tally, gap: FloatArray) -> FloatArray:
    """n P (1 - P) / v, v the variance of one outcome at the rated P: n itself for wins and losses.

    Hard outcomes with a share τ of ties have v = P (1 - P) - τ / 4, τ the likeliest one for a mean of P. Others vary by the share of P̂ (1 - P̂)
    that they take up as seen with Jeffreys' pseudo-observation, which says that few outcomes of one kind prove no small variance.
    """
    p = 1 / (1 + np.exp(-np.clip(gap, -700, 700)))
    if tally.outcome == "hard" and tally.wins is not None and tally.ties is not None:
        halves = _halved_ties(tally)
        share = 1 - 0.25 * likeliest_ties(tally.wins, halves, tally.n, p) / (p * (1 - p))
    else:
        n = tally.n
        mean = (n * tally.win_rate + 0.5) / (n + 1)
        share = tally.std_err**2 * (n + 2) / (mean * (1 - mean))
    return np.asarray(np.minimum(tally.n / np.clip(share, 1e-6, 1.0), _MOST))


def _halved_ties(tally: Tally) -> FloatArray:
    """Ties that count ½; none under the rule by which a tie is lost."""
    if tally.wins is None or tally.ties is None:
        raise ValueError("win rates without counts")
    return np.asarray(np.rint(2 * (tally.n * tally.win_rate - tally.wins)))


def likeliest_ties(wins: FloatArray, ties: FloatArray, n: FloatArray, p: FloatArray) -> FloatArray:
    """The share τ = 2x of ties that maximises w log(P - x) + t log x + l log(1 - P - x): trinomial outcomes with mean P.

    x is the smaller root of n x² - (w (1 - P) + t + l P) x + t P (1 - P) = 0.
    """
    b = wins * (1 - p) + ties + (n - wins - ties) * p
    c = ties * p * (1 - p)
    root = np.sqrt(np.maximum(b**2 - 4 * n * c, 0.0))
    return np.asarray(2 * np.divide(2 * c, b + root, out=np.zeros_like(c), where=c > 0))


def upper_tail(
    wins: FloatArray, n: FloatArray, gap: FloatArray, gap_variance: FloatArray, *, counted: bool = True
) -> FloatArray:
    """Pr(W >= w) for W ~ Binomial(n, σ(g)), g ~ N(gap, gap_variance): the ratings' own doubt averaged over.

    At a certain g it is Pr(B <= σ(g)), B ~ Beta(w, n - w + 1). So on average it is Pr(logit B - g <= 0), whose cumulant generating
    function is known: log-gammas and a square. Where ``counted`` is false the wins are those that a published rate and its error
    imply, and the saddlepoint (a few parts in a hundred at worst) is used for certain ratings too.
    """
    wins, n, gap, gap_variance = np.broadcast_arrays(wins, n, gap, gap_variance)
    tail = np.where(wins <= 0, 1.0, 0.0)
    inside = (wins > 0) & (wins < n + 1)
    sure = inside & (gap_variance <= 0) & counted
    if sure.any():
        from scipy.special import betainc  # long to import, and published win rates need none of it

        p = 1 / (1 + np.exp(-np.clip(gap[sure], -700, 700)))
        tail[sure] = betainc(wins[sure], n[sure] - wins[sure] + 1, p)
    doubted = inside & ~sure
    if doubted.any():
        tail[doubted] = _saddlepoint(
            wins[doubted], n[doubted] - wins[doubted] + 1, gap[doubted], gap_variance[doubted]
        )
    return np.asarray(tail)


def _saddlepoint(a: FloatArray, b: FloatArray, gap: FloatArray, variance: FloatArray) -> FloatArray:
    """Pr(logit B - g <= 0), B ~ Beta(a, b) and g normal, by Barndorff-Nielsen's r* (Lugannani and Rice's in another form).

    K(t) = log Γ(a+t)/Γ(a) + log Γ(b-t)/Γ(b) - gap t + variance t²/2. With K'(t) = 0: r = sign(t) √(-2 K), u = t √K'',
    Pr = Φ(r + log(u / r) / r). The error is relative, a few parts in a thousand, far out in the tail too.
    """
    t, curvature = _stationary(a, b, gap, variance)
    k = log_gamma(a + t) - log_gamma(a) + log_gamma(b - t) - log_gamma(b) - gap * t + variance * t**2 / 2
    r = np.sign(t) * np.sqrt(np.maximum(-2 * k, 0.0))
    u = t * np.sqrt(curvature)
    plain = np.abs(r) < 1e-3  # in the middle, where log(u / r) / r is 0 / 0 and every p is near 1
    safe = np.where(plain, 1.0, r)
    r = np.where(plain, r, r + np.log(np.where(plain, 1.0, u) / safe) / safe)
    return normal_tail(-r)


def _stationary(
    a: FloatArray, b: FloatArray, gap: FloatArray, variance: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The t in (-a, b) with ψ(a+t) - ψ(b-t) - gap + variance t = 0, and K'' there: Newton's steps, halved into the bracket."""
    low, high = -a, b.copy()
    t = np.zeros_like(a)
    for _ in range(_STEPS):
        slope = digamma(a + t) - digamma(b - t) - gap + variance * t
        curvature = trigamma(a + t) + trigamma(b - t) + variance
        if (np.abs(slope) <= 1e-9 * np.sqrt(curvature)).all():
            break
        low, high = np.where(slope < 0, t, low), np.where(slope > 0, t, high)
        t = t - slope / curvature
        t = np.where((t > low) & (t < high), t, (low + high) / 2)
    return t, np.asarray(curvature)
