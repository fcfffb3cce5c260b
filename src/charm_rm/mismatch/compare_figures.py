"""Sharpness and rank correlation compared between two models held against the same ratings on the same prompts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..settings import Scope
from ..statistics import FloatArray
from .held import Held, derivatives, judged, prompt_variance, quadratic
from .posterior import draw_truth
from .rank import CORRELATIONS


@dataclass(frozen=True)
class FigureDifference:
    """One number of both models, and the difference."""

    figure: str
    first: float
    second: float
    difference: float
    std_err: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    p_value: float | None = None


def sharpness_difference(one: Held, other: Held, scope: Scope) -> FigureDifference:
    """a - a' with the error of what prompts and ratings do to both slopes.

    For a sample of policies it also has that of the policies' scatter about both lines, by Student's t with K - 2 degrees of freedom: favours that
    both models show tilt both lines, the sharper model's further.
    """
    d, e = derivatives(one.measured), derivatives(other.measured)
    by_prompt = d.slope_by_theta @ one.by_prompt - e.slope_by_theta @ other.by_prompt
    variance = float(prompt_variance(by_prompt))
    variance += float(quadratic(d.slope_by_rho - e.slope_by_rho, one.measured.rho_covariance))
    freedom = len(one.prompts) - 1
    if scope == "sample":
        freedom = len(one.policies) - 2
        variance += _scatter(one, other) * float((((d.slope_by_theta + e.slope_by_theta) / 2) ** 2).sum())
    a, b, error = float(one.measured.line.slope), float(other.measured.line.slope), np.sqrt(variance)
    p, low, high = judged(np.array(a - b), np.array(error), freedom)
    return FigureDifference("sharpness", a, b, a - b, float(error), float(low), float(high), float(p))


def _scatter(one: Held, other: Held) -> float:
    """τ² = max(0, Σ x² / (K - 2) - mean noise), x = r - r' being how far a policy's residuals about both lines are apart."""
    apart = _residual(one) - _residual(other)
    noise = ((one.by_prompt - other.by_prompt) ** 2).sum(axis=1)
    noise = (
        noise
        + (float(one.measured.line.slope) - float(other.measured.line.slope)) ** 2 * one.measured.rho_noise
    )
    return max(0.0, float((apart**2).sum() / (len(apart) - 2) - noise.mean()))


def _residual(held: Held) -> FloatArray:
    line = held.measured.line
    return np.asarray(held.measured.theta - line.intercept - line.slope * held.measured.rho)


def correlation_differences(one: Held, other: Held, *, draws: int, seed: int) -> list[FigureDifference]:
    """Differences of rank correlations; intervals and p-values from joint draws of both models' true strengths and ratings."""
    truth = _joint_truth(one, other, draws=draws, seed=seed) if draws else None
    rows = []
    for name, correlate in CORRELATIONS.items():
        a, b = (float(correlate(h.strengths.theta, h.rated.rating)) for h in (one, other))
        row = FigureDifference(name, a, b, a - b)
        if truth is not None:
            drawn = correlate(*truth[0]) - correlate(*truth[1])
            low, high = np.quantile(drawn, [0.025, 0.975])
            row = replace(
                row,
                std_err=float(drawn.std(ddof=1)),
                ci_low=min(float(low), a - b),
                ci_high=max(float(high), a - b),
                p_value=_drawn_p(drawn),
            )
        rows.append(row)
    return rows


def _joint_truth(one: Held, other: Held, *, draws: int, seed: int) -> list[tuple[FloatArray, FloatArray]]:
    """True strengths and ratings of both: ratings go together, and strengths as far as the prompts' parts of them do."""
    u, v = one.by_prompt, other.by_prompt
    size = np.sqrt((u**2).sum(axis=1) * (v**2).sum(axis=1))
    together = np.divide((u * v).sum(axis=1), size, out=np.zeros_like(size), where=size > 0)
    chance = np.random.default_rng([seed, 1])
    first = chance.standard_normal((draws, len(together)))
    second = together * first + np.sqrt(1 - np.minimum(together**2, 1.0)) * chance.standard_normal(
        first.shape
    )
    found = [
        draw_truth(h.measured, draws=draws, rng=np.random.default_rng(seed), noise=noise)
        for h, noise in ((one, first), (other, second))
    ]
    return [(t.theta, t.rho) for t in found]


def _drawn_p(drawn: FloatArray) -> float:
    """Twice the smaller share of draws on either side of 0, 0 itself on both; 1 over the draws at least."""
    share = min((drawn <= 0).mean(), (drawn >= 0).mean())
    return float(min(1.0, max(2 * share, 1 / len(drawn))))
