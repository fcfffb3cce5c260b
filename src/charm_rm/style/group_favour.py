"""Is a judge still partial to groups of policies, its own maker's say, once style is taken off?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..mismatch.families import contrasts_of_groups, members_of_groups
from ..mismatch.measured import Measured
from .attribution import How, Judged, take_style_off
from .inputs import Problem
from .weighing import Solver, Weighed


def favour_of_groups(
    problem: Problem,
    before: Judged,
    given: Solver | Sequence[Weighed],
    groups: Mapping[str, str],
    *,
    own: str | None,
    how: How,
) -> dict[str, Any]:
    """Favour of each group beside all other policies, before and after style: ``families``, ``own_family``, ``members``, ``without_group``.

    Weights solved here are solved without the group, so that style cannot take off what the group alone is favoured by.

    Raises:
        ConfigError: no policy has a group, or ``own`` is none of them.
    """
    members = members_of_groups(groups, problem.policies, own)
    then = contrasts_of_groups(problem.policies, members, how.scope, lambda _: (before.measured, 0.0))
    now = contrasts_of_groups(
        problem.policies, members, how.scope, lambda inside: _after(problem, before, given, inside, how)
    )
    frame = then.join(now.drop("policies"), on="group", suffix="_after", maintain_order="left")
    return {
        "families": frame.to_dicts(),
        "own_family": None if own is None else frame.row(by_predicate=pl.col("group") == own, named=True),
        "members": members,
        "without_group": [p for p in problem.policies if p not in members],
    }


def _after(
    problem: Problem,
    before: Judged,
    given: Solver | Sequence[Weighed],
    inside: NDArray[np.bool_],
    how: How,
) -> tuple[Measured, float]:
    """The line once style is off, and the standard error of the group's mean favour for the weights' own doubt."""
    weighed = given.without(inside) if isinstance(given, Solver) else given[0]
    taken = take_style_off(before, problem.paired, problem.part.features, weighed.weights, problem.rated, how)
    unit = taken.parts[inside].sum(axis=1).mean(axis=0)
    doubt = float((weighed.drawn @ unit).std(ddof=1)) if len(weighed.drawn) > 1 else 0.0
    return taken.after.measured, doubt
