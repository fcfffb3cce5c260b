"""An analysis written by hand: two models, two policies and more, raters with and without flags."""

from __future__ import annotations

from typing import Any

import polars as pl

from charm_rm.study.results import BETTER, CLASSICAL, POWERED, WITHIN, StudyAnalysis


def _interval(value: float, half: float) -> dict[str, float]:
    return {"std_err": half / 1.96, "ci_low": value - half, "ci_high": value + half}


def findings(
    *,
    before: str = "before",
    after: str = "after",
    policies: tuple[str, ...] = ("granite", "velvet", "willow"),
    raters: tuple[str, ...] = ("ann", "bob", "clicker"),
    name: str = "demo",
    simulated: bool = False,
    warnings: tuple[str, ...] = ("1 rater answered at random",),
) -> StudyAnalysis:
    """The whole of it; names may be hostile."""
    agreement, differences = [], []
    for used, shift in (("all", 0.0), ("decided", 0.04)):
        for estimator, half, worth in ((CLASSICAL, 0.05, 400.0), (POWERED, 0.03, 910.4)):
            for model, value in ((before, 0.58), (after, 0.66)):
                agreement.append(
                    {"model": model, "votes_used": used, "estimator": estimator, "value": value + shift}
                    | _interval(value + shift, half)
                    | {"n_votes": 400, "effective_votes": worth}
                )
            gap = {"model": after, "baseline": before, "votes_used": used, "estimator": estimator}
            differences.append(
                gap
                | {"difference": 0.08 + shift}
                | _interval(0.08 + shift, 2 * half)
                | {"p_value": 0.004 if estimator == POWERED else 0.11}
                | {"reading": BETTER if estimator == POWERED else WITHIN}
                | {"n_votes": 400, "n_discordant": 180, "discordant_share": 0.22, "effective_votes": worth}
            )
    return StudyAnalysis(
        name=name,
        summary={
            "votes": 400,
            "raters": len(raters),
            "comparisons": 150,
            "target": "all 2,640 comparisons",
            "simulated": simulated,
        },
        agreement=pl.DataFrame(agreement),
        differences=pl.DataFrame(differences),
        people=_people(),
        raters=pl.DataFrame([_rater(n, i) for i, n in enumerate(raters)], infer_schema_length=None),
        ratings=pl.DataFrame([row for i, p in enumerate(policies) for row in _ratings(p, i)]),
        favour=pl.DataFrame([_favour(m, p, i) for m in (before, after) for i, p in enumerate(policies)]),
        model_ratings=pl.DataFrame(
            [_by_model(m, p, i) for m in (before, after) for i, p in enumerate(policies)]
        ),
        warnings=warnings,
        provenance={"seed": 0},
    )


def _people() -> pl.DataFrame:
    rows = [
        ("krippendorff_alpha", 0.31, 0.25, 0.37),
        ("alpha_decided", 0.45, 0.38, 0.52),
        ("pairwise_agreement", 0.72, 0.68, 0.76),
        ("pairwise_decided", None, None, None),
    ]
    names = ["figure", "value", "ci_low", "ci_high"]
    frame = pl.DataFrame(rows, schema=names, orient="row")
    return frame.with_columns(pl.lit(120).alias("n_comparisons"), pl.lit(8).alias("n_raters"))


def _rater(name: str, i: int) -> dict[str, Any]:
    bad = i == 2
    return {
        "rater": name,
        "votes": 150 - i,
        "repeats": 10,
        "consistent": 4 if bad else 9,
        "checks": 5,
        "passed": 1 if bad else 5,
        "agreement": 0.5 if bad else 0.74,
        "left_share": 0.5,
        "tie_share": 0.1,
        "seconds": 2.5 if bad else 21.0,
        "p_value": 0.0003 if bad else 0.6,
        "q_value": 0.001 if bad else 0.8,
        "verdict": "looks careless" if bad else "",
        "flags": "agrees with nobody; fails checks" if bad else "",
    }


def _ratings(policy: str, i: int) -> list[dict[str, Any]]:
    return [
        {"policy": policy, "estimator": estimator, "rating": 1000.0 - 60 * i, "std_err": half / 1.96}
        | {"ci_low": 1000.0 - 60 * i - half, "ci_high": 1000.0 - 60 * i + half, "votes": 260}
        for estimator, half in ((CLASSICAL, 40.0), (POWERED, 25.0))
    ]


def _by_model(model: str, policy: str, i: int) -> dict[str, Any]:
    rating = 1050.0 - 90 * i
    return (
        {"model": model, "policy": policy, "rating": rating} | _interval(rating, 30.0) | {"comparisons": 240}
    )


def _favour(model: str, policy: str, i: int) -> dict[str, Any]:
    sure = model != "after" and i == 1
    return {
        "model": model,
        "policy": policy,
        "favour": 90.0 if sure else 5.0 - 5 * i,
        "ci_low": 50.0 if sure else -40.0,
        "ci_high": 130.0 if sure else 40.0,
        "q_value": 0.002 if sure else 0.8,
        "verdict": "over-valued" if sure else "no evidence",
    }
