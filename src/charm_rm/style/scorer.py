"""A calibrated model is a model: it scores any response to any prompt, of policies that nobody has rated, too.

What the model itself says is asked for as ever, in its own batches and from its own store, and the adjustment of each text is added
afterwards: another calibrator scores nothing anew. So whoever scores or judges many texts asks :func:`uncalibrated` first.
"""

from __future__ import annotations

import hashlib
import inspect
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np

from ..errors import CharmWarning, ConfigError
from ..protocols import PairwisePreference, Prompt, ScalarReward
from ..statistics import FloatArray
from .calibrator import Calibrator, Unit
from .calibrator_file import CalibratorLike, as_calibrator
from .models import told_of_model

# A plain yes or no has finite log-odds: preferences are kept this far from 0 and 1, as in `judging/averaging.py`.
PREFERENCE_BOUND = 1e-6


@dataclass(frozen=True, eq=False)
class CalibratedReward:
    """A :class:`~charm_rm.protocols.ScalarReward` with w·φ added to each score; made by :func:`calibrated`."""

    scorer: ScalarReward
    calibrator: Calibrator

    @property
    def source(self) -> str:
        """What people call it: the model's name, and that it is calibrated."""
        return _name(self.scorer)

    @property
    def fingerprint(self) -> str:
        """Hash of the model's and the calibrator's."""
        return _fingerprint(self.scorer, self.calibrator)

    def __call__(self, prompts: Sequence[Prompt], responses: Sequence[str]) -> FloatArray:
        """(n,) finite calibrated rewards, in order."""
        scores, added = self.parts(prompts, responses)
        return scores + added

    def parts(self, prompts: Sequence[Prompt], responses: Sequence[str]) -> tuple[FloatArray, FloatArray]:
        """(n,) the model's own rewards, and (n,) what is added to them, measured while the model computes."""
        with ThreadPoolExecutor(1, thread_name_prefix="charm-style") as beside:
            added = beside.submit(self.adjust, prompts, responses)
            return np.asarray(self.scorer(prompts, responses)), added.result()

    def adjust(self, prompts: Sequence[Prompt], responses: Sequence[str]) -> FloatArray:
        """(n,) what is added to the scores of these texts."""
        return self.calibrator.adjust_texts(prompts, responses)


@dataclass(frozen=True, eq=False)
class CalibratedPreference:
    """A :class:`~charm_rm.protocols.PairwisePreference` with w·(φ_first - φ_second) added in log-odds; made by :func:`calibrated`."""

    judge: PairwisePreference
    calibrator: Calibrator

    @property
    def source(self) -> str:
        """What people call it: the judge's name, and that it is calibrated."""
        return _name(self.judge)

    @property
    def fingerprint(self) -> str:
        """Hash of the judge's and the calibrator's."""
        return _fingerprint(self.judge, self.calibrator)

    def __call__(self, prompts: Sequence[Prompt], first: Sequence[str], second: Sequence[str]) -> FloatArray:
        """(n,) probabilities σ(logit p + w·(φ_first - φ_second)); NaN, no verdict, stays."""
        p = np.clip(self.judge(prompts, first, second), PREFERENCE_BOUND, 1 - PREFERENCE_BOUND)
        return np.asarray(1 / (1 + (1 - p) / p * np.exp(-self.adjust(prompts, first, second))))

    def adjust(self, prompts: Sequence[Prompt], first: Sequence[str], second: Sequence[str]) -> FloatArray:
        """(n,) what is added to the log-odds that the first is better."""
        both = self.calibrator.adjust_texts([*prompts, *prompts], [*first, *second])
        return np.asarray(both[: len(first)] - both[len(first) :])


@overload
def calibrated(model: ScalarReward, calibrator: CalibratorLike) -> CalibratedReward: ...
@overload
def calibrated(model: PairwisePreference, calibrator: CalibratorLike) -> CalibratedPreference: ...
def calibrated(
    model: ScalarReward | PairwisePreference, calibrator: CalibratorLike
) -> CalibratedReward | CalibratedPreference:
    """The model with the calibrator's adjustment added to all that it says; it goes wherever a model goes.

    Args:
        model: a reward model, for a calibrator in score units; a judge, for one in log-odds.
        calibrator: solved on scores or judgements of this model.

    Raises:
        ConfigError: the calibrator is of another model, in another unit, reads columns that texts do not have, or its features are
            defined otherwise by now; or the model is calibrated already.
        CharmWarning: (as a warning) the calibrator does not say which model it was solved on, or has offsets of rated policies.
    """
    calibrator = as_calibrator(calibrator)
    check_calibrator(model, calibrator)
    calibrator = replace(calibrator, offsets={})
    if calibrator.unit == "score":
        return CalibratedReward(model, calibrator)  # type: ignore[arg-type]  # which of the two it is, is what the unit says
    return CalibratedPreference(model, calibrator)  # type: ignore[arg-type]


