"""Which model a calibrator was solved for, and whether scores are that model's."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from ..errors import CharmWarning, ConfigError
from ..tables import Margins, Scores
from .calibrator import Calibrator

# What scores and judgements say of their model: its name, and a hash of all that decides what it answers.
_NAMES, _HASHES = ("rm", "judge", "annotator"), ("rm_fingerprint", "judge_fingerprint")


def model_of(source: Scores | Margins) -> dict[str, Any]:
    """What the provenance says of the model that scored or judged."""
    return {k: source.provenance[k] for k in (*_NAMES, *_HASHES) if k in source.provenance}


def told_of_model(calibrator: Calibrator) -> Mapping[str, Any]:
    """What a calibrator says of the model that it was solved for; its file came from anybody, and nothing is what it may say."""
    told = calibrator.provenance.get("model")
    return told if isinstance(told, Mapping) else {}


def check_model(source: Scores | Margins, calibrator: Calibrator, *, other_model: bool = False) -> None:
    """Refuse scores of another model than the calibrator was solved for; where one of the two is not known, say so.

    Raises:
        ConfigError: both are known and differ, and ``other_model`` is off.
    """
    solved, here = told_of_model(calibrator), model_of(source)
    hashes = [next((told[k] for k in _HASHES if told.get(k)), None) for told in (solved, here)]
    if hashes == [None, None] or hashes[0] == hashes[1]:
        return
    names = [next((str(told[k]) for k in _NAMES if told.get(k)), "unknown") for told in (solved, here)]
    if None in hashes:
        silent = "the calibrator does" if hashes[0] is None else f"these {source.noun} do"
        warnings.warn(
            f"{silent} not name a model: a calibrator corrects the model that it was solved for, and no other",
            CharmWarning,
            stacklevel=3,
        )
        return
    what = f"these {source.noun} are of another model ({names[1]}) than the calibrator was solved for ({names[0]})"
    if not other_model:
        raise ConfigError(
            f"{what}: what one model over-values another may not",
            fix=f"solve one on {source.noun} of this model, or add --other-model (other_model=True) if you know that it fits",
        )
    warnings.warn(f"{what}: what one over-values the other may not", CharmWarning, stacklevel=3)
