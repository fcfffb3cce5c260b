"""Style calibration the long way: one pair, one prompt, one feature at a time. Slow, readable, and written apart from the solver."""

from __future__ import annotations

from math import exp

import numpy as np


def rate(score, phi, w, temperature, k, r):
    """mean_i σ((s_ki + w·φ_ki - s_ri - w·φ_ri) / T) over the prompts that both have; ``score`` (K, n) with NaN, ``phi`` (K, n, d)."""
    total, n = 0.0, 0
    for i in range(score.shape[1]):
        if np.isnan(score[k, i]) or np.isnan(score[r, i]):
            continue
        margin = score[k, i] - score[r, i]
        for j in range(len(w)):
            margin += w[j] * (phi[k, i, j] - phi[r, i, j])
        total += 1 / (1 + exp(-margin / temperature))
        n += 1
    return total / n


def loss(score, phi, expected, w, temperature, penalty):
    """mean over pairs k < l of (rate - P_kl)², and λ |w|²; ``expected`` (K, K)."""
    gaps = [
        (rate(score, phi, w, temperature, k, r) - expected[k, r]) ** 2
        for k in range(len(score))
        for r in range(k + 1, len(score))
    ]
    return sum(gaps) / len(gaps) + penalty * sum(x * x for x in w)


def people_scale(score, expected, temperatures):
    """The temperature of a list whose soft win rates are nearest to people's."""
    nothing = np.zeros((*score.shape, 0))
    losses = [loss(score, nothing, expected, (), t, 0.0) for t in temperatures]
    return temperatures[int(np.argmin(losses))]
