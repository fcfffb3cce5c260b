"""Rounding chances to a choice so that every chance is kept, and every group gets its expected number, up or down to a whole one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...statistics import FloatArray, IntArray

# Chances are whole multiples of this while they are rounded: sums are exact, so nothing is left over at the end.
_UNIT = 1 << 40


def rounded(
    chances: FloatArray, left: Sequence[IntArray], right: Sequence[IntArray], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """(m,) which items are chosen: item i with chance ``chances[i]`` (to 1e-12), n = Σ chances of them in all.

    Items are arcs of a circulation: from the hub by way of their groups in ``left``, the finest last, through the item to their group in
    ``right[0]``, from there to that in ``right[1]`` ... and back to the hub; what flows into a group flows out of it. As long as an arc's flow is no whole number there is a
    cycle of such arcs. Flow is pushed around it until one arc is whole, one way or the other, with the odds that leave every flow's
    expectation as it was. At the end all flows are whole: each group has its expected number of items, rounded up or down.

    R. Gandhi, S. Khuller, S. Parthasarathy, A. Srinivasan: Dependent rounding and its applications to approximation algorithms,
    Journal of the ACM 53 (2006), here on a network, so that groups may be nested.

    Args:
        chances: (m,) between 0 and 1, whose sum is a whole number.
        left: groupings, (m,) codes from 0 each, the finest first: equal codes in one are equal in the next.
        right: groupings of another kind, nested likewise.
        rng: which way each cycle goes.
    """
    flows = _whole_units(chances)
    arcs = _Arcs(flows, left, right)
    while (cycle := arcs.cycle()) is not None:
        arcs.push(cycle, rng.random())
    return np.array([flow == _UNIT for flow in arcs.flow[: len(flows)]])


def _whole_units(chances: FloatArray) -> list[int]:
    """Chances in units, with a sum of whole ones: the few units that rounding leaves go to those that can take one.

    Raises:
        ValueError: the sum is no whole number.
    """
    n = round(float(chances.sum()))
    if abs(float(chances.sum()) - n) > 1e-6:
        raise ValueError(f"the chances add up to {float(chances.sum())}, which is no whole number")
    flows = np.rint(chances * _UNIT).astype(np.int64)
    while rest := n * _UNIT - int(flows.sum()):
        step = 1 if rest > 0 else -1
        able = np.flatnonzero((flows > 0) & (flows + step >= 0) & (flows + step <= _UNIT))
        share = max(abs(rest) // len(able), 1)
        room = _UNIT - flows[able] if step > 0 else flows[able]
        flows[able[: abs(rest)]] += step * np.minimum(share, room)[: abs(rest)]
    return [int(flow) for flow in flows]


class _Arcs:
    """Arcs with whole flows in units; of each node the arcs whose flow is no multiple of a unit, and a walk along them."""

    def __init__(self, flows: list[int], left: Sequence[IntArray], right: Sequence[IntArray]) -> None:
        self.flow = list(flows)
        self.n_nodes = 1  # node 0 is the hub
        before = [self._nodes(grouping) for grouping in left]
        everything = np.zeros(len(flows), dtype=np.int64)  # the last group holds them all: n is kept, too
        after = [self._nodes(grouping) for grouping in (*right, everything)]
        self.ends = list(zip(before[0].tolist(), after[0].tolist(), strict=True))
        for here, there in zip([*before[1:], everything], before, strict=True):
            self._group(here, there, flows)
        for here, there in zip(after, [*after[1:], everything], strict=True):
            self._group(here, there, flows)
        self.open: list[dict[int, None]] = [{} for _ in range(self.n_nodes)]
        for arc, flow in enumerate(self.flow):
            if flow % _UNIT:
                for node in self.ends[arc]:
                    self.open[node][arc] = None
        self.walk: list[tuple[int, int]] = []  # (node, the arc that is taken from it)
        self.place: dict[int, int] = {}
        self.pending = [node for node in range(self.n_nodes) if self.open[node]]

    def _nodes(self, codes: IntArray) -> IntArray:
        """The node of each item's group; groups are numbered on from what there is."""
        found, numbers = np.unique(codes, return_inverse=True)
        start, self.n_nodes = self.n_nodes, self.n_nodes + len(found)
        return np.asarray(numbers.ravel() + start, dtype=np.int64)

    def _group(self, tails: IntArray, heads: IntArray, flows: list[int]) -> None:
        """The arcs between the groups of one level and the next (0: the hub), each with its items' flow."""
        sums: dict[tuple[int, int], int] = {}
        for tail, head, flow in zip(tails.tolist(), heads.tolist(), flows, strict=True):
            sums[tail, head] = sums.get((tail, head), 0) + flow
        self.ends += list(sums)
        self.flow += list(sums.values())

    def cycle(self) -> list[tuple[int, int]] | None:
        """A cycle of open arcs as (arc, +1 along it or -1 against it); None where all flows are whole.

        The walk goes on from where the last cycle was cut off. A node with an open arc has a second one, as its flow balances.
        """
        while True:
            if not self.walk:
                while self.pending and not self.open[self.pending[-1]]:
                    self.pending.pop()
                if not self.pending:
                    return None
            node: int = self._end()
            if node in self.place and self.place[node] < len(self.walk):
                return self._cut(node)
            came = self.walk[-1][1] if self.walk else -1
            arc = next((a for a in self.open[node] if a != came), None)
            if arc is None:  # the last push closed the arcs of this node
                self._forget(self.walk.pop()[0])
                continue
            self.place[node] = len(self.walk)
            self.walk.append((node, arc))

    def _end(self) -> int:
        """The node that the walk has come to."""
        if not self.walk:
            return self.pending[-1]
        node, arc = self.walk[-1]
        tail, head = self.ends[arc]
        return int(head if node == tail else tail)

    def _cut(self, node: int) -> list[tuple[int, int]]:
        """The walk from ``node`` on, taken off it."""
        at = self.place[node]
        found = self.walk[at:]
        del self.walk[at:]
        for passed, _ in found:
            self._forget(passed)
        return [(arc, 1 if self.ends[arc][0] == here else -1) for here, arc in found]

    def _forget(self, node: int) -> None:
        self.place.pop(node, None)

    def push(self, cycle: list[tuple[int, int]], chance: float) -> None:
        """Send as much around the cycle as makes one arc whole: forward with chance β / (α + β), else backward, α and β being the two amounts."""
        rests = [self.flow[arc] % _UNIT for arc, _ in cycle]
        forward = min(_UNIT - r if sign > 0 else r for r, (_, sign) in zip(rests, cycle, strict=True))
        backward = min(r if sign > 0 else _UNIT - r for r, (_, sign) in zip(rests, cycle, strict=True))
        amount = forward if chance * (forward + backward) < backward else -backward
        for arc, sign in cycle:
            self.flow[arc] += sign * amount
            if self.flow[arc] % _UNIT == 0:
                for node in self.ends[arc]:
                    self.open[node].pop(arc, None)
