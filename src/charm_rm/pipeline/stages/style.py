"""Calibrate, by style: scores or judgements, responses and ratings -> a calibrator."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ... import store
from ...errors import ConfigError
from ...mismatch import METRICS, read_groups, save_audit
from ...ratings import load_battles
from ...samples import shared_key
from ...settings import CalibrateSettings, Unrated, parse_fixed
from ...style import (
    STYLE_FEATURES,
    Calibrator,
    apply_calibrator,
    compare_with_votes,
    fit_vote_weights,
    save_calibrator,
    solve_sharpness,
    solve_style_offsets,
    with_leftover_offsets,
    with_votes,
)
from ...style.apply import measure_for
from ...tables import Margins, Ratings, Responses, Scores
from ..config import BESIDE, CALIBRATED, CALIBRATOR
from .audit import audit_source
from .beside import compare_calibrations
from .calibrate import single_responses, without

if TYPE_CHECKING:
    from ..run import Run

LENGTH = ("words",)


def calibrate_style(
    source: Scores | Margins,
    responses: Responses | None,
    ratings: Ratings,
    settings: CalibrateSettings,
    *,
    draws: int,
    seed: int,
    aliases: str | None = None,
    unrated: Unrated = "error",
) -> Calibrator:
    """Solve a style calibration, or the scale alone, as the settings say; policies that are held out take no part.

    Raises:
        ConfigError: the settings do not fit together, or responses are missing where style is measured in them.
        SeveralSamples: the scores are of several samples of a policy on a prompt.
    """
    settings.check_method()
    source = without(single_responses(source), settings.held_out)
    names: dict[str, Any] = {"aliases": aliases, "unrated": unrated}
    if settings.sharpness:
        return solve_sharpness(source, ratings, folds=settings.folds, draws=draws, seed=seed, **names)
    if responses is None:
        raise ConfigError(
            "style is measured in the responses, and none are given",
            fix="give the responses that were scored: --responses RESPONSES",
        )
    how = settings.accepted_by(solve_style_offsets) | names
    how |= {"features": _features(settings), "fixed": parse_fixed(settings.fix), "draws": draws, "seed": seed}
    how["families"] = None if settings.family is None else read_groups(settings.family)
    calibrator = solve_style_offsets(source, responses, ratings, **how)
    if settings.votes is not None:
        calibrator = _beside_votes(calibrator, source, responses, settings)
    if not settings.with_offsets:
        return calibrator
    return with_leftover_offsets(calibrator, source, responses, ratings, own=settings.own, **names)


def _beside_votes(
    calibrator: Calibrator, source: Scores | Margins, responses: Responses, settings: CalibrateSettings
) -> Calibrator:
    """The calibrator with the weights that votes give in its provenance, and in its own weights where that is asked for."""
    if not isinstance(source, Scores):
        raise ConfigError(
            "weights from votes need scores, not judgements", fix="leave out votes, or start from scores"
        )
    features = measure_for(calibrator, _scored(responses, source), own=settings.own)
    found = fit_vote_weights(load_battles(str(settings.votes)), source, features, calibrator)
    rows = compare_with_votes(calibrator, found).to_dicts()
    calibrator = with_votes(calibrator, found) if settings.with_votes else calibrator
    about = {
        "n": found.n_votes,
        "prompts": found.n_prompts,
        "temperature": found.temperature,
        "weights": rows,
    }
    return replace(calibrator, provenance={**calibrator.provenance, "votes": about})


def _scored(responses: Responses, scores: Scores) -> Responses:
    key = shared_key(responses.frame, scores.frame)
    frame = responses.frame.join(scores.frame, on=key, how="semi")
    return Responses(frame, provenance=responses.provenance)


def _features(settings: CalibrateSettings) -> tuple[str, ...]:
    if settings.length_only:
        return LENGTH
    if settings.features or settings.own:
        return settings.features
    return STYLE_FEATURES


# --- a run's part -------------------------------------------------------------------------------


def run_stage(run: Run) -> str:
    """Solve on the train prompts, audit the calibrated scores of the test prompts, and compare with offsets on policies never used."""
    section = run.config.calibrate
    if section is None:
        raise ConfigError("the section calibrate is off", fix="give the section in the configuration")
    train, responses, ratings = run.before("train"), run.load(Responses, "responses.parquet"), run.ratings()
    how: dict[str, Any] = {"seed": run.config.seed, **run.names}
    calibrator = calibrate_style(train, responses, ratings, section, draws=run.config.audit.draws, **how)
    save_calibrator(calibrator, run.directory / CALIBRATOR, force=True)
    moved = apply_calibrator(run.before("test"), calibrator, responses, own=section.own)
    save_audit(audit_source(moved, ratings, run.config.audit, **how), run.directory / CALIBRATED)
    beside = run.directory / BESIDE
    beside.unlink(missing_ok=True)  # of an older run
    if calibrator.features and calibrator.held_out:
        table = compare_calibrations(
            without(train, section.held_out), responses, ratings, calibrator, section, run.config.audit, **how
        )
        store.write_frame(table, beside)
    return _summary(calibrator)


def _summary(calibrator: Calibrator) -> str:
    told = {row["metric"]: row for row in calibrator.held_out}
    shown = [
        f"{METRICS[name].label} {METRICS[name].shown(told[name]['before'])} -> {METRICS[name].shown(told[name]['after'])}"
        for name in ("sharpness_fitted_mismatch", "spearman")
        if name in told
    ]
    return f"on policies never rated: {'; '.join(shown)}" if shown else f"T = {calibrator.temperature:.3g}"
