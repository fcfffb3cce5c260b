"""Fitted ratings: goldens, twins, outside oracles, coverage, bad input."""

from __future__ import annotations

import math
from pathlib import Path

import choix
import evalica
import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from charm_rm import store
from charm_rm.errors import CharmWarning, ConfigError, NotIdentifiable, SchemaError, UnknownPolicy
from charm_rm.ratings import fit_ratings, load_battles
from charm_rm.statistics import ELO_PER_LOGIT
from charm_rm.tables import Battles, Ratings
from reference import bradley_terry as twin

from .strategies import OUTCOME, battles_of, connected_rows, log_strengths, simulated

WINNERS = {
    "a": evalica.Winner.X,
    "b": evalica.Winner.Y,
    "tie": evalica.Winner.Draw,
    "both_bad": evalica.Winner.Draw,
}


# --- hand-checkable -----------------------------------------------------------------------------


def test_ten_wins_to_one_is_400_points_and_the_error_is_the_binomial_one() -> None:
    """Two policies, 10 to 1: odds 10, so 400 Elo; the variance of a log-odds is 1/10 + 1/1."""
    ratings = fit_ratings(battles_of([("x", "y", "a")] * 10 + [("x", "y", "b")]), anchor=("y", 1000.0))
    assert ratings.frame["rating"].to_list() == pytest.approx([1400.0, 1000.0], abs=1e-9)
    assert ratings.frame["std_err"][0] == pytest.approx(ELO_PER_LOGIT * math.sqrt(1.1))
    assert ratings.frame["std_err"][1] == 0.0
    assert ratings.frame["votes"].to_list() == [11, 11]


def test_both_bad_and_tie_are_half_a_win_and_mean_is_the_default_gauge() -> None:
    ratings = fit_ratings(battles_of([("x", "y", "a"), ("x", "y", "tie"), ("y", "x", "both_bad")]))
    assert ratings.frame["rating"].mean() == pytest.approx(1000.0)
    assert ratings.frame["rating"][0] - ratings.frame["rating"][1] == pytest.approx(400 * math.log10(2))


def test_provenance_says_how_the_fit_came_about() -> None:
    rows = [("x", "y", "a"), ("x", "y", "b"), ("x", "y", "tie")]
    record = fit_ratings(battles_of(rows)).provenance
    assert record["n_battles"] == 3
    assert record["outcomes"] == {"a": 1, "b": 1, "tie": 1, "both_bad": 0}
    assert record["log_likelihood"] == pytest.approx(3 * math.log(0.5))
    assert record["iterations"] == 1
    assert record["last_step"] <= record["tolerance"]


# --- twins and oracles --------------------------------------------------------------------------


@settings(max_examples=15)
@given(connected_rows(max_policies=4))
def test_agrees_with_the_slow_twin_in_strength_and_covariance(rows: list[tuple[str, str, str]]) -> None:
    plain = [(a, b, OUTCOME[w]) for a, b, w in rows]
    theta = twin.strengths(plain)
    ratings = fit_ratings(battles_of(rows))
    assert log_strengths(ratings) == pytest.approx(theta, abs=1e-7)
    order = np.argsort(ratings.frame["policy"].to_numpy())
    ours = ratings.covariance[np.ix_(order, order)] / ELO_PER_LOGIT**2
    expected, floor = twin.sandwich(plain, theta), twin.one_battle_floor(plain, theta)
    assume(
        np.linalg.eigvalsh(expected - floor)[0] > -1e-9
    )  # where the floor (test_sandwich.py) does not count
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-9)


@settings(max_examples=30)
@given(connected_rows())
def test_agrees_with_evalica_and_choix(rows: list[tuple[str, str, str]]) -> None:
    assert_oracles_agree(battles_of(rows))


@pytest.mark.realdata
def test_agrees_with_evalica_and_choix_on_human_votes(real_data: Path) -> None:
    with pytest.warns(CharmWarning, match="dropped 10 battles of a model against itself"):
        battles = load_battles(real_data / "arena" / "human_votes_140k.parquet")
    assert len(battles) == 135_624
    assert_oracles_agree(battles)


