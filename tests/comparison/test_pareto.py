"""Who is dominated: only where both axes say so beyond chance."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.comparison.pareto import DOMINATED, FRONT, MAYBE, Axis, Duel, standings

SURE, MAYBE_BETTER = Axis(0.1, 0.05, 0.15, 0.001), Axis(0.1, -0.05, 0.25, 0.3)


def _turned(axis: Axis) -> Axis:
    ends = (None if x is None else -x for x in (axis.high, axis.low))
    return Axis(-axis.difference, *ends, axis.p_value)


def _standing(*duels: Duel) -> dict[str, tuple[str, list[str]]]:
    return {r["model"]: (r["standing"], r["by"]) for r in standings(["a", "b", "c"], duels)}


def test_better_on_both_beyond_chance_dominates() -> None:
    found = _standing(Duel("a", "b", (SURE, SURE)), Duel("a", "c", (SURE, _turned(SURE))))
    assert found == {"a": (FRONT, []), "b": (DOMINATED, ["a"]), "c": (FRONT, [])}


def test_chance_on_one_axis_is_a_perhaps() -> None:
    assert _standing(Duel("a", "b", (SURE, MAYBE_BETTER)))["b"] == (MAYBE, ["a"])
    unknown = Axis(0.1, None, None, None)
    assert _standing(Duel("a", "b", (SURE, unknown)))["b"] == (MAYBE, ["a"])


def test_many_duels_are_adjusted_for() -> None:
    """An interval that leaves out 0 is not enough where its p is one of many."""
    close = Axis(0.1, 0.001, 0.2, 0.048)
    none = Axis(0.0, -0.1, 0.1, 0.9)
    assert _standing(Duel("a", "b", (close, close)))["b"][0] == DOMINATED
    assert _standing(Duel("a", "b", (close, close)), Duel("a", "c", (none, none)))["b"][0] == MAYBE


_axes = st.tuples(st.floats(-1, 1), st.floats(0.01, 0.5), st.floats(0.0001, 1)).map(
    lambda x: Axis(x[0], x[0] - x[1], x[0] + x[1], x[2])
)


@given(_axes, _axes)
def test_the_order_of_a_duel_does_not_matter(one: Axis, other: Axis) -> None:
    there = _standing(Duel("a", "b", (one, other)))
    back = _standing(Duel("b", "a", (_turned(one), _turned(other))))
    assert there == back
    assert not (there["a"][1] and there["b"][1])
    dominated = there["b"][0] == DOMINATED
    assert dominated <= bool(np.all([x.low is not None and x.low > 0 for x in (one, other)]))
