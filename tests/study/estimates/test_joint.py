"""Strengths and ratings together: influences by reweighting a prompt, errors of favour by leaving prompts out one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from charm_rm.margins import pair_margins, tally_margins
from charm_rm.mismatch.gaps import line_errors
from charm_rm.mismatch.line import Lines, fit_lines
from charm_rm.mismatch.measured import Measured
from charm_rm.mismatch.strengths import fit_strengths, rm_strengths, win_matrix
from charm_rm.statistics import FloatArray
from charm_rm.study.estimates.favour import People, measure_favour, verdicts_of
from charm_rm.study.estimates.joint import side_by_side
from charm_rm.study.estimates.rating_equation import solve
from charm_rm.study.estimates.ratings import study_ratings
from study.worlds import liked_study

PROMPTS, K = 60, 5


class Twin:
    """A study of one rater, and its strengths and ratings anew, each prompt with a weight of its own."""

    def __init__(self) -> None:
        self.counted = liked_study(1, prompts=PROMPTS, policies=K, share=0.8, raters=1)
        self.people = People.of(self.counted, study_ratings(self.counted), prior=0.0)
        self.measured = measure_favour(self.counted, "rm", self.people)[0]
        self.paired = pair_margins(verdicts_of(self.counted, "rm", self.people.ratings))
        self.strengths = rm_strengths(tally_margins(self.paired))

    def at(self, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(θ, ρ), mean 0, of weights (prompts,): all pairs were compared on every prompt."""
        won = 0.5 * (1 + np.sign(self.paired.rows(slice(None))))
        theta = fit_strengths(win_matrix(self.paired.pairs, won @ weight, (1 - won) @ weight, K)).theta
        sample = self.people.sample
        rho = solve(replace(sample, weight=sample.weight * weight[sample.layout.prompt]), 0.0).parameters
        return theta, rho - rho.mean()


@pytest.fixture(scope="module")
def twin() -> Twin:
    return Twin()


def _lines(measured: Measured, theta: FloatArray, rho: FloatArray) -> Lines:
    noise = measured.theta_noise, measured.rho_noise
    return fit_lines(rho, theta, *noise, used=~np.eye(K, dtype=bool), shared=measured.shared_noise)


def test_influences_are_what_a_prompt_of_more_weight_moves(twin: Twin) -> None:
    sample = twin.people.sample
    both = side_by_side(twin.strengths, twin.paired.prompts, sample, twin.people.errors.influence)
    start, step = np.concatenate(twin.at(np.ones(PROMPTS))), 1e-5
    for prompt in (0, 7, PROMPTS - 1):
        moved = np.concatenate(twin.at(1 + step * np.eye(PROMPTS)[prompt]))
        rows = np.concatenate([sample.layout.prompt == prompt, np.arange(PROMPTS) == prompt])
        np.testing.assert_allclose((moved - start) / step, both[rows].sum(axis=0), rtol=1e-3, atol=1e-6)


def test_errors_of_favour_are_those_of_leaving_prompts_out(twin: Twin) -> None:
    """The jackknife of the whole computation, lines and all; with one rater, prompts are the only clusters."""
    gaps = []
    for prompt in range(PROMPTS):
        theta, rho = twin.at(1 - np.eye(PROMPTS)[prompt])
        line = _lines(twin.measured, theta, rho)
        gaps.append(theta - line.intercept - line.slope * rho)
    jackknife = np.sqrt((PROMPTS - 1) * np.var(gaps, axis=0))
    start = _lines(twin.measured, twin.measured.theta, twin.measured.rho)
    found = np.sqrt(line_errors(twin.measured, start, "these").gap)
    apart = np.sqrt(line_errors(replace(twin.measured, joint=None), start, "these").gap)
    np.testing.assert_allclose(found, jackknife, rtol=0.15)
    assert (apart > 1.1 * jackknife).all()  # as if people and model had judged prompts of their own


def test_people_and_model_go_together(twin: Twin) -> None:
    measured = twin.measured
    share = measured.shared_noise / np.sqrt(measured.theta_noise * measured.rho_noise)
    assert share.mean() > 0.2
    assert (share > 0).all()
    assert (share < 1).all()
