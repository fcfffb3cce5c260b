"""Results shown to people in Python: a line or three, HTML for notebooks, the text of the command, the figures of the report.

:mod:`charm_rm.shown` gives results the methods, and comes here when one is called. Nothing else imports this package.
"""

from __future__ import annotations

from .html import html
from .plots import Plot, plot
from .short import short
from .text import text

__all__ = ["Plot", "html", "plot", "short", "text"]
