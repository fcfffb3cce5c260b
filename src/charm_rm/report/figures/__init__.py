"""The report's figures: findings in, drawings out, at a desktop's and at a phone's width."""

from __future__ import annotations

from itertools import chain

from ..gather import Findings
from .figure import Figure
from .outcomes import benchmark_figure, ledger_figure, offset_figure
from .pairs import mismatch_figures
from .policies import favour_figure, ratings_figure

__all__ = ["Figure", "draw_figures"]

# In the order of the page.
_MAKERS = (ratings_figure, favour_figure, mismatch_figures, offset_figure, ledger_figure, benchmark_figure)


def draw_figures(findings: Findings) -> dict[str, Figure]:
    """Every figure that the findings allow, by key."""
    return {f.key: f for f in chain.from_iterable(maker(findings) for maker in _MAKERS)}
