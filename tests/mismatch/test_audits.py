"""The audit as a whole: hand-checkable cases, planted truth, real data, bad input."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy import special

from charm_rm.errors import CharmWarning, ConfigError, NoOverlap, NotIdentifiable, UnknownPolicy
from charm_rm.margins import margins_from_scores
from charm_rm.mismatch import audit, measure_favouritism, measure_mismatch, mismatch_degree, save_audit
from charm_rm.mismatch.line import fit_sharpness_line
from charm_rm.mismatch.summary import say_largest
from charm_rm.mismatch.verdicts import TOO_FEW, TOO_OFTEN, TOO_RARELY, VERDICTS
from charm_rm.ratings import fit_ratings
from charm_rm.sources import load_example
from charm_rm.statistics import ELO_PER_LOGIT
from charm_rm.store import load
from charm_rm.tables import Battles, Favouritism, Margins, Mismatch, Ratings, Scores, WinRates
from reference import slow_audit

RATING = {"ace": 1300.0, "base": 1200.0, "calm": 1150.0, "dull": 1050.0, "eager": 1000.0}


def ratings(std_err: float = 5.0, **changes: float) -> Ratings:
    table = RATING | changes
    return Ratings(pl.DataFrame({"policy": list(table), "rating": list(table.values()), "std_err": std_err}))


def simulated_scores(
    *, favour: dict[str, float], sharpness: float = 1.5, n: int = 400, seed: int = 0
) -> Scores:
    """Gumbel scores: their differences are logistic, so win rates are exactly Bradley-Terry."""
    rng = np.random.default_rng(seed)
    parts = [
        pl.DataFrame(
            {
                "prompt_id": [f"p{i}" for i in range(n)],
                "policy": name,
                "score": sharpness * (rating + favour.get(name, 0.0)) / ELO_PER_LOGIT + rng.gumbel(size=n),
            }
        )
        for name, rating in RATING.items()
    ]
    return Scores(pl.concat(parts))


def test_golden_pair_by_hand() -> None:
    """Four prompts, x wins two and ties one: P-hat = 2.5/4; ratings 400 apart: P = 10/11 and 1/11."""
    frame = pl.DataFrame(
        {
            "prompt_id": ["1", "2", "3", "4"] * 2,
            "policy": ["x"] * 4 + ["y"] * 4,
            "score": [1.0, 2.0, 3.0, 0.0, 0.5, 1.0, 3.0, 1.0],
        }
    )
    human = Ratings(pl.DataFrame({"policy": ["x", "y"], "rating": [800.0, 1200.0], "std_err": 1.0}))
    with pytest.warns(CharmWarning) as said:
        found = audit(Scores(frame), human)
    row = found.mismatch.frame.row(0, named=True)
    assert (row["policy"], row["reference"], row["n"]) == ("x", "y", 4)
    assert row["win_rate"] == 0.625
    assert row["expected"] == pytest.approx(1 / 11)
    assert row["mismatch"] == pytest.approx(0.625 - 1 / 11)
    assert row["mismatch_degree"] == pytest.approx((0.625 - 1 / 11) / (10 / 11))
    assert row["ci_low"] < row["mismatch"] < row["ci_high"]
    assert any("fewer than 30 shared prompts" in str(w.message) for w in said)
    assert any("three or more policies" in w for w in found.warnings)


def test_every_row_is_the_slow_twins() -> None:
    source = simulated_scores(favour={"calm": 150.0}, n=40)
    table = {(p, k): s for p, k, s in source.frame.iter_rows()}
    for row in measure_mismatch(source, ratings()).frame.iter_rows(named=True):
        win, n = slow_audit.win_rate(table, row["policy"], row["reference"])
        human = slow_audit.expected(RATING[row["policy"]], RATING[row["reference"]])
        assert (row["win_rate"], row["n"]) == pytest.approx((win, n))
        assert row["mismatch"] == pytest.approx(win - human)
        assert row["mismatch"] >= 0
        assert row["mismatch_degree"] == pytest.approx(slow_audit.mismatch_degree(win, human))


def test_every_soft_row_is_the_slow_twins() -> None:
    source = simulated_scores(favour={"calm": 150.0}, n=40)
    table = {(p, k): s for p, k, s in source.frame.iter_rows()}
    found = measure_mismatch(source, ratings(), outcome="soft", temperature=2.0)
    for row in found.frame.iter_rows(named=True):
        win = slow_audit.soft_win_rate(table, row["policy"], row["reference"], 2.0)
        human = slow_audit.expected(RATING[row["policy"]], RATING[row["reference"]])
        assert row["win_rate"] == row["win_rate_soft"] == pytest.approx(win)
        assert row["mismatch"] == row["mismatch_soft"] == pytest.approx(win - human)
        assert row["mismatch"] >= 0
        assert row["ci_low"] < row["mismatch"] < row["ci_high"]


def test_planted_favour_and_sharpness_are_found() -> None:
    """The line through the other four explains the favoured policy: its favour comes out whole."""
    with pytest.warns(
        CharmWarning, match="sharpness is imprecise"
    ):  # five policies, one of them far off the line
        found = audit(simulated_scores(favour={"calm": 200.0}, n=4000, sharpness=1.5), ratings(std_err=1.0))
    first = found.favouritism.frame.row(0, named=True)
    assert (first["policy"], first["verdict"]) == ("calm", "over-valued")
    assert first["favour"] == pytest.approx(200, abs=10)
    assert first["ci_low"] < 200 < first["ci_high"]
    assert found.sharpness.ci_low < 1.5 < found.sharpness.ci_high


def test_a_sharp_but_fair_judge_shows_no_favour() -> None:
    found = audit(simulated_scores(favour={}, sharpness=3.0, n=2000), ratings())
    assert found.sharpness.value == pytest.approx(3.0, rel=0.1)
    assert (found.favouritism.frame["q_value"] > 0.05).all()
    assert (found.mismatch.frame["verdict"] == TOO_OFTEN).sum() > 5


def holds_0(table: pl.DataFrame) -> list[bool]:
    """By policy; an end that is null is open."""
    return ((table["ci_low"] <= 0).fill_null(True) & (table["ci_high"] >= 0).fill_null(True)).to_list()


def test_favour_intervals_cover_fair_judges() -> None:
    covered = []
    for seed in range(30):
        table = audit(
            simulated_scores(favour={}, n=100, seed=seed), ratings(std_err=0.1), draws=400
        ).favouritism
        covered += holds_0(table.frame)
    assert 0.88 <= np.mean(covered) <= 1.0


# Whether an audit's four intervals hold is all but independent from pair to pair: three standard errors of 100 below 95 % are 88 %.
AUDITS, COVERED = range(25), 0.88


def test_mismatch_intervals_cover_the_truth() -> None:
    gap = {name: (rating - RATING["base"]) / ELO_PER_LOGIT for name, rating in RATING.items()}
    truth = {name: special.expit(1.5 * x) - special.expit(x) for name, x in gap.items()}
    hits = []
    for seed in AUDITS:
        table = measure_mismatch(
            simulated_scores(favour={}, n=60, seed=seed), ratings(std_err=0.1), references=["base"], draws=400
        )
        hits += holds_truth(table.frame, truth)
    assert len(hits) == 4 * len(AUDITS)
    assert np.mean(hits) >= COVERED


def holds_truth(frame: pl.DataFrame, truth: dict[str, float]) -> list[bool]:
    """Whether each pair's interval holds its policy's true mismatch with the reference."""
    rows = frame.select("policy", "ci_low", "ci_high").iter_rows()
    return [low <= truth[policy] <= high for policy, low, high in rows]


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_soft_intervals_cover_the_truth(temperature: float) -> None:
    noise = special.logit((np.arange(100_000) + 0.5) / 100_000)
    gap = {name: (rating - RATING["base"]) / ELO_PER_LOGIT for name, rating in RATING.items()}
    truth = {
        name: special.expit((1.5 * x + noise) / temperature).mean() - special.expit(x)
        for name, x in gap.items()
    }
    hits, mild = [], []
    for seed in AUDITS:
        found = audit(
            simulated_scores(favour={}, n=60, seed=seed),
            ratings(std_err=0.1),
            references=["base"],
            draws=400,
            outcome="soft",
            temperature=temperature,
        )
        hits += holds_truth(found.mismatch.frame, truth)
        table = found.favouritism.frame
        mild += holds_0(table)
    assert np.mean(hits) >= COVERED
    assert 0.88 <= np.mean(mild) <= 1.0


def test_a_softened_judge_is_less_sharp_and_favours_the_same() -> None:
    source = simulated_scores(favour={"calm": 200.0}, n=2000)
    with pytest.warns(CharmWarning, match="sharpness is imprecise"):
        hard, soft = (audit(source, ratings(), outcome=o) for o in ("hard", "soft"))
    assert soft.sharpness.value < 0.9 * hard.sharpness.value
    first, hard_first = (f.favouritism.frame.row(0, named=True) for f in (soft, hard))
    assert first["policy"] == hard_first["policy"] == "calm"
    assert first["favour"] == pytest.approx(hard_first["favour"], rel=0.15)
    assert first["q_value"] < 0.05
    assert soft.provenance["settings"]["outcome"] == "soft"


@pytest.mark.parametrize("outcome", ["hard", "soft"])
def test_normal_and_bootstrap_errors_agree(outcome: str) -> None:
    source = simulated_scores(favour={"calm": 100.0}, n=500)
    drawn, closed = (audit(source, ratings(), draws=d, outcome=outcome) for d in (2000, 0))
    np.testing.assert_allclose(drawn.mismatch.frame["ci_low"], closed.mismatch.frame["ci_low"], atol=0.012)
    np.testing.assert_allclose(drawn.favouritism.frame["favour"], closed.favouritism.frame["favour"])
    assert closed.rank_correlation["spearman"].ci_low is None


def test_scores_and_their_margins_are_audited_alike() -> None:
    source = simulated_scores(favour={"calm": 100.0}, n=50)
    one = audit(source, ratings(), draws=0)
    two = audit(margins_from_scores(source), ratings(), draws=0)
    assert_frame_equal(one.favouritism.frame, two.favouritism.frame)  # summed in another order
    assert one.mismatch.frame["mismatch"].to_list() == pytest.approx(two.mismatch.frame["mismatch"].to_list())


def test_published_win_rates_give_the_scores_point_estimates() -> None:
    source = simulated_scores(favour={"calm": 100.0}, n=200)
    full = audit(source, ratings())
    published = WinRates(full.win_rates.frame.select("policy", "reference", "win_rate", "std_err", "n"))
    with pytest.warns(CharmWarning, match="assumed to share prompts"):
        again = audit(published, ratings())
    # Of one set of scores, whose wins share prompts, errors are near those that the scores themselves give.
    errors = (
        again.favouritism.frame.sort("policy")["std_err"] / full.favouritism.frame.sort("policy")["std_err"]
    )
    assert errors.is_between(0.8, 1.3).all()
    np.testing.assert_allclose(
        again.favouritism.frame.sort("policy")["favour"],
        full.favouritism.frame.sort("policy")["favour"],
        atol=3.0,
    )
    keep = ["policy", "reference", "win_rate"]
    assert sorted(map(abs, again.mismatch.frame["mismatch"])) == pytest.approx(
        sorted(full.mismatch.frame["mismatch"])
    )
    assert again.mismatch.frame.select(keep).height == full.mismatch.frame.height


def test_a_judges_baseline_is_the_reference() -> None:
    """Judgements of everyone against one policy: an over-valued baseline is not scattered over the policy side."""
    source = simulated_scores(favour={"base": 200.0}, n=100)
    margins = margins_from_scores(source, references=["base"])
    with pytest.warns(CharmWarning, match="sharpness is imprecise"):
        star, same = (audit(margins, ratings(), references=r) for r in (None, ["base"]))
    assert set(star.mismatch.frame["reference"]) == {"base"}
    assert star.mismatch.frame.equals(same.mismatch.frame)
    assert (star.mismatch.frame["mismatch"] < 0).any()


def test_chosen_references_keep_their_side() -> None:
    found = measure_mismatch(simulated_scores(favour={}, n=50), ratings(), references=["base", "dull"])
    assert set(found.frame["reference"]) == {"base", "dull"}
    assert found.frame.height == 4 + 3


def test_ties_may_count_as_losses() -> None:
    frame = pl.DataFrame(
        {"prompt_id": ["1", "2"] * 2, "policy": ["ace"] * 2 + ["base"] * 2, "score": [1.0, 2.0, 1.0, 1.0]}
    )
    with pytest.warns(CharmWarning):
        one = measure_mismatch(Scores(frame), ratings(), references=["base"], ties="loss")
    assert one.frame["win_rate"][0] == 0.5
    with pytest.warns(CharmWarning):
        other = measure_mismatch(Scores(frame), ratings(), references=["ace"], ties="loss")
    assert other.frame["win_rate"][0] == 0.0


def test_seeds_decide_everything() -> None:
    source = simulated_scores(favour={}, n=40)
    one, same, other = (audit(source, ratings(), seed=s).mismatch.frame for s in (1, 1, 2))
    assert one.equals(same)
    assert not one.equals(other)


def test_degree_is_between_0_and_1_and_symmetric() -> None:
    win, human = np.array([0.0, 1.0, 0.3]), np.array([0.8, 0.8, 0.3])
    np.testing.assert_allclose(mismatch_degree(win, human), [1.0, 0.25, 0.0])
    np.testing.assert_allclose(mismatch_degree(win, human), mismatch_degree(1 - win, 1 - human))


def test_a_pair_of_two_prompts_is_not_a_finding() -> None:
    """Two prompts, both won, where people would give 0.36: once p was 0.0006; the exact one is 0.36² = 0.13."""
    frame = pl.DataFrame(
        {"prompt_id": ["1", "2"] * 2, "policy": ["x"] * 2 + ["y"] * 2, "score": [1.0, 1.0, 0.0, 0.0]}
    )
    human = Ratings(pl.DataFrame({"policy": ["x", "y"], "rating": [1000.0, 1100.0], "std_err": 0.0}))
    with pytest.warns(CharmWarning):
        row = measure_mismatch(Scores(frame), human).frame.row(0, named=True)
    assert row["p_value"] == pytest.approx(0.36**2, abs=0.001)
    assert row["verdict"] == TOO_FEW
    assert row["q_value"] is None


def test_every_verdict_agrees_with_its_interval_and_largest_row_is_told() -> None:
    found = audit(simulated_scores(favour={"calm": 100.0}, n=100), ratings())
    for row in found.mismatch.frame.iter_rows(named=True):
        assert row["verdict"] != TOO_OFTEN or (row["ci_low"] > 0 and row["q_value"] <= 0.05)
        assert row["simultaneous_ci_low"] <= row["mismatch_shrunk"] <= row["mismatch"]
        assert row["mismatch_degree_ci_high"] <= 1
    largest = found.summary["largest_mismatch"]
    assert largest["mismatch"] == found.mismatch.frame["mismatch"].max()
    assert largest["mismatch_shrunk"] < largest["mismatch"]
    assert "picked as the largest" in say_largest(largest, 10)


def test_verdict_counts_stand_in_one_order() -> None:
    counts = [list(audit(simulated_scores(favour={"calm": 100.0}, n=100), ratings()).summary["verdicts"])] * 3
    assert all(c == [v for v in VERDICTS if v in c] for c in counts)


@pytest.mark.parametrize("outcome", ["hard", "soft"])
@pytest.mark.parametrize("scale", [1e155, 1e308, 1e-300, 5e-324])
def test_scores_of_any_size_are_audited_by_their_signs(scale: float, outcome: str) -> None:
    plain = simulated_scores(favour={}, n=40).frame.with_columns(pl.col("score").round(0) / 20)
    source = Scores(
        plain.with_columns(pl.col("score") * 20 * scale if scale < 1e-200 else pl.col("score") * scale)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", CharmWarning)  # with every soft outcome ½ there is no order
        found = audit(source, ratings(), draws=200, outcome=outcome, unrated="error")
    if outcome == "hard":
        same = audit(Scores(plain), ratings(), draws=200)
        assert found.mismatch.frame["win_rate"].equals(same.mismatch.frame["win_rate"])


def test_a_pair_of_nothing_but_ties_has_an_interval() -> None:
    frame = simulated_scores(favour={}, n=12).frame
    level = frame.filter(pl.col("policy") == "base")["score"]
    frame = frame.with_columns(
        pl.when(pl.col("policy") == "calm").then(pl.Series([*level] * 5)).otherwise("score").alias("score")
    )
    with pytest.warns(CharmWarning):
        table = measure_mismatch(Scores(frame), ratings()).frame
    row = table.filter((pl.col("policy") == "calm") & (pl.col("reference") == "base")).row(0, named=True)
    assert row["win_rate"] == 0.5
    assert row["ci_high"] - row["ci_low"] > 0.1
    assert row["simultaneous_ci_high"] - row["simultaneous_ci_low"] > 0.1


def test_policies_without_a_rating_stop_the_audit_unless_skipped() -> None:
    human = Ratings(ratings().frame.filter(pl.col("policy") != "calm"))
    with pytest.raises(UnknownPolicy, match="calm"):
        audit(simulated_scores(favour={}, n=40), human)
    with pytest.warns(CharmWarning, match="calm"):
        found = audit(simulated_scores(favour={}, n=40), human, unrated="skip")
    assert "calm" not in found.mismatch.policies


def test_rated_policies_without_scores_are_counted_and_named() -> None:
    found = audit(simulated_scores(favour={}, n=40), ratings(absent=1500.0))
    assert found.summary["rated_not_scored"] == 1
    assert found.summary["best_not_scored"] == ["absent"]


def test_prompts_that_do_not_overlap() -> None:
    frame = pl.DataFrame({"prompt_id": ["1", "2"], "policy": ["ace", "base"], "score": [1.0, 2.0]})
    with pytest.raises(NoOverlap, match="share a prompt"):
        audit(Scores(frame), ratings())


def test_one_shared_prompt() -> None:
    frame = pl.DataFrame({"prompt_id": ["1", "1"], "policy": ["ace", "base"], "score": [1.0, 2.0]})
    with pytest.raises(NotIdentifiable, match="one prompt only"):
        audit(Scores(frame), ratings())


def test_all_margins_equal_to_0() -> None:
    frame = simulated_scores(favour={}, n=40).frame.with_columns(pl.lit(1.0).alias("score"))
    with pytest.raises(NotIdentifiable, match="all margins are equal"):
        audit(Scores(frame), ratings())


def test_an_undefeated_policy_is_said_and_stays_finite() -> None:
    frame = simulated_scores(favour={}, n=40).frame.with_columns(
        pl.when(pl.col("policy") == "ace").then(100.0).otherwise("score").alias("score")
    )
    with (
        pytest.warns(CharmWarning, match="win or lose every comparison"),
        pytest.warns(match="no test and no interval"),
    ):
        found = audit(Scores(frame), ratings())
    assert found.favouritism.frame["favour"].is_finite().all()
    # Half a win that nobody won is no evidence of favour.
    assert set(found.favouritism.frame["verdict"]) == {"underpowered"}
    assert found.favouritism.frame["q_value"].null_count() == len(found.favouritism)
    assert found.sharpness.ci_low is None


def test_few_prompts_find_no_favour() -> None:
    source = simulated_scores(favour={"calm": 400.0}, n=29)
    with (
        pytest.warns(CharmWarning, match="fewer than 30 shared prompts"),
        pytest.warns(match="no test and no interval"),
    ):
        found = audit(source, ratings())
    assert set(found.favouritism.frame["verdict"]) == {"underpowered"}
    assert found.favouritism.frame["ci_low"].null_count() == len(found.favouritism)


def test_a_reward_model_upside_down_has_no_elo_scale() -> None:
    frame = simulated_scores(favour={}, n=200).frame.with_columns(-pl.col("score"))
    with pytest.warns(CharmWarning, match="does not agree with human ratings"):
        found = audit(Scores(frame), ratings())
    assert found.favouritism is None
    with pytest.raises(NotIdentifiable), pytest.warns(CharmWarning):
        measure_favouritism(Scores(frame), ratings())


BAD_SETTINGS = [
    {"draws": 5},
    {"ties": "win"},
    {"temperature": 0.0},
    {"outcome": "mild"},
    {"outcome": "soft", "ties": "loss"},
]


def test_published_win_rates_cannot_be_softened() -> None:
    rates = WinRates(pl.DataFrame({"policy": ["ace"], "reference": ["base"], "win_rate": [0.6], "n": [50]}))
    with pytest.raises(ConfigError, match="as they were published"):
        audit(rates, ratings(), outcome="soft")


@pytest.mark.parametrize("bad", BAD_SETTINGS)
def test_unusable_settings(bad: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        audit(simulated_scores(favour={}, n=40), ratings(), **bad)


def test_sharpness_line_by_hand_and_paule_mandel() -> None:
    rho, theta = np.array([0.0, 1.0, 2.0]), np.array([0.0, 2.0, 4.0])
    line = fit_sharpness_line(rho, theta, np.full(3, 0.01), np.zeros(3))
    assert (line.intercept, line.slope, line.tau2) == pytest.approx((0.0, 2.0, 0.0))
    scattered = theta + np.array([0.5, -1.0, 0.5])
    line = fit_sharpness_line(rho, scattered, np.full(3, 0.01), np.zeros(3))
    residual = scattered - line.intercept - line.slope * rho
    assert (residual**2 / (0.01 + line.tau2)).sum() == pytest.approx(1.0, rel=1e-4)


def test_audits_round_trip_through_files(tmp_path: Path) -> None:
    found = audit(simulated_scores(favour={}, n=40), ratings())
    save_audit(found, tmp_path)
    assert load(Mismatch, tmp_path / "mismatch.parquet").frame.equals(found.mismatch.frame)
    assert load(Favouritism, tmp_path / "favouritism.parquet").sharpness == found.sharpness
    assert load(Ratings, tmp_path / "ratings.parquet").frame.equals(found.ratings.frame)
    written = json.loads((tmp_path / "audit.json").read_text())
    assert set(written) >= {
        "sharpness",
        "favouritism",
        "mismatch",
        "rank_correlation",
        "provenance",
        "warnings",
    }
    assert set(written["mismatch"][0]) >= {
        "policy", "reference", "n", "win_rate", "expected", "mismatch", "mismatch_degree",
        "ci_low", "ci_high", "p_value", "q_value",
    }  # fmt: skip


def test_an_audit_keeps_the_ratings_it_used_under_the_policies_own_names() -> None:
    human = ratings()
    renamed = human.frame.with_columns(pl.col("policy").replace("calm", "calm-2024"))
    more = pl.DataFrame({"policy": ["unscored"], "rating": [900.0]})
    found = audit(
        simulated_scores(favour={}, n=40),
        Ratings(pl.concat([renamed, more], how="diagonal")),
        aliases={"calm": "calm-2024"},
    )
    assert dict(found.ratings.frame.select("policy", "rating").iter_rows()) == RATING


def test_the_shipped_judge() -> None:
    judge = load_example()
    with pytest.warns(CharmWarning, match="have no interval"):
        found = audit(judge.win_rates, judge.ratings)
    first = found.favouritism.frame.row(0, named=True)
    assert first["policy"] == "gemma-2-9b-it-SimPO"
    assert first["favour"] > 100
    assert 1.8 < found.sharpness.value < 2.1
    assert judge.baseline in found.favouritism.policies
    assert len(found.favouritism) == 45


@pytest.mark.realdata
def test_a_small_real_reward_model_favours_simpo(real_data: Path) -> None:
    """Bounds from an independent computation in the data's own README (inverse-variance weights, 58 policies)."""
    scores = Scores(pl.read_parquet(real_data / "scores/minilm_alpaca_eval.parquet"))
    names = pl.read_csv(real_data / "alpaca_eval/arena_names.csv")
    human = Ratings(names.select("policy", "rating", "ci_low", "ci_high"))
    found = audit(scores, human, references=["gpt-4o-mini-2024-07-18"])
    first = found.favouritism.frame.row(0, named=True)
    assert first["policy"] == "gemma-2-9b-it-SimPO"
    assert first["ci_low"] < 262 < first["ci_high"]
    assert found.sharpness.ci_low < 1.58 < found.sharpness.ci_high
    assert found.favouritism.frame["policy"][-1] == "gpt-3.5-turbo-0301"
    top = found.mismatch.frame.row(0, named=True)
    assert top["win_rate"] == pytest.approx(0.91, abs=0.01)
    assert top["expected"] == pytest.approx(0.4187, abs=5e-4)
    assert top["mismatch_degree"] == pytest.approx(0.84, abs=0.01)


