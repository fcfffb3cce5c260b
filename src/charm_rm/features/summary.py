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
    keys = features.frame.select("policy", pl.col("prompt_id").rank("dense").alias("prompt"))
    parts = [_of_feature(keys.with_columns(value=features.frame[name]), name) for name in features.features]
    shown = (
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
    return pl.concat(parts).select(shown).sort("policy", maintain_order=True)


def _of_feature(values: pl.DataFrame, name: str) -> pl.DataFrame:
    """The rows of one feature, one a policy."""
    n, spread = pl.len().over("prompt"), pl.col("spread").first()
    others = pl.when(n > 1).then((_VALUE.sum().over("prompt") - _VALUE) / (n - 1))
    is_log = name in FEATURES and FEATURES[name].log
    summary = (
        values.with_columns(others=others, spread=_VALUE.std(ddof=0))
        .group_by("policy")
        .agg(
            responses=pl.len(),
            shared=_OTHERS.count(),
            mean=_VALUE.mean(),
            others=_OTHERS.mean(),
            difference=pl.when(spread > 0).then((_VALUE - _OTHERS).mean() / spread),
        )
    )
    raw = {
        f"typical{suffix}": _raw(mean, is_log=is_log)
        for suffix, mean in (("", "mean"), ("_others", "others"))
    }
    return summary.with_columns(pl.lit(name).alias("feature"), **raw)


def _raw(mean: str, *, is_log: bool) -> pl.Expr:
    return pl.col(mean).exp() - 1 if is_log else pl.col(mean)
