"""What the votes so far say of people, policies and models, for those who run the study: figures to watch the work by, not to stop it by.

Every figure comes with its interval, or with the reason why there is none yet.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from ..errors import CharmError, CharmWarning, MissingExtra, NotIdentifiable
from ..ratings.fit import fit_ratings
from .estimates.agreement import agreement_table, cautions
from .estimates.predictions import Predictions
from .export import as_battles
from .frame import counted
from .live import Live
from .nouns import Counted, Study
from .raters.agreement import krippendorff_alpha, pairwise_agreement
from .raters.judging import judge_raters
from .raters.pairs import first_votes, vote_pairs
from .results import ALL, ALPHA, CLASSICAL, PAIRWISE, PAIRWISE_DECIDED

# Below these no interval is worth showing: ratings are clustered by prompt, and few clusters make errors too small.
VOTES_PER_POLICY = 10
FEWEST_PROMPTS = 10
PRIOR = 0.5

LOOKING = (
    "Looking is fine; stopping because of what you see is not. Intervals hold for a number of votes that was settled before. Who looks again "
    "and again, and stops once an interval leaves out 0, finds a difference that is not there two to four times as often, and takes one that is "
    "there for larger than it is: at that moment the interval is too narrow, and off to one side. So collect the planned votes, and analyse then."
)


@dataclass(frozen=True, eq=False)
class Finding:
    """A table of figures, and what has to be said of it; None where there are too few votes, which ``note`` then says."""

    frame: pl.DataFrame | None
    note: str


@dataclass(frozen=True)
class RaterMark:
    """A verdict on a rater (:data:`.results.CARELESS` and others), and the reasons in words."""

    verdict: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Findings:
    """What votes so far say. ``people``: of raters among each other; ``ratings``: of policies; ``models``: agreement with people."""

    people: Finding
    ratings: Finding
    models: Finding
    flags: Mapping[str, RaterMark]


def live_findings(study: Study, live: Live) -> Findings:
    """All that is shown of the votes so far; ``live`` is the study's progress."""
    return Findings(
        live_people(study), live_ratings(study, live), live_models(study, live), rater_flags(study)
    )


def planned(live: Live) -> str:
    """How far the planned number of votes is."""
    left = max(0, live.wanted - live.votes)
    if not live.wanted:
        return "No number of votes was planned."
    if not left:
        return f"The {live.wanted:,} planned votes are in: the figures can be read as they stand."
    return f"{live.votes:,} of {live.wanted:,} planned votes are in, {left:,} are missing."


# --- ratings ------------------------------------------------------------------------------------------


def live_ratings(study: Study, live: Live) -> Finding:
    """Bradley-Terry ratings by the votes so far: policy, rating, ci_low, ci_high, votes; weighted as the plan chose comparisons.

    Where votes do not determine them (a policy that always won), half a won and half a lost pseudo-vote per pair that met is added,
    which the note says; where that does not help (groups that never met), there are none.
    """
    if short := _too_few(live):
        return Finding(None, f"No ratings yet: {short}.")
    battles = as_battles(replace(study, responses=None))
    note = (
        "Mean 1000; ties and both bad count as half a win. The interval takes votes on one prompt together; "
        "that of the analysis allows for raters, too, and is often wider. " + planned(live)
    )
    for prior in (0.0, PRIOR):
        try:
            fitted = fit_ratings(battles, prior=prior)
        except NotIdentifiable as error:
            reason = error.what
        except CharmError as error:
            return Finding(None, f"No ratings: {error.what}.")
        else:
            columns = ["policy", "rating", "ci_low", "ci_high", "votes"]
            said = (
                f"Votes alone do not determine them yet ({reason}), so half a win and half a loss were added to each pair that met. "
                if prior
                else ""
            )
            return Finding(fitted.frame.select(columns), said + note)
    return Finding(None, f"No ratings yet: {reason}.")


def _too_few(live: Live) -> str:
    """Why no interval is worth showing yet; empty where one is."""
    policies = live.policies.height
    needed = VOTES_PER_POLICY * policies
    if live.votes < needed:
        return f"{live.votes} votes on {policies} policies are too few; from {needed} on they are shown"
    if live.covered < FEWEST_PROMPTS:
        return f"votes on {live.covered} comparisons are too few; from {FEWEST_PROMPTS} on they are shown"
    return ""


