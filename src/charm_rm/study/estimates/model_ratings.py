"""Ratings of policies by each model's verdicts, on the very candidates that the ratings by people are about."""

from __future__ import annotations

import warnings

import polars as pl

from ...errors import CharmWarning, NotConverged, NotIdentifiable
from ...ratings.fit import fit_ratings
from ..frame import margin_column
from ..nouns import Counted

SCHEMA = {
    "model": pl.String, "policy": pl.String, "rating": pl.Float64, "std_err": pl.Float64,
    "ci_low": pl.Float64, "ci_high": pl.Float64, "comparisons": pl.Int64,
}  # fmt: skip


def model_rating_table(counted: Counted, *, prior: float = 0.0) -> pl.DataFrame:
    """The ``model_ratings`` table of :class:`..results.StudyAnalysis`: Bradley-Terry ratings, a model's verdict on each candidate a battle.

    Errors are clustered by prompt. No vote is used. A model's gaps are larger where it decides more sharply than people do, so that ranks and
    who is out of place compare with the ratings by people, and gaps do not (:func:`.favour.favour_table` allows for it).

    Args:
        counted: all candidates, with every model's margins.
        prior: pseudo-battles per pair that met, half won and half lost; 0 is none.

    A model whose verdicts do not determine ratings (a policy that it never prefers) has none, which a warning says.
    """
    parts = [pl.DataFrame(schema=SCHEMA)]
    for model in counted.models:
        try:
            parts.append(_rated(counted.all, model, prior))
        except (NotIdentifiable, NotConverged) as error:
            warnings.warn(
                f"there are no ratings by {model}: {error.what}. {error.fix or ''}".rstrip(),
                CharmWarning,
                stacklevel=2,
            )
    return pl.concat(parts)


def _rated(everything: pl.DataFrame, model: str, prior: float) -> pl.DataFrame:
    """The rows of one model, best first."""
    margin = pl.col(margin_column(model))
    winner = pl.when(margin > 0).then(pl.lit("a")).when(margin < 0).then(pl.lit("b")).otherwise(pl.lit("tie"))
    battles = everything.select("prompt_id", "policy_a", "policy_b", winner.alias("winner"))
    with warnings.catch_warnings():  # that prompts are few is said of the study as a whole
        warnings.simplefilter("ignore", CharmWarning)
        fitted = fit_ratings(battles, prior=prior, cluster="prompt_id")
    frame = fitted.frame.rename({"votes": "comparisons"}).with_columns(pl.lit(model).alias("model"))
    return frame.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
