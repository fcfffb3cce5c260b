"""Solving the joint equations."""

from __future__ import annotations

import numpy as np
import pytest

from charm_rm.margins import ScoreMargins, all_pairs
from charm_rm.offsets.joint_equations import JointEquations, hard_rates, wins_gap
from charm_rm.offsets.joint_solvers import solve_hard


def test_polishing_beats_cooling_alone() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(8, 200)) + rng.normal(size=(8, 1))
    margins = ScoreMargins(tuple("ABCDEFGH"), all_pairs(8), values)
    equations = JointEquations(margins, np.full(28, 0.5), np.arange(8) > 0)
    wins, least = (solve_hard(equations, objective=m) for m in ("total-wins", "least-squares"))
    assert wins.residual < least.residual
    gap = wins_gap(equations, hard_rates(equations, wins.deltas))
    assert wins.residual == pytest.approx(np.abs(gap[1:]).max() / 7)
