"""How much of each policy's favour its style explains, feature by feature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import ConfigError, did_you_mean, listing, noting_warnings
from ..features import FEATURES
from ..given import ComparableLike, as_comparable
from ..ratings import Aliases, RatingsLike, as_ratings
from ..responses import ResponsesLike, as_responses
from ..settings import AuditSettings, Outcome, Scope, Unrated, check_draws
from ..shown import Figures
from ..solved_on import warn_if_in_sample
from ..statistics import FloatArray, percentile_interval
from .attribution import How, Judged, Taken, judge, take_style_off
from .calibrator import Calibrator
from .calibrator_file import CalibratorLike, as_calibrator
from .explain_rows import Lot, explanation_rows
from .explanation import Explanation
from .group_favour import favour_of_groups
from .inputs import Problem, pose_problem
from .solve import LIMIT, STYLE_FEATURES
from .weighing import Solver, Weighed, measured_for, problem_of, weighed_by


def explain_favour(
    source: ComparableLike,
    responses: ResponsesLike,
    ratings: RatingsLike,
    calibrator: CalibratorLike | None = None,
    *,
    features: Sequence[str] = STYLE_FEATURES,
    own: Sequence[str] = (),
    join: Mapping[str, Sequence[str]] | None = None,
    groups: Mapping[str, str] | None = None,
    own_group: str | None = None,
    folds: int = 5,
    fit_temperature: float | None = None,
    penalty: float | None = None,
    draws: int = 1000,
    seed: int = 0,
    scope: Scope = "sample",
    outcome: Outcome = "hard",
    temperature: float = 1.0,
    aliases: Aliases | None = None,
    unrated: Unrated = "error",
) -> Explanation:
    """Share each policy's favour among the features of its responses, and say what they leave unexplained.

        favour = Σ_j (what feature j explains) + unexplained

    The correction w·φ that style calibration adds to scores takes favour away; feature j explains what its part w_j φ_j takes, by Aumann and
    Shapley's value (:mod:`.attribution`), and what is left is the favour of the corrected scores. With no calibrator the weights are solved
    here, for each fold of policies on the others: then what they explain was not fitted to it.

    Args:
        source: scores, or a judge's margins.
        responses: the texts that were scored or judged.
        ratings: human ratings of the policies, names resolved as in an audit.
        calibrator: whose weights to take, for the policies that it was solved on (in-sample) and others (held out). Offsets in it are
            no style and are left out.
        features, own: what to solve weights of, where there is no calibrator; of one, ``own`` names the functions that it may call.
        join: own groups of features, by name; the others stay in the groups of :data:`charm_rm.features.FEATURES`.
        groups: makers, say: the group of each policy, to ask whether groups are favoured before style is taken off, and after.
        own_group: the one of them that the judge itself is of.
        folds: of policies.
        fit_temperature, penalty: of the weights solved here, as ``temperature`` and ``penalty`` of :func:`~.solve.solve_style_offsets`;
            None: by cross-validation.
        draws: behind the intervals; 0: none.
        seed: of folds and draws.
        scope, outcome, temperature: of favour, as in :func:`charm_rm.audit`.
        aliases, unrated: as :func:`charm_rm.ratings.match_ratings`.

    Raises:
        UnknownPolicy, NoOverlap: a policy has no rating; no response belongs to a score.
        ConfigError: the calibrator does not fit the source, or a setting cannot be used.
        NotIdentifiable, NotConverged: favour cannot be measured, or the weights cannot be solved.
    """
    source = as_comparable(source)
    calibrator = None if calibrator is None else as_calibrator(calibrator)
    responses = as_responses(responses, of=source)
    ratings = as_ratings(ratings)
    check_draws(draws)
    AuditSettings(scope=scope, outcome=outcome, temperature=temperature)
    how, rng = How(outcome, temperature, scope), np.random.default_rng(seed)
    with noting_warnings() as notes:
        warn_if_in_sample(source)
        if calibrator is None:
            measured = measured_for(source, responses, features, own)
            problem = pose_problem(source, measured, ratings, limit=LIMIT, aliases=aliases, unrated=unrated)
        else:
            problem = problem_of(
                source, responses, ratings, calibrator, own=own, aliases=aliases, unrated=unrated
            )
        shown = _shown_groups(problem.names, join or {})
        before = judge(how.tally(problem.paired), problem.rated, scope)
        given = calibrator or Solver.of(
            problem, folds=folds, temperature=fit_temperature, penalty=penalty, draws=draws, seed=seed
        )
        lots = _lots(problem, before, given, how, draws=draws, rng=rng)
        frame = explanation_rows(problem, before, lots, shown, scope=scope, rng=rng)
        summary = _summary(problem, before, lots, given, how, draws=draws, rng=rng)
        if groups is not None:
            summary |= favour_of_groups(
                problem,
                before,
                given if isinstance(given, Solver) else [lot.weighed for lot in lots],
                groups,
                own=own_group,
                how=how,
            )
    about = {
        "verb": "explain_favour",
        "calibrator": None if calibrator is None else calibrator.fingerprint,
        "features": list(problem.names),
        "folds": folds if calibrator is None else None,
        "draws": draws,
        "seed": seed,
        "scope": scope,
        "outcome": outcome,
        "temperature": temperature,
        "input": dict(source.provenance),
        "warnings": notes,
    }
    return Explanation(frame, provenance=about, summary=Figures(summary))


def _lots(
    problem: Problem,
    before: Judged,
    given: Calibrator | Solver,
    how: How,
    *,
    draws: int,
    rng: np.random.Generator,
) -> list[Lot]:
    """What a calibrator's weights take off, or those of each fold."""
    if isinstance(given, Solver):
        weighed = given.by_fold()
    else:
        weighed = weighed_by(given, problem, draws=draws, rng=rng)
    return [Lot(one, _taken(problem, before, one, how)) for one in weighed]


