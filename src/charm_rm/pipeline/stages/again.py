"""The same model, asked once more: its answers are kept under a name of their own, so the store does not answer for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ...memo import content_key
from ...style.scorer import CalibratedPreference, CalibratedReward


def asked_again(model: Any, run: int) -> Any:
    """The model itself for the first run, 0; for others the same model with another fingerprint, a calibrated one with its calibrator."""
    if run == 0:
        return model
    if isinstance(model, CalibratedReward):
        return replace(model, scorer=_again(model.scorer, run))
    if isinstance(model, CalibratedPreference):
        return replace(model, judge=_again(model.judge, run))
    return _again(model, run)


def _again(model: Any, run: int) -> Any:
    return _Again(model, run)


@dataclass(frozen=True, eq=False)
class _Again:
    """All that the model has, but for the fingerprint."""

    model: Any
    run: int

    @property
    def fingerprint(self) -> str:
        return content_key("run", self.run, self.model.fingerprint)

    def __call__(self, *texts: Any) -> Any:
        return self.model(*texts)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)
