"""Favour and sharpness: do intervals cover in both scopes, do tests keep their size, is the power what is foretold?"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from perf.simulation.cell import Cell, coverage, figure, size
from perf.simulation.world import World, draw_world

from charm_rm.errors import NotConverged, NotIdentifiable
from charm_rm.margins import pair_margins, tally_margins
from charm_rm.mismatch.favour import Favours, leave_one_out, sharpness
from charm_rm.mismatch.measured import Measured, measure_line
from charm_rm.mismatch.power import favour_power
from charm_rm.mismatch.strengths import rm_strengths
from charm_rm.ratings import yardstick
from charm_rm.statistics import ELO_PER_LOGIT, FloatArray, benjamini_hochberg

NAN = float("nan")
FORETOLD = 75.0  # Elo points


def cells() -> list[Cell]:
    """Fair and scattered favour over sizes; one favoured policy; rating errors of 40."""
    grid = [(4, 200, 5), (6, 50, 5), (6, 200, 5), (10, 50, 5), (10, 200, 5), (20, 50, 5), (20, 200, 5)]
    grid += [(6, 200, 40), (10, 200, 40), (20, 200, 40)]
    found = []
    for policies, prompts, rating_se in grid:
        where = {"policies": policies, "prompts": prompts, "rating_se": rating_se}
        few = policies <= 6 or rating_se > 5
        loose = (0.93, 1.0) if few else (0.925, 0.985)
        for favour in (0.0, 40.0):
            figures = [
                coverage("favour, sample", band=loose),
                coverage("favour, these", band=(0.92, 0.985)),
                coverage("sharpness", band=(0.92, 1.0)),
                figure("bias of sharpness", band=(-0.09, 0.09)),
            ]
            if favour == 0:
                figures += [
                    size("any policy over-valued"),
                    size("any policy over- or under-valued", band=(0, 0.075)),
                ]
            found.append(Cell(where | {"favour": favour}, spread_out, tuple(figures), small=15))
    for policies in (3, 4, 6, 10, 20):
        where = {"policies": policies, "prompts": 200, "rating_se": 5, "one": 150.0}
        figures = (
            figure("favour seen of 150", band=(144, 190) if policies <= 4 else (144, 158)),
            coverage("favour, sample", band=(0.93, 1.0)),
            coverage("favour, these", band=(0.92, 0.985)),
        )
        found.append(Cell(where, one_favourite, figures, small=15))
    for policies, prompts in ((6, 50), (6, 200), (10, 50), (10, 200), (20, 50), (20, 200)):
        where = {"policies": policies, "prompts": prompts, "rating_se": 5, "one": FORETOLD}
        figures = (
            figure("power found"),
            figure("power foretold"),
            figure("found less foretold", band=(-0.08, 0.08)),
        )
        found.append(Cell(where, found_and_foretold, figures, small=15))
    return found


def spread_out(rng: np.random.Generator, *, favour: float, **sizes: Any) -> dict[str, float]:
    """Favour drawn for every policy with this standard deviation; NaN where ratings are not told apart."""
    world = draw_world(rng, favour=favour, **sizes)
    measured = measure(world)
    names = ("favour, sample", "favour, these", "sharpness", "bias of sharpness", "any policy over-valued")
    if measured is None:
        return dict.fromkeys((*names, "any policy over- or under-valued"), NAN)
    sample, these = leave_one_out(measured, "sample"), leave_one_out(measured, "these")
    slope = sharpness(measured, "sample")
    found = significant(sample)
    return {
        "favour, sample": covered(sample, world.true_favour),
        "favour, these": covered(these, favour_among(world, measured)),
        "sharpness": float(slope.ci_low <= world.sharpness <= slope.ci_high),
        "bias of sharpness": slope.value - world.sharpness,
        "any policy over-valued": float((found & (sample.favour > 0)).any()),
        "any policy over- or under-valued": float(found.any()),
    }


def one_favourite(rng: np.random.Generator, *, policies: int, one: float, **sizes: Any) -> dict[str, float]:
    """One policy of K is favoured, the rest are not."""
    world = draw_world(rng, policies=policies, favour=one * np.eye(policies)[0], **sizes)
    measured = measure(world)
    sample = None if measured is None else leave_one_out(measured, "sample")
    if measured is None or sample is None or not sample.found[0]:
        return {"favour seen of 150": NAN, "favour, sample": NAN, "favour, these": NAN}
    these = leave_one_out(measured, "these")
    return {
        "favour seen of 150": float(sample.favour[0]),
        "favour, sample": float(sample.low[0] <= one <= sample.high[0]),
        "favour, these": float(these.low[0] <= one <= these.high[0]),
    }


def found_and_foretold(
    rng: np.random.Generator, *, policies: int, one: float, **sizes: Any
) -> dict[str, float]:
    """How often one favoured policy is found, beside the power that the same audit foretells for it."""
    world = draw_world(rng, policies=policies, favour=one * np.eye(policies)[0], **sizes)
    measured = measure(world)
    if measured is None:
        return {"power found": NAN, "power foretold": NAN, "found less foretold": NAN}
    sample = leave_one_out(measured, "sample")
    found, foretold = float(significant(sample)[0]), float(favour_power(sample, one)[0])
    return {"power found": found, "power foretold": foretold, "found less foretold": found - foretold}


# --- shared -----------------------------------------------------------------------------------------


def measure(world: World) -> Measured | None:
    """The line of a world's scores on its ratings; None where there is none, or none that rises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tally = tally_margins(pair_margins(world.scores()))
        try:
            measured = measure_line(rm_strengths(tally), yardstick(world.ratings(), tally.policies))
        except (NotIdentifiable, NotConverged):
            return None
    return measured if measured.line.slope > 0 else None


def significant(found: Favours) -> np.ndarray:
    """q <= 5 %."""
    return np.nan_to_num(benjamini_hochberg(found.p), nan=1.0) <= 0.05


def covered(found: Favours, truth: FloatArray) -> float:
    """The share of policies whose interval holds the truth, of those that the others give a line for."""
    inside = (found.low <= truth) & (truth <= found.high)
    return float(inside[found.found].mean()) if found.found.any() else NAN


def favour_among(world: World, measured: Measured) -> FloatArray:
    """The favour among these policies alone: of true strengths and ratings, with the weights that the audit used."""
    from charm_rm.mismatch.line import fit_lines

    lines = fit_lines(
        measured.rho,
        measured.theta,
        measured.theta_noise,
        measured.rho_noise,
        used=~np.eye(len(measured.rho), dtype=bool),
    )
    rho = world.true_rating / ELO_PER_LOGIT
    theta = world.sharpness * (world.true_rating + world.true_favour) / ELO_PER_LOGIT
    rho_mean, theta_mean = lines.level @ rho, lines.level @ theta
    u = rho - rho_mean[:, None]
    slope = (lines.level * u * (theta - theta_mean[:, None])).sum(axis=1) / (lines.level * u**2).sum(axis=1)
    return ELO_PER_LOGIT * ((theta - theta_mean) / slope - (rho - rho_mean))
