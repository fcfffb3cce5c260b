"""What calibration adds to each response: its policy's offset, or what its style calls for."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence

import numpy as np
import polars as pl

from ..errors import CharmWarning, ConfigError, listing
from ..offsets.apply import check_unit as check_unit_of_offsets
from ..samples import shared_key
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
    samples: Sequence[int] | None = None,
) -> FloatArray:
    """(n, K) what is added to each response; of a calibrator NaN where there is none. ``samples``: which of its policy's each column is."""
    if isinstance(calibration, Offsets):
        deltas = _deltas(calibration, policies, source.noun)
        return np.broadcast_to(deltas, (len(prompts), len(policies)))
    answered = _answered(source, responses)
    if answered.frame.is_empty():
        return np.full((len(prompts), len(policies)), np.nan)
    added = corrections(calibration, answered, responses, own=own)
    at = placed(added, prompts, policies, samples)
    values = np.full((len(prompts), len(policies)), np.nan)
    values[at["i"].to_numpy(), at["j"].to_numpy()] = at["added"].to_numpy()
    return values


def placed(
    frame: pl.DataFrame, prompts: Sequence[str], policies: Sequence[str], samples: Sequence[int] | None
) -> pl.DataFrame:
    """The rows whose prompt and policy (and sample) are among these, with the numbers of both: ``i`` and ``j``."""
    whose = {"policy": list(policies)} | ({} if samples is None else {"sample": list(samples)})
    columns = pl.DataFrame(
        whose,
        schema_overrides={"policy": pl.String, "sample": pl.Int64} if samples else {"policy": pl.String},
    )
    asked = pl.DataFrame({"prompt_id": list(prompts)}, schema={"prompt_id": pl.String})
    found = frame.join(asked.with_row_index("i"), on="prompt_id", how="inner", maintain_order="left")
    return found.join(columns.with_row_index("j"), on=list(whose), how="inner", maintain_order="left")


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
    frame = source.frame
    if isinstance(source, Scores):
        key = shared_key(frame, responses.frame)
        return Scores(frame.join(responses.frame, on=key, how="semi"), provenance=source.provenance)
    there = responses.frame.select("prompt_id", "policy")
    for side in (c for c in ("policy", "reference") if c in frame.columns):
        frame = frame.join(there.rename({"policy": side}), on=["prompt_id", side], how="semi")
    return type(source)(frame, provenance=source.provenance)


def _deltas(offsets: Offsets, names: Sequence[str], noun: str) -> FloatArray:
    known = dict(zip(offsets.frame["policy"], offsets.frame["delta"], strict=True))
    if without := [n for n in dict.fromkeys(names) if n not in known]:
        warnings.warn(f"no offset for {listing(without)}: their {noun} stay", CharmWarning, stacklevel=6)
    return np.array([known.get(n, 0.0) for n in names])