def assert_oracles_agree(battles: Battles) -> None:
    ours = log_strengths(fit_ratings(battles))
    names = battles.policies
    frame = battles.frame
    scores = evalica.bradley_terry(
        frame["policy_a"].to_list(),
        frame["policy_b"].to_list(),
        [WINNERS[w] for w in frame["winner"]],
        tolerance=1e-13,
        limit=1_000_000,
    ).scores
    theirs = {n: math.log(scores[n]) for n in names}
    level = sum(theirs.values()) / len(names)
    assert ours == pytest.approx({n: t - level for n, t in theirs.items()}, abs=1e-6)

    wins = np.zeros((len(names), len(names)))
    for a, b, winner, n in frame.group_by("policy_a", "policy_b", "winner").len().iter_rows():
        i, j = names.index(a), names.index(b)
        wins[i, j] += n * OUTCOME[winner]
        wins[j, i] += n * (1 - OUTCOME[winner])
    found = choix.ilsr_pairwise_dense(wins, max_iter=100_000, tol=1e-10)
    assert ours == pytest.approx(dict(zip(names, found - found.mean(), strict=True)), abs=1e-6)


# --- invariants ---------------------------------------------------------------------------------


@settings(max_examples=20)
@given(connected_rows(), st.randoms(use_true_random=False))
def test_order_of_battles_and_of_sides_changes_nothing(rows: list, random) -> None:
    swapped = [
        (b, a, {"a": "b", "b": "a"}.get(w, w)) if random.random() < 0.5 else (a, b, w) for a, b, w in rows
    ]
    random.shuffle(swapped)
    one, two = fit_ratings(battles_of(rows)), fit_ratings(battles_of(swapped))
    assert log_strengths(one) == pytest.approx(log_strengths(two), abs=1e-9)


@settings(max_examples=20)
@given(connected_rows(), st.floats(0.1, 50.0))
def test_scaling_all_weights_changes_neither_ratings_nor_errors(rows: list, scale: float) -> None:
    plain = fit_ratings(battles_of(rows))
    heavy = fit_ratings(battles_of(rows, weight=[scale] * len(rows)))
    by_name = [
        r.covariance[np.ix_(o, o)] for r in (heavy, plain) for o in [np.argsort(r.frame["policy"].to_numpy())]
    ]
    np.testing.assert_allclose(*by_name, rtol=1e-6, atol=1e-6)  # equal ratings may come in either order
    assert log_strengths(heavy) == pytest.approx(log_strengths(plain), abs=1e-8)


def test_a_battle_of_weight_two_moves_ratings_as_two_battles_do() -> None:
    rows = [("x", "y", "a"), ("x", "y", "b"), ("y", "z", "tie"), ("z", "x", "a")]
    twice = fit_ratings(battles_of([rows[0], *rows]))
    weighted = fit_ratings(battles_of(rows, weight=[2.0, 1.0, 1.0, 1.0]))
    assert log_strengths(weighted) == pytest.approx(log_strengths(twice), abs=1e-9)
    assert weighted.frame["std_err"].to_list() != pytest.approx(twice.frame["std_err"].to_list())


def test_the_gauge_moves_levels_and_errors_but_no_difference() -> None:
    battles = simulated(np.random.default_rng(0), np.linspace(-1, 1, 5), 400)
    mean, anchored = fit_ratings(battles), fit_ratings(battles, anchor=("p02", 1200.0))
    assert mean.policies == anchored.policies
    gap = anchored.frame["rating"] - mean.frame["rating"]
    assert gap.max() == pytest.approx(gap.min(), abs=1e-9)
    contrast = np.zeros(5)
    contrast[[0, 3]] = 1.0, -1.0
    assert contrast @ mean.covariance @ contrast == pytest.approx(contrast @ anchored.covariance @ contrast)
    assert np.abs(mean.covariance.sum(axis=1)).max() < 1e-9


def test_ratings_survive_the_disk_with_covariance_and_provenance(tmp_path: Path) -> None:
    ratings = fit_ratings(simulated(np.random.default_rng(1), np.linspace(-1, 1, 4), 200))
    store.save(ratings, tmp_path / "r.parquet")
    back = store.load(Ratings, tmp_path / "r.parquet")
    np.testing.assert_allclose(back.covariance, ratings.covariance)
    assert back.provenance["log_likelihood"] == ratings.provenance["log_likelihood"]


