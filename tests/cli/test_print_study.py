"""What ``charm study analyse`` prints, of an analysis written by hand."""

from __future__ import annotations

from dataclasses import replace

import click
import polars as pl
import pytest
from click.testing import CliRunner

from charm_rm.cli.look import look_options
from charm_rm.cli.print_study import print_study, rating_table
from charm_rm.study.results import CLASSICAL, StudyAnalysis
from charm_rm.study.words import headline, leading, p_words
from study.findings import findings


def _printed(found: StudyAnalysis, *options: str) -> str:
    @click.command()
    @look_options()
    def command(**_: bool) -> None:
        print_study(found, top=12)

    done = CliRunner().invoke(command, list(options), env={"COLUMNS": "140"}, catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_the_decision_comes_first_with_both_estimates_and_the_ceiling() -> None:
    lines = _printed(findings()).splitlines()
    assert lines[0] == "Study demo: 400 votes of 3 raters on 150 comparisons"
    assert (
        lines[1]
        == "Do people agree more with after than with before? Yes: +8.0 points [+2.0, +14.0], p = 0.004"
    )
    assert lines[2].strip() == "from the votes alone: +8.0 points [-2.0, +18.0], p = 0.11"
    assert "people with each other 72.0 % [68.0, 76.0]" in lines[4]
    assert any(line.startswith("  raters who look careless: 'clicker'") for line in lines)


def test_in_one_line_as_a_table_and_as_markdown() -> None:
    found = findings()
    assert _printed(found, "--quiet") == f"demo: {headline(found)}\n"
    csv = _printed(found, "--csv").splitlines()
    assert csv[0].startswith("model,baseline,votes_used,estimator,difference")
    assert len(csv) == 1 + found.differences.height
    assert "| after | all | classical | 8.0 |" in _printed(found, "--markdown")


def test_differences_from_one_model_name_it_once_and_fit_a_terminal() -> None:
    @click.command()
    @look_options()
    def command(**_: bool) -> None:
        print_study(findings(), top=12)

    printed = CliRunner().invoke(command, [], env={"COLUMNS": "80"}, catch_exceptions=False).output
    lines = printed.splitlines()
    at = lines.index("Agreement with people: differences from before, in percentage points")
    assert lines[at + 1].split()[:4] == ["model", "votes", "estimator", "difference"]


def test_what_differences_are_adjusted_for_is_said_and_which_models_they_are_of() -> None:
    one = findings()
    other = one.differences.with_columns(model=pl.lit("third"), n_discordant=pl.lit(1, dtype=pl.Int64))
    both = replace(one, differences=pl.concat([one.differences, other]))
    adjusted = "adjusted for 2 models (Bonferroni): all 2 intervals hold in 95 % of studies or more"
    assert adjusted in " ".join(_printed(both).split())
    assert "Bonferroni" not in _printed(one)
    assert "1 comparison with votes tells third and before apart" in _printed(both)
    assert "may be a little off that of two agreements" in " ".join(_printed(one).split())


def test_a_study_called_study_is_named_once() -> None:
    assert _printed(replace(findings(), name="study")).startswith("Study: 400 votes")


def test_simulated_raters_are_told_as_such() -> None:
    assert "(simulated raters)" in _printed(findings(simulated=True)).splitlines()[0]
    assert "(simulated raters)" in _printed(findings(simulated=True), "--quiet")


def test_a_hostile_name_steers_no_terminal() -> None:
    found = findings(raters=("\x1b[2J", "b", "c\u202e"), policies=("p\x07", "q"), after="a\x1b]0;x\x07")
    printed = _printed(found)
    assert not {"\x1b", "\x07", "\u202e"} & set(printed)


def test_what_is_missing_is_left_out() -> None:
    whole = findings()
    empty = {
        name: getattr(whole, name).clear()
        for name in ("differences", "people", "raters", "ratings", "favour")
    }
    alone = replace(whole, agreement=whole.agreement.filter(model="before", estimator=CLASSICAL), **empty)
    printed = _printed(alone)
    assert "agreement with people: before 58.0 % [53.0, 63.0]" in printed
    for title in ("Ratings by people", "Raters:", "Whom models favour"):
        assert title not in printed
    assert _printed(alone, "--quiet") == "demo: people agree with before in 58.0 % [53.0, 63.0]\n"


def test_ratings_of_both_estimators_stand_beside_each_other() -> None:
    table = rating_table(findings().ratings)
    assert table.columns == ["policy", "votes alone", "prediction-powered", "votes"]
    assert table.row(0) == ("granite", "1000 [960, 1040]", "1000 [975, 1025]", 260)
    assert [r["estimator"] for r in leading(findings().differences)] == ["prediction-powered"]
    assert [r["estimator"] for r in leading(findings().differences, votes_used="decided")] == [
        "prediction-powered"
    ]
    assert pytest.approx(0.12) == leading(findings().differences, votes_used="decided")[0]["difference"]


def test_a_small_p_has_one_sign() -> None:
    assert p_words({"p_value": 0.00001}) == "p < 0.0001"
    assert p_words({"p_value": 0.0042}) == "p = 0.0042"
    assert p_words({"p_value": None}) == "p = -"
