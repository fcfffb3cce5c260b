"""Position bias: how much a judge's verdict depends on which response it is shown first."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from ..errors import NotIdentifiable
from ..estimates import Z95, Estimate
from ..given import MarginsLike, as_judgements
from ..statistics import FloatArray


@dataclass(frozen=True, eq=False)
class PositionBias:
    """Of the pairs that were asked in both orders:

    ``bias``  share of verdicts for the response shown first, less ½ (a tie counts ½). 0: none; ½: always the first.
    ``bias_soft``  the same of the probabilities: mean P(first is better) - ½.
    ``turned``  share of pairs whose winner turns with the order.
    ``by_pair``  the same per pair of policies: policy, reference, n, bias, ci_low, ci_high, bias_soft, turned.
    """

    pairs: int
    prompts: int
    bias: Estimate
    bias_soft: Estimate
    turned: Estimate
    by_pair: pl.DataFrame

    def to_json(self) -> dict[str, Any]:
        """Everything but the table by pair."""
        figures = {name: asdict(getattr(self, name)) for name in ("bias", "bias_soft", "turned")}
        return {"pairs": self.pairs, "prompts": self.prompts} | figures


def measure_position_bias(margins: MarginsLike) -> PositionBias:
    """Position bias of judged margins, from their columns ``p_first`` and ``p_second``; intervals are clustered by prompt.

    With q₁ and q₂ the preference for whatever is shown first, in the two orders of a pair, the bias is
    mean((w(q₁) + w(q₂)) / 2) - ½, w being 1, ½ or 0 for q above, at or below ½. A judge whose winner is the same in both orders
    adds 1 and 0: no bias. A pair is turned where q₁ and q₂ lie on the same side of ½.

    Raises:
        NotIdentifiable: no pair was asked in both orders.
    """
    margins = as_judgements(margins)
    frame = margins.frame
    if {"p_first", "p_second"} <= set(frame.columns):
        frame = frame.drop_nulls(["p_first", "p_second"])
    else:
        frame = frame.clear()
    if frame.height == 0:
        raise NotIdentifiable(
            "position bias needs pairs asked in both orders (columns p_first and p_second)",
            fix="judge them with `charm judge`, which always asks in both",
        )
    rows = frame.select(
        "prompt_id", "policy", "reference", q1=pl.col("p_first"), q2=1 - pl.col("p_second")
    ).with_columns(
        wins=((pl.col("q1") - 0.5).sign() + (pl.col("q2") - 0.5).sign()) / 4 + 0.5,
        soft=(pl.col("q1") + pl.col("q2")) / 2,
        turned=((pl.col("q1") - 0.5) * (pl.col("q2") - 0.5) > 0).cast(pl.Float64),
    )
    groups = [
        _figures(group) | {"policy": k, "reference": r}
        for (k, r), group in rows.group_by("policy", "reference")
    ]
    by_pair = pl.DataFrame(groups).select(
        "policy", "reference", "n", "bias", "ci_low", "ci_high", "bias_soft", "turned"
    )
    return PositionBias(
        pairs=rows.height,
        prompts=rows["prompt_id"].n_unique(),
        bias=_less_half(_mean(rows, "wins")),
        bias_soft=_less_half(_mean(rows, "soft")),
        turned=_mean(rows, "turned"),
        by_pair=by_pair.sort("policy", "reference"),
    )


def clustered_mean(values: FloatArray, clusters: np.ndarray) -> Estimate:
    """Mean of ``values`` in [0, 1] with a 95 % interval that takes whole clusters as the independent units.

    The interval is m ± 1.96 se of a Bayesian bootstrap over clusters with half a success and half a failure added
    (as in :func:`~charm_rm.statistics.draw_prompt_weights`), by the delta method: with S_c and n_c a cluster's sum and size,
    m = (Σ S_c + ½) / (N + 1) and se² = (Σ (S_c - m n_c)² + ½ (1-m)² + ½ m²) / (N + 1)². It always holds the mean, and does not
    vanish where all values agree.
    """
    _, codes = np.unique(clusters, return_inverse=True)
    sums, sizes = np.bincount(codes, weights=values), np.bincount(codes)
    total = len(values) + 1
    mean = (sums.sum() + 0.5) / total
    square = ((sums - mean * sizes) ** 2).sum() + 0.5 * (1 - mean) ** 2 + 0.5 * mean**2
    value, error = float(values.mean()), float(np.sqrt(square) / total)
    return Estimate(value, error, max(0.0, mean - Z95 * error), min(1.0, mean + Z95 * error))


def _mean(rows: pl.DataFrame, column: str) -> Estimate:
    return clustered_mean(rows[column].to_numpy(), rows["prompt_id"].to_numpy())


def _less_half(estimate: Estimate) -> Estimate:
    low, high = estimate.ci_low, estimate.ci_high
    return Estimate(
        estimate.value - 0.5,
        estimate.std_err,
        None if low is None else low - 0.5,
        None if high is None else high - 0.5,
    )


def _figures(group: pl.DataFrame) -> dict[str, float | int | None]:
    bias = _less_half(_mean(group, "wins"))
    return {
        "n": group.height,
        "bias": bias.value,
        "ci_low": bias.ci_low,
        "ci_high": bias.ci_high,
        "bias_soft": float(group["soft"].to_numpy().mean()) - 0.5,
        "turned": float(group["turned"].to_numpy().mean()),
    }
