"""Bootstrap draws of a benchmark's figures: whole prompts are drawn, once for all figures.

Prompts with the same text, and items that are linked, are one prompt. Every figure of a benchmark is drawn with the same weights, so
that figures which share prompts move together: what joint intervals (:mod:`.simultaneous`) need.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from ..benchmarks import Metric
from ..statistics import FloatArray, IntArray, percentile_interval
from .credits import Credits, combined

Interval = tuple[float, float] | tuple[None, None]
# Weights held at once: prompts x draws of a chunk.
_CHUNK = 4_000_000


@dataclass(frozen=True)
class Drawn:
    """A figure to draw: a metric with the credits of its parts."""

    metric: Metric
    parts: Sequence[Credits]


def draw_figures(figures: Sequence[Drawn], n_prompts: int, *, draws: int, seed: int) -> FloatArray:
    """(draws, figures) Bayesian-bootstrap draws of figures over ``n_prompts`` prompts.

    For a weighted mean each part's credits are drawn as shares in [0, 1] (:func:`drawn_rates`), and their ranges put in at the
    end: Σ w (low + span·r) = Σ w·span·r + Σ w·low. One pseudo-prompt, half at either end, is shared out over the parts by their
    weights: one for each of many small subsets would draw their average to the middle. Other functions (ratios, correlations)
    get the weighted means of the credits as they are: a pseudo-prompt would have to fit all parts at once.
    """
    rng = np.random.default_rng(seed)
    sums, totals = _weighted_parts(figures, n_prompts, draws=draws, rng=rng)
    drawn = np.empty((draws, len(figures)))
    pseudo = _Pseudo(draws, rng)
    start = 0
    for k, figure in enumerate(figures):
        mine = slice(start, start + len(figure.parts))
        start = mine.stop
        drawn[:, k] = _drawn_figure(figure, sums[:, mine], totals[:, mine], pseudo)
    return drawn


def interval_around(value: float, draws: FloatArray) -> Interval:
    """95 % range of the draws, widened to hold the value itself (all right, all wrong); none without draws."""
    if draws.size == 0:
        return None, None
    low, high = percentile_interval(draws)
    return min(float(low), value), max(float(high), value)


def weighted_sums(
    values: sparse.sparray, counts: sparse.sparray, *, draws: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """(draws, rows) each: Σ_i w_i v_ri and Σ_i w_i n_si under unit exponential weights of the prompts i, the same for all rows.

    ``values`` is (rows, prompts), ``counts`` as well, with rows of its own. Weights are made a chunk of draws at a time.
    """
    matrix = sparse.vstack([values, counts]).tocsr()
    rows, n_prompts = matrix.shape
    found = np.empty((draws, rows))
    size = max(1, min(draws, _CHUNK // max(1, n_prompts)))
    for start in range(0, draws, size):
        stop = min(start + size, draws)
        found[start:stop] = (matrix @ rng.standard_exponential((n_prompts, stop - start))).T
    return found[:, : values.shape[0]], found[:, values.shape[0] :]


def _weighted_parts(
    figures: Sequence[Drawn], n_prompts: int, *, draws: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """(draws, parts) weighted sums of credits and of their number, in the order of the figures' parts.

    The same credits are summed once, however many figures have them, and the same items are counted once.
    """
    parts = [(part, f.metric.combine is None) for f in figures for part in f.parts]
    # Arrays are told apart by their id: the parts keep them alive.
    credit = [(id(part.values), shared) for part, shared in parts]
    count = [
        (id(part.values if np.isnan(part.values).any() else part.prompts), len(part.values))
        for part, _ in parts
    ]
    (first, which), (second, whose) = _distinct(credit), _distinct(count)
    values = [parts[p][0].shares if parts[p][1] else parts[p][0].values for p in first]
    present = [(~np.isnan(parts[p][0].values)).astype(np.float64) for p in second]
    sums, totals = weighted_sums(
        _by_prompt([parts[p][0] for p in first], values, n_prompts),
        _by_prompt([parts[p][0] for p in second], present, n_prompts),
        draws=draws,
        rng=rng,
    )
    return sums[:, which], totals[:, whose]


def _distinct(keys: Sequence[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """Where each key stands first, and for every key which of these it is."""
    seen: dict[tuple[int, int], int] = {}
    which = [seen.setdefault(key, len(seen)) for key in keys]
    return [which.index(k) for k in range(len(seen))], which


def _by_prompt(columns: Sequence[Credits], values: Sequence[FloatArray], n_prompts: int) -> sparse.coo_array:
    """(parts, prompts): the values of each part's units, added up by prompt; missing ones are left out."""
    rows = np.repeat(np.arange(len(columns)), [len(v) for v in values])
    flat = np.nan_to_num(np.concatenate(values))
    prompts = np.concatenate([part.prompts for part in columns])
    return sparse.coo_array((flat, (rows, prompts)), shape=(len(columns), n_prompts))


