"""The page of a study: what it says first, closed to the network, safe with any name."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from charm_rm.errors import OutputExists
from charm_rm.report.study import render_study, write_study
from charm_rm.study.results import CLASSICAL, WITHIN
from report.synthetic import HOSTILE
from study.findings import findings


def test_the_page_leads_with_the_decision_and_shows_what_it_rests_on() -> None:
    page = render_study(findings())
    assert "<h1>People agree more with after than with before: +8.0 points [+2.0, +14.0]</h1>" in page
    for text in (
        "Do people agree more with after than with before?</strong> Yes: +8.0 points [+2.0, +14.0], p = 0.004",
        "after minus before from the votes alone: +8.0 points [-2.0, +18.0], p = 0.11",
        "with votes tell after and before apart",
        "they name different winners on 22.0 % of all",
        "people with each other 72.0 % [68.0, 76.0]",
        "Krippendorff’s alpha of the raters: 0.31 [0.25, 0.37]",
        "agrees with nobody; fails checks",
        "Ratings by each model’s verdicts, Elo points",
        "400 votes of 3 raters on 150 comparisons",
    ):
        assert text in page
    assert page.count("<figure") == 4


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_name_is_text_and_nothing_is_fetched(hostile: str) -> None:
    found = findings(
        before=hostile,
        after=f"2{hostile}",
        policies=(hostile, "b"),
        raters=(hostile,),
        name=hostile,
        warnings=(hostile,),
    )
    page = render_study(found)
    assert hostile not in page
    assert page.count("<script>") == 1
    assert "default-src &#39;none&#39;" in page
    assert not re.search(r'(?:src|href)="(?!#|data:)', page)


@pytest.mark.usefixtures("plain_charts")
def test_it_says_that_raters_are_simulated() -> None:
    assert "Raters are simulated." in render_study(findings(simulated=True))
    assert "Raters are simulated." not in render_study(findings())


@pytest.mark.usefixtures("plain_charts")
def test_without_a_second_model_ratings_or_repeats_it_still_says_what_there_is() -> None:
    whole = findings()
    alone = replace(
        whole,
        agreement=whole.agreement.filter(model="before", estimator=CLASSICAL),
        differences=whole.differences.clear(),
        people=whole.people.clear(),
        ratings=whole.ratings.clear(),
        favour=whole.favour.clear(),
        raters=whole.raters.clear(),
    )
    page = render_study(alone)
    assert "<h1>People agree with before in 58.0 % [53.0, 63.0]</h1>" in page
    assert "Ratings, and whom models favour" not in page
    assert page.count("<figure") == 1
    nothing = replace(alone, agreement=whole.agreement.clear())
    assert "<h1>400 votes of 3 raters on 150 comparisons</h1>" in render_study(nothing)


@pytest.mark.usefixtures("plain_charts")
def test_a_difference_within_chance_is_no_finding() -> None:
    whole = findings()
    page = render_study(
        replace(whole, differences=whole.differences.with_columns(pl.lit(WITHIN).alias("reading")))
    )
    assert "Not shown: +8.0 points" in page
    assert "<h1>Not shown that people agree more or less with after" in page


def test_it_is_written_whole_and_not_over_another(tmp_path: Path) -> None:
    page = write_study(findings(), tmp_path / "study.html")
    assert page.read_text(encoding="utf-8") == render_study(findings())
    with pytest.raises(OutputExists):
        write_study(findings(), page, force=False)


@pytest.mark.usefixtures("plain_charts")
def test_what_votes_do_not_determine_is_a_gap_and_no_number() -> None:
    whole = findings()
    none = [pl.lit(None, dtype=pl.Float64).alias(c) for c in ("difference", "ci_low", "ci_high", "p_value")]
    differences = whole.differences.with_columns(none).with_columns(
        pl.lit(None, dtype=pl.String).alias("reading")
    )
    gone = [
        pl.lit(None, dtype=pl.Float64).alias(c) for c in ("value", "ci_low", "ci_high", "effective_votes")
    ]
    page = render_study(replace(whole, differences=differences, agreement=whole.agreement.with_columns(gone)))
    assert "<h1>400 votes of 3 raters on 150 comparisons</h1>" in page
    assert page.count("<figure") == 2
