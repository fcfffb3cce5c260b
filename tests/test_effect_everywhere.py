"""One walk over the places that show an effect, or how far a model is from people: each has every figure, by its one label."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from charm_rm import audit, save
from charm_rm.evaluate import alignment_with_ratings
from charm_rm.mismatch import METRICS, save_audit
from charm_rm.mismatch.metrics import PLACEBO, WHAT_P_TESTS, say_figures
from charm_rm.models.training.card import BEGIN, write_mismatch_section
from charm_rm.pipeline import check_config, summarise
from charm_rm.report import write_report
from charm_rm.store import write_frame
from charm_rm.tables import Scores
from evaluate.test_placebo import sharp_scores

CONFIG = {"responses": {"source": "r.parquet"}, "score": {"scores": "s.parquet"}}


def missing(text: str) -> list[str]:
    """The figures that a text does not have."""
    plain = text.replace("\\|", "|").replace("&#39;", "'")
    return [m.label for m in METRICS.values() if m.label not in plain]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with before and after, as the pipeline leaves it, and the tables on their own."""
    folder = tmp_path_factory.mktemp("walk")
    before, ratings = sharp_scores(prompts=60, policies=5)
    half = before.frame.with_columns(score=pl.col("score") / 3 + pl.col("score").shuffle(seed=0) / 6)
    after = Scores(half)
    save(before, folder / "scores.parquet")
    save(after, folder / "tuned.parquet")
    save(ratings, folder / "ratings.parquet")
    for name, scores in (("before", before), ("after", after)):
        (folder / name).mkdir()
        save_audit(audit(scores, ratings, draws=100), folder / name)
    found = alignment_with_ratings(after, ratings, baseline=before, draws=100)
    write_frame(found.frame, folder / "after/alignment.parquet")
    return folder


def test_audit_on_screen_as_json_and_as_a_page(run: Path, charm: Callable[..., Any], tmp_path: Path) -> None:
    asked = ("audit", run / "scores.parquet", "--ratings", run / "ratings.parquet", "--draws", 100)
    result = charm(*asked, "-o", tmp_path / "audit")
    assert missing(result.stdout) == []
    assert "it was picked as the largest" in result.stdout
    found = json.loads((tmp_path / "audit/audit.json").read_text())
    assert [row["metric"] for row in found["summary"]["effect"]] == list(METRICS)
    assert missing((tmp_path / "audit/report.html").read_text()) == []


def test_evaluation_on_screen_and_as_json(run: Path, charm: Callable[..., Any]) -> None:
    tables = ("--scores", run / "tuned.parquet", "--baseline-scores", run / "scores.parquet")
    asked = ("evaluate", *tables, "--ratings", run / "ratings.parquet", "--draws", 100)
    shown = charm(*asked).stdout
    assert "Placebo: " in shown
    assert WHAT_P_TESTS in " ".join(shown.split())
    folded = json.loads(charm(*asked, "--json").stdout)["alignment"]
    assert [row["metric"] for row in folded] == list(METRICS)
    assert all(row["placebo_value"] is not None for row in folded)


def test_calibration_in_sample_beside_cross_fitted(run: Path, charm: Callable[..., Any]) -> None:
    asked = (
        "calibrate",
        run / "scores.parquet",
        "--ratings",
        run / "ratings.parquet",
        "--all",
        "--draws",
        100,
    )
    shown = charm(*asked).stdout
    assert missing(shown) == []
    assert "in-sample" in shown
    assert "cross-fitted" in shown


def test_the_line_of_a_stage_and_the_table_of_a_run(run: Path) -> None:
    effect = json.loads((run / "after/audit.json").read_text())["summary"]["effect"]
    assert missing(say_figures(effect)) == []
    summary = summarise(check_config(CONFIG), run)
    assert missing("\n".join(summary.frame["measure"])) == []
    assert summary.frame["placebo"].count() == len(METRICS)
    assert any("Placebo: " in remark for remark in summary.remarks)


def test_the_model_card(run: Path, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# model\n")
    before, ratings = sharp_scores(prompts=60, policies=5)
    found = audit(before, ratings, draws=0).mismatch
    rows = pl.read_parquet(run / "after/alignment.parquet").to_dicts()
    write_mismatch_section(tmp_path, found, found, effect=rows)
    text = (tmp_path / "README.md").read_text()
    section = text[text.index(BEGIN) :]
    assert missing(section) == []
    assert PLACEBO in section
    assert WHAT_P_TESTS in section


def test_the_page_of_a_run_leads_with_what_sharpness_and_noise_leave(run: Path) -> None:
    page = write_report(run).read_text()
    table = page[page.index("How much better, and is it real") :]
    assert missing(table[: table.index("</table>")]) == []
    assert "Placebo: noise added" in table
    assert WHAT_P_TESTS in page
    verdict = page[page.index('<div class="verdict">') : page.index('<dl class="tiles">')]
    fitted, raw = (METRICS[n].label for n in ("sharpness_fitted_mismatch", "mean_abs_mismatch"))
    assert verdict.index(fitted) < verdict.index(raw)