def _taken(problem: Problem, before: Judged, weighed: Weighed, how: How) -> Taken:
    return take_style_off(before, problem.paired, problem.part.features, weighed.weights, problem.rated, how)


def _shown_groups(names: Sequence[str], join: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The group of each feature: one's own, the feature's, or ``own``.

    Raises:
        ConfigError: a feature to join is not there, or is in two groups.
    """
    mine: dict[str, str] = {}
    for group, members in join.items():
        for name in members:
            if name not in names:
                raise ConfigError(
                    f"feature {name!r} is not among those explained by.{did_you_mean(name, names)}",
                    where=f"group {group!r}",
                    fix=f"they are {listing(names, limit=40)}",
                )
            if name in mine:
                raise ConfigError(
                    f"feature {name!r} is in two groups, {mine[name]!r} and {group!r}", fix="name it once"
                )
            mine[name] = group
    return tuple(mine.get(n) or (FEATURES[n].group if n in FEATURES else "own") for n in names)


# --- the whole --------------------------------------------------------------------------------------


def _summary(
    problem: Problem,
    before: Judged,
    lots: Sequence[Lot],
    given: Calibrator | Solver,
    how: How,
    *,
    draws: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """R² by kind of weights, and the largest closing part."""
    favour = before.favours.favour
    left, fresh = np.zeros(len(favour)), np.zeros(len(favour), dtype=bool)
    for lot in lots:
        left[lot.at], fresh[lot.at] = lot.taken.unexplained[lot.at], lot.weighed.held_out
    rows = [
        _r_squared(favour[some], left[some], kind, draws, rng)
        for kind, some in ((True, fresh), (False, ~fresh))
    ]
    if isinstance(given, Solver):
        whole = _taken(problem, before, given.on_all(), how)
        rows[1] = _r_squared(favour, whole.unexplained, False, draws, rng)
    closing = max(float(np.abs(lot.taken.closing[lot.at]).max()) for lot in lots)
    return {
        "policies": len(favour),
        "prompts": problem.paired.n_prompts,
        "sharpness": float(before.measured.line.slope),
        "r_squared": [row for row in rows if row is not None],
        "largest_closing": closing,
        "mean_abs_favour": float(np.abs(favour).mean()),
        "mean_abs_unexplained": float(np.abs(left).mean()),
    }


_FEWEST = 3  # policies of a variance


def _r_squared(
    favour: FloatArray, left: FloatArray, held_out: bool, draws: int, rng: np.random.Generator
) -> dict[str, Any] | None:
    """1 - var(unexplained) / var(favour), with an interval over policies (exponential weights)."""
    if len(favour) < _FEWEST or not favour.var() > 0:
        return None
    row: dict[str, Any] = {
        "held_out": held_out,
        "policies": len(favour),
        "value": 1 - float(left.var() / favour.var()),
    }
    low = high = None
    if draws:
        u = rng.standard_exponential((draws, len(favour)))
        low, high = (float(end) for end in percentile_interval(1 - _variance(left, u) / _variance(favour, u)))
    return row | {"ci_low": low, "ci_high": high}


def _variance(x: FloatArray, weights: FloatArray) -> FloatArray:
    """(draws,) weighted variances."""
    share = weights / weights.sum(axis=1, keepdims=True)
    return np.asarray(share @ x**2 - (share @ x) ** 2)
