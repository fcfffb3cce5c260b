"""The colours of code can be read in both themes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import charm_rm.study.web

CSS = (Path(charm_rm.study.web.__file__).parent / "static" / "code.css").read_text(encoding="utf-8")


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_of_known_colours() -> None:
    """WCAG's own figures: black on white is 21, #767676 on white just passes."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert 4.5 < contrast("#767676", "#ffffff") < 4.6


def test_every_colour_reaches_the_contrast_that_wcag_asks_for() -> None:
    sheets = CSS.split("@media (prefers-color-scheme: dark)")
    papers = {}
    for name, sheet in zip(("light", "dark"), (sheets[0], sheets[1].split("@media print")[0]), strict=True):
        (papers[name],) = set(re.findall(r"background: (#\w{6})", sheet))
        colours = set(re.findall(r"[^-]color: (#\w{6})", sheet))
        assert len(colours) > 10
        assert min(contrast(colour, papers[name]) for colour in colours) >= 4.5
    assert luminance(papers["dark"]) < luminance(papers["light"])
