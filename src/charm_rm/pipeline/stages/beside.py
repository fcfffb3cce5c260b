"""Ways of calibrating side by side on policies never used: a pair's offset, offsets of all, style; with placebo and length alone.

All are cross-fitted the same way: no figure is of a policy or a prompt that had a part in what was added. A policy that was left out has no
offset; its style is corrected all the same.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import polars as pl

from ...errors import CharmError, CharmWarning
from ...margins import PairedMargins, only_policies, tally_margins
from ...mismatch import read_groups
from ...mismatch.effect import measure_effect
from ...mismatch.ordering import ordering_rows
from ...offsets import solve_joint_offsets, solve_offsets
from ...ratings import Yardstick
from ...settings import AuditSettings, CalibrateSettings, Method
from ...splits import only_prompts
from ...style import Calibrator
from ...style.apply import measure_for
from ...style.cross_validation import HALVES, Folds, HeldOutMargins, deal_folds
from ...style.inputs import Problem, pose_problem
from ...tables import Margins, Ratings, Responses, Scores
from .calibrate import chosen_pair

# The columns of the table, in the order in which they are read.
WAYS = ("before", "pair", "joint", "style", "placebo", "length_only")


def compare_calibrations(
    source: Scores | Margins,
    responses: Responses,
    ratings: Ratings,
    calibrator: Calibrator,
    settings: CalibrateSettings,
    audit: AuditSettings,
    *,
    seed: int,
    **names: Any,
) -> pl.DataFrame:
    """One row a figure (``metric``, ``n``, ``floor``) and one column a way of calibrating (:data:`WAYS`).

    The pair is chosen anew without each fold of policies: the most over-valued of the others over the least. ``names`` are ``aliases`` and
    ``unrated``.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)  # all this has been said when the calibrator was solved
        problem = _problem(source, responses, ratings, calibrator, settings, names)
        families = None if settings.family is None else read_groups(settings.family)
        folds = deal_folds(problem, folds=settings.folds, seed=seed, families=families)
        found = {
            method: _figures(
                _held_out(problem, folds, method, ratings, audit, seed=seed, names=names), problem.rated
            )
            for method in ("pair", "joint")
        }
    rows = [
        {"metric": row["metric"], "n": row["n"], "floor": row["floor"], "before": row["before"]}
        | {method: figures.get(row["metric"]) for method, figures in found.items()}
        | {"style": row["after"], "placebo": row["placebo"], "length_only": row["length_only"]}
        for row in calibrator.held_out
    ]
    return pl.DataFrame(rows).select("metric", "n", "floor", *WAYS)


def _problem(
    source: Scores | Margins,
    responses: Responses,
    ratings: Ratings,
    calibrator: Calibrator,
    settings: CalibrateSettings,
    names: dict[str, Any],
) -> Problem:
    wanted = responses.frame.filter(
        pl.col("policy").is_in(source.policies)
        & pl.col("prompt_id").is_in(source.frame["prompt_id"].unique().to_list())
    )
    features = measure_for(calibrator, Responses(wanted), own=settings.own)
    return pose_problem(source, features, ratings, limit=calibrator.limit, **names)


def _held_out(
    problem: Problem,
    folds: Folds,
    method: Method,
    ratings: Ratings,
    audit: AuditSettings,
    *,
    seed: int,
    names: dict[str, Any],
) -> PairedMargins:
    """Margins with the offsets that each fold's other policies and each half's other prompts give; 0 for the policies left out."""
    policies, prompts = problem.policies, np.array(problem.paired.prompts)
    moved = np.zeros((folds.count, len(policies), len(prompts)))
    for fold in range(folds.count):
        others = [p for p, f in zip(policies, folds.policy, strict=True) if f != fold]
        for half in range(HALVES):
            here = folds.prompt == half
            used = only_prompts(only_policies(problem.source, others), prompts[~here].tolist())
            deltas = _deltas(used, method, ratings, audit, seed=seed, names=names)
            moved[fold][:, here] = np.array([deltas.get(p, 0.0) for p in policies])[:, None]
    return HeldOutMargins(problem.paired, moved, folds.policy)


def _deltas(
    source: Scores | Margins,
    method: Method,
    ratings: Ratings,
    audit: AuditSettings,
    *,
    seed: int,
    names: dict[str, Any],
) -> dict[str, float]:
    """The offsets by policy; none where they cannot be solved."""
    how: dict[str, Any] = {"draws": 0, "cross_fit": False, "seed": seed}
    try:
        if method == "joint":
            offsets = solve_joint_offsets(source, ratings, **how, **names)
        else:
            settings = CalibrateSettings(method="pair")
            over, references = chosen_pair(source, ratings, settings, audit, seed=seed, names=names)
            offsets = solve_offsets(
                source, ratings, over=over, references=references, aliases=names.get("aliases"), **how
            )
    except CharmError:
        return {}
    return dict(zip(offsets.frame["policy"], offsets.frame["delta"], strict=True))


def _figures(paired: PairedMargins, rated: Yardstick) -> dict[str, float]:
    tally = tally_margins(paired)
    found = measure_effect(tally, rated, more=ordering_rows(tally, rated))
    return {row.metric: row.value for row in found.rows}