@pytest.mark.realdata
def test_no_verdict_on_real_judgements_rests_on_a_few_prompts_or_contradicts_its_interval(
    real_data: Path,
) -> None:
    """A judge of 13 or so prompts and hundreds of sparse pairs: once 62 of 99 verdicts had an interval over 0, 36 two prompts or one."""
    votes = pl.read_parquet(real_data / "llmfao/comparisons.parquet").with_columns(
        pl.col("prompt").cast(pl.String).alias("prompt_id")
    )
    label = pl.col("winner").replace_strict({"model_a": "a", "model_b": "b", "tie": "tie"})
    battles = votes.filter(pl.col("judge") == "human-crowd").select(
        "prompt_id", policy_a="model_a", policy_b="model_b", winner=label
    )
    margin = pl.col("winner").replace_strict({"model_a": 5.0, "model_b": -5.0, "tie": 0.0})
    judged = (
        votes.filter(pl.col("judge") == "gpt4")
        .select("prompt_id", policy="model_a", reference="model_b", margin=margin)
        .group_by("prompt_id", "policy", "reference")
        .agg(pl.col("margin").mean())
    )
    for outcome in ("hard", "soft"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CharmWarning)
            found = audit(Margins(judged), fit_ratings(Battles(battles)), outcome=outcome, unrated="skip")
        assert found.summary["verdicts"][TOO_FEW] > 900
        said = found.mismatch.frame.filter(pl.col("verdict").is_in([TOO_OFTEN, TOO_RARELY]))
        assert ((said["ci_low"] > 0) | (said["ci_high"] < 0)).all()
        assert (said["n"] >= 10).all()
