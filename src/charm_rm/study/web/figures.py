"""The figures of the admin's page, made once for each state of the votes: loading the page again costs next to nothing."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import Request

from ..live import Live, live_study
from ..live_findings import Findings, live_findings
from .serving import serving

if TYPE_CHECKING:
    from ..exchange import RaterRow

_KEY = ("name", "votes", "repeats", "checks", "undone", "last_vote")


@dataclass(frozen=True)
class Figures:
    """What the page shows of the votes: progress, and what they say so far."""

    live: Live
    findings: Findings


class FiguresKept:
    """The last figures, with the state of the votes that they are of. Who asks meanwhile waits, and gets the same."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._key: tuple[Any, ...] | None = None
        self._figures: Figures | None = None
        self.made = 0

    def of(self, database: Any, raters: Sequence[RaterRow]) -> Figures:
        """Figures of the votes that are there now; ``raters`` are the rows that tell whether anything has changed.

        A vote that comes between ``raters`` and the reading is in the figures already, and makes them once more at the next call.
        """
        key = tuple(getattr(row, name) for row in raters for name in _KEY)
        with self._lock:
            if self._figures is None or key != self._key:
                study = database.read()
                live = live_study(study)
                self._key, self._figures = key, Figures(live, live_findings(study, live))
                self.made += 1
            return self._figures


def figures(request: Request, raters: Sequence[RaterRow]) -> Figures:
    """The figures of the study that this request's application serves."""
    state = request.app.state
    if not hasattr(state, "figures"):
        state.figures = FiguresKept()
    kept: FiguresKept = state.figures
    return kept.of(serving(request).database, raters)
