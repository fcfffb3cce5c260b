"""All that an examination found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .check import Check
from .drift import Drift


@dataclass(frozen=True)
class Diagnosis:
    """All checks of a model in the report's order, the table of drift, and what was examined how."""

    source: str
    checks: tuple[Check, ...]
    drift: tuple[Drift, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, check_id: str) -> Check:
        """The check of that id.

        Raises:
            KeyError: it was not made.
        """
        for check in self.checks:
            if check.id == check_id:
                return check
        raise KeyError(check_id)

    def of(self, status: str) -> list[Check]:
        """The checks with this status."""
        return [check for check in self.checks if check.status == status]

    @property
    def sound(self) -> bool:
        """True where no check fails."""
        return not self.of("fail")

    def to_json(self) -> dict[str, Any]:
        """The diagnosis as plain values."""
        return {
            "source": self.source,
            "sound": self.sound,
            "checks": [check.to_json() for check in self.checks],
            "drift": [row.to_json() for row in self.drift],
            "provenance": dict(self.provenance),
        }