# --- intervals ----------------------------------------------------------------------------------


def test_95_percent_intervals_of_differences_cover_95_percent() -> None:
    rng = np.random.default_rng(20)
    theta = np.linspace(-1.2, 1.2, 6)
    covered = []
    for _ in range(300):
        ratings = fit_ratings(simulated(rng, theta, 600), anchor=("p00", 0.0))
        truth = (theta[[int(p[1:]) for p in ratings.frame["policy"]]] - theta[0]) * ELO_PER_LOGIT
        truth = pl.Series(truth)
        inside = (ratings.frame["ci_low"] <= truth) & (truth <= ratings.frame["ci_high"])
        covered += inside.filter(ratings.frame["policy"] != "p00").to_list()
    assert 0.93 < np.mean(covered) < 0.97  # 1500 intervals: two standard errors are 0.011


def test_the_sandwich_agrees_with_a_battle_bootstrap_where_the_naive_error_does_not() -> None:
    """A third of the battles tie, so outcomes vary less than coin flips: the naive error is too wide."""
    rng = np.random.default_rng(5)
    frame = simulated(rng, np.linspace(-0.6, 0.6, 4), 1500).frame
    tied = rng.random(frame.height) < 0.6
    frame = frame.with_columns(winner=pl.when(pl.Series(tied)).then(pl.lit("tie")).otherwise("winner"))
    ratings = fit_ratings(Battles(frame))
    order = ratings.frame["policy"].to_list()
    draws = []
    for _ in range(300):
        again = fit_ratings(Battles(frame[rng.integers(frame.height, size=frame.height)]))
        rating = dict(again.frame.select("policy", "rating").iter_rows())
        draws.append([rating[p] for p in order])
    bootstrap = np.std(draws, axis=0, ddof=1)
    robust = ratings.frame["std_err"].to_numpy()
    np.testing.assert_allclose(robust, bootstrap, rtol=0.12)
    no_ties = fit_ratings(simulated(np.random.default_rng(5), np.linspace(-0.6, 0.6, 4), 1500))
    assert (robust < 0.8 * no_ties.frame["std_err"].mean()).all()


# --- style --------------------------------------------------------------------------------------


def styled(seed: int = 0, n: int = 4000, effect: float = 1.0) -> tuple[Battles, np.ndarray]:
    """Voters like length: log-odds theta_a - theta_b + effect * normalised length difference."""
    rng = np.random.default_rng(seed)
    theta = np.array([0.8, 0.0, -0.8])
    talk = np.array([300.0, 900.0, 500.0])
    first = rng.integers(3, size=n)
    second = (first + rng.integers(1, 3, size=n)) % 3
    length_a, length_b = (rng.gamma(3.0, talk[i] / 3.0) + 1.0 for i in (first, second))
    eta = theta[first] - theta[second] + effect * (length_a - length_b) / (length_a + length_b)
    won = rng.random(n) < 1 / (1 + np.exp(-eta))
    names = np.array(["p0", "p1", "p2"])
    frame = pl.DataFrame(
        {
            "policy_a": names[first],
            "policy_b": names[second],
            "winner": np.where(won, "a", "b"),
            "length_a": length_a,
            "length_b": length_b,
        }
    )
    return Battles(frame), theta


def test_style_control_recovers_strengths_that_length_had_hidden() -> None:
    battles, theta = styled(effect=2.0)
    truth = {f"p{i}": t for i, t in enumerate(theta)}
    plain, controlled = fit_ratings(battles), fit_ratings(battles, style=["length"])
    off = {
        kind: abs(log_strengths(r)["p1"] - truth["p1"])
        for kind, r in [("plain", plain), ("style", controlled)]
    }
    assert off["style"] < 0.1 < 0.3 < off["plain"]


def test_95_percent_intervals_of_the_style_coefficient_cover_the_truth() -> None:
    covered = []
    for seed in range(80):
        battles, _ = styled(seed=seed, n=800, effect=2.0)
        a, b = battles.frame["length_a"].to_numpy(), battles.frame["length_b"].to_numpy()
        truth = 2.0 * np.sqrt(np.mean(((a - b) / (a + b)) ** 2))  # the coefficient is per RMS
        style = fit_ratings(battles, style=["length"]).provenance["style"]["length"]
        covered.append(style["ci_low"] < truth < style["ci_high"])
    assert np.mean(covered) > 0.88  # 0.95 less three standard errors


