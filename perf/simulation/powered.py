"""A study's prediction-powered figures: models that are useless, excellent or wrong in part; thin studies and large ones; ties; even designs."""

from __future__ import annotations

from .agreement import cell
from .cell import Cell


def cells() -> list[Cell]:
    """One thing changed at a time."""
    band = (0.92, 1.0)
    return [
        cell({"models": "useless", "targeted": False}, band=band),
        cell({"models": "excellent", "taste": 0.5}, band=band),
        cell({"models": "excellent", "taste": 0.0, "ties": 0.0, "prompts": 500, "raters": 30}, band=band),
        cell({"models": "partly wrong"}, band=band),
        cell({"models": "alike", "prompts": 50, "comparisons": 30, "votes": 1}, band=band),
        cell({"prompts": 50, "comparisons": 50, "votes": 1, "ties": 0.4}, band=band),
        cell(
            {"models": "alike", "prompts": 500, "comparisons": 300, "votes": 1, "ties": 0.0, "raters": 30},
            band=band,
        ),
        cell({"prompts": 500, "comparisons": 300, "votes": 1, "ties": 0.0, "raters": 30}, band=band),
    ]
