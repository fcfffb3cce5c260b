"""What an analysis of a study found, as frozen tables that the command prints and the report draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import polars as pl

from ..shown import Figures, Shown, bind_figures
from ..tables import Ratings

CLASSICAL, POWERED = "classical", "prediction-powered"
BETTER, WORSE, WITHIN, UNTESTED = "better", "worse", "within chance", "not tested"
ALL, DECIDED = "all", "decided"  # the votes that an agreement is over
ALPHA, ALPHA_DECIDED = "krippendorff_alpha", "alpha_decided"
PAIRWISE, PAIRWISE_DECIDED = "pairwise_agreement", "pairwise_decided"
CARELESS, OTHER_TASTE, UNCLEAR = "looks careless", "another taste", "taste or care"  # of a rater


@dataclass(frozen=True, eq=False, repr=False)
class StudyAnalysis(Shown):
    """Agreement of models with people, of people with each other, ratings, and who was favoured.

    Every table has ``estimator`` (:data:`CLASSICAL`, from the votes alone, or :data:`POWERED`, joined with the model's verdicts on all
    candidates) where both are told. Shares lie between 0 and 1; ratings and favour are Elo points. Columns:

    - ``agreement``: model, votes_used (``all``: a tie agrees by half; ``decided``: votes for one side alone), estimator, value, std_err,
      ci_low, ci_high, n_votes, effective_votes.
    - ``differences``: model, baseline, votes_used, estimator, difference (model - baseline), std_err, ci_low, ci_high, p_value (both
      adjusted for the number of models compared with the baseline), reading (:data:`BETTER`, :data:`WORSE`, :data:`WITHIN`; :data:`UNTESTED` where no
      vote tells), n_votes, n_discordant (comparisons with votes on which the two disagree),
      discordant_share (of all candidates).
    - ``people``: figure (``krippendorff_alpha``, ``alpha_decided``, ``pairwise_agreement``: the share of pairs of raters who agree on the
      winner, a tie by half, which is what a model's agreement over all votes is to be read beside; ``pairwise_decided``: the same beside
      decided votes), value, ci_low, ci_high, n_comparisons, n_raters; nulls where no comparison has two raters.
    - ``raters``: rater, votes, repeats, consistent, checks, passed, agreement (with the others), expected_agreement, left_share, tie_share, seconds (median),
      p_value, q_value, verdict (:data:`CARELESS`, :data:`OTHER_TASTE`, :data:`UNCLEAR`, or empty), flags (why, in words).
    - ``ratings``: policy, estimator, rating, std_err, ci_low, ci_high, votes.
    - ``model_ratings``: model, policy, rating, std_err, ci_low, ci_high, comparisons: the same by each model's verdicts on all candidates.
    - ``favour``: model, policy, favour, ci_low, ci_high, q_value, verdict (against ``human_ratings``, as an audit has
      them but with joint errors: :mod:`.estimates.favour`).
    - ``human_ratings``: the classical ones as a noun with their covariance; None where votes do not determine them.
    - ``summary``: votes, raters, comparisons (with votes), planned_comparisons, votes_wanted, candidates, prompts, policies, models, ties (share),
      weight_efficiency (votes of equal weight that are worth as much, as a share of the votes), repeats, consistent, checks, passed, flagged
      (raters who look careless), other_taste, unclear and without (raters), simulated, target, lambda_of_ratings, sharpness (by model). ``summary()`` is the text that the command prints.
    """

    name: str
    summary: Figures
    agreement: pl.DataFrame
    differences: pl.DataFrame
    people: pl.DataFrame
    raters: pl.DataFrame
    ratings: pl.DataFrame
    favour: pl.DataFrame
    model_ratings: pl.DataFrame = field(default_factory=pl.DataFrame)
    human_ratings: Ratings | None = None
    warnings: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    TABLES: ClassVar[tuple[str, ...]] = (
        "agreement",
        "differences",
        "people",
        "raters",
        "ratings",
        "model_ratings",
        "favour",
    )

    def __post_init__(self) -> None:
        bind_figures(self, self.summary)

    def tables(self) -> dict[str, pl.DataFrame]:
        """``agreement``, ``differences``, ``people``, ``raters``, ``ratings``, ``model_ratings`` and ``favour``; those without rows come last."""
        found = {name: getattr(self, name) for name in self.TABLES}
        return dict(sorted(found.items(), key=lambda one: not one[1].height))

    def to_json(self) -> dict[str, Any]:
        """The analysis as JSON-able values; numbers that do not exist are null."""
        tables = {name: frame.to_dicts() for name, frame in self.tables().items()}
        about = {"warnings": list(self.warnings), "provenance": dict(self.provenance)}
        return {"name": self.name, "summary": dict(self.summary), **tables, **about}