def test_style_control_does_not_care_who_stood_on_the_left() -> None:
    battles, _ = styled(n=500)
    swap = {"policy_a": "policy_b", "policy_b": "policy_a", "length_a": "length_b", "length_b": "length_a"}
    turned = battles.frame.rename(swap).with_columns(pl.col("winner").replace({"a": "b", "b": "a"}))
    one, two = (fit_ratings(b, style=["length"]) for b in (battles, Battles(turned)))
    assert log_strengths(one) == pytest.approx(log_strengths(two), abs=1e-9)
    assert one.provenance["style"]["length"] == pytest.approx(two.provenance["style"]["length"])


def test_style_agrees_with_a_general_optimiser() -> None:
    from scipy.optimize import minimize

    battles, _ = styled(n=400)
    frame = battles.frame
    first, second = (frame[c].str.slice(1).cast(pl.Int64).to_numpy() for c in ("policy_a", "policy_b"))
    a, b = frame["length_a"].to_numpy(), frame["length_b"].to_numpy()
    x = (a - b) / (a + b)
    x = x / np.sqrt(np.mean(x**2))
    y = (frame["winner"] == "a").to_numpy().astype(float)

    def loss(v: np.ndarray) -> float:
        theta = np.array([-v[0] - v[1], v[0], v[1]])
        eta = theta[first] - theta[second] + v[2] * x
        return float(np.sum(np.logaddexp(0, eta) - y * eta))

    best = minimize(loss, np.zeros(3), method="BFGS", options={"gtol": 1e-8}).x
    ratings = fit_ratings(battles, style=["length"])
    ours = log_strengths(ratings)
    assert [ours["p1"], ours["p2"]] == pytest.approx(best[:2].tolist(), abs=1e-5)
    assert ratings.provenance["style"]["length"]["coefficient"] == pytest.approx(best[2], abs=1e-5)


def test_a_missing_style_names_the_near_miss() -> None:
    with pytest.raises(SchemaError, match=r"'lenght_a' is missing. Did you mean 'length'"):
        fit_ratings(styled(n=50)[0], style=["lenght"])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (pl.lit("long").alias("length_a"), SchemaError, "not numeric"),
        (pl.lit(-1.0).alias("length_a"), SchemaError, "row 0: length_a must be a finite count"),
        (pl.lit(None, pl.Float64).alias("length_b"), SchemaError, "row 0: length_b must be a finite count"),
        (pl.col("length_b").alias("length_a"), NotIdentifiable, "the same on both sides"),
        (pl.lit(0.0).alias("length_a"), NotIdentifiable, "same on both sides|repeat one another"),
    ],
)
def test_unusable_style_values_are_typed_errors(
    change: pl.Expr, error: type[Exception], message: str
) -> None:
    frame = styled(n=50)[0].frame.with_columns(change)
    if message.startswith("same on both"):
        frame = frame.with_columns(length_b=0.0)
    with pytest.raises(error, match=message):
        fit_ratings(Battles(frame), style=["length"])


def test_two_copies_of_a_style_are_not_identifiable() -> None:
    frame = styled(n=200)[0].frame.with_columns(
        words_a=pl.col("length_a") * 2, words_b=pl.col("length_b") * 2
    )
    with pytest.raises(NotIdentifiable, match="repeat one another"):
        fit_ratings(Battles(frame), style=["length", "words"])


# --- settings -----------------------------------------------------------------------------------


def test_an_unknown_anchor_is_named_with_near_misses() -> None:
    with pytest.raises(UnknownPolicy, match=r"'gpt4' is in no battle. Did you mean 'gpt-4'"):
        fit_ratings(battles_of([("gpt-4", "y", "tie")]), anchor=("gpt4", 1200.0))


@pytest.mark.parametrize("settings", [{"prior": -1.0}, {"prior": math.nan}, {"anchor": ("x", math.inf)}])
def test_settings_out_of_range_are_refused(settings: dict) -> None:
    with pytest.raises(ConfigError):
        fit_ratings(battles_of([("x", "y", "tie")]), **settings)
