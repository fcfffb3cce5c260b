"""``charm study analyse``, its folder and page, and ``charm report --study``, on a small study of known votes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import Result

from report.synthetic import build_run, names

pytest.importorskip("sqlalchemy")
pytest.importorskip("nltk")

POLICIES, RATERS = ("oak", "reed", "satin"), ("ann", "bob", "cy", "dee")


def _tables(folder: Path) -> dict[str, Path]:
    """Votes that follow quality; scores that follow it (after), and that do not (before)."""
    rng = np.random.default_rng(5)
    quality = rng.normal(size=(40, 3))
    scores = {"before": rng.normal(size=(40, 3)), "after": quality + 0.3 * rng.normal(size=(40, 3))}
    votes = [
        (f"p{i}", POLICIES[a], POLICIES[b], "a" if rng.random() < 1 / (1 + np.exp(3 * (quality[i, b] - quality[i, a]))) else "b", rater)
        for i in range(40)
        for a, b in ((0, 1), (0, 2), (1, 2))
        for rater in rng.choice(RATERS, 2, replace=False)
    ]  # fmt: skip
    frame = pl.DataFrame(votes, schema=["prompt_id", "policy_a", "policy_b", "winner", "rater"], orient="row")
    frame.write_csv(folder / "votes.csv")
    for name, table in scores.items():
        rows = [(f"p{i}", policy, float(table[i, k])) for i in range(40) for k, policy in enumerate(POLICIES)]
        pl.DataFrame(rows, schema=["prompt_id", "policy", "score"], orient="row").write_csv(
            folder / f"{name}.csv"
        )
    return {name: folder / f"{name}.csv" for name in ("votes", *scores)}


def _study(charm: Callable[..., Result], folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    at = _tables(folder)
    told = ("--scores", at["before"], "--scores", at["after"], "-o", folder / "study.db")
    done = charm("study", "import", at["votes"], *told)
    assert done.exit_code == 0, done.output
    return folder / "study.db"


def test_the_decision_is_printed_written_and_shown(charm: Callable[..., Result], tmp_path: Path) -> None:
    study = _study(charm, tmp_path / "one")
    out = tmp_path / "analysis"
    done = charm("study", "analyse", study, "-o", out)
    assert done.exit_code == 0, done.output
    assert "Do people agree more with after than with before? Yes: +" in done.stdout
    assert "about: these comparisons" in done.stdout
    assert f"next: charm study export {study} -o battles.parquet" in done.stderr
    page = (out / "study.html").read_text(encoding="utf-8")
    assert "<h1>People agree more with after than with before: +" in page
    # The same as a section of a run's report, by option and by place.
    run = build_run(tmp_path / "run", policies=names(4))
    done = charm("report", run, "--study", out, "-o", tmp_path / "with.html")
    assert done.exit_code == 0, done.output
    shown = (tmp_path / "with.html").read_text(encoding="utf-8")
    section = shown[shown.index('<section id="study">') : shown.index('<section id="offsets">')]
    assert "Do people agree more with after than with before?</strong> Yes" in section
    assert section.count("<figure") == 4
    assert "<p>Asked blind (240 votes of 4 raters on 120 comparisons), people say: people agree more" in shown
    assert '<section id="study">' not in _report(charm, run)
    out.rename(run / "study")
    assert '<section id="study">' in _report(charm, run)
    assert (run / "figures" / "study_agreement.svg").is_file()


def _report(charm: Callable[..., Result], run: Path) -> str:
    assert charm("report", run).exit_code == 0
    return (run / "report.html").read_text(encoding="utf-8")


def test_for_machines_and_for_ci(charm: Callable[..., Result], tmp_path: Path) -> None:
    study = _study(charm, tmp_path / "one")
    found = json.loads(charm("study", "analyse", study, "--json").stdout)
    row = next(r for r in found["differences"] if r["votes_used"] == "all" and r["estimator"] == "classical")
    assert row["difference"] > 0.1
    gates = ("--fail-if", "difference.low<0", "--fail-if", "alpha<-0.5 or raters_flagged>4")
    passed = charm("study", "analyse", study, "--quiet", *gates)
    assert passed.exit_code == 0, passed.output
    assert passed.stdout.count("\n") == 1
    failed = charm("study", "analyse", study, "--quiet", "--fail-if", "agreement>0.6 and difference>0")
    assert failed.exit_code == 3
    assert "after has agreement" in failed.stderr
    assert charm("study", "analyse", study, "--csv").stdout.startswith("model,baseline,votes_used")


def test_a_rater_can_be_left_out(charm: Callable[..., Result], tmp_path: Path) -> None:
    study = _study(charm, tmp_path / "one")
    done = charm("study", "analyse", study, "--without", "bob", "--json")
    assert {r["rater"] for r in json.loads(done.stdout)["raters"]} == {"ann", "cy", "dee"}
    done = charm("study", "analyse", study, "--without", "nobody")
    assert done.exit_code == 2
    assert "nobody" in done.stderr


def test_an_undefeated_policy_has_a_rating_by_the_option_that_the_warning_names(
    charm: Callable[..., Result], tmp_path: Path
) -> None:
    rows = [("p1", "oak", "reed", "a"), ("p2", "oak", "satin", "a"), ("p3", "reed", "satin", "a"), ("p4", "reed", "satin", "b")]  # fmt: skip
    frame = pl.DataFrame(rows, schema=["prompt_id", "policy_a", "policy_b", "winner"], orient="row")
    frame.with_columns(rater=pl.lit("ann")).write_csv(tmp_path / "votes.csv")
    assert charm("study", "import", tmp_path / "votes.csv", "-o", tmp_path / "study.db").exit_code == 0
    without = charm("study", "analyse", tmp_path / "study.db", "--json")
    assert json.loads(without.stdout)["ratings"] == []
    assert "--prior" in without.stderr
    with_prior = charm("study", "analyse", tmp_path / "study.db", "--json", "--prior", 1)
    found = {row["policy"]: row["rating"] for row in json.loads(with_prior.stdout)["ratings"]}
    assert max(found, key=lambda name: found[name]) == "oak"


def test_the_same_study_elsewhere_gives_the_same_bytes_and_no_path(
    charm: Callable[..., Result], tmp_path: Path
) -> None:
    written = []
    for name in ("one", "two"):
        study = _study(charm, tmp_path / name)
        assert charm("study", "analyse", study, "-o", tmp_path / name / "out").exit_code == 0
        files = sorted((tmp_path / name / "out").iterdir())
        written.append({file.name: file.read_bytes() for file in files})
    assert written[0].keys() == written[1].keys()
    for name, content in written[0].items():
        assert content == written[1][name], name
        assert str(tmp_path).encode() not in content


def test_what_is_there_is_not_overwritten_and_what_is_no_study_is_refused(
    charm: Callable[..., Result], tmp_path: Path
) -> None:
    study = _study(charm, tmp_path / "one")
    page = tmp_path / "page.html"
    page.write_text("mine", encoding="utf-8")
    assert charm("study", "analyse", study, "--html", page).exit_code == 2
    assert page.read_text(encoding="utf-8") == "mine"
    assert charm("study", "analyse", study, "--html", page, "--force").exit_code == 0
    assert "CHARM study" in page.read_text(encoding="utf-8")
    assert charm("study", "analyse", tmp_path / "one" / "votes.csv").exit_code == 2
    run = build_run(tmp_path / "run", policies=names(4))
    done = charm("report", run, "--study", tmp_path / "one")
    assert done.exit_code == 2
    assert "no study.json" in done.stderr
