"""Favour of groups: identities with single policies, planted families, files of groups."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from charm_rm import family_contrasts
from charm_rm.errors import CharmWarning, ConfigError, SchemaError
from charm_rm.mismatch import audit, read_groups
from charm_rm.mismatch.families import group_favour
from charm_rm.mismatch.held import hold_against
from charm_rm.sources import load_example

from .planted import POLICIES, noise, ratings, scores

MAKERS = dict.fromkeys(["ant", "cow", "elk"], "Acme") | dict.fromkeys(["bee", "dog"], "Brown")


def test_a_group_of_one_has_the_favour_that_an_audit_gives_it() -> None:
    source = scores(noise(0), favour={"bee": 90})
    table = audit(source, ratings(), draws=0, scope="these").favouritism.frame
    found = family_contrasts(source, ratings(), {p: p for p in POLICIES}, scope="these").frame
    both = table.join(found, left_on="policy", right_on="group")
    for column in ("favour", "std_err", "p_value", "q_value"):
        np.testing.assert_allclose(both[f"{column}_right"], both[column], rtol=1e-6)


@pytest.mark.parametrize("scope", ["sample", "these"])
def test_a_planted_family_is_found_and_no_other(scope: str) -> None:
    family = dict.fromkeys(["ant", "cow", "elk"], 120.0)
    with pytest.warns(CharmWarning, match="3 policies without a group"):
        found = family_contrasts(
            scores(noise(1, 800), favour=family), ratings(), MAKERS, own="Acme", scope=scope
        )
    top = found.frame.row(0, named=True)
    assert (top["group"], top["policies"], top["verdict"]) == ("Acme", 3, "over-valued")
    assert top["ci_low"] < 120 < top["ci_high"]
    assert found.own == top
    assert found.members["cow"] == "Acme"
    assert "fox" not in found.members


def test_members_favoured_alike_do_not_hide_one_another() -> None:
    """Against lines through one another they would show about 120 · (share of those who are not favoured)."""
    family = dict.fromkeys(["ant", "cow", "elk", "gnu"], 120.0)
    source = scores(noise(2, 1500), favour=family)
    alone = audit(source, ratings(), draws=0).favouritism.frame.filter(pl.col("policy").is_in(list(family)))
    with pytest.warns(CharmWarning, match="without a group"):
        found = family_contrasts(source, ratings(), dict.fromkeys(family, "kin"))
    assert found.frame["favour"][0] == pytest.approx(120, abs=25)
    assert alone["favour"].mean() < found.frame["favour"][0] - 25


def test_for_a_sample_one_members_favour_is_no_familys() -> None:
    """Single favours scatter by 80 Elo: a group's mean is then uncertain by about 80 / sqrt(2), however many prompts there are."""
    rng = np.random.default_rng(3)
    favour = dict(zip(POLICIES, rng.normal(0, 80, 8), strict=True))
    held = hold_against(scores(noise(3, 3000), favour=favour), ratings(1.0))
    inside = np.isin(held.policies, ["ant", "hen"])
    sample, these = (group_favour(held.measured, inside, "g", s) for s in ("sample", "these"))
    assert sample.favour == these.favour
    assert sample.std_err > 3 * these.std_err
    assert sample.std_err > 30


def test_a_group_with_too_few_others_has_no_favour() -> None:
    wide = dict.fromkeys(POLICIES[:6], "many") | dict.fromkeys(POLICIES[6:], "two")
    with pytest.warns(CharmWarning, match="the policies outside 'many' are too few"):
        found = family_contrasts(scores(noise(4)), ratings(), wide)
    last = found.frame.row(1, named=True)
    assert (last["group"], last["favour"], last["q_value"], last["verdict"]) == (
        "many",
        None,
        None,
        "underpowered",
    )


def test_published_win_rates_have_families_too() -> None:
    judge = load_example()
    openai = {p: "OpenAI" for p in judge.win_rates.policies if p.startswith("gpt")}
    with pytest.warns(CharmWarning):
        found = family_contrasts(judge.win_rates, judge.ratings, openai, own="OpenAI")
    assert found.own["policies"] == len(openai)
    assert found.own["ci_low"] < found.own["favour"] < found.own["ci_high"]


def test_files_of_groups(tmp_path: Path) -> None:
    path = tmp_path / "makers.csv"
    path.write_text("policy,group\nant, Acme \nbee,\ncow,Acme\n")
    assert read_groups(path) == {"ant": "Acme", "cow": "Acme"}
    path.write_text("policy,maker\nant,Acme\n")
    with pytest.raises(SchemaError, match="column 'group' is missing"):
        read_groups(path)
    path.write_text("policy,group\nant,Acme\nant,Brown\n")
    with pytest.raises(SchemaError, match="'ant' has several rows"):
        read_groups(path)


def test_groups_that_fit_nothing_are_refused() -> None:
    source = scores(noise(5))
    with pytest.raises(ConfigError, match="no audited policy has a group"):
        family_contrasts(source, ratings(), {"Ant": "Acme"})
    with pytest.raises(ConfigError, match="no audited policy is of the group 'Acm'. Did you mean 'Acme'"):
        family_contrasts(source, ratings(), dict.fromkeys(POLICIES[:2], "Acme"), own="Acm")
    with pytest.raises(ConfigError):
        family_contrasts(source, ratings(), MAKERS, scope="all")
