"""Which style each policy has: its features beside those of the others on the same prompts."""

from __future__ import annotations

import polars as pl

from .catalogue import FEATURES
from .table import StyleFeatures

_VALUE, _OTHERS = pl.col("value"), pl.col("others")


def summarise_style(features: StyleFeatures) -> pl.DataFrame:
    """One row per policy and feature, policies as sorted and features as measured.

    Returns:
        policy, feature; ``responses`` of the policy, ``shared`` of them on prompts that others answered, too; ``mean`` of the feature over
        the former, ``others``, the mean of the other policies over the latter; ``difference``, the mean of (own - others') over the
        latter, in standard deviations of the feature over all responses; ``typical`` and ``typical_others``, the two means as raw
        numbers (of a logarithm exp(mean) - 1). What nothing tells is null.
    """
    n = pl.len().over("prompt_id", "feature")
    by_response = _long(features).with_columns(
        others=pl.when(n > 1).then((_VALUE.sum().over("prompt_id", "feature") - _VALUE) / (n - 1)),
        spread=_VALUE.std(ddof=0).over("feature"),
    )
    difference = (_VALUE - _OTHERS).mean() / pl.col("spread").first()
    summary = by_response.group_by("policy", "feature", maintain_order=True).agg(
        responses=pl.len(),
        shared=_OTHERS.count(),
        mean=_VALUE.mean(),
        others=_OTHERS.mean(),
        difference=pl.when(pl.col("spread").first() > 0).then(difference),
    )
    order = {name: place for place, name in enumerate(features.features)}
    return (
        summary.with_columns(typical=_typical("mean"), typical_others=_typical("others"))
        .select(
            "policy",
            "feature",
            "responses",
            "shared",
            "mean",
            "others",
            "difference",
            "typical",
            "typical_others",
        )
        .sort("policy", pl.col("feature").replace_strict(order, return_dtype=pl.Int64), maintain_order=True)
    )


def _typical(mean: str) -> pl.Expr:
    logs = [name for name, feature in FEATURES.items() if feature.log]
    return pl.when(pl.col("feature").is_in(logs)).then(pl.col(mean).exp() - 1).otherwise(mean)


def _long(features: StyleFeatures) -> pl.DataFrame:
    """One row per response and feature."""
    return features.frame.unpivot(
        features.features, index=["prompt_id", "policy"], variable_name="feature", value_name="value"
    )
