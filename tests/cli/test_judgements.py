"""Judgements through the commands, as files of other tools: audit, calibrate, apply, relabel, report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import Result

from charm_rm import store
from charm_rm.tables import Margins, Offsets
from judge_fakes import ANNOTATED_LEVELS, write_annotations

Charm = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """AlpacaEval's annotations of four policies against a baseline, two judges; responses; ratings."""
    return write_annotations(tmp_path)


def run(charm: Charm, folder: Path, command: str, *more: object) -> Result:
    result = charm(
        command, folder / "annotations.json", "--ratings", folder / "ratings.csv", "--draws", 100, *more
    )
    assert result.exit_code == 0, result.output
    return result


def test_an_annotations_file_is_audited_as_it_is(charm: Charm, folder: Path) -> None:
    more = ("--annotator", "mild", "--reference", "base", "--outcome", "soft", "--json")
    found = json.loads(run(charm, folder, "audit", *more).stdout)
    assert found["provenance"]["settings"]["outcome"] == "soft"
    assert found["provenance"]["input"]["annotator"] == "mild"
    rows = pl.read_json(folder / "annotations.json").filter(pl.col("annotator") == "mild")
    for row in found["mismatch"]:
        mean = (rows.filter(pl.col("generator_2") == row["policy"])["preference"] - 1).mean()
        assert row["win_rate"] == pytest.approx(mean, abs=1e-9)
    assert "win rates are soft" in run(charm, folder, "audit", *more[:-1]).stdout


def test_the_annotator_has_to_be_chosen(charm: Charm, folder: Path) -> None:
    result = charm("audit", folder / "annotations.json", "--ratings", folder / "ratings.csv")
    assert result.exit_code == 2
    assert "'mild', 'stern'" in result.output
    assert "--judge" in result.output


def test_calibrate_apply_and_audit_again(charm: Charm, folder: Path) -> None:
    who = ("--annotator", "mild")
    shown = run(
        charm, folder, "calibrate", *who, "--over", "elm", "--ref", "base", "-o", folder / "o.parquet"
    ).stdout
    assert "Offsets, in log-odds" in shown
    offsets = store.load(Offsets, folder / "o.parquet")
    target = 1 / (1 + 10 ** ((1100 - 1120) / 400))
    assert offsets.frame["attained"][0] == pytest.approx(target, abs=1 / 120)
    result = charm(
        "apply", folder / "annotations.json", folder / "o.parquet", *who, "-o", folder / "c.parquet"
    )
    assert result.exit_code == 0, result.output
    assert "240 margins of 5 policies" in result.output
    calibrated = store.load(Margins, folder / "c.parquet").frame
    assert calibrated.columns == ["prompt_id", "policy", "reference", "margin"]
    assert (calibrated.filter(pl.col("policy") == "elm")["margin"] > 0).mean() == pytest.approx(
        target, abs=1 / 120
    )
    again = charm("audit", folder / "c.parquet", "--ratings", folder / "ratings.csv", "--draws", 0, "--json")
    assert again.exit_code == 0, again.output


def test_joint_offsets_and_labels_of_judgements(charm: Charm, folder: Path) -> None:
    who = ("--judge", "stern")
    run(charm, folder, "calibrate", *who, "--all", "--ref", "base", "-o", folder / "o.parquet")
    relabel = ("relabel", folder / "annotations.json", folder / "responses.json", folder / "o.parquet", *who)
    result = charm(*relabel, "-o", folder / "prefs")
    assert result.exit_code == 0, result.output
    ledger = pl.read_parquet(folder / "prefs" / "ledger.parquet")
    assert ledger["pairs"].to_list() == [60] * 4
    refused = charm(*relabel, "--strategy", "sampled", "-o", folder / "more")
    assert refused.exit_code == 2
    assert "judgements compare given pairs" in refused.output


def test_a_report_says_log_odds_and_soft(charm: Charm, folder: Path) -> None:
    who = ("--annotator", "mild")
    run(charm, folder, "audit", *who, "--outcome", "soft", "-o", folder / "audit")
    run(
        charm, folder, "calibrate", *who, "--all", "--ref", "base", "-o", folder / "audit" / "offsets.parquet"
    )
    result = charm("report", folder / "audit", "--force")
    assert result.exit_code == 0, result.output
    page = (folder / "audit" / "report.html").read_text()
    assert "offset Δ, log-odds" in (folder / "audit" / "figures" / "offsets.svg").read_text()
    assert "Offsets in log-odds" in page
    assert "score units" not in page
    assert "mean probability with which the judge prefers" in page


def test_what_judgements_cannot_do(charm: Charm, folder: Path) -> None:
    base = ("calibrate", folder / "annotations.json", "--ratings", folder / "ratings.csv")
    pair = ("--over", "elm", "--ref", "base", "--annotator", "mild")
    result = charm(*base, *pair, "--unpaired")
    assert result.exit_code == 2
    assert "no scores of their own" in result.output
    (folder / "rates.csv").write_text("policy,reference,win_rate,n\noak,base,0.6,50\nelm,base,0.5,50\n")
    result = charm("calibrate", folder / "rates.csv", "--ratings", folder / "ratings.csv", "--all")
    assert result.exit_code == 2
    assert "nothing that an offset could be added to" in result.output


def test_the_page_shows_the_mean_over_all_pairs_with_its_own_interval(charm: Charm, tmp_path: Path) -> None:
    """Figures and intervals are over all pairs, also where the table shows those of a reference alone."""
    rng = np.random.default_rng(1)
    rows = [
        (f"p{i}", k, float(level + rng.gumbel())) for i in range(60) for k, level in ANNOTATED_LEVELS.items()
    ]
    frame = pl.DataFrame(rows, schema=["prompt_id", "policy", "score"], orient="row")
    frame.write_csv(tmp_path / "scores.csv")
    (tmp_path / "ratings.csv").write_text(
        "policy,rating,std_err\noak,1150,5\nreed,1080,5\nelm,1120,5\nfir,1000,5\n"
    )
    base = ("audit", tmp_path / "scores.csv", "--ratings", tmp_path / "ratings.csv", "--draws", 100)
    for name, more in (("all", ()), ("one", ("--reference", "oak"))):
        assert charm(*base, *more, "-o", tmp_path / name).exit_code == 0
    shown = {}
    for name in ("all", "one"):
        found = json.loads((tmp_path / name / "audit.json").read_text())["summary"]["mean_abs_mismatch"]
        page = (tmp_path / name / "report.html").read_text()
        shown[name] = f"raw {found['value']:.3f} [{found['ci_low']:.3f}, {found['ci_high']:.3f}], 6 pairs"
        assert shown[name] in page
    assert shown["all"] == shown["one"]
