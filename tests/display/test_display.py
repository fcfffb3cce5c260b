"""Results at a prompt and in a notebook: short, escaped, the same words as the command's."""

from __future__ import annotations

import copy
import pickle
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import polars as pl
import pytest

import charm_rm
from charm_rm.cli.layout import cell_width
from charm_rm.cli.look import Look, look
from charm_rm.cli.print_audit import print_audit
from charm_rm.errors import ConfigError, MissingExtra, OutputExists
from charm_rm.mismatch import FamilyContrasts, FavourComparison, Influence, family_contrasts
from charm_rm.report.study import render_study
from charm_rm.shown import Shown
from charm_rm.study.results import StudyAnalysis
from charm_rm.style import Calibrator, Explanation, FeatureWeight
from charm_rm.tables import Battles, Offsets, Ratings, Responses, Scores
from mismatch.planted import POLICIES, noise, ratings, scores
from study.findings import findings

HOSTILE = "<script>alert('x')</script>\x1b[2J\u202e&\"</svg>"
SCORES, RATINGS = scores(noise(1, 60), favour={"bee": 150.0}), ratings()


def _renamed(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col("policy").replace("bee", HOSTILE))


def _calibrator() -> Calibrator:
    features = (
        FeatureWeight("words", 1, 5.0, 1.0, -0.4, 0.1, -0.6, -0.2),
        FeatureWeight(f"column:{HOSTILE}", 1, 0.0, 1.0, 0.1),
    )
    about: dict[str, Any] = {
        **dict.fromkeys(("n_policies", "n_prompts", "folds"), 5),
        "tried": {"penalty": [1.0]},
        "warnings": [],
    }
    return Calibrator("score", features, 1.0, 1.3, 1.0, 0.5, 0.9, offsets={HOSTILE: 0.2}, provenance=about)


def _explanation() -> Explanation:
    rows = [(HOSTILE, kind, part, group, elo) for kind, part, group, elo in (
        ("favour", "favour", None, 50.0), ("style", "style", None, 30.0), ("unexplained", "unexplained", None, 20.0),
        ("group", "length", None, 30.0), ("feature", "words", "length", 30.0),
    )]  # fmt: skip
    frame = pl.DataFrame(rows, schema=["policy", "kind", "part", "group", "elo"], orient="row")
    none = (
        pl.lit(None, pl.Float64).alias(c) for c in ("std_err", "ci_low", "ci_high", "difference", "weight")
    )
    return Explanation(frame.with_columns(*none, held_out=True))


@pytest.fixture(scope="module")
def results() -> dict[str, Shown]:
    """One result of each kind, in which a policy has a hostile name."""
    s, r = Scores(_renamed(SCORES.frame)), Ratings(_renamed(RATINGS.frame))
    other = Scores(_renamed(scores(noise(2, 60)).frame))
    found = charm_rm.audit(s, r, draws=100)
    assert found.favouritism is not None
    texts = pl.DataFrame({"prompt_id": SCORES.frame["prompt_id"], "policy": s.frame["policy"]}).with_columns(
        prompt=pl.col("prompt_id"), response=pl.col("policy") + pl.col("prompt_id")
    )
    groups = dict(zip(POLICIES, ["a", HOSTILE, HOSTILE, "a", "b", "b", "c", "c"], strict=True))
    groups[HOSTILE] = groups.pop("bee")
    offsets = charm_rm.solve_joint_offsets(s, r, draws=0, cross_fit=False)
    return {
        "Audit": found,
        "Favouritism": found.favouritism,
        "Mismatch": found.mismatch,
        "WinRates": found.win_rates,
        "Ratings": r,
        "Scores": s,
        "Offsets": offsets,
        "Calibrator": _calibrator(),
        "Explanation": _explanation(),
        "FavourComparison": charm_rm.compare_favour(s, other, r, draws=0),
        "FamilyContrasts": family_contrasts(s, r, groups),
        "Influence": charm_rm.influence(s, r, top=1),
        "AlignmentResult": charm_rm.alignment_with_ratings(s, r, draws=0),
        "Relabelled": charm_rm.relabel_preferences(s, Responses(texts), offsets, strategy="all-pairs"),
        "StudyAnalysis": findings(
            after=HOSTILE, policies=("ant", HOSTILE), raters=("ann", HOSTILE), name=HOSTILE
        ),
    }


