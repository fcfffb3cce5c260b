"""Adding a calibrator's correction to scores, or to judgements: for any policy, rated or not."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import overload

import polars as pl

from ..errors import ConfigError, NoOverlap, SchemaError, counted, listing
from ..features import FEATURES, StyleFeatures, measure_features
from ..given import ComparableLike, PathLike, as_comparable
from ..responses import ResponsesLike, as_responses
from ..samples import COLUMN as SAMPLE
from ..samples import has_samples, own_key, shared_key
from ..solved_on import Calibration, carrying, check_not_carried
from ..tables import Margins, Responses, Scores, TableLike
from ..text_hash import refuse_other_texts
from .calibrator import Calibrator
from .calibrator_file import CalibratorLike, as_calibrator
from .models import check_model

_PYTHON = "python:"


@overload
def apply_calibrator(
    source: Scores,
    calibrator: CalibratorLike,
    responses: ResponsesLike | None = None,
    *,
    own: Collection[str] = ...,
    other_model: bool = ...,
) -> Scores: ...
@overload
def apply_calibrator(
    source: Margins,
    calibrator: CalibratorLike,
    responses: ResponsesLike | None = None,
    *,
    own: Collection[str] = ...,
    other_model: bool = ...,
) -> Margins: ...
@overload
def apply_calibrator(
    source: TableLike | PathLike,
    calibrator: CalibratorLike,
    responses: ResponsesLike | None = None,
    *,
    own: Collection[str] = ...,
    other_model: bool = ...,
) -> Scores | Margins: ...
def apply_calibrator(
    source: ComparableLike,
    calibrator: CalibratorLike,
    responses: ResponsesLike | None = None,
    *,
    own: Collection[str] = (),
    other_model: bool = False,
) -> Scores | Margins:
    """Scores with w·φ of each response added, s' = s + w·φ; or margins, m' = m + w·(φ_policy - φ_reference).

    Where the calibrator has offsets, a policy that has one gets it, too; all others get w·φ alone. The provenance keeps what was added and
    what it was solved on, so that it is not added twice and an audit can say in-sample. Calibrated judgements lose ``p_first`` and
    ``p_second``, which say what the judge said in each order.

    Args:
        source: scores, or a judge's margins, of the model that the calibrator was solved for.
        calibrator: of the same kind: its unit is the scores', or log-odds.
        responses: the texts that were scored or judged, one for every row; a calibrator without features needs none.
        own: functions (``python:MODULE:FUNCTION``) that the calibrator may call: a file alone makes no code run.
        other_model: warn, in place of refusing, where the scores are of another model than the calibrator was solved for.

    Raises:
        ConfigError: the calibrator is of the other kind, of another model, or in the source already; a feature's definition has changed; a function
            of one's own is not named in ``own``.
        NoOverlap: rows have no response; they are counted, and the first is named.
        SchemaError: the responses are other texts than those scored, or lack a column that is a feature.
    """
    source, calibrator = as_comparable(source, samples=True), as_calibrator(calibrator)
    responses = None if responses is None else as_responses(responses, samples=has_samples(source), of=source)
    check_unit(source, calibrator)
    check_model(source, calibrator, other_model=other_model)
    check_not_carried(source, as_calibration(calibrator))
    provenance = carrying(source, as_calibration(calibrator))
    moved = moved_by(source, corrections(calibrator, source, responses, own=own))
    return type(source)(moved.frame, provenance=provenance)


def moved_by(source: Scores | Margins, added: pl.DataFrame) -> Scores | Margins:
    """The source with ``added`` (as :func:`corrections` gives it) to each response; its provenance stays behind."""
    if isinstance(source, Scores):
        score = pl.col("score") + _added_to(source.frame, added, "policy")
        return Scores(source.frame.with_columns(score.alias("score")))
    moved = pl.col("margin") + (
        _added_to(source.frame, added, "policy") - _added_to(source.frame, added, "reference")
    )
    return Margins(source.frame.select("prompt_id", "policy", "reference", moved.alias("margin")))


def as_calibration(calibrator: Calibrator) -> Calibration:
    """What scores keep of a calibrator."""
    return Calibration("style", calibrator.fingerprint, calibrator.solved_on, dict(calibrator.offsets))


def check_unit(source: Scores | Margins, calibrator: Calibrator) -> None:
    """Refuse log-odds for scores, or the reverse.

    Raises:
        ConfigError: they are of different kinds.
    """
    wanted = "score" if isinstance(source, Scores) else "log-odds"
    if calibrator.unit != wanted:
        raise ConfigError(
            f"the calibrator is in {calibrator.unit} units; these are {source.noun}",
            fix=f"solve one on these {source.noun}: charm calibrate --style",
        )


def corrections(
    calibrator: Calibrator,
    source: Scores | Margins,
    responses: Responses | None,
    *,
    own: Collection[str] = (),
) -> pl.DataFrame:
    """What is added to each response of the source: ``prompt_id``, ``policy`` (``sample``), ``added`` (w·φ, and the policy's offset where it has one).

    Raises:
        as :func:`apply_calibrator`.
    """
    wanted = responses_of(source)
    if calibrator.features:
        features = measure_for(calibrator, answers_to(wanted, source, responses), own=own)
        added = features.frame.select(own_key(features.frame)).with_columns(
            pl.Series("added", calibrator.adjust_table(features))
        )
    else:
        added = wanted.with_columns(pl.lit(0.0).alias("added"))
    offset = pl.col("policy").replace_strict(
        pl.Series(list(calibrator.offsets), dtype=pl.String),
        pl.Series(list(calibrator.offsets.values()), dtype=pl.Float64),
        default=0.0,
        return_dtype=pl.Float64,
    )
    return added.with_columns(pl.col("added") + offset) if calibrator.offsets else added


def measure_for(calibrator: Calibrator, responses: Responses, *, own: Collection[str] = ()) -> StyleFeatures:
    """The features that a calibrator needs, measured; those of one's own from the columns of the responses, or by the functions in ``own``.

    Raises:
        ConfigError: a definition has changed since the calibrator was solved, or a function is not named in ``own``.
        SchemaError: a column that is a feature is missing, or lacks a number.
    """
    calibrator.check_versions()
    asked = list(dict.fromkeys(_asked_for(name) for name in calibrator.names if name not in FEATURES))
    if unknown := [name for name in asked if name.startswith(_PYTHON) and name not in own]:
        raise ConfigError(
            f"the calibrator calls {listing(unknown)}, whose code would run here",
            fix=f"name what you trust: --own {unknown[0]} (own=[...] in Python)",
        )
    found = measure_features(responses, features=[n for n in calibrator.names if n in FEATURES], own=asked)
    _check_own(calibrator, found)
    return found


def _asked_for(name: str) -> str:
    """The function whose column ``python:M:F[2]`` is; other names as they are."""
    return re.sub(r"\[\d+\]$", "", name) if name.startswith(_PYTHON) else name


def _check_own(calibrator: Calibrator, found: StyleFeatures) -> None:
    for one in calibrator.features:
        if one.name not in found.features:
            raise ConfigError(
                f"{_asked_for(one.name)} no longer answers with {one.name!r}, a feature of the calibrator",
                fix="use the function that it was solved with, or solve it again",
            )
        now = found.provenance["own"].get(_asked_for(one.name), one.version)
        if now != one.version:
            raise ConfigError(
                f"the source of {_asked_for(one.name)} has changed since the calibrator was solved",
                fix="use the function that it was solved with, or solve it again: charm calibrate --style",
            )


def responses_of(source: Scores | Margins) -> pl.DataFrame:
    """prompt_id and policy (and sample) of every response that a row is about, once each."""
    if isinstance(source, Scores):
        return source.frame.select(own_key(source.frame))
    sides = [c for c in ("policy", "reference") if c in source.frame.columns]
    parts = [source.frame.select("prompt_id", pl.col(side).alias("policy")) for side in sides]
    return pl.concat(parts).unique(maintain_order=True)


def answers_to(wanted: pl.DataFrame, source: Scores | Margins, responses: Responses | None) -> Responses:
    """The responses that are wanted, all of them, and the texts that were scored.

    Raises:
        ConfigError: no responses are given.
        NoOverlap: some are missing.
        SchemaError: texts differ from those scored.
    """
    if responses is None:
        raise ConfigError(
            "style is measured in the responses, and none are given",
            fix="give the responses that were scored: --responses RESPONSES",
        )
    if has_samples(source) and SAMPLE not in responses.frame.columns:
        raise SchemaError(
            "the scores are of several samples, and the responses have no column 'sample' that says which is which",
            where="responses",
            fix="give the responses that were scored, or choose --sample first where the scores are read",
        )
    key = shared_key(wanted, responses.frame)
    there = responses.frame.join(wanted, on=key, how="semi")
    if lost := wanted.height - there.height:
        missing = wanted.join(there, on=key, how="anti")
        first = missing.row(0, named=True)
        raise NoOverlap(
            f"{lost} of {counted(wanted.height, 'response')} of the {source.noun} are not among those given, first of policy "
            f"{first['policy']!r}, prompt {first['prompt_id']!r} (policies: {listing(missing['policy'].unique().sort())})",
            where="responses",
            fix=f"give the response to every row, or choose the {source.noun} that have one (--prompts)",
        )
    kept = Responses(there, provenance=responses.provenance)
    refuse_other_texts(source, kept)
    return kept


def _added_to(frame: pl.DataFrame, added: pl.DataFrame, side: str) -> pl.Series:
    """What is added to that side of each row, in order."""
    keyed = frame.select(*own_key(frame)[2:], "prompt_id", pl.col(side).alias("policy"))
    return keyed.join(added, on=shared_key(keyed, added), how="left", maintain_order="left")["added"]
