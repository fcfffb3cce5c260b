"""Does accuracy turn when the labels do? What a benchmark's rules pay, once more with better and worse exchanged.

On items of one good and one bad response, right + wrong + tied = all, so acc + acc(swapped) + (1 - 2·tie value)·tied + unanswered = 1. A rule or
loader that looks at the position of a response, and not at its label, fails this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..benchmarks import Rule, ScoredItem, stacks_of
from ..statistics import FloatArray
from .accuracy import BenchmarkResult

_EXACT = 1e-9


@dataclass(frozen=True)
class LabelSwap:
    """Over the items of one good and one bad response, by the benchmark's own rules: mean credit, with labels swapped, and shares of ties and of no verdict.

    ``total`` is accuracy + swapped + (1 - 2·tie value)·ties + unanswered: 1 where accuracy turns when labels do.
    """

    items: int
    accuracy: float
    swapped: float
    ties: float
    unanswered: float
    total: float

    @property
    def holds(self) -> bool:
        """Whether the total is 1."""
        return abs(self.total - 1) < _EXACT


def swap_labels(result: BenchmarkResult) -> LabelSwap | None:
    """Score the result's pairs again with their labels exchanged; None where no item is one good against one bad response, or no rule pays 0 to 1."""
    # What other functions than means are made of need no labels: a correlation of win rates reads who wins.
    means = [metric for metric in result.benchmark.metrics if metric.combine is None]
    metric_rules = [part.rule for metric in means for part in metric.parts]
    rules = [r for r in dict.fromkeys(metric_rules) if not r.joint and (r.low, r.high) == (0.0, 1.0)]
    pairs = [scored for scored in result.scored if sorted(scored.item.grades) == [0.0, 1.0]]
    read = {rule: [one for one in pairs if len(set(rule.pairs(one.item))) == 1] for rule in rules}
    found = [row for rule, some in read.items() for row in _both_ways(rule, some)]
    if not found:
        return None
    rows = np.concatenate(found)
    accuracy, swapped, ties, unanswered, tie_value = rows.mean(axis=0)
    total = float(accuracy + swapped + (1 - 2 * tie_value) * ties + unanswered)
    return LabelSwap(len(rows), float(accuracy), float(swapped), float(ties), float(unanswered), total)


def _both_ways(rule: Rule, pairs: Sequence[ScoredItem]) -> list[FloatArray]:
    """(pairs, 5) a stack: credit, credit with labels exchanged, whether tied, whether without a verdict, tie value."""
    found = []
    for at, stack in stacks_of(pairs):
        if rule.batch is not None and stack.scores is not None:
            mine, turned = rule.batch(stack), rule.batch(replace(stack, grades=1.0 - stack.grades))
        else:
            some = [pairs[i] for i in at.tolist()]
            mine, turned = (np.array([rule(one) for one in side]) for side in (some, map(_turned, some)))
        margin = stack.margins[:, 0, 1]
        value = np.full(len(at), stack.tie_value)
        found.append(np.column_stack([mine, turned, margin == 0, np.isnan(margin), value]))
    return found


def _turned(scored: ScoredItem) -> ScoredItem:
    """The same answers about the item with its grades exchanged."""
    item = replace(scored.item, grades=tuple(1.0 - grade for grade in scored.item.grades))
    return replace(scored, item=item)
