"""Simulated raters vote through the real database, each in the way that its name says."""

from __future__ import annotations

import polars as pl
import pytest

from charm_rm.errors import CharmWarning
from charm_rm.pipeline.simulated_raters import RATERS, STANDS, let_raters_vote
from charm_rm.pipeline.simulated_study import planned_study, simulate_world
from charm_rm.study.nouns import CHECK, Study

pytest.importorskip("sqlalchemy")


@pytest.fixture(scope="module")
def voted(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study of all raters, with 24 votes of each."""
    from charm_rm.study.database import create_study, engine

    world = simulate_world(seed=0, n_prompts=12)
    with pytest.warns(CharmWarning, match="both answers are the same text"):
        planned = planned_study(world, seed=0, comparisons=100)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "DURABLE", ("journal_mode=WAL", "synchronous=OFF"))  # no wait for the disk
        with create_study(tmp_path_factory.mktemp("voted") / "study.db", planned) as database:
            cast = let_raters_vote(database, world.quality, seed=0, votes_each=24)
            study = database.read()
    assert cast == len(study.votes) == 24 * len(RATERS)
    return study


def test_each_votes_as_its_name_says(voted: Study) -> None:
    votes = voted.votes.frame
    assert set(votes["rater"]) == {r.name for r in RATERS}
    left = votes.filter(rater="left-clicker")
    assert (left["winner"] == left["left"]).mean() >= 0.75
    assert votes.filter(pl.col("winner").is_in(["tie", "both_bad"]))["rater"].str.starts_with("careful").all()


def test_who_reads_passes_attention_checks_and_who_does_not_fails_some(voted: Study) -> None:
    checks = voted.comparisons.frame.filter(kind=CHECK).select("comparison_id", "expected")
    seen = voted.votes.frame.join(checks, on="comparison_id")
    careful = pl.col("rater").str.starts_with("careful")
    passed = pl.col("winner") == pl.col("expected")
    assert seen.filter(careful).height >= 12
    assert seen.filter(careful).select(passed.all()).item()
    assert not seen.filter(~careful).select(passed.all()).item()


def test_careful_raters_stand_by_most_of_their_votes(voted: Study) -> None:
    """They remember three in five, and vote anew, which may be the same, in the others."""
    votes = voted.votes.frame.filter(pl.col("rater").str.starts_with("careful"))
    again = votes.filter("repeat").select("comparison_id", "rater", second="winner")
    both = again.join(votes.filter(~pl.col("repeat")), on=["comparison_id", "rater"])
    assert both.height >= 10
    assert (both["second"] == both["winner"]).mean() >= STANDS
