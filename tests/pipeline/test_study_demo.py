"""The demo: it says that it is simulated, leaves a study to vote in, shows what is typical of it; and its intervals hold the known truth."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from charm_rm.cli.study.demo import SEED
from charm_rm.errors import CharmWarning
from charm_rm.pipeline.simulated_raters import CARELESS, let_raters_vote
from charm_rm.pipeline.simulated_study import planned_study, simulate_world, true_agreement
from charm_rm.study.results import StudyAnalysis
from charm_rm.study.words import ceiling, leading

pytest.importorskip("sqlalchemy")
pytest.importorskip("nltk")
SEEDS = range(8)


@pytest.mark.slow
def test_the_demo_says_what_it_is_and_leaves_a_study_to_vote_in(
    charm: Callable[..., Result], tmp_path: Path
) -> None:
    from charm_rm.study.analysis import load_analysis
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
    assert set(kept["summary"]["flagged"]) == set(CARELESS)
    flags = {r["rater"]: r["flags"] for r in load_analysis(folder / "analysis").raters.to_dicts()}
    assert "on the left in" in flags["left-clicker"]
    assert "attention checks" in flags["random-clicker"]
    for file in folder.rglob("*.json"):
        assert link not in file.read_text(encoding="utf-8")
    assert charm("study", "demo", "-o", folder, "--no-serve").exit_code == 2  # there is one already


@pytest.fixture(scope="module")
def studies(
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[int, tuple[StudyAnalysis, StudyAnalysis, float]]:
    """Of eight seeds, the demo's among them: the analysis of all votes, that without careless raters, and the true difference."""
    from charm_rm.study.analysis import analyse_study
    from charm_rm.study.database import create_study, engine

    folder, found = tmp_path_factory.mktemp("studies"), {}
    for seed in SEEDS:
        with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
            warnings.simplefilter("ignore", CharmWarning)
            patch.setattr(engine, "DURABLE", ("journal_mode=WAL", "synchronous=OFF"))  # no wait for the disk
            world = simulate_world(seed=seed)
            study = planned_study(world, seed=seed)
            with create_study(folder / f"{seed}.db", study) as database:
                let_raters_vote(database, world.quality, seed=seed)
                voted = database.read()
            assert study.candidates is not None
            truth = true_agreement(world, study.candidates)
            both = (analyse_study(voted, without=without) for without in ((), CARELESS))
            found[seed] = (*both, truth["after"] - truth["before"])
    return found


@pytest.mark.slow
def test_intervals_hold_the_truth_over_seeds(
    studies: dict[int, tuple[StudyAnalysis, StudyAnalysis, float]], tell: Callable[[str], None]
) -> None:
    """Of 8 studies of careful raters, each with a 95 % interval, at most one misses: two would have a chance of 6 %."""
    missed = []
    for seed, (_, careful, truth) in studies.items():
        row = leading(careful.differences)[0]
        if not row["ci_low"] <= truth <= row["ci_high"]:
            missed.append(seed)
    tell(f"study demo: {len(SEEDS) - len(missed)} of {len(SEEDS)} intervals hold the true difference")
    assert len(missed) <= 1


@pytest.mark.slow
def test_what_the_demo_shows_is_typical(
    studies: dict[int, tuple[StudyAnalysis, StudyAnalysis, float]],
) -> None:
    """No figure that a reader looks at is the greatest or least of the eight: nobody is shown a lucky study, or a broken one."""
    shown = {seed: _figures(*found) for seed, found in studies.items()}
    for name, value in shown[SEED].items():
        others = [figures[name] for seed, figures in shown.items() if seed != SEED]
        assert min(others) <= value <= max(others), name
    for everybody, _, _ in studies.values():
        assert set(everybody.summary["flagged"]) == set(CARELESS)


def _figures(everybody: StudyAnalysis, careful: StudyAnalysis, truth: float) -> dict[str, float]:
    """Difference, width and p by both analyses; the truth; what careful raters repeat; how often people agree."""
    told = {"truth": truth, "consistent": careful.summary["consistent"]}
    for who, found in (("everybody", everybody), ("careful", careful)):
        row, people = leading(found.differences)[0], ceiling(found)
        assert people is not None
        told |= {
            f"{who} difference": row["difference"],
            f"{who} width": row["ci_high"] - row["ci_low"],
            f"{who} p": row["p_value"],
            f"{who} people": people["value"],
        }
    return told