KINDS = [
    *("Audit", "Favouritism", "Mismatch", "WinRates", "Ratings", "Scores", "Offsets", "Calibrator", "Explanation"),
    *("FavourComparison", "FamilyContrasts", "Influence", "AlignmentResult", "Relabelled", "StudyAnalysis"),
]  # fmt: skip
WITHOUT_FIGURE = {"Scores", "WinRates", "AlignmentResult"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_repr_is_short_and_says_what_it_is(results: dict[str, Shown], kind: str) -> None:
    said = repr(results[kind])
    assert said.startswith(f"{kind}: ")
    assert len(said.splitlines()) <= 3
    assert "\x1b" not in said
    assert "\u202e" not in said


@pytest.mark.parametrize("kind", KINDS)
def test_html_is_well_formed_and_no_name_is_markup(results: dict[str, Shown], kind: str) -> None:
    html = results[kind]._repr_html_()
    tags = {node.tag for node in ElementTree.fromstring(html).iter()}
    assert tags <= {"div", "p", "b", "br", "table", "thead", "tbody", "tr", "th", "td"}
    assert "\x1b" not in html
    assert kind in html


@pytest.mark.parametrize("kind", KINDS)
def test_a_summary_is_plain_text_of_the_width_asked_for(results: dict[str, Shown], kind: str) -> None:
    said = results[kind].summary(top=3, width=80)  # type: ignore[attr-defined]
    assert said
    assert "\x1b" not in said
    words = [line for line in said.splitlines() if HOSTILE[:10] not in line]
    assert max(map(cell_width, words)) <= 80


@pytest.mark.parametrize("kind", [k for k in KINDS if k not in WITHOUT_FIGURE])
def test_a_plot_is_svg_in_which_no_name_is_markup(results: dict[str, Shown], kind: str) -> None:
    drawn = results[kind].plot()
    tags = {node.tag.rpartition("}")[2] for node in ElementTree.fromstring(drawn.svg).iter()}
    assert "script" not in tags
    assert {"svg", "text"} <= tags
    bundle = drawn._repr_mimebundle_()  # type: ignore[attr-defined]
    assert set(bundle) == {"text/html", "image/svg+xml", "text/plain"}
    assert "<script" not in bundle["text/html"]


@pytest.mark.parametrize("kind", sorted(WITHOUT_FIGURE))
def test_what_has_no_figure_says_so(results: dict[str, Shown], kind: str) -> None:
    with pytest.raises(ConfigError, match=f"no figure of a {kind}"):
        results[kind].plot()


def test_the_report_has_the_same_figures(results: dict[str, Shown], tmp_path: Path) -> None:
    found = results["Audit"]
    charm_rm.save_audit(found, tmp_path)
    charm_rm.write_report(tmp_path)
    for name in ("favour", "ratings", "mismatch_before"):
        assert (tmp_path / "figures" / f"{name}.svg").read_text(encoding="utf-8") == found.plot(name).svg


def test_a_study_shows_models_beside_people_first_and_its_page_has_the_same_figures() -> None:
    found = findings()
    said = _texts(found.plot().svg)
    assert {"before · votes alone", "after · with verdicts", "people with each other"} <= said
    assert "people with each other" not in _texts(replace(found, people=found.people.clear()).plot().svg)
    assert "difference of agreement, percentage points" in _texts(found.plot("study_difference").svg)
    page = render_study(found)
    for name in ("study_agreement", "study_difference", "study_ratings", "study_raters"):
        (picture,) = found.plot(name).pictures  # type: ignore[attr-defined]
        assert picture.wide.inline(picture.alt, css_class="wide") in page
    with pytest.raises(ConfigError, match=r"(?s)no figure 'agreement'.*use one of study_agreement, "):
        found.plot("agreement")
    alone = replace(found, differences=found.differences.clear())
    with pytest.raises(ConfigError, match="too little"):
        alone.plot("study_difference")


def _texts(svg: str) -> set[str]:
    return {node.text or "" for node in ElementTree.fromstring(svg).iter() if node.tag.endswith("}text")}


def test_a_summary_is_what_the_command_prints(results: dict[str, Any], capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "110")
    print_audit(results["Audit"], title="the table given", top=12)
    assert results["Audit"].summary() == capsys.readouterr().out.rstrip("\n")
    assert look() == Look()


def test_summaries_are_mappings_too(results: dict[str, Any]) -> None:
    found = results["Audit"]
    assert found.summary["policies"] == 8
    for again in (pickle.loads(pickle.dumps(found)), copy.deepcopy(found)):
        assert again.summary() == found.summary()
        assert again.summary == found.summary


def test_the_words_of_an_audit_and_of_its_tables() -> None:
    found = charm_rm.audit(SCORES, RATINGS, draws=100)
    first, most, sharp = repr(found).splitlines()
    degree = found.mismatch.frame["mismatch_degree"].mean()
    assert first == f"Audit: 8 policies on 60 prompts, 28 pairs; mean mismatch degree {degree:.2f}"
    assert most.startswith("  most favoured: bee, +")
    assert sharp.startswith("  sharpness ")
    assert repr(SCORES) == "Scores: 480 rows, 8 policies, 60 prompts"
    assert repr(RATINGS) == "Ratings: 8 policies\n  highest: ant, 1300 [1284, 1316]"
    one = Battles(pl.DataFrame({"policy_a": ["a"], "policy_b": ["b"], "winner": ["a"]}))
    assert repr(one) == "Battles: 1 row, 2 policies"


# --- pandas -------------------------------------------------------------------------------------


def test_to_pandas_and_back_changes_nothing(results: dict[str, Shown]) -> None:
    pytest.importorskip("pandas", reason="pandas is no dependency")
    assert Scores(results["Scores"].to_pandas()).frame.equals(results["Scores"].frame)  # type: ignore[attr-defined]
    counted = Scores(
        SCORES.frame.head(2).with_columns(n_tokens=pl.Series([7, None]), truncated=pl.Series([None, True]))
    )
    there = counted.to_pandas()
    assert str(there["n_tokens"].dtype) == "Int64"
    assert Scores(there).frame.equals(counted.frame)
    frame = RATINGS.frame.with_columns(votes=pl.lit(None, pl.Int64))
    assert Ratings(Ratings(frame).to_pandas()).frame.equals(Ratings(frame).frame)


def test_messages_go_to_pandas_and_back() -> None:
    pytest.importorskip("pandas", reason="pandas is no dependency")
    talk = [{"role": "user", "content": "Hi"}]
    one = Responses({"prompt_id": ["1"], "prompt": [talk], "policy": ["a"], "response": ["Hello"]})
    assert Responses(one.to_pandas()).frame.equals(one.frame)


def test_tables_are_chosen_by_name(results: dict[str, Shown]) -> None:
    pytest.importorskip("pandas", reason="pandas is no dependency")
    found = results["Audit"]
    assert list(found.tables()) == ["favour", "mismatch", "win_rates", "ratings"]
    assert len(found.to_pandas("mismatch")) == 28
    with pytest.raises(ConfigError, match=r"no table 'mismatches'\. Did you mean 'mismatch'"):
        found.to_pandas("mismatches")


def test_without_pandas_the_pip_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtra, match="pip install pandas"):
        SCORES.to_pandas()


