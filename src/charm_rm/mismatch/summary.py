"""An audit in a few numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import polars as pl

from ..estimates import SIGNIFICANT, Estimate
from ..margins import Tally
from ..ratings import Yardstick
from ..statistics import FloatArray
from ..tables import Mismatch, Ratings
from .effect import Effect, EffectRow, measure_effect
from .standing import Standing
from .verdicts import count_verdicts


def summarise(
    prompts: int | None,
    tally: Tally,
    rated: Yardstick,
    rating_draws: FloatArray | None,
    mismatch: Mismatch,
    standing: Standing,
) -> dict[str, Any]:
    """Counts, and the figures of :data:`.metrics.METRICS` as ``effect``, over all pairs."""
    effect = measure_effect(
        tally, rated, rating_draws=rating_draws, more=_standing_rows(standing, len(tally.policies))
    )
    return {
        "policies": len(tally.policies),
        "prompts": prompts,
        "pairs": len(tally.pairs),
        "tests": mismatch.frame["q_value"].count(),
        "significance": SIGNIFICANT,
        "verdicts": count_verdicts(mismatch.frame["verdict"]),
        "mean_abs_mismatch": _raw(effect),
        "effect": effect.frame.to_dicts(),
        "exponent": effect.exponent,
        "largest_mismatch": largest_mismatch(mismatch),
    }


def _standing_rows(standing: Standing, policies: int) -> list[EffectRow]:
    """What an audit has measured of the order and favour of policies, as rows beside those of pairs."""
    found = dict(standing.correlation)
    if standing.mean_favour is not None:
        found["mean_abs_favour"] = standing.mean_favour
    rows = [EffectRow(name, policies, e.value, e.ci_low, e.ci_high) for name, e in found.items()]
    floor = None if standing.detectable is None else standing.detectable.floor
    return [replace(row, floor=floor) if row.metric == "mean_abs_favour" else row for row in rows]


def summarise_favour(standing: Standing) -> dict[str, Any]:
    """The slope on ratings, verdicts over policies, and what favour could have been found.

    ``favour_verdicts`` counts policies; ``detectable_favour`` is :class:`.power.Detectable` as a mapping.
    """
    counts: dict[str, int] = {}
    if standing.favouritism is not None:
        counts = count_verdicts(standing.favouritism.frame["verdict"])
    return {
        "slope": standing.slope,
        "favour_verdicts": counts,
        "detectable_favour": None if standing.detectable is None else asdict(standing.detectable),
    }


def unscored(ratings: Ratings, matched: Ratings) -> dict[str, Any]:
    """Count and name (the best few) the rated policies that the source has no row for."""
    used = set(matched.provenance.get("renamed", {}).values()) | set(matched.frame["policy"])
    rest = ratings.frame.filter(~pl.col("policy").is_in(list(used))).sort("rating", descending=True)
    return {
        "rated": len(ratings),
        "rated_not_scored": rest.height,
        "best_not_scored": rest["policy"].head(5).to_list(),
    }


def mean_absolute_mismatch(tally: Tally, rated: Yardstick, rating_draws: FloatArray | None) -> Estimate:
    """Mean |P̂ - P| over the pairs of a tally, with the interval of :func:`charm_rm.mismatch.effect.measure_effect`."""
    return _raw(measure_effect(tally, rated, rating_draws=rating_draws))


def largest_mismatch(mismatch: Mismatch) -> dict[str, Any] | None:
    """The row furthest from people's, as seen and with what is left when its being chosen is allowed for."""
    frame = mismatch.frame
    if frame.height == 0 or "mismatch_shrunk" not in frame.columns:
        return None
    row = frame.row(int(frame["mismatch"].abs().arg_max() or 0), named=True)
    names = ("policy", "reference", "n", "mismatch", "mismatch_shrunk")
    return {name: row[name] for name in (*names, "simultaneous_ci_low", "simultaneous_ci_high")}


def say_largest(largest: Mapping[str, Any], pairs: int) -> str:
    """One sentence about the largest mismatch that does not take its noise for a finding."""
    return (
        f"The largest mismatch of {pairs} is {largest['mismatch']:+.2f} ({largest['policy']} against {largest['reference']}); "
        f"it was picked as the largest; corrected for that, it is about {largest['mismatch_shrunk']:+.2f}, "
        f"between {largest['simultaneous_ci_low']:+.2f} and {largest['simultaneous_ci_high']:+.2f}."
    )


def _raw(effect: Effect) -> Estimate:
    row = effect.row("mean_abs_mismatch")
    return Estimate(row.value, None, row.ci_low, row.ci_high)