def drawn_rates(
    sums: FloatArray,
    totals: FloatArray,
    pseudo: FloatArray,
    *,
    means: FloatArray,
    units: IntArray,
    prompts: IntArray,
) -> FloatArray:
    """(draws, parts) Bayesian-bootstrap draws of the mean share of each part.

    ``sums`` and ``totals`` (draws, parts) are weighted, ``pseudo`` (2, draws, parts) the weights of prompts that are all right and all wrong;
    each part has ``units`` of so many ``prompts`` (parts,). A prompt with several units counts for each of them, and so does a pseudo-prompt.

    Draws of n prompts have a variance of s²/(n + 1), where s²/(n - 1) is unbiased (s² around the mean, by n): what they stray is
    stretched. A prompt that is alone in its part tells nothing of its spread; such parts have that of one another.
    """
    wins, losses = pseudo * (units / prompts)
    rates: FloatArray = (sums + wins) / (totals + wins + losses)
    stretch = np.sqrt((prompts + 1) / np.maximum(prompts - 1, 1))
    rates += (stretch - 1) * (sums / totals - means)
    alone = prompts == 1
    if (lone := int(alone.sum())) > 1:
        apart = (means[alone] - means[alone].mean()) * np.sqrt(lone / (lone - 1))
        rates[:, alone] += (totals[:, alone] / units[alone] - 1) * apart
    return rates


def _drawn_figure(figure: Drawn, sums: FloatArray, totals: FloatArray, pseudo: _Pseudo) -> FloatArray:
    """(draws,) of one figure, from the weighted sums of its parts."""
    metric, parts = figure.metric, figure.parts
    if metric.combine is not None:
        return combined(metric, sums / totals)
    told = [~np.isnan(part.values) for part in parts]
    seen = {
        "means": np.array([part.shares[t].mean() for part, t in zip(parts, told, strict=True)]),
        "units": np.array([t.sum() for t in told]),
        "prompts": np.array([len(np.unique(part.prompts[t])) for part, t in zip(parts, told, strict=True)]),
    }
    rates = drawn_rates(sums, totals, _shared_out(parts, pseudo, sums.shape), **seen)
    lows, spans = (np.array([getattr(part, name) for part in parts]) for name in ("low", "span"))
    drawn: FloatArray = np.clip(
        combined(metric, spans * rates) + combined(metric, lows), *reach_of(metric, parts)
    )
    return drawn


def reach_of(metric: Metric, parts: Sequence[Credits]) -> tuple[float, float]:
    """The least and the most that a weighted mean of such credits can be; no bounds where it is another function of its parts."""
    if metric.combine is not None or any(part.part.weight < 0 for part in parts):
        return -np.inf, np.inf
    low, high = (
        float(combined(metric, np.array([getattr(p, end) for p in parts]))) for end in ("low", "high")
    )
    return low, high


def _shared_out(parts: Sequence[Credits], pseudo: _Pseudo, shape: tuple[int, ...]) -> FloatArray:
    """(2, draws, parts) weights of the figure's one pseudo-prompt: each family of parts has its share by weight."""
    weights = np.abs([part.part.weight for part in parts])
    found = np.empty((2, *shape))
    for family in _sharing_items(parts):
        subsets = frozenset(s for p in family for s in parts[p].part.subsets)
        found[:, :, family] = pseudo.of(subsets, float(weights[family].sum() / weights.sum()))
    return found


@dataclass(frozen=True)
class _Pseudo:
    """Half a pseudo-prompt that is right and half a wrong one: one pair of weights (draws, 1) a family of subsets."""

    draws: int
    rng: np.random.Generator
    known: dict[frozenset[str], FloatArray] = field(default_factory=dict)

    def of(self, subsets: frozenset[str], share: float) -> FloatArray:
        """(2, draws, 1) Gamma(share / 2) weights of a family: a Beta's part of the Gamma(½) that all figures have in common."""
        if subsets not in self.known:
            self.known[subsets] = self.rng.standard_gamma(0.5, (2, self.draws, 1))
        if share >= 1:
            return self.known[subsets]
        kept = self.rng.beta(0.5 * share, 0.5 * (1 - share), (2, self.draws, 1))
        return np.asarray(kept * self.known[subsets])


def _sharing_items(parts: Sequence[Credits]) -> list[list[int]]:
    """The parts in families: those that have a subset in common, directly or by way of others, share a pseudo-prompt."""
    families: list[tuple[list[int], set[str]]] = []
    for p, part in enumerate(parts):
        members, subsets = [p], set(part.part.subsets)
        apart = []
        for family in families:
            if family[1] & subsets:
                members, subsets = family[0] + members, subsets | family[1]
            else:
                apart.append(family)
        families = [*apart, (members, subsets)]
    return sorted(members for members, _ in families)