# --- figures ------------------------------------------------------------------------------------


def test_a_figure_is_saved_as_its_suffix_says(results: dict[str, Shown], tmp_path: Path) -> None:
    drawn = results["Audit"].plot()
    assert drawn.save(tmp_path / "favour.svg").read_text(encoding="utf-8") == drawn.svg
    assert drawn.save(tmp_path / "favour.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(OutputExists):
        drawn.save(tmp_path / "favour.svg")
    with pytest.raises(ConfigError, match=r"\.svg or \.png"):
        drawn.save(tmp_path / "favour.gif")


def test_a_figure_of_another_name(results: dict[str, Shown]) -> None:
    with pytest.raises(ConfigError, match=r"no figure 'rating'\. Did you mean 'ratings'"):
        results["Audit"].plot("rating")
    empty = Offsets(
        pl.DataFrame(
            {"policy": ["a"], "delta": [0.0], "is_reference": [True]}
            | {c: [None] for c in ("std_err", "ci_low", "ci_high", "target", "attained")}
        )
    )
    with pytest.raises(ConfigError, match="too little"):
        empty.plot()
    assert "policy" in empty.summary()


def test_every_result_shows_itself() -> None:
    """Who adds a field to a frozen result must not lose its short repr: dataclasses write one of their own unless told not to."""
    for kind in (
        charm_rm.Audit,
        FavourComparison,
        FamilyContrasts,
        Influence,
        Calibrator,
        Explanation,
        Scores,
        Ratings,
        Offsets,
        StudyAnalysis,
    ):
        assert kind.__repr__ is Shown.__repr__
