"""What can be seen in a response, as numbers: length, Markdown, form, tone, language, and how it takes up the prompt.

One list of features serves the style calibration, the ratings' style control and reports. See docs/style.md.
"""

from __future__ import annotations

from .catalogue import DEFAULT_FEATURES, FEATURES, find_features
from .measure import measure
from .registry import Feature
from .summary import summarise_style
from .table import StyleFeatures, measure_features

__all__ = [
    "DEFAULT_FEATURES",
    "FEATURES",
    "Feature",
    "StyleFeatures",
    "find_features",
    "measure",
    "measure_features",
    "summarise_style",
]