# --- models -------------------------------------------------------------------------------------------


def live_models(study: Study, live: Live) -> Finding:
    """Each model's agreement with people by the votes alone: model, value, ci_low, ci_high, n_votes; a tie agrees by half.

    The difference between models is left to the analysis of the finished study on purpose: that is what a look would stop at.
    """
    if not study.models:
        return Finding(
            None, "The study has no model: neither scores nor judge margins were given to the plan."
        )
    if short := _too_few(live):
        return Finding(None, f"No figures yet: {short}.")
    # Of the comparisons alone: without predictions the other candidates say nothing, and there may be millions.
    known, notes = _quietly(lambda: counted(replace(study, candidates=None)))
    if known.frame.is_empty():
        return Finding(None, "No figures yet: no vote is on a comparison of which every model has a verdict.")
    even, even_all = (np.full(frame.height, 0.5) for frame in (known.frame, known.all))
    table = agreement_table(known, Predictions(even, even, even_all, even_all))
    mine = table.filter((pl.col("estimator") == CLASSICAL) & (pl.col("votes_used") == ALL))
    words = (
        "Over all votes that count, weighted as the plan chose them; a tie agrees by half. By the votes alone, with intervals clustered by "
        "prompt and rater. The analysis adds what the models say of all prompts, and compares the models with each other."
    )
    return Finding(
        mine.select("model", "value", "ci_low", "ci_high", "n_votes"),
        " ".join([planned(live), words, *map(_sentence, (*notes, *cautions(known)))]),
    )


# --- people -------------------------------------------------------------------------------------------

PEOPLE_WORDS = {
    PAIRWISE: "Two raters agree on a comparison (a tie by half)",
    PAIRWISE_DECIDED: "Two raters agree, of those who both named a winner",
    ALPHA: "Krippendorff's alpha, over a, b, tie and both bad",
}


def live_people(study: Study) -> Finding:
    """How far raters agree with each other: figure, value, ci_low, ci_high, n_comparisons; alpha without its interval, which takes longer."""
    votes = first_votes(study)
    pairs = vote_pairs(votes)
    if pairs.is_empty():
        return Finding(None, "No comparison has votes of two raters yet.")
    shared = [pairwise_agreement(pairs), pairwise_agreement(pairs, decided=True)]
    note = (
        "The first is on the scale of a model's agreement with people, and is what it should be read beside: one person agrees with another no "
        "oftener. Alpha is 0 where raters agree as chance would have it, 1 where they always do; its interval is in the analysis."
    )
    try:
        shared.append(krippendorff_alpha(votes, figure=ALPHA, groups=1))
    except MissingExtra as error:
        note += f" Alpha is not shown: {error.what}."
    rows = [
        (one.figure, e.value, e.ci_low, e.ci_high, one.n_comparisons)
        if (e := one.estimate)
        else (one.figure, None, None, None, one.n_comparisons)
        for one in shared
    ]
    columns = {
        "figure": pl.String,
        "value": pl.Float64,
        "ci_low": pl.Float64,
        "ci_high": pl.Float64,
        "n_comparisons": pl.Int64,
    }
    return Finding(pl.DataFrame(rows, schema=columns, orient="row"), note)


def rater_flags(study: Study) -> dict[str, RaterMark]:
    """What sets a rater apart, by name; only raters whose tests stand (:func:`.raters.judging.judge_raters`)."""
    table = judge_raters(study).filter(pl.col("verdict") != "")
    return {
        name: RaterMark(verdict, tuple(words.split("; ")))
        for name, verdict, words in table.select("rater", "verdict", "flags").iter_rows()
    }


def _quietly(make: Callable[[], Counted]) -> tuple[Counted, list[str]]:
    """What is made, and what was warned of meanwhile, which the page says."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CharmWarning)
        made = make()
    return made, [str(warning.message) for warning in caught if issubclass(warning.category, CharmWarning)]


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:].removesuffix(".") + "."
