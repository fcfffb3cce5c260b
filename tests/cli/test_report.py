"""``charm report``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from report.synthetic import build_run, names

Charm = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return build_run(tmp_path / "run", policies=names(4))


def test_writes_the_page_and_says_where(charm: Charm, run: Path) -> None:
    for _ in range(2):  # a run's own page may always be written again
        result = charm("report", run)
        assert result.exit_code == 0, result.output
        assert str(run / "report.html") in result.stderr
        assert (run / "report.html").exists()


def test_another_output_needs_force(charm: Charm, run: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("mine", encoding="utf-8")
    refused = charm("report", run, "-o", page)
    assert refused.exit_code == 2
    assert "--force" in refused.stderr
    assert page.read_text(encoding="utf-8") == "mine"
    assert charm("report", run, "-o", page, "--force").exit_code == 0
    assert page.read_text(encoding="utf-8").lstrip().startswith("<!doctype html>")


def test_open_shows_the_page(charm: Charm, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("click.launch", opened.append)
    assert charm("report", run, "--open").exit_code == 0
    assert opened == [(run / "report.html").resolve().as_uri()]


def test_a_folder_without_an_audit_exits_2(charm: Charm, tmp_path: Path) -> None:
    result = charm("report", tmp_path)
    assert result.exit_code == 2
    assert "charm audit -o" in result.stderr


def test_the_analysis_of_a_study_is_no_run(charm: Charm, tmp_path: Path) -> None:
    """Its ratings are in a table of the same name as a run's: refused by what it is, not by what is wrong with its rows."""
    from charm_rm.study.analysis import save_analysis
    from study.findings import findings

    save_analysis(findings(), tmp_path)
    refused = charm("report", tmp_path)
    assert refused.exit_code == 2
    assert "the analysis of a study" in refused.stderr
    assert f"--study {tmp_path}" in refused.stderr
    assert not (tmp_path / "report.html").exists()
