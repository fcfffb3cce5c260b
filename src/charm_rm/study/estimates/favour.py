"""Whom each model favours against the study's own ratings by people."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from ...errors import CharmError, CharmWarning, NoOverlap, NotConverged, NotIdentifiable, SchemaError
from ...margins import pair_margins, tally_margins
from ...mismatch.favour import favouritism_table
from ...mismatch.measured import Measured, measure_line
from ...mismatch.strengths import rm_strengths
from ...mismatch.thin_data import check_thin_data
from ...ratings import Yardstick, yardstick
from ...statistics import ELO_PER_LOGIT
from ...tables import Margins, Ratings
from ..frame import margin_column
from ..nouns import Counted
from .clusters import FEW_RATERS
from .joint import joint_errors
from .rating_equation import RatingErrors, Sample, rating_errors, sample_of

SCHEMA = {
    "model": pl.String, "policy": pl.String, "favour": pl.Float64, "ci_low": pl.Float64, "ci_high": pl.Float64,
    "q_value": pl.Float64, "verdict": pl.String,
}  # fmt: skip


def favour_table(
    counted: Counted, ratings: Ratings | None, *, prior: float = 0.0
) -> tuple[pl.DataFrame, Mapping[str, float | None]]:
    """The ``favour`` table of :class:`..results.StudyAnalysis`, and every model's sharpness (1: as sharp as people; None: not known).

    Args:
        counted: the votes that count, and every model's verdicts on all candidates.
        ratings: the classical ones of these votes (:func:`.ratings.study_ratings`).
        prior: of the ratings.

    Each model's strengths, by its verdicts on all candidates, are held against the ratings by people as in :func:`charm_rm.audit`, but for one
    thing: both come from the same prompts, and their errors are taken together (:mod:`.joint`; docs/method.md). Where raters are
    few (:func:`.agreement.cautions`), errors are an audit's, as if people and model had judged prompts of their own: too wide rather than too short.

    A model whose favour cannot be told is left out, which a warning says: fewer than three policies, ratings that do not differ beyond their errors.
    """
    parts = [pl.DataFrame(schema=SCHEMA)]
    sharpness: dict[str, float | None] = {}
    if ratings is None:
        return parts[0], sharpness
    people = People.of(counted, ratings, prior=prior)
    for model in counted.models:
        try:
            with _said_of(model):
                measured, rated = measure_favour(counted, model, people)
                found, _ = favouritism_table(rated.policies, measured, rated, scope="sample")
        except (NotIdentifiable, NotConverged, NoOverlap, SchemaError) as error:
            _leave_out(model, error)
            sharpness[model] = None
            continue
        sharpness[model] = None if found.sharpness is None else found.sharpness.value
        frame = found.frame.with_columns(pl.lit(model).alias("model"))
        parts.append(frame.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items()))
    return pl.concat(parts), sharpness


@dataclass(frozen=True, eq=False)
class People:
    """The ratings by people, the votes that they are made of, and their errors vote by vote."""

    ratings: Ratings
    sample: Sample
    errors: RatingErrors

    @classmethod
    def of(cls, counted: Counted, ratings: Ratings, *, prior: float) -> People:
        """Of the classical ratings of these votes."""
        sample = sample_of(counted, None, prior)
        theta = yardstick(ratings, tuple(sample.policies)).rating / ELO_PER_LOGIT
        return cls(ratings, sample, rating_errors(sample, 0.0, theta - theta.mean()))

    @property
    def enough_raters(self) -> bool:
        """Whether raters tell what errors share; of few it is a guess, of one alone prompts tell it (decision 25)."""
        by = self.errors.clustered
        return not by.rater_known or (by.n_raters >= FEW_RATERS and by.effective_raters >= FEW_RATERS - 1)


def measure_favour(counted: Counted, model: str, people: People) -> tuple[Measured, Yardstick]:
    """A model's strengths on all candidates, the ratings by people, and the line between, with joint errors.

    Raises:
        NotIdentifiable, NotConverged, NoOverlap, SchemaError: there is no such line.
    """
    paired = pair_margins(verdicts_of(counted, model, people.ratings))
    tally = tally_margins(paired)
    rated = yardstick(people.ratings, tally.policies)
    check_thin_data(tally, rated)
    strengths = rm_strengths(tally)
    joint = joint_errors(strengths, paired.prompts, tally.policies, people.sample, people.errors)
    return measure_line(strengths, rated, joint=joint if people.enough_raters else None), rated


def verdicts_of(counted: Counted, model: str, ratings: Ratings) -> Margins:
    """A model's margins on all candidates between rated policies."""
    rated = ratings.policies
    frame = counted.all.filter(pl.col("policy_a").is_in(rated) & pl.col("policy_b").is_in(rated))
    return Margins(
        frame.select(
            "prompt_id",
            pl.col("policy_a").alias("policy"),
            pl.col("policy_b").alias("reference"),
            pl.col(margin_column(model)).alias("margin"),
        )
    )


@contextlib.contextmanager
def _said_of(model: str) -> Iterator[None]:
    """Say the block's warnings of this model, by name: a study has several, and an audit's words name none."""
    caught: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", CharmWarning)
            yield
    finally:
        for said in caught:
            if issubclass(said.category, CharmWarning):
                warnings.warn(f"favour shown by {model}: {said.message}", CharmWarning, stacklevel=4)
            else:
                warnings.warn_explicit(said.message, said.category, said.filename, said.lineno)


def _leave_out(model: str, error: CharmError) -> None:
    warnings.warn(
        f"whom {model} favours is not known: {error.what}",
        CharmWarning,
        stacklevel=3,
    )
