"""What the votes so far say: the figures are those of the analysis, and where there are none the reason is said."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from charm_rm.errors import MissingExtra
from charm_rm.ratings import fit_ratings
from charm_rm.study import live_findings as findings
from charm_rm.study.estimates.agreement import agreement_table
from charm_rm.study.export import as_battles
from charm_rm.study.frame import counted
from charm_rm.study.live import live_study
from charm_rm.study.nouns import Study, StudyVotes
from charm_rm.study.raters import agreement as people
from charm_rm.study.raters.judging import judge_raters
from charm_rm.study.results import CARELESS
from study.studies import comparisons, main, simulated, vote, votes


def first(study: Study, n: int) -> Study:
    """The study with its first ``n`` votes."""
    return replace(study, votes=StudyVotes(study.votes.frame.head(n)))


def one_sided(n: int = 40, *, of: tuple[str, str, str] = ("alpha", "beta", "gamma")) -> Study:
    """The first policy always wins, the other two share."""
    a, b, c = of
    rows = [main(f"c{i}", *((a, b), (a, c), (b, c))[i % 3], wanted=1) for i in range(n)]
    said = [vote(f"c{i}", f"rater {i % 4}", "ab"[(i // 3) % 2] if i % 3 == 2 else "a") for i in range(n)]
    return Study("one-sided", comparisons(rows), votes(said))


def test_ratings_are_those_of_the_exported_battles() -> None:
    study = simulated()
    found = findings.live_ratings(study, live_study(study))
    fitted = fit_ratings(as_battles(study)).frame
    assert found.frame is not None
    assert_frame_equal(found.frame, fitted.select(found.frame.columns))
    assert "votes alone do not" not in found.note.lower()


@pytest.mark.parametrize("n", [0, 1, 5, 20])
def test_too_few_votes_are_said_in_place_of_numbers(n: int) -> None:
    study = first(simulated(), n)
    live = live_study(study)
    for found in (findings.live_ratings(study, live), findings.live_models(study, live)):
        assert found.frame is None
        assert f"{live.votes} votes on 3 policies are too few; from 30 on they are shown" in found.note


def test_votes_on_few_comparisons_are_too_few() -> None:
    rows = [main(f"c{i}", "alpha", "beta", wanted=30) for i in range(3)]
    said = [vote(f"c{i}", f"rater {r}", "ab"[r % 2]) for i in range(3) for r in range(10)]
    study = Study("few", comparisons(rows), votes(said))
    found = findings.live_ratings(study, live_study(study))
    assert found.frame is None
    assert "votes on 3 comparisons are too few" in found.note


def test_an_undefeated_policy_gets_a_prior_that_is_said() -> None:
    study = one_sided()
    found = findings.live_ratings(study, live_study(study))
    assert found.frame is not None
    assert found.frame["policy"][0] == "alpha"
    assert found.frame["rating"].is_finite().all()
    assert "half a win and half a loss were added to each pair" in found.note


def test_groups_that_never_met_have_no_ratings() -> None:
    rows = [main(f"c{i}", *(("alpha", "beta"), ("gamma", "zeta"))[i % 2]) for i in range(60)]
    study = Study(
        "apart", comparisons(rows), votes([vote(f"c{i}", "Ann", "ab"[i // 2 % 2]) for i in range(60)])
    )
    found = findings.live_ratings(study, live_study(study))
    assert found.frame is None
    assert found.note.startswith("No ratings yet: ")


def test_agreement_is_that_of_the_analysis_by_votes_alone() -> None:
    study = simulated()
    found = findings.live_models(study, live_study(study))
    whole = agreement_table(counted(study)).filter(
        (pl.col("estimator") == "classical") & (pl.col("votes_used") == "all")
    )
    assert found.frame is not None
    assert_frame_equal(found.frame, whole.select(found.frame.columns), rel_tol=1e-9)


def test_nothing_shown_is_a_test_of_the_difference() -> None:
    study = simulated()
    found = findings.live_findings(study, live_study(study))
    said = " ".join([found.models.note, found.ratings.note, found.people.note]).lower()
    assert "significan" not in said
    assert found.models.frame is not None
    assert not {"p_value", "difference", "reading"} & set(found.models.frame.columns)
    assert "planned votes" in found.models.note


def test_how_far_the_plan_is() -> None:
    live = live_study(simulated())
    assert live.wanted == 120
    assert findings.planned(live) == "The 120 planned votes are in: the figures can be read as they stand."
    early = live_study(first(simulated(), 10))
    assert findings.planned(early) == "10 of 120 planned votes are in, 110 are missing."


def test_a_study_without_models_says_so() -> None:
    study = replace(simulated(), models=())
    assert "no model" in findings.live_models(study, live_study(study)).note


def test_votes_without_a_verdict_are_said() -> None:
    study = simulated()
    model = study.models[0]
    assert model.scores is not None
    short = replace(
        model, scores=type(model.scores)(model.scores.frame.filter(pl.col("prompt_id") != "prompt-c0"))
    )
    found = findings.live_models(replace(study, models=(short,)), live_study(study))
    assert "left out: on comparisons that a model has no verdict on" in found.note


def test_agreement_of_people_is_that_of_the_analysis() -> None:
    pytest.importorskip("nltk", reason="alpha needs the [study] extra")
    study = simulated()
    found = findings.live_people(study)
    whole = people.inter_rater(study)
    assert found.frame is not None
    shown = found.frame["figure"].to_list()
    assert shown == list(findings.PEOPLE_WORDS)
    for name in shown:
        mine, theirs = (
            f.row(by_predicate=pl.col("figure") == name, named=True) for f in (found.frame, whole)
        )
        assert mine["value"] == pytest.approx(theirs["value"])
        assert mine["n_comparisons"] == theirs["n_comparisons"]
        if "alpha" not in name:
            assert (mine["ci_low"], mine["ci_high"]) == pytest.approx((theirs["ci_low"], theirs["ci_high"]))


def test_without_the_library_alpha_is_missing_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise MissingExtra("agreement of raters needs nltk", extra="study")

    monkeypatch.setattr(findings, "krippendorff_alpha", missing)
    found = findings.live_people(simulated())
    assert found.frame is not None
    assert found.frame["figure"].to_list() == ["pairwise_agreement", "pairwise_decided"]
    assert "Alpha is not shown: agreement of raters needs nltk." in found.note


def test_one_rater_agrees_with_nobody() -> None:
    found = findings.live_people(simulated(raters=1))
    assert found.frame is None
    assert found.note == "No comparison has votes of two raters yet."


def test_who_fails_the_checks_is_marked_with_the_reason() -> None:
    study = simulated(prompts=30, raters=6, votes_each=20, checks=8)
    careless = pl.col("rater") == "rater 5"
    check = pl.col("comparison_id").str.starts_with("k")
    turned = study.votes.frame.with_columns(
        winner=pl.when(check & careless).then(pl.lit("a")).when(check).then(pl.lit("b")).otherwise("winner")
    )
    flags = findings.rater_flags(replace(study, votes=StudyVotes(turned)))
    assert flags["rater 5"].verdict == CARELESS
    assert flags["rater 5"].reasons[0] == "failed 8 of 8 attention checks"
    assert set(flags) == {"rater 5"}


def test_raters_work_is_told_as_in_the_analysis() -> None:
    """What the page counts of each rater is what the table of the analysis says of them."""
    study = simulated()
    live, judged = live_study(study), judge_raters(study)
    mine = live.raters.sort("rater").select(
        "rater",
        *("votes", "repeats", "consistent", "checks", "passed", "seconds"),
        left_share=pl.col("left") / pl.col("sided"),
        tie_share=pl.col("ties") / pl.col("votes"),
    )
    assert_frame_equal(mine, judged.select(mine.columns))
