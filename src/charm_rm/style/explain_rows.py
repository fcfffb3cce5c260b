"""What was taken off, as the rows of an explanation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from ..mismatch.student import student_quantile
from ..settings import Scope
from ..statistics import FloatArray, IntArray
from .attribution import Judged, Taken
from .explain_draws import draw_parts
from .inputs import Problem
from .weighing import Weighed


@dataclass(frozen=True, eq=False)
class Lot:
    """Weights, and what they take off."""

    weighed: Weighed
    taken: Taken

    @property
    def at(self) -> IntArray:
        """The policies that they explain."""
        return np.flatnonzero(self.weighed.explains)


def explanation_rows(
    problem: Problem,
    before: Judged,
    lots: Sequence[Lot],
    groups: Sequence[str],
    *,
    scope: Scope,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """The frame of an :class:`~.explanation.Explanation`, most favoured policies first."""
    unlike = _differences(problem)
    rows: dict[int, list[dict[str, Any]]] = {}
    freedom = float(before.measured.line.freedom) - 1 if scope == "sample" else np.inf
    quantile = float(student_quantile(freedom))
    for lot in lots:
        drawn = draw_parts(lot.taken, lot.weighed, problem.rated, sample=scope == "sample", rng=rng)
        tested = before.measured.tested
        for i, k in enumerate(lot.at.tolist()):
            told = _Policy(
                lot, k, drawn.explained[:, i], drawn.unexplained[:, i], quantile if tested[k] else None
            )
            about = {"policy": problem.policies[k], "held_out": lot.weighed.held_out}
            parts = [_favour(before, k), *told.rows(problem.names, groups, unlike[k])]
            rows[k] = [about | part for part in parts]
    return pl.DataFrame([row for k in _by_favour(before) for row in rows[k]], schema=_SCHEMA)


_SCHEMA = {
    "policy": pl.String, "kind": pl.String, "part": pl.String, "group": pl.String, "elo": pl.Float64, "std_err": pl.Float64,
    "ci_low": pl.Float64, "ci_high": pl.Float64, "difference": pl.Float64, "weight": pl.Float64, "held_out": pl.Boolean,
}  # fmt: skip


def _by_favour(before: Judged) -> list[int]:
    order: list[int] = np.argsort(-before.favours.favour, kind="stable").tolist()
    return order


def _favour(before: Judged, k: int) -> dict[str, Any]:
    """The favour of an audit, with its interval."""
    found = before.favours
    error = float(found.std_err[k])
    return {
        "kind": "favour",
        "part": "favour",
        "elo": float(found.favour[k]),
        "std_err": error if np.isfinite(error) and found.freedom[k] > 0 else None,
        "ci_low": _finite(found.low[k]),
        "ci_high": _finite(found.high[k]),
    }


@dataclass(frozen=True, eq=False)
class _Policy:
    """What one policy's favour is made of, with draws of it. ``quantile`` is None where its strength is not known well enough for intervals."""

    lot: Lot
    k: int
    explained: FloatArray
    unexplained: FloatArray
    quantile: float | None

    def rows(
        self, names: Sequence[str], groups: Sequence[str], unlike: FloatArray
    ) -> Iterator[dict[str, Any]]:
        """Style, unexplained, groups and features."""
        taken, k = self.lot.taken, self.k
        values, weights = taken.explained[k], taken.weights
        yield self._row("style", "style", float(values.sum()), self.explained.sum(axis=1))
        yield self._row("unexplained", "unexplained", float(taken.unexplained[k]), self.unexplained)
        for group in dict.fromkeys(groups):
            some = [j for j, g in enumerate(groups) if g == group]
            yield self._row("group", group, float(values[some].sum()), self.explained[:, some].sum(axis=1))
        for j, name in enumerate(names):
            row = self._row("feature", name, float(values[j]), self.explained[:, j])
            yield row | {"group": groups[j], "difference": float(unlike[j]), "weight": float(weights[j])}

    def _row(self, kind: str, part: str, value: float, drawn: FloatArray) -> dict[str, Any]:
        row = {"kind": kind, "part": part, "elo": value}
        if self.quantile is None or not np.isfinite(self.quantile) or not len(drawn):
            return row
        error = float(drawn.std(ddof=1))
        half = self.quantile * error
        return row | {"std_err": error, "ci_low": value - half, "ci_high": value + half}


def _differences(problem: Problem) -> FloatArray:
    """(K, d) mean over its prompts of a policy's feature less the mean of the others' there, in standard deviations."""
    features = problem.part.features
    there = np.zeros(features.shape[:2], dtype=bool)
    codes = {p: i for i, p in enumerate(problem.paired.prompts)}
    sides = [c for c in ("policy", "reference") if c in problem.source.frame.columns]
    for k, policy in enumerate(problem.policies):
        for side in sides:
            ids = problem.source.frame.filter(pl.col(side) == policy)["prompt_id"].unique().to_list()
            there[k, [codes[i] for i in ids]] = True
    shown = features * there[:, :, None]
    others = (shown.sum(axis=0) - shown) / np.maximum(there.sum(axis=0) - there, 1)[:, :, None]
    shared = there & (there.sum(axis=0) > 1)
    gaps = np.where(shared[:, :, None], shown - others, 0.0)
    return np.asarray(gaps.sum(axis=1) / np.maximum(shared.sum(axis=1), 1)[:, None])


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
