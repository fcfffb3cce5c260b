"""A calibrator beside its model: whether the two belong together, and what it does to the scores of these responses."""

from __future__ import annotations

import numpy as np
import polars as pl

from ...errors import CharmError
from ...protocols import ScalarReward
from ...style import Calibrator, calibrator_doubts
from .check import Check

# Where more of the responses than this lie beyond what the weights were solved on, these are other responses than those.
_FAR_WARN = 0.05


def check_calibration(model: ScalarReward, calibrator: Calibrator, frame: pl.DataFrame) -> Check:
    """The calibrator is of this model, its features are defined as they were, and these responses look like those it was solved on.

    ``frame`` holds the texts, ``prompt`` and ``response``.
    """
    try:
        notes = calibrator_doubts(model, calibrator)
    except CharmError as error:
        return Check("calibrator", "fail", error.what, fix=error.fix)
    values = calibrator.standardise_texts(frame["prompt"].to_list(), frame["response"].to_list())
    added = values @ calibrator.weights
    far = float((np.abs(values) >= calibrator.limit).any(axis=1).mean())
    data = {
        "calibrator": calibrator.fingerprint,
        "features": {f.name: f.version for f in calibrator.features},
        "sd_added": float(added.std()),
        "spread": calibrator.spread,
        "kept": calibrator.kept,
        "beyond_limit": far,
    }
    found = (
        f"scores are calibrated: {len(calibrator.features)} features in the versions of this charm add {added.std():.3g} (sd) to scores "
        f"whose sd within prompts is {calibrator.spread:.3g}"
    )
    if far > _FAR_WARN:
        notes = [
            *notes,
            f"{far:.0%} of these responses have a feature beyond {calibrator.limit:g} sd, where it is cut off",
        ]
    if not notes:
        return Check("calibrator", "ok", found, details=_weights(calibrator), data=data)
    return Check(
        "calibrator",
        "warn",
        f"{found}; {'; '.join(notes)}",
        fix="solve it again on responses of this kind, scored by this model: charm calibrate SCORES --style --responses RESPONSES",
        details=_weights(calibrator),
        data=data,
    )


def _weights(calibrator: Calibrator) -> list[str]:
    """A line for each feature, the heaviest first."""
    heaviest = sorted(calibrator.features, key=lambda f: -abs(f.weight))
    return [f"{f.name}: {f.weight:+.3g} for one sd" for f in heaviest]
