"""Influence: first-order changes against refits, what is left out, what is said of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from charm_rm import influence
from charm_rm.errors import BadSetting, CharmWarning, ConfigError, UnknownPolicy
from charm_rm.mismatch import audit, save_influence
from charm_rm.mismatch.carrying import prompt_changes
from charm_rm.mismatch.held import derivatives, hold_against
from charm_rm.ratings import fit_ratings, leave_out_steps
from charm_rm.sources import load_example
from charm_rm.statistics import ELO_PER_LOGIT
from charm_rm.tables import Battles, Ratings, Scores

from .planted import POLICIES, RATING, noise, ratings, scores


def without(source: Scores, column: str, value: str) -> Scores:
    return Scores(source.frame.filter(pl.col(column) != value))


def audited(source: Scores, human: Ratings, policy: str) -> tuple[float, float, str]:
    """Favour, sharpness and verdict of a whole audit."""
    found = audit(source, human, draws=0)
    line = found.favouritism.frame.row(by_predicate=pl.col("policy") == policy, named=True)
    return line["favour"], found.sharpness.value, line["verdict"]


# --- prompts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_first_order_changes_are_those_of_refits(seed: int) -> None:
    source = scores(noise(seed, 150), favour={"bee": 100})
    held = hold_against(source, ratings())
    favour, slope = prompt_changes(held, derivatives(held.measured), 1)
    here = audited(source, ratings(), "bee")
    refitted = np.array(
        [audited(without(source, "prompt_id", p), ratings(), "bee")[:2] for p in held.prompts[:12]]
    )
    exact = refitted - np.array(here[:2])
    assert np.corrcoef(favour[:12], exact[:, 0])[0, 1] > 0.99
    np.testing.assert_allclose(favour[:12], exact[:, 0], atol=0.15 * np.abs(favour).max())
    np.testing.assert_allclose(slope[:12], exact[:, 1], atol=0.15 * np.abs(slope).max())


def test_what_is_shown_as_refitted_is_an_audit_without_the_prompt() -> None:
    source = scores(noise(0), favour={"bee": 100})
    found = influence(source, ratings(), policy="bee", top=3)
    assert found.prompts.height == 120
    assert found.prompts["favour"].null_count() == 117
    assert found.prompts["change"].abs().is_sorted(descending=True)
    for row in found.prompts.head(3).iter_rows(named=True):
        expected = audited(without(source, "prompt_id", row["prompt_id"]), ratings(), "bee")
        assert (row["favour"], row["sharpness"]) == pytest.approx(expected[:2])
        assert row["verdict"] == expected[2]
        assert row["refitted_change"] == pytest.approx(expected[0] - found.favour)


def test_few_prompts_that_undo_a_finding_are_found() -> None:
    """One prompt in five gives bee an absurd score: without some of these nothing is left of its favour."""
    chance = noise(4, 200)
    chance[::5, 1] += 25.0
    source = scores(chance)
    found = influence(source, ratings(), policy="bee", scope="these", top=2)
    assert found.verdict == "over-valued"
    lost = found.to_lose
    assert 0 < lost["prompts"] <= 40
    assert lost["share"] == lost["prompts"] / 200
    kept = source.frame.filter(
        ~pl.col("prompt_id").is_in([f"p{i:04d}" for i in range(1, lost["prompts"] + 1)])
    )
    as_many = audit(Scores(kept), ratings(), draws=0, scope="these").favouritism.frame
    assert as_many.row(by_predicate=pl.col("policy") == "bee", named=True)["verdict"] == "over-valued"
    assert lost["verdict"] in ("no evidence", "underpowered")
    assert any("picked against the finding" in s for s in found.sentences)


def test_without_a_finding_there_is_nothing_to_lose() -> None:
    found = influence(scores(noise(6)), ratings(), policy="cow", top=1)
    assert found.verdict in ("no evidence", "underpowered")
    assert found.to_lose is None


# --- policies -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_leaving_a_policy_out_is_nearly_an_audit_without_it(seed: int) -> None:
    """Strengths and line are exact; the weights of the line rest on the errors of the whole."""
    source = scores(noise(seed, 200), favour={"bee": 100, "ant": -80})
    found = influence(source, ratings(), policy="bee", top=1)
    assert set(found.policies["policy"]) == set(POLICIES) - {"bee"}
    for row in found.policies.iter_rows(named=True):
        favour, sharpness, _ = audited(without(source, "policy", row["policy"]), ratings(), "bee")
        assert row["favour"] == pytest.approx(favour, abs=2.0)
        assert row["sharpness"] == pytest.approx(sharpness, abs=0.02)


def test_a_baseline_that_all_met_cannot_be_left_out() -> None:
    judge = load_example()
    with pytest.warns(CharmWarning, match="have no interval"):
        found = influence(judge.win_rates, judge.ratings)
    assert found.policy == "gemma-2-9b-it-SimPO"
    assert found.prompts is None
    lost = found.policies.filter(pl.col("favour").is_null())
    assert lost["policy"].to_list() == [judge.baseline]
    assert found.sentences[0].startswith("without policy ")


# --- votes --------------------------------------------------------------------------------------


def votes(seed: int, n: int = 4000) -> Battles:
    rng = np.random.default_rng(seed)
    theta = np.array(list(RATING.values())) / ELO_PER_LOGIT
    first = rng.integers(8, size=n)
    second = (first + rng.integers(1, 8, size=n)) % 8
    won = rng.random(n) < 1 / (1 + np.exp(theta[second] - theta[first]))
    names = np.array(POLICIES)
    winner = np.where(rng.random(n) < 0.1, "tie", np.where(won, "a", "b"))
    return Battles(pl.DataFrame({"policy_a": names[first], "policy_b": names[second], "winner": winner}))


@pytest.mark.parametrize("prior", [0.0, 1.0])
def test_steps_of_ratings_are_those_of_refits(prior: float) -> None:
    battles = votes(0)
    kinds, steps, policies = leave_out_steps(battles, prior=prior)
    whole = fit_ratings(battles, prior=prior).frame.sort("policy")["rating"].to_numpy()
    assert policies == POLICIES
    assert kinds["n"].sum() == len(battles)
    for i in range(0, kinds.height, 17):
        row = kinds.row(i, named=True)
        same = pl.all_horizontal(pl.col(c) == row[c] for c in ("policy_a", "policy_b", "winner"))
        rest = fit_ratings(Battles(battles.frame.filter(~same)), prior=prior).frame.sort("policy")
        exact = (rest["rating"].to_numpy() - whole) / ELO_PER_LOGIT
        np.testing.assert_allclose(steps[i], exact, atol=0.1 * np.abs(exact).max() + 1e-9)


def test_votes_are_left_out_where_ratings_are_fitted_to_them() -> None:
    battles = votes(1)
    source = scores(noise(1, 300), favour={"bee": 100})
    found = influence(source, battles, policy="bee", top=4)
    assert found.votes["change"].abs().is_sorted(descending=True)
    for row in found.votes.head(4).iter_rows(named=True):
        assert "bee" in (row["policy_a"], row["policy_b"])
        same = pl.all_horizontal(pl.col(c) == row[c] for c in ("policy_a", "policy_b", "winner"))
        rest = fit_ratings(Battles(battles.frame.filter(~same)))
        favour, _, verdict = audited(source, rest, "bee")
        assert row["favour"] == pytest.approx(favour)
        assert row["verdict"] == verdict
        assert row["change"] == pytest.approx(row["refitted_change"], rel=0.25, abs=1.0)
        assert row["change_per_vote"] == pytest.approx(row["change"] / row["n"])
    assert any("votes" in s for s in found.sentences)


def test_a_vote_that_holds_two_parts_together_leaves_nothing_behind() -> None:
    frame = votes(2, 3000).frame.filter((pl.col("policy_a") != "hen") & (pl.col("policy_b") != "hen"))
    bridge = pl.DataFrame({"policy_a": ["hen"], "policy_b": ["gnu"], "winner": ["tie"]})
    kinds, steps, _ = leave_out_steps(Battles(pl.concat([frame, bridge])))
    alone = kinds.with_row_index().filter(pl.col("policy_a") == "hen")["index"][0]
    assert np.isnan(steps[alone]).all()
    assert np.isfinite(np.delete(steps, alone, axis=0)).all()


# --- the rest -----------------------------------------------------------------------------------


def test_the_most_favoured_is_asked_about_unless_another_is_named() -> None:
    source = scores(noise(8, 300), favour={"fox": 200})
    assert influence(source, ratings(), top=1).policy == "fox"
    with pytest.raises(UnknownPolicy, match="Did you mean 'fox'"):
        influence(source, ratings(), policy="foxx")
    with pytest.raises(ConfigError, match="top is 0"):
        influence(source, ratings(), top=0)
    with pytest.raises(BadSetting):
        influence(source, ratings(), temperature=-1)


def test_judgements_and_soft_win_rates_have_influences(tmp_path: Path) -> None:
    from charm_rm.margins import margins_from_scores

    source = margins_from_scores(scores(noise(9, 80), favour={"bee": 100}))
    found = influence(source, ratings(), policy="bee", outcome="soft", top=2)
    row = found.prompts.row(0, named=True)
    assert row["refitted_change"] == pytest.approx(row["change"], rel=0.2)
    save_influence(found, tmp_path)
    document = json.loads((tmp_path / "influence.json").read_text())
    assert document["policy"] == "bee"
    assert document["votes"] is None
    assert pl.read_parquet(tmp_path / "prompts.parquet").equals(found.prompts)
