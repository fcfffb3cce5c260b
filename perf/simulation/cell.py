"""The protocol of a simulation: what a subject's file says, and how its figures are estimated.

A subject is a file of this folder, ``NAME.py``, with a function ``cells() -> list[Cell]``. Nothing is registered elsewhere:
``run.py`` finds the file, ``results/NAME.csv`` gets its table, ``tests/test_simulation.py`` reruns it small, ``docs/make_simulation.py``
publishes it. Each cell is one setting of the simulated world:

    def cells() -> list[Cell]:
        return [
            Cell(
                settings={"policies": 10, "prompts": 200, "rating_se": 5},
                replicate=one_audit,                       # (rng, **settings) -> {figure: number}
                figures=(coverage("favour"), size("any false favourite"), figure("width of the interval, Elo")),
                replicates=400,                            # of the published table
                small=40,                                  # of the slow test: keep a subject within about ten seconds
            )
        ]

    def one_audit(rng, *, policies, prompts, rating_se) -> dict[str, float]:
        world = draw_world(rng, policies=policies, prompts=prompts, rating_se=rating_se)
        ...
        return {"favour": np.mean(covered), "any false favourite": float(found.any()), "width of the interval, Elo": width}

A replicate gives a number by figure: 1 or 0 for covered or rejected (or their mean over the policies or pairs of one
world), NaN where the figure does not exist in that world. The estimate is their mean, its Monte Carlo error the standard deviation over
replicates / √replicates, so what one world's policies share is counted once.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from charm_rm.estimates import LEVEL, SIGNIFICANT

Kind = Literal["coverage", "size", "figure"]
# What is good enough to be called 95 % or 5 %. Outside, a published row is marked.
TARGETS: dict[Kind, tuple[float, float]] = {
    "coverage": (0.93, 0.985),
    "size": (0.0, 0.06),
    "figure": (-math.inf, math.inf),
}
SURE = 3.0  # Monte Carlo errors by which an estimate must leave its band to fail a test


@dataclass(frozen=True)
class Figure:
    """One number a cell estimates.

    ``band`` is where its true value is believed to lie: the target of its ``kind``, unless the cell is known to fall short,
    which its author then says here. A rerun fails where an estimate is outside by more than three Monte Carlo errors.
    """

    name: str
    kind: Kind
    nominal: float | None
    band: tuple[float, float]


def coverage(name: str, *, nominal: float = LEVEL, band: tuple[float, float] | None = None) -> Figure:
    """The share of intervals that hold the truth."""
    return Figure(name, "coverage", nominal, band or TARGETS["coverage"])


def size(name: str, *, nominal: float = SIGNIFICANT, band: tuple[float, float] | None = None) -> Figure:
    """The share of worlds in which a test finds what is not there."""
    return Figure(name, "size", nominal, band or TARGETS["size"])


def figure(name: str, *, band: tuple[float, float] | None = None) -> Figure:
    """Any other number: power, bias, width."""
    return Figure(name, "figure", None, band or TARGETS["figure"])


@dataclass(frozen=True)
class Cell:
    """One setting, how to draw and measure one world of it, and what is measured."""

    settings: Mapping[str, Any]
    replicate: Callable[..., Mapping[str, float]]
    figures: tuple[Figure, ...]
    replicates: int = 400
    small: int = 40

    @property
    def label(self) -> str:
        """The settings in one line."""
        return ", ".join(f"{name} {value}" for name, value in self.settings.items())


@dataclass(frozen=True)
class Row:
    """One figure of one cell as estimated."""

    subject: str
    settings: str
    figure: Figure
    estimate: float
    error: float
    replicates: int

    @property
    def short(self) -> bool:
        """Whether the estimate is outside the target of its kind, beyond one Monte Carlo error."""
        return outside(self.estimate, self.error, TARGETS[self.figure.kind], errors=1.0)

    @property
    def left(self) -> bool:
        """Whether the estimate is outside its own band, beyond three Monte Carlo errors."""
        return outside(self.estimate, self.error, self.figure.band, errors=SURE)


def outside(estimate: float, error: float, band: tuple[float, float], *, errors: float) -> bool:
    """Whether ``estimate`` is outside ``band`` by more than so many of its errors; NaN is outside."""
    low, high = band
    return not (low - errors * error <= estimate <= high + errors * error)


def run_cell(subject: str, cell: Cell, *, replicates: int, seed: int = 0) -> list[Row]:
    """Estimate every figure of a cell; the worlds depend on the seed, the subject and the settings alone."""
    source = np.random.SeedSequence([seed, zlib.crc32(f"{subject}: {cell.label}".encode())])
    drawn: dict[str, list[float]] = {f.name: [] for f in cell.figures}
    for child in source.spawn(replicates):
        found = cell.replicate(np.random.default_rng(child), **cell.settings)
        for name, values in drawn.items():
            values.append(float(found[name]))
    return [_row(subject, cell, f, np.array(drawn[f.name])) for f in cell.figures]


def _row(subject: str, cell: Cell, wanted: Figure, values: np.ndarray) -> Row:
    values = values[~np.isnan(values)]
    count = len(values)
    if count == 0:
        return Row(subject, cell.label, wanted, math.nan, math.nan, 0)
    estimate, spread = float(values.mean()), float(values.std(ddof=1)) if count > 1 else math.nan
    # All hits or no hits have no spread; one of the other kind among count + 1 says how sure that is.
    if wanted.kind != "figure" and spread == 0:
        spread = math.sqrt(count) / (count + 1)
    return Row(subject, cell.label, wanted, estimate, spread / math.sqrt(count), count)
