"""Half widths before the votes are those that an analysis of simulated votes finds."""

from __future__ import annotations

import warnings

import numpy as np
import polars as pl
import pytest

from charm_rm.errors import CharmWarning
from charm_rm.study.estimates.agreement import agreement_table, difference_table
from charm_rm.study.frame import counted, find_candidates
from charm_rm.study.nouns import MAIN, Study, StudyVotes
from charm_rm.study.planning.design import codes_of, discordant, inclusion_chances
from charm_rm.study.planning.plan import plan_study
from charm_rm.study.planning.precision import Assumed, Population, comparisons_for_width

from ..small import before_and_after, responses

POLICIES = [f"m{i}" for i in range(8)]


def _population(assumed: Assumed, *, random_share: float = 0.3) -> Population:
    texts = responses(60, POLICIES)
    frame = find_candidates(texts, before_and_after(texts, noise=0.4)).frame
    differs = discordant(frame, ("before", "after"))
    pair = codes_of(frame.select("policy_a", "policy_b"))

    def chances(n: int) -> np.ndarray:
        return inclusion_chances(pair, differs, n=n, random_share=random_share, balance=0.5)

    return Population(codes_of(frame.select("prompt_id")), {"after": differs * 1.0}, chances, assumed)


ALONE = Assumed(raters=50, overlap=0.0, prompt_icc=0.0, rater_icc=0.0)


def test_a_simple_random_sample_has_the_textbook_standard_error() -> None:
    population = _population(ALONE, random_share=1.0)
    share = population.gaps["after"].mean()
    assert population.agreement(100).std_err == pytest.approx((ALONE.agreement_variance / 100) ** 0.5)
    assert population.difference(100, "after").std_err == pytest.approx((0.8 * share / 100) ** 0.5)
    assert population.difference(100, "after").per_vote == pytest.approx(1.0)


def test_votes_on_disagreement_are_worth_more_for_the_difference_and_less_for_agreement() -> None:
    population = _population(ALONE)
    assert population.difference(100, "after").per_vote > 2
    assert population.agreement(100).per_vote < 0.8


def test_fewer_raters_clusters_and_second_votes_widen() -> None:
    population = _population(ALONE)
    width = population.difference(100, "after").half_width
    assert population.assuming(raters=3, rater_icc=0.02).difference(100, "after").half_width > width
    assert population.assuming(prompt_icc=0.05).difference(100, "after").half_width > width
    twice = population.assuming(votes_per_comparison=2)
    assert twice.difference(50, "after").half_width > width  # as many votes, on half the comparisons
    assert twice.difference(100, "after").half_width < width


def test_several_differences_share_the_level_as_in_the_analysis() -> None:
    population = _population(ALONE)
    two = Population(
        population.prompt, {**population.gaps, "other": population.gaps["after"]}, population.chances, ALONE
    )
    assert two.difference(100, "after").half_width > 1.1 * population.difference(100, "after").half_width
    assert two.agreement(100) == population.agreement(100)


def test_the_number_found_is_the_fewest() -> None:
    population = _population(ALONE)
    n = comparisons_for_width(population, 0.06)
    assert population.main(n).half_width <= 0.06 < population.main(n - 1).half_width


def test_models_that_agree_everywhere_have_a_difference_of_nothing() -> None:
    population = _population(ALONE)
    same = Population(population.prompt, {"after": 0 * population.gaps["after"]}, population.chances, ALONE)
    assert same.difference(10, "after").half_width == 0
    assert same.main(10) == same.agreement(10)


def _voted(study: Study, *, raters: int, lean: float, rng: np.random.Generator) -> Study:
    """Votes by rule: people side with the first model with chance 0.65 plus the rater's own lean, and tie with 0.2."""
    frame = find_candidates(study.responses, study.models).frame.join(  # type: ignore[arg-type]
        study.comparisons.frame.filter(pl.col("kind") == MAIN), on=["prompt_id", "policy_a", "policy_b"]
    )
    leans = rng.normal(0, lean, raters)
    rows = []
    for row in frame.iter_rows(named=True):
        for rater in rng.choice(raters, row["votes_wanted"], replace=False):
            sides = row["margin_before"] > 0
            right = rng.uniform() < np.clip(0.5 + 0.15 / 0.8 + leans[rater], 0, 1)
            tie = rng.uniform() < 0.2
            winner = "tie" if tie else "a" if sides == right else "b"
            rows.append((row["comparison_id"], f"r{rater}", winner, False))
    schema = {"comparison_id": pl.String, "rater": pl.String, "winner": pl.String, "repeat": pl.Boolean}
    votes = StudyVotes(pl.DataFrame(rows, schema=schema, orient="row"))
    return Study(study.name, study.comparisons, votes, study.models, study.responses, study.candidates)


@pytest.mark.slow
@pytest.mark.parametrize(("raters", "lean"), [(40, 0.0), (8, 0.08)])
def test_promised_half_widths_are_met_by_the_analysis(raters: int, lean: float) -> None:
    """Half widths of 12 simulated studies beside the promise, with independent raters and with raters who lean."""
    rng = np.random.default_rng(3)
    texts = responses(150, POLICIES)
    models = before_and_after(texts, noise=0.4)
    icc = lean**2 * 0.8**2 / 0.18  # of a vote for or against the model, ties apart
    of_agreement, of_difference = [], []
    for seed in range(12):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CharmWarning)
            study = plan_study(
                texts,
                models,
                comparisons=300,
                overlap=0.0,
                raters=raters,
                seed=seed,
                rater_icc=icc,
                prompt_icc=0.0,
            )
            votes = counted(_voted(study, raters=raters, lean=lean, rng=rng))
        shows = [row for row in study.provenance["plan"]["shows"] if row["comparisons"] == 300]
        promised = {row["figure"]: row["half_width"] for row in shows}
        first = agreement_table(votes).filter(
            pl.col("votes_used") == "all", pl.col("estimator") == "classical"
        )
        gap = difference_table(votes).filter(
            pl.col("votes_used") == "all", pl.col("estimator") == "classical"
        )
        of_agreement.append((first["ci_high"][0] - first["ci_low"][0]) / 2 / promised["agreement"])
        of_difference.append((gap["ci_high"][0] - gap["ci_low"][0]) / 2 / promised["difference"])
    print("half widths over promised ones:", np.mean(of_agreement), np.mean(of_difference))
    assert 0.8 < np.mean(of_agreement) < 1.2
    assert 0.8 < np.mean(of_difference) < 1.2
