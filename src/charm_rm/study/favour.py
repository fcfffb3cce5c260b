"""Whom each model favours against the study's own ratings by people."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import polars as pl

from ..errors import CharmError, CharmWarning, NoOverlap, NotConverged, NotIdentifiable, SchemaError
from ..mismatch import audit
from ..tables import Margins, Ratings
from .frame import margin_column
from .nouns import Counted, Study

SCHEMA = {
    "model": pl.String, "policy": pl.String, "favour": pl.Float64, "ci_low": pl.Float64, "ci_high": pl.Float64,
    "q_value": pl.Float64, "verdict": pl.String,
}  # fmt: skip


def favour_table(
    study: Study, counted: Counted, ratings: Ratings | None, *, draws: int = 1000, seed: int = 0
) -> tuple[pl.DataFrame, Mapping[str, float | None]]:
    """The ``favour`` table of :class:`.results.StudyAnalysis`, and every model's sharpness (1: as sharp as people; None: not known).

    Each model's verdicts on all candidates are audited (:func:`charm_rm.audit`) against the ratings by people, with their covariance. Both come
    from the same prompts, and an audit takes them to be independent: where a prompt is kind to a policy, people and model both favour it,
    and the difference varies less than is allowed for: simulated, standard errors are about 1.5 times the real spread (docs/method.md). What
    is found is found; what is not may be missed for that.

    A model that cannot be audited is left out, which a warning says: fewer than three policies, ratings that do not differ beyond their errors.
    """
    if ratings is None:
        return pl.DataFrame(schema=SCHEMA), {}
    parts, sharpness = [pl.DataFrame(schema=SCHEMA)], {}
    for model in study.models:
        source = _verdicts(study, counted, model.name, ratings)
        try:
            found = audit(source, ratings, draws=draws, seed=seed)
        except (NotIdentifiable, NotConverged, NoOverlap, SchemaError) as error:
            _leave_out(model.name, error)
            continue
        sharpness[model.name] = None if found.sharpness is None else found.sharpness.value
        if found.favouritism is not None:
            frame = found.favouritism.frame.with_columns(pl.lit(model.name).alias("model"))
            parts.append(frame.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items()))
    return pl.concat(parts), sharpness


def _verdicts(study: Study, counted: Counted, model: str, ratings: Ratings) -> Margins:
    """A model's margins on all candidates between rated policies; what is known of its scores (offsets solved on them) goes along."""
    rated = ratings.policies
    frame = counted.all.filter(pl.col("policy_a").is_in(rated) & pl.col("policy_b").is_in(rated))
    (of,) = (one for one in study.models if one.name == model)
    table = of.scores if of.scores is not None else of.margins
    return Margins(
        frame.select(
            "prompt_id",
            pl.col("policy_a").alias("policy"),
            pl.col("policy_b").alias("reference"),
            pl.col(margin_column(model)).alias("margin"),
        ),
        provenance={} if table is None else dict(table.provenance),
    )


def _leave_out(model: str, error: CharmError) -> None:
    warnings.warn(
        f"whom {model} favours is not known: {error.what}",
        CharmWarning,
        stacklevel=3,
    )
