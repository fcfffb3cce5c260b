"""From scored items to the parts of a metric: each item's credit, and the means that they make.

A rule is asked about an item once, however many metrics read it: :class:`CreditBook` keeps what it said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..benchmarks import Item, Metric, Part, Rule, ScoredItem, ScoredStack, stacks_of
from ..errors import NotIdentifiable
from ..statistics import FloatArray, IntArray

# Positions of the items that one credit is about: one, or several that are linked.
Unit = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Credits:
    """The credits of one part: ``values`` (units,), NaN where an item has nothing to tell; each in [low, high].

    ``prompts`` (units,) numbers what each is drawn with: its link, else its prompt; the same in all parts of a benchmark.
    """

    part: Part
    units: tuple[Unit, ...]
    values: FloatArray
    low: float
    high: float
    prompts: IntArray

    @property
    def span(self) -> float:
        """How far apart the least and the most credit are."""
        return self.high - self.low

    @property
    def told(self) -> tuple[Unit, ...]:
        """The units with a credit."""
        missing = np.isnan(self.values)
        if not missing.any():
            return self.units
        return tuple(unit for unit, gone in zip(self.units, missing.tolist(), strict=True) if not gone)

    @property
    def mean(self) -> float:
        """(1/n) Σ credit over the units that have one."""
        return float(self.values[~np.isnan(self.values)].mean())

    @property
    def shares(self) -> FloatArray:
        """(credit - low) / (high - low), in [0, 1]."""
        shares: FloatArray = (self.values - self.low) / self.span
        return shares

    def minus(self, other: Credits) -> Credits:
        """The differences, unit by unit; they lie in [-span, span]."""
        return Credits(self.part, self.units, self.values - other.values, -self.span, self.span, self.prompts)


@dataclass(frozen=True, eq=False)
class CreditBook:
    """What each rule pays for each item of a model's, looked up once; ``n_prompts`` is how many prompts there are to draw."""

    scored: Sequence[ScoredItem]
    _prompts: IntArray = field(init=False)
    _by_subset: dict[str, list[int]] = field(init=False)
    _stacked: dict[str, list[tuple[IntArray, ScoredStack]]] = field(init=False, default_factory=dict)
    _paid: dict[tuple[int, str], tuple[Rule, FloatArray]] = field(init=False, default_factory=dict)
    _known: dict[tuple[int, tuple[str, ...]], Credits] = field(init=False, default_factory=dict)
    _read: dict[tuple[int, str], tuple[int, int]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_prompts", _codes(prompt_name(s.item) for s in self.scored))
        by_subset: dict[str, list[int]] = {}
        for i, scored in enumerate(self.scored):
            by_subset.setdefault(scored.item.subset, []).append(i)
        object.__setattr__(self, "_by_subset", by_subset)

    @property
    def n_prompts(self) -> int:
        """How many prompts there are: items with the same prompt, or link, are one."""
        return int(self._prompts.max()) + 1

    @property
    def prompts(self) -> IntArray:
        """(items,) the number of each item's prompt."""
        return self._prompts

    def stacks(self) -> Iterator[tuple[IntArray, ScoredStack]]:
        """All items, those with as many responses together, and their positions."""
        for subset, rows in self._by_subset.items():
            positions = np.array(rows, dtype=np.int64)
            yield from ((positions[at], stack) for at, stack in self._stacks(subset))

    def credits(self, metric: Metric) -> list[Credits]:
        """The credits of each part of a metric.

        Raises:
            NotIdentifiable: no item of a part has anything to tell by its rule.
        """
        return [self._credits(metric, part) for part in metric.parts]

    def comparisons(self, parts: Sequence[Credits]) -> tuple[int, int]:
        """How many comparisons are behind some credits, each counted once, and how many of them are ties."""
        subsets = [s for part in parts for s in part.part.subsets]
        missing = any(np.isnan(part.values).any() for part in parts)
        if missing or len(set(subsets)) < len(subsets):
            return self._distinct_comparisons(parts)
        counts = [self._count(part.part.rule, s) for part in parts for s in part.part.subsets]
        return sum(n for n, _ in counts), sum(ties for _, ties in counts)

    def one_comparison_each(self, part: Credits) -> bool:
        """Whether every prompt is there once, with a single comparison that is right or wrong."""
        once = len(np.unique(part.prompts)) == len(part.prompts) == len(part.told)
        if not once or (part.low, part.high) != (0.0, 1.0) or any(len(unit) > 1 for unit in part.units):
            return False
        return all(len(part.part.rule.pairs(self.scored[unit[0]].item)) == 1 for unit in part.units)

    def _credits(self, metric: Metric, part: Part) -> Credits:
        # The rule is kept with its credits: while it lives no other has its id.
        if (key := (id(part.rule), tuple(part.subsets))) not in self._known:
            self._known[key] = self._new_credits(metric, part)
        return replace(self._known[key], part=part)

    def _new_credits(self, metric: Metric, part: Part) -> Credits:
        units = self._units(part)
        values = self._joint(part, units) if part.rule.joint else self._single(part)
        if np.isnan(values).all():
            raise NotIdentifiable(
                f"metric {metric.subset}/{metric.name}: no item of {', '.join(part.subsets)} has anything to compare",
                fix="look at the items' grades, and at the metric's rule",
            )
        prompts = self._prompts[[unit[0] for unit in units]]
        return Credits(part, units, values, part.rule.low, part.rule.high, prompts)

    def _units(self, part: Part) -> tuple[Unit, ...]:
        """The part's items one by one, or by their link for a joint rule."""
        positions = sorted(i for s in dict.fromkeys(part.subsets) for i in self._by_subset.get(s, ()))
        if not part.rule.joint:
            return tuple((i,) for i in positions)
        families: dict[str, list[int]] = {}
        for i in positions:
            families.setdefault(self.scored[i].item.linked, []).append(i)
        return tuple(tuple(family) for family in families.values())

    def _joint(self, part: Part, units: Sequence[Unit]) -> FloatArray:
        return np.array([part.rule(*(self.scored[i] for i in unit)) for unit in units], dtype=np.float64)

    def _single(self, part: Part) -> FloatArray:
        """The credits of the part's items, in their order."""
        subsets = list(dict.fromkeys(part.subsets))
        positions = np.array([i for s in subsets for i in self._by_subset.get(s, ())], dtype=np.int64)
        values = [self._of_subset(part.rule, s) for s in subsets]
        return np.concatenate(values)[np.argsort(positions)]

    def _of_subset(self, rule: Rule, subset: str) -> FloatArray:
        # The rule is kept with its credits: while it lives no other has its id.
        if (key := (id(rule), subset)) not in self._paid:
            rows = [self.scored[i] for i in self._by_subset.get(subset, ())]
            self._paid[key] = rule, paid(rule, rows, self._stacks(subset))
        return self._paid[key][1]

    def _stacks(self, subset: str) -> list[tuple[IntArray, ScoredStack]]:
        if subset not in self._stacked:
            self._stacked[subset] = stacks_of([self.scored[i] for i in self._by_subset.get(subset, ())])
        return self._stacked[subset]

    def _count(self, rule: Rule, subset: str) -> tuple[int, int]:
        """Comparisons that the rule reads in a subset, and ties among them."""
        if (key := (id(rule), subset)) not in self._read:
            counts = [_read(rule, stack) for _, stack in self._stacks(subset)]
            self._read[key] = sum(n for n, _ in counts), sum(ties for _, ties in counts)
        return self._read[key]

    def _distinct_comparisons(self, parts: Sequence[Credits]) -> tuple[int, int]:
        read = {
            (i, *pair)
            for part in parts
            for unit in part.told
            for i in unit
            for pair in part.part.rule.pairs(self.scored[i].item)
        }
        return len(read), sum(bool(self.scored[i].margins[j, k] == 0) for i, j, k in read)


def paid(
    rule: Rule, rows: Sequence[ScoredItem], stacks: Sequence[tuple[IntArray, ScoredStack]]
) -> FloatArray:
    """(rows,) the credit of each item by a rule that is not joint: of a whole stack at once where the rule knows how, else one by one."""
    found = np.empty(len(rows))
    for at, stack in stacks:
        if rule.batch is not None and stack.scores is not None:
            found[at] = rule.batch(stack)
        else:
            found[at] = [rule(rows[i]) for i in at.tolist()]
    return found


def _read(rule: Rule, stack: ScoredStack) -> tuple[int, int]:
    """Comparisons that the rule reads of a stack's items, and ties among them."""
    level = stack.margins == 0
    # A response is level with itself.
    tied = level.sum(axis=(1, 2)) > level.diagonal(axis1=1, axis2=2).sum(axis=1)
    n = ties = 0
    for item, table, some in zip(stack.items, level, tied.tolist(), strict=True):
        pairs = set(rule.pairs(item))
        n += len(pairs)
        if some and pairs:
            ties += int(table[tuple(np.array(list(pairs)).T)].sum())
    return n, ties


def prompt_name(item: Item) -> str:
    """What an item is drawn with: its link, else its prompt."""
    return f"linked\x1f{item.linked}" if item.linked else item.prompt_key


def combined(metric: Metric, values: FloatArray) -> FloatArray:
    """The metric (...) of its parts' values (..., parts): Σ w v / Σ w, unless it says otherwise."""
    if metric.combine is not None:
        return np.asarray(metric.combine(values), dtype=np.float64)
    weights = np.array([part.weight for part in metric.parts])
    if metric.total is None and np.ptp(weights) == 0:
        return np.asarray(values.mean(axis=-1))
    return np.asarray(values @ weights / (weights.sum() if metric.total is None else metric.total))


def metric_value(metric: Metric, parts: Sequence[Credits]) -> float:
    """The metric of the means of its parts."""
    return float(combined(metric, np.array([part.mean for part in parts])))


def _codes(names: Iterable[str]) -> IntArray:
    """A number per name that is the same for the same name, in order of appearance."""
    seen: dict[str, int] = {}
    return np.array([seen.setdefault(name, len(seen)) for name in names], dtype=np.int64)
