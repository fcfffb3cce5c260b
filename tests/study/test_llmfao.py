"""Real votes: agreements and ratings of llmfao beside a slow computation with loops over the file."""

from __future__ import annotations

import warnings
from collections import defaultdict
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from charm_rm.study.importing.votes import import_votes
from charm_rm.study.results import CLASSICAL, StudyAnalysis

pytest.importorskip("nltk")
pytestmark = [pytest.mark.realdata, pytest.mark.slow]
_Votes = dict[tuple[int, str, str], list[float]]


@pytest.fixture(scope="module")
def raw(real_data: Path) -> pl.DataFrame:
    return pl.read_parquet(real_data / "llmfao" / "comparisons.parquet")


@pytest.fixture(scope="module")
def found(raw: pl.DataFrame) -> StudyAnalysis:
    from charm_rm.study.analysis import analyse_study

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return analyse_study(import_votes(raw, where="llmfao", name="llmfao"))


@pytest.fixture(scope="module")
def told(raw: pl.DataFrame) -> dict[str, _Votes]:
    """By judge: (prompt, first name, second name) -> 1, 0 or a half of every vote."""
    votes: dict[str, _Votes] = defaultdict(lambda: defaultdict(list))
    for row in raw.iter_rows(named=True):
        first, second = sorted((row["model_a"], row["model_b"]))
        winner = row.get(row["winner"])  # the name; none of a tie
        y = 0.5 if winner is None else float(winner == first)
        votes[row["judge"]][row["prompt"], first, second].append(y)
    return votes


def _agree(s: float, y: float) -> float:
    return s * y + (1 - s) * (1 - y)


@pytest.mark.parametrize("judge", ["gpt3", "gpt4"])
def test_agreement_of_judges_with_people(found: StudyAnalysis, told: dict[str, _Votes], judge: str) -> None:
    people, verdicts = told["human-crowd"], told[judge]
    each = [np.mean([_agree(verdicts[key][0], y) for y in ys]) for key, ys in people.items()]
    assert _of(found, judge, "all") == pytest.approx(np.mean(each), abs=1e-12)
    top = sum(_agree(verdicts[key][0], y) / len(ys) for key, ys in people.items() for y in ys if y != 0.5)
    bottom = sum(1 / len(ys) for ys in people.values() for y in ys if y != 0.5)
    assert _of(found, judge, "decided") == pytest.approx(top / bottom, abs=1e-12)


def _of(found: StudyAnalysis, model: str, used: str) -> float:
    row = found.agreement.filter(model=model, votes_used=used, estimator=CLASSICAL)
    return float(row["value"].item())


def test_agreement_of_people_with_each_other(found: StudyAnalysis, told: dict[str, _Votes]) -> None:
    each = [
        np.mean([_agree(a, b) for a, b in combinations(ys, 2)])
        for ys in told["human-crowd"].values()
        if len(ys) > 1
    ]
    value = found.people.filter(figure="pairwise_agreement")["value"].item()
    assert value == pytest.approx(np.mean(each), abs=1e-12)


def test_ratings_by_people(found: StudyAnalysis, told: dict[str, _Votes]) -> None:
    """A Bradley-Terry fit by plain fixed-point iteration, each comparison weighing 1."""
    wins: dict[tuple[str, str], float] = defaultdict(float)
    for (_, first, second), ys in told["human-crowd"].items():
        wins[first, second] += float(np.mean(ys))
        wins[second, first] += 1 - float(np.mean(ys))
    names = sorted({name for pair in wins for name in pair})
    w = np.array([[wins.get((a, b), 0.0) for b in names] for a in names])
    n, theta = w + w.T, np.zeros(len(names))
    for _ in range(20_000):
        strength = np.exp(theta)
        new = np.log(w.sum(1)) - np.log((n / (strength[:, None] + strength[None, :])).sum(1))
        new -= new.mean()
        if np.abs(new - theta).max() < 1e-11:
            break
        theta = new
    rows = found.ratings.filter(estimator=CLASSICAL).sort("policy")
    assert rows["policy"].to_list() == names
    rating = rows["rating"].to_numpy()
    np.testing.assert_allclose(rating - rating.mean(), 400 / np.log(10) * theta, atol=1e-4)


def test_what_the_documentation_says_of_it(found: StudyAnalysis) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "study.md").read_text(encoding="utf-8")
    for used, place in (("all", 0), ("decided", 1)):
        for name, shown in (("gpt3", "GPT-3 with people"), ("gpt4", "GPT-4 with people")):
            row = found.agreement.filter(model=name, votes_used=used, estimator=CLASSICAL).row(0, named=True)
            cells = page.split(f"| {shown} | ")[1].split(" |")[0:2]
            value, low, high = (f"{100 * row[c]:.1f}" for c in ("value", "ci_low", "ci_high"))
            assert cells[place].strip() == f"{value} [{low}, {high}]"
