"""A study's agreement of models with people, and the paired test between two models: how many raters, how differently they judge.

The study votes on comparisons chosen four times as often where the two models disagree; raters have tastes of their own (``taste``, in log-odds
by a standard deviation of a feature).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from charm_rm.study.estimates.agreement import agreement_table, difference_table
from charm_rm.study.estimates.predictions import predict_votes
from charm_rm.study.results import CLASSICAL, POWERED

from ._study import MODELS, draw_study, truth
from .cell import Cell, coverage, figure, size


def one_study(rng: np.random.Generator, **settings) -> Mapping[str, float]:
    """Coverage of agreement (mean over both models, and over all and decided votes) and of the difference; the test; what powering gains."""
    true = truth(settings["ties"], settings["models"], settings["taste"])
    counted = draw_study(rng, **settings)
    predicted = predict_votes(counted)
    agreement, gaps = agreement_table(counted, predicted), difference_table(counted, predicted)
    found: dict[str, float] = {}
    for estimator in (CLASSICAL, POWERED):
        rows = agreement.filter(estimator=estimator).to_dicts()
        truths = [true[f"{row['votes_used']} {MODELS.index(row['model'])}"] for row in rows]
        found[f"agreement, {estimator}"] = _covered(rows, truths)
        of_gaps = gaps.filter(estimator=estimator).to_dicts()
        found[f"difference, {estimator}"] = _covered(
            of_gaps, [true[f"{row['votes_used']} difference"] for row in of_gaps]
        )
        found[f"p <= 0.05, {estimator}"] = float(of_gaps[0]["p_value"] <= 0.05)
        found[f"bias of agreement, {estimator}"] = float(
            np.mean([r["value"] - t for r, t in zip(rows, truths, strict=True)])
        )
    wide = {
        e: agreement.filter(estimator=e, votes_used="all")["std_err"].mean() for e in (CLASSICAL, POWERED)
    }
    found["effective votes, per vote"] = (wide[CLASSICAL] / wide[POWERED]) ** 2
    return found


def _covered(rows: list[dict], truths: list[float]) -> float:
    return float(np.mean([r["ci_low"] <= t <= r["ci_high"] for r, t in zip(rows, truths, strict=True)]))


def cell(settings: Mapping[str, object], *, band: tuple[float, float], small: int = 12) -> Cell:
    """A study of the given settings beside the usual ones; ``band`` of the coverage."""
    usual = {"models": "better", "raters": 10, "taste": 1.0, "prompts": 150, "comparisons": 100, "votes": 2}
    whole = usual | {"ties": 0.2, "targeted": True} | dict(settings)
    tested = size if whole["models"] == "alike" else figure
    figures = [
        coverage(f"{what}, {e}", band=band)
        for what in ("agreement", "difference")
        for e in (CLASSICAL, POWERED)
    ]
    figures += [tested(f"p <= 0.05, {e}") for e in (CLASSICAL, POWERED)]
    figures += [
        figure("bias of agreement, prediction-powered", band=(-0.01, 0.01)),
        figure("effective votes, per vote", band=(0.97, 3.0)),
    ]
    return Cell(whole, one_study, tuple(figures), replicates=300, small=small)


def cells() -> list[Cell]:
    """From 3 raters to 30, of one mind and of several, with models alike and one better; 13 prompts with 60 votes on each."""
    few, many = (0.88, 1.0), (0.92, 1.0)
    return [
        cell({"models": "alike", "raters": 3}, band=few),
        cell({"models": "alike", "raters": 5}, band=few),
        cell({"models": "alike", "raters": 30}, band=many),
        cell({"raters": 3}, band=few),
        cell({"raters": 3, "taste": 2.0}, band=few),
        cell({"raters": 5, "taste": 0.0}, band=few),
        cell({"raters": 5}, band=few),
        cell({"raters": 10}, band=many),
        cell({"raters": 30}, band=many),
        cell({"models": "alike", "raters": 30, "prompts": 13, "comparisons": 78, "votes": 10}, band=many),
        cell({"raters": 30, "prompts": 13, "comparisons": 78, "votes": 10}, band=many),
    ]
