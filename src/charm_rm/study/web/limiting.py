"""How often somebody may ask: by the library `limits`, counted in the memory of this process."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from .refusals import too_many

if TYPE_CHECKING:
    from ...settings import ServeSettings


class Limits:
    """Two limits, each over a moving window of a minute.

    Votes are counted by rater, not by address: 50 raters in one room have one address. Links are counted by address, and only those
    that lead nowhere, so that 50 raters of one address can open their links at once. With several processes each counts for itself, so
    that as many times the number may pass; no vote is doubled by that.
    """

    def __init__(self, settings: ServeSettings) -> None:
        self._window = MovingWindowRateLimiter(MemoryStorage())
        self._votes = RateLimitItemPerMinute(settings.votes_per_minute)
        self._links = RateLimitItemPerMinute(settings.failed_links_per_minute)

    def count_vote(self, rater: object) -> None:
        """Count a vote or an undo of a rater.

        Raises:
            Refused: 429, with the seconds after which there is room.
        """
        if not self._window.hit(self._votes, "vote", str(rater)):
            raise too_many(self._wait(self._votes, "vote", str(rater)))

    def check_links(self, address: str) -> None:
        """Refuse an address that has tried too many links.

        Raises:
            Refused: 429, with the seconds after which there is room.
        """
        if not self._window.test(self._links, "link", address):
            raise too_many(self._wait(self._links, "link", address))

    def count_failed_link(self, address: str) -> None:
        """Count a link that leads nowhere."""
        self._window.hit(self._links, "link", address)

    def _wait(self, item: RateLimitItemPerMinute, *who: str) -> int:
        reset = self._window.get_window_stats(item, *who).reset_time
        return max(1, math.ceil(reset - time.time()))


__all__ = ["Limits"]
