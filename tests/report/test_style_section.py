"""What the page says of a style calibration: weights, figures on policies never rated, and hostile names."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from charm_rm import store
from charm_rm.errors import CharmError, CharmWarning
from charm_rm.mismatch import audit, save_audit
from charm_rm.report import write_report
from charm_rm.style import Calibrator, save_calibrator, solve_style_offsets
from style_worlds import FEATURES, world


@pytest.fixture(scope="module")
def calibrator() -> Calibrator:
    found = world()
    return solve_style_offsets(found.scores, found.responses, found.ratings, features=FEATURES, draws=100)


def report(folder: Path, calibrator: Calibrator) -> str:
    found = world()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)  # few prompts
        save_audit(audit(found.scores, found.ratings, draws=0), folder / "before")
    save_calibrator(calibrator, folder / "calibrator.json")
    return write_report(folder).read_text(encoding="utf-8")


def test_the_page_has_weights_and_figures_on_policies_never_rated(
    tmp_path: Path, calibrator: Calibrator
) -> None:
    page = report(tmp_path, calibrator)
    assert "<h2>What it over-values</h2>" in page
    assert "<h3>On policies never rated</h3>" in page
    assert "over-values it" in page
    assert "Length only" in page
    assert (tmp_path / "figures" / "over_values.svg").exists()
    assert "Offsets of all" not in page


@pytest.mark.usefixtures("plain_charts")
def test_ways_of_calibrating_stand_side_by_side(tmp_path: Path, calibrator: Calibrator) -> None:
    rows = [{"metric": r["metric"], "n": 66, "floor": r["floor"]} | dict.fromkeys(
        ("before", "pair", "joint", "style", "placebo", "length_only"), 0.4321) for r in calibrator.held_out]  # fmt: skip
    store.write_frame(pl.DataFrame(rows), tmp_path / "beside.parquet")
    page = report(tmp_path, calibrator)
    assert "Offsets of all" in page
    assert "0.432" in page


def test_a_calibrator_is_untrusted_text(tmp_path: Path, calibrator: Calibrator) -> None:
    hostile = replace(calibrator.features[0], name="<script>alert(1)</script>", version="column")
    page = report(tmp_path, replace(calibrator, features=(hostile, *calibrator.features[1:])))
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


@pytest.mark.usefixtures("plain_charts")
def test_figures_of_the_wrong_kind_are_refused(tmp_path: Path, calibrator: Calibrator) -> None:
    with pytest.raises(CharmError, match="held_out"):
        report(
            tmp_path, replace(calibrator, held_out=({"metric": "spearman", "before": "high", "after": 1.0},))
        )


@pytest.mark.usefixtures("plain_charts")
def test_the_scale_alone_has_no_figure(tmp_path: Path, calibrator: Calibrator) -> None:
    page = report(tmp_path, replace(calibrator, features=(), held_out=()))
    assert "only the scale was found" in page
    assert not (tmp_path / "figures" / "over_values.svg").exists()
