"""What is left once style is corrected, as offsets of rated policies."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from dataclasses import replace

from ..errors import CharmWarning
from ..given import ComparableLike, as_comparable
from ..margins import only_policies
from ..offsets import solve_joint_offsets
from ..ratings import Aliases, RatingsLike, as_ratings, match_ratings
from ..responses import ResponsesLike, as_responses
from ..settings import Unrated
from ..tables import Margins, Responses, Scores
from .apply import apply_calibrator
from .calibrator import Calibrator
from .calibrator_file import CalibratorLike, as_calibrator


def with_leftover_offsets(
    calibrator: CalibratorLike,
    source: ComparableLike,
    responses: ResponsesLike,
    ratings: RatingsLike,
    *,
    own: Collection[str] = (),
    aliases: Aliases | None = None,
    unrated: Unrated = "error",
) -> Calibrator:
    """The calibrator with joint offsets of what its features leave, style first: so that rated policies' total wins are those of the ratings.

    The offsets are of the policies that are rated, in-sample; a policy that has none gets the correction of its style alone, and
    ``held_out`` stays what it was.

    Raises:
        as :func:`charm_rm.style.apply_calibrator` and :func:`charm_rm.offsets.solve_joint_offsets`.
    """
    source = as_comparable(source)
    calibrator = as_calibrator(calibrator)
    responses = as_responses(responses, of=source)
    ratings = as_ratings(ratings)
    matched = match_ratings(ratings, source.policies, aliases=aliases, unrated=unrated)
    rated = only_policies(source, set(matched.policies))
    bare = _answered(rated, responses)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)
        style_only = replace(calibrator, offsets={}, provenance={})
        moved = apply_calibrator(bare, style_only, responses, own=own)
        offsets = solve_joint_offsets(
            type(rated)(moved.frame), ratings, draws=0, cross_fit=False, aliases=aliases, unrated=unrated
        )
    deltas = dict(zip(offsets.frame["policy"], offsets.frame["delta"], strict=True))
    return replace(calibrator, offsets=deltas)


def _answered(source: Scores | Margins, responses: Responses) -> Scores | Margins:
    """The rows with responses, without provenance: what was said of them when the calibrator was solved is not said again."""
    there = responses.frame.select("prompt_id", "policy")
    frame = source.frame
    for side in (c for c in ("policy", "reference") if c in frame.columns):
        frame = frame.join(there.rename({"policy": side}), on=["prompt_id", side], how="semi")
    return type(source)(frame)
