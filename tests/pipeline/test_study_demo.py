"""The demo's study: simulated and said so, votes through the real database, intervals held against the known truth."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from charm_rm.errors import CharmWarning
from charm_rm.pipeline.study_demo import (
    CARELESS,
    RATERS,
    difference_of,
    let_raters_vote,
    planned_study,
    simulate_world,
    true_agreement,
)
from charm_rm.study.frame import find_candidates
from charm_rm.testbed import vote_probability

pytest.importorskip("sqlalchemy")
pytest.importorskip("nltk")


def test_the_truth_is_that_of_the_simulated_public() -> None:
    """Against votes drawn by the testbed's own rule, many per comparison."""
    world = simulate_world(seed=3, n_prompts=8)
    candidates = find_candidates(world.responses, world.models).frame
    truth = true_agreement(world, candidates)
    quality = {(r["prompt_id"], r["policy"]): r["quality"] for r in world.arena.quality.iter_rows(named=True)}
    rng = np.random.default_rng(0)
    rows = candidates.to_dicts()
    p = np.array([float(vote_probability(*(quality[r["prompt_id"], r[s]] for s in ("policy_a", "policy_b")))) for r in rows])  # fmt: skip
    drawn = rng.random((400, len(rows))) < p
    for model, value in truth.items():
        says_a = np.array([r[f"margin_{model}"] > 0 for r in rows])
        assert value == pytest.approx((drawn == says_a).mean(), abs=0.004)
    assert 0.02 < truth["after"] - truth["before"] < 0.12


def test_simulated_raters_vote_through_the_database(tmp_path: Path) -> None:
    from charm_rm.study.database import create_study

    world = simulate_world(seed=0, n_prompts=6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)
        study = planned_study(world, seed=0, comparisons=30)
    assert study.provenance["simulated"] is True
    with create_study(tmp_path / "study.db", study) as database:
        cast = let_raters_vote(database, world, seed=0, votes_each=4)
        voted = database.read()
    assert cast == len(voted.votes) == 4 * len(RATERS)
    assert set(voted.votes.frame["rater"]) == {r.name for r in RATERS}
    sides = voted.votes.frame.filter(rater="left-clicker")
    assert (sides["winner"] == sides["left"]).mean() >= 0.75


@pytest.mark.slow
def test_the_demo_says_what_it_is_and_leaves_a_study_to_vote_in(
    charm: Callable[..., Result], tmp_path: Path
) -> None:
    from charm_rm.study.database import open_study

    folder = tmp_path / "demo"
    done = charm("study", "demo", "-o", folder, "--no-serve")
    assert done.exit_code == 0, done.output
    assert "SIMULATED" in done.stderr
    assert "(simulated raters)" in done.stdout
    assert "Known truth" in done.stdout
    link = done.stderr.split("/i/")[1].split()[0]
    with open_study(folder / "study.db") as database:
        rater = database.rater_by_token(link, now=0.0)
        assert rater is not None
        assert database.next_assignment(rater.id, now=1e9) is not None
    assert "Raters are simulated." in (folder / "study.html").read_text(encoding="utf-8")
    kept = json.loads((folder / "analysis" / "study.json").read_text(encoding="utf-8"))
    assert kept["summary"]["simulated"] is True
    assert set(kept["summary"]["flagged"]) >= set(CARELESS)
    for file in folder.rglob("*.json"):
        assert link not in file.read_text(encoding="utf-8")
    assert charm("study", "demo", "-o", folder, "--no-serve").exit_code == 2  # there is one already


@pytest.mark.slow
def test_intervals_hold_the_truth_over_seeds(tmp_path: Path, tell: Callable[[str], None]) -> None:
    """Of 8 studies of careful raters, each with a 95 % interval, at most one misses: two would have a chance of 6 %."""
    from charm_rm.study.analysis import analyse_study
    from charm_rm.study.database import create_study

    careful = [r for r in RATERS if r.name not in CARELESS]
    missed = []
    for seed in range(8):
        world = simulate_world(seed=seed, n_prompts=40)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CharmWarning)
            study = planned_study(world, seed=seed, comparisons=150)
            with create_study(tmp_path / f"{seed}.db", study) as database:
                let_raters_vote(database, world, seed=seed, votes_each=25, raters=careful)
                found = analyse_study(database.read())
        assert study.candidates is not None
        truth = true_agreement(world, study.candidates)
        row = difference_of(found)
        if not row["ci_low"] <= truth["after"] - truth["before"] <= row["ci_high"]:
            missed.append(seed)
    tell(f"study demo: {8 - len(missed)} of 8 intervals hold the true difference")
    assert len(missed) <= 1
