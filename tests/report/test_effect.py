"""The table of before and after, and what is said at the head of the page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from charm_rm import store
from charm_rm.mismatch import METRICS
from charm_rm.report import write_report
from charm_rm.report.effect import effect_rows
from charm_rm.report.gather import Findings, gather
from charm_rm.report.notices import notices
from report.synthetic import build_run, names

pytestmark = pytest.mark.usefixtures("plain_charts")


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    return gather(build_run(tmp_path_factory.mktemp("effect") / "run", policies=names(4)))


def compared(findings: Findings, metric: str, **row: Any) -> str:
    """The reading of one figure with this interval and p."""
    values = {"metric": metric, "n": 6, "value": 0.2, "baseline_value": 0.3, "difference": -0.1, **row}
    return effect_rows(replace(findings, alignment=pl.DataFrame([values])))[0].reading


@pytest.mark.parametrize(
    ("metric", "low", "high", "p", "reading"),
    [
        ("debiased_mismatch", -0.2, -0.01, 0.01, "better"),
        ("debiased_mismatch", 0.01, 0.2, 0.01, "worse"),
        ("spearman", 0.01, 0.2, 0.01, "better"),
        ("spearman", -0.2, -0.01, None, "worse"),
        ("mean_abs_favour", -0.2, 0.1, 0.01, "within chance"),
        ("mean_abs_mismatch", -0.2, -0.01, 0.2, "within chance"),
        ("mean_abs_mismatch", None, None, None, "no interval"),
    ],
)
def test_a_change_is_real_where_interval_and_test_agree(
    findings: Findings, metric: str, low: float | None, high: float | None, p: float | None, reading: str
) -> None:
    assert compared(findings, metric, diff_ci_low=low, diff_ci_high=high, p_value=p) == reading


def test_the_page_shows_every_figure_with_floor_change_and_reading(tmp_path: Path) -> None:
    page = write_report(build_run(tmp_path / "run", policies=names(4))).read_text(encoding="utf-8")
    table = page[page.index("How much better, and is it real") :]
    table = table[: table.index("</table>")]
    assert table.count("within chance") == 6
    for metric in METRICS.values():
        assert metric.label in table
    assert (
        '<td class="n">0.120 [0.020, 0.220]</td><td class="n">–</td><td class="n">0.030</td><td class="n">+0.050 [\u22120.020, +0.120]'
        in table
    )


def test_without_a_baseline_nothing_is_compared(findings: Findings) -> None:
    alone = findings.alignment.drop("difference") if findings.alignment is not None else None
    assert effect_rows(replace(findings, alignment=alone)) == []
    assert effect_rows(replace(findings, alignment=None)) == []


def audited(findings: Findings, stage: str, **details: Any) -> Findings:
    found = getattr(findings, stage)
    return replace(findings, **{stage: replace(found, details={**found.details, **details})})


def test_a_judge_that_ranks_upside_down_is_told_first(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", policies=names(4))
    details = store.read_json(run / "before" / "audit.json")
    spearman = {"value": -0.9, "ci_low": -0.98, "ci_high": -0.7}
    details |= {"rank_correlation": {"spearman": spearman}, "summary": {"slope": -0.8}, "sharpness": None}
    store.write_json(details, run / "before" / "audit.json", force=True)
    (run / "before" / "favouritism.parquet").unlink()
    page = write_report(run).read_text(encoding="utf-8")
    assert "<h1>This judge does not rank policies as people do</h1>" in page
    assert page.index("UPSIDE DOWN") < page.index('<div class="verdict">')
    assert "-0.90 [-0.98, -0.70]" in page
    assert "No favourites" not in page


def test_a_judge_that_ranks_as_people_do_gets_no_notice(findings: Findings) -> None:
    assert notices(findings) == []


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({}, "on the prompts that the offsets were solved on"),
        ({"in_sample": True}, "in-sample: "),
        ({"in_sample": False}, None),
    ],
)
def test_an_audit_of_calibrated_scores_is_labelled(
    findings: Findings, known: dict[str, bool], said: str | None
) -> None:
    provenance = {"input": {"calibrated": {"a": 0.1}, **known}}
    found = notices(audited(findings, "after", provenance=provenance))
    assert [n.startswith("After: ") for n in found] == ([] if said is None else [True])
    assert said is None or said in found[0]
