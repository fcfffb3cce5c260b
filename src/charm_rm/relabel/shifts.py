"""What calibration adds to each response: its policy's offset, or what its style calls for."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence

import numpy as np
import polars as pl

from ..errors import CharmWarning, ConfigError, listing
from ..offsets.apply import check_unit as check_unit_of_offsets
from ..solved_on import carries, check_not_carried, of_offsets
from ..statistics import FloatArray
from ..style import Calibrator
from ..style.apply import as_calibration, check_unit, corrections
from ..style.models import check_model
from ..tables import Margins, Offsets, Responses, Scores


def check_usable(source: Scores | Margins, calibration: Offsets | Calibrator) -> None:
    """Refuse a calibration of the other unit or of another model, and offsets that the source carries already.

    Raises:
        ConfigError: one of these.
    """
    if isinstance(calibration, Offsets):
        check_unit_of_offsets(source, calibration)
        check_not_carried(source, of_offsets(calibration))
        return
    check_unit(source, calibration)
    check_model(source, calibration)
    if not is_in(source, calibration):
        check_not_carried(source, as_calibration(calibration))


def is_in(source: Scores | Margins, calibration: Offsets | Calibrator) -> bool:
    """Whether scores come with this calibrator's correction in them (``charm apply``): then it is not added again."""
    return isinstance(calibration, Calibrator) and carries(source, as_calibration(calibration))


def shifts(
    source: Scores | Margins,
    responses: Responses,
    calibration: Offsets | Calibrator,
    prompts: Sequence[str],
    policies: Sequence[str],
    *,
    own: Collection[str] = (),
) -> FloatArray:
    """(n, K) what is added to each response; of a calibrator NaN where there is none."""
    if isinstance(calibration, Offsets):
        deltas = _deltas(calibration, policies, source.noun)
        return np.broadcast_to(deltas, (len(prompts), len(policies)))
    answered = _answered(source, responses)
    if answered.frame.is_empty():
        return np.full((len(prompts), len(policies)), np.nan)
    added = corrections(calibration, answered, responses, own=own)
    added = added.filter(pl.col("policy").is_in(list(policies)) & pl.col("prompt_id").is_in(list(prompts)))
    places = [
        added[column]
        .replace_strict({name: i for i, name in enumerate(names)}, return_dtype=pl.Int64)
        .to_numpy()
        for column, names in (("prompt_id", prompts), ("policy", policies))
    ]
    values = np.full((len(prompts), len(policies)), np.nan)
    values[places[0], places[1]] = added["added"].to_numpy()
    return values


def references_of(calibration: Offsets | Calibrator) -> set[str]:
    """The policies whose offset is held at 0.

    Raises:
        ConfigError: there are none, so that there is no calibrated pair.
    """
    if isinstance(calibration, Calibrator):
        raise ConfigError(
            "a style calibration has no reference policy, so there is no calibrated pair",
            fix="use --strategy all-pairs, sampled or best-vs-worst",
        )
    references = set(calibration.frame.filter(pl.col("is_reference"))["policy"])
    if not references:
        raise ConfigError(
            "the offsets have no reference policy, so there is no calibrated pair",
            fix="use --strategy all-pairs, sampled or best-vs-worst, or solve the offsets with --ref",
        )
    return references


def _answered(source: Scores | Margins, responses: Responses) -> Scores | Margins:
    """The rows that have responses; how many have none is said where the pairs are laid out."""
    there = responses.frame.select("prompt_id", "policy")
    frame = source.frame
    for side in (c for c in ("policy", "reference") if c in frame.columns):
        frame = frame.join(there.rename({"policy": side}), on=["prompt_id", side], how="semi")
    return type(source)(frame, provenance=source.provenance)


def _deltas(offsets: Offsets, names: Sequence[str], noun: str) -> FloatArray:
    known = dict(zip(offsets.frame["policy"], offsets.frame["delta"], strict=True))
    if without := [n for n in names if n not in known]:
        warnings.warn(f"no offset for {listing(without)}: their {noun} stay", CharmWarning, stacklevel=6)
    return np.array([known.get(n, 0.0) for n in names])
