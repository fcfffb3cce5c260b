"""Calibrate, by style: scores or judgements, responses and ratings -> a calibrator."""

from __future__ import annotations

from typing import Any

from ...errors import ConfigError
from ...mismatch import read_groups
from ...settings import CalibrateSettings, Unrated, parse_fixed
from ...style import STYLE_FEATURES, Calibrator, solve_sharpness, solve_style_offsets, with_leftover_offsets
from ...tables import Margins, Ratings, Responses, Scores
from .calibrate import without

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
    """
    settings.check_method()
    source = without(source, settings.held_out)
    names: dict[str, Any] = {"aliases": aliases, "unrated": unrated}
    if settings.sharpness:
        return solve_sharpness(source, ratings, folds=settings.folds, draws=draws, seed=seed, **names)
    if responses is None:
        raise ConfigError(
            "style is measured in the responses, and none are given",
            mend="give the responses that were scored: --responses RESPONSES",
        )
    how = settings.accepted_by(solve_style_offsets) | names
    how |= {"features": _features(settings), "fixed": parse_fixed(settings.fix), "draws": draws, "seed": seed}
    how["families"] = None if settings.family is None else read_groups(settings.family)
    calibrator = solve_style_offsets(source, responses, ratings, **how)
    if not settings.with_offsets:
        return calibrator
    return with_leftover_offsets(calibrator, source, responses, ratings, own=settings.own, **names)


def _features(settings: CalibrateSettings) -> tuple[str, ...]:
    if settings.length_only:
        return LENGTH
    if settings.features or settings.own:
        return settings.features
    return STYLE_FEATURES
