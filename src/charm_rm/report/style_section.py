"""What a style calibration found, as tables of the page: its weights, and its figures on policies never rated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..features import FEATURES
from ..mismatch import METRICS
from ..mismatch.metrics import in_order
from ..style import FeatureWeight
from .gather import Findings
from .listings import Listing
from .words import clean, interval, number

_WAYS = {"pair": "One pair's offset", "joint": "Offsets of all", "style": "Style"}


def weights_listing(findings: Findings) -> Listing | None:
    """Every feature, what it is, and what one standard deviation more of it adds."""
    if findings.calibrator is None or not findings.calibrator.features:
        return None
    columns = [
        ("Feature", False),
        ("What it counts", False),
        ("Adds", True),
        ("95 % CI", True),
        ("The judge", False),
    ]
    rows = [
        [
            clean(one.name),
            FEATURES[one.name].about if one.name in FEATURES else "a feature of your own",
            number(one.weight, 3, signed=True),
            interval(one.ci_low, one.ci_high, 3, signed=True),
            _reading(one),
        ]
        for one in sorted(findings.calibrator.features, key=lambda f: f.weight)
    ]
    return Listing("weights", "Weights of style features", columns, rows)


def never_rated_listing(findings: Findings) -> Listing | None:
    """Every figure of agreement on policies and prompts that had no part in what was added, by way of calibrating."""
    calibrator = findings.calibrator
    if calibrator is None or not (rows := in_order(calibrator.held_out)):
        return None
    beside = {r["metric"]: r for r in findings.beside.to_dicts()} if findings.beside is not None else {}
    ways = [way for way in _WAYS if way == "style" or beside]
    columns = [("Figure", False), ("Before", True), *((_WAYS[w], True) for w in ways)]
    columns += [("Placebo: noise added", True), ("Length only", True), ("Noise floor", True)]
    return Listing(
        "never_rated",
        "Agreement with people on policies never rated and prompts never used",
        columns,
        [_figures(row, beside.get(row["metric"], {}), ways) for row in rows],
    )


def _figures(row: Mapping[str, Any], beside: Mapping[str, Any], ways: list[str]) -> list[str]:
    metric = METRICS[row["metric"]]
    digits = metric.digits
    style = f"{number(row.get('after'), digits)} {interval(row.get('ci_low'), row.get('ci_high'), digits)}".rstrip()
    return [
        f"{metric.label} ({metric.better} is better)",
        number(row.get("before"), digits),
        *(style if way == "style" else number(beside.get(way), digits) for way in ways),
        *(number(row.get(name), digits) for name in ("placebo", "length_only", "floor")),
    ]


def _reading(one: FeatureWeight) -> str:
    if one.ci_low is None or one.ci_high is None:
        return "–"
    if one.ci_low == one.ci_high:
        return "(fixed)"
    return "over-values it" if one.ci_high < 0 else "under-values it" if one.ci_low > 0 else "unclear"