def check_calibrator(model: ScalarReward | PairwisePreference, calibrator: Calibrator) -> None:
    """Refuse a calibrator that is not of this model, and say what else is in doubt; raises and warns as :func:`calibrated`."""
    for doubt in calibrator_doubts(model, calibrator):
        warnings.warn(doubt, CharmWarning, stacklevel=3)


def calibrator_doubts(model: ScalarReward | PairwisePreference, calibrator: Calibrator) -> list[str]:
    """What is in doubt about a calibrator of this model, in sentences; raises as :func:`calibrated`."""
    if uncalibrated(model)[1] is not None:
        raise ConfigError(
            f"{model.source} is calibrated already: a second calibrator would count beside the first",
            where="calibration",
            fix="calibrate the model itself; a calibrator for both is solved on its own scores",
        )
    _check_unit(model, calibrator)
    calibrator.check_texts()
    return [*_unknown_model(model, calibrator), *_left_out(calibrator)]


@overload
def uncalibrated(model: ScalarReward) -> tuple[ScalarReward, Calibrator | None]: ...
@overload
def uncalibrated(model: PairwisePreference) -> tuple[PairwisePreference, Calibrator | None]: ...
@overload
def uncalibrated(model: Any) -> tuple[Any, Calibrator | None]: ...
def uncalibrated(model: Any) -> tuple[Any, Calibrator | None]:
    """The model behind a calibrated one, and its calibrator; of any other model, itself and None."""
    if isinstance(model, CalibratedReward):
        return model.scorer, model.calibrator
    if isinstance(model, CalibratedPreference):
        return model.judge, model.calibrator
    return model, None


# --- details ------------------------------------------------------------------------------------


def _check_unit(model: ScalarReward | PairwisePreference, calibrator: Calibrator) -> None:
    """Rewards are called with two columns of texts, preferences with three."""
    kind: tuple[str, Unit] = (
        ("a judge", "log-odds") if _n_columns(model) == 3 else ("a reward model", "score")
    )
    if _n_columns(model) in (2, 3) and calibrator.unit != kind[1]:
        raise ConfigError(
            f"the calibrator is in {calibrator.unit} units, and {model.source} is {kind[0]}",
            where="calibration",
            fix=f"use a calibrator solved on {'scores' if kind[1] == 'score' else 'judgements'} of this model",
        )


def _n_columns(model: ScalarReward | PairwisePreference) -> int | None:
    """How many columns of texts it is called with; None where its signature does not say."""
    try:
        parameters = inspect.signature(model).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    return sum(
        p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty for p in parameters
    )


def _unknown_model(model: ScalarReward | PairwisePreference, calibrator: Calibrator) -> list[str]:
    """A calibrator knows what one model over-values, in that model's own scale: another is refused."""
    known = solved_on_model(calibrator)
    if known is None:
        return [f"the calibrator does not say which model it was solved on; it is taken to be {model.source}"]
    if known[1] != model.fingerprint:
        raise ConfigError(
            f"the calibrator was solved on {known[0]!r}, another model than {model.source!r} (their fingerprints differ)",
            where="calibration",
            fix="solve one on this model's scores: charm calibrate SCORES --style --responses RESPONSES --ratings R",
        )
    return []


def _left_out(calibrator: Calibrator) -> list[str]:
    if not calibrator.offsets:
        return []
    return [
        f"the calibrator has offsets of {len(calibrator.offsets)} rated policies: a model is not told whose a text is, and "
        "adjusts by style alone (charm apply adds both)"
    ]


def solved_on_model(calibrator: Calibrator) -> tuple[str, str] | None:
    """(source, fingerprint) of the model whose scores or judgements it was solved on; None where it does not say."""
    told = told_of_model(calibrator)
    kind = "rm" if calibrator.unit == "score" else "judge"
    mark = told.get(f"{kind}_fingerprint")
    return (str(told.get(kind, "a model")), mark) if isinstance(mark, str) else None


def _name(model: ScalarReward | PairwisePreference) -> str:
    return f"{model.source}, calibrated"


def _fingerprint(model: ScalarReward | PairwisePreference, calibrator: Calibrator) -> str:
    return hashlib.sha256(f"{model.fingerprint}\n{calibrator.fingerprint}".encode()).hexdigest()
