"""The head of the page: what it is called, what was judged on which data, and which files were read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from click.testing import Result

from charm_rm import store
from charm_rm.report import write_report
from report.synthetic import HOSTILE, build_run, names, write_audit
from report.test_report import Outline

pytestmark = pytest.mark.usefixtures("plain_charts")
Charm = Callable[..., Result]
DIGEST = "9f" * 32


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    """A plain audit's folder."""
    rating = np.array([1250.0, 1200, 1150, 1100])
    folder = tmp_path / "folder"
    write_audit(
        folder, policies=names(4), rating=rating, favour=rating * 0, references=None, prompts=100,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    return folder


def _say(folder: Path, **told: Any) -> None:
    """Add to what audit.json says; ``provenance`` is added to."""
    path = folder / "audit.json"
    details = json.loads(path.read_text())
    details["provenance"] = {**(details.get("provenance") or {}), **told.pop("provenance", {})}
    path.write_text(json.dumps(details | told))


def _head(page: Path) -> tuple[str, str]:
    """The line above the heading, and the facts below it."""
    text = page.read_text(encoding="utf-8")
    kicker = text.split('<p class="kicker">')[1].split("</p>")[0]
    facts = text.split('<dl class="facts">')[1].split("</dl>")[0].replace("</dt>", ": </dt>")
    return kicker, " ".join(Outline(facts).text.split())


def test_titles_in_their_order(audit: Path) -> None:
    assert _head(write_report(audit))[0] == "folder"
    _say(audit, provenance={"files": [{"name": "scores.csv", "sha256": DIGEST}]})
    assert _head(write_report(audit))[0] == "scores.csv"
    store.write_json({"name": "a run"}, audit / "manifest.json")
    assert _head(write_report(audit))[0] == "a run"
    _say(audit, title="an audit")
    assert _head(write_report(audit))[0] == "an audit"
    page = write_report(audit, title="as asked")
    assert _head(page)[0] == "as asked"
    assert "<title>as asked: CHARM report</title>" in page.read_text()


def test_judge_data_ratings_files_and_date(audit: Path) -> None:
    _say(
        audit,
        summary={"policies": 4, "prompts": 1234},
        provenance={
            "input": {"rm": "owner/model"},
            "ratings": {"source": ["board.csv"], "category": ["coding"], "date": ["2026-01-31"]},
            "files": [{"name": "scores.csv", "sha256": DIGEST}, {"name": "board.csv", "sha256": DIGEST}],
        },
    )
    expected = (
        "Judge: owner/model Data: 4 policies, 1,234 prompts Human ratings: board.csv; coding; 2026-01-31 "
        "Files: scores.csv, board.csv"
    )
    assert _head(write_report(audit))[1] == expected
    page = write_report(audit, date="26 November 2026")
    assert _head(page)[1] == f"{expected} Date: 26 November 2026"
    assert page.read_text().count(DIGEST) >= 2


def test_a_run_lists_the_files_of_its_stages_once_and_no_ids(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", policies=names(4))
    stages = {
        "responses": {
            "inputs": {"given:r.csv": DIGEST},
            "started": "2026-01-31T10:11:12+00:00",
            "seconds": 1.25,
        },
        "score": {
            "inputs": {"responses.parquet": "aa" * 32, "given:owner/rm": "id:owner/rm", "given:r.csv": DIGEST}
        },
        "report": {"inputs": {"ratings.parquet": "bb" * 32}},
    }
    store.write_json({"name": "x", "stages": stages}, run / "manifest.json", force=True)
    page = write_report(run)
    assert "Files: r.csv" in _head(page)[1]
    text = page.read_text()
    assert "10:11:12" not in text, "the page would differ from run to run"
    assert "1.25" not in Outline(text).text.split("Run manifest")[1].split("Audit before")[0]
    assert "bb" * 32 not in text


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("Arena leaderboard (lmarena-ai/leaderboard-dataset), CC BY 4.0", "Arena Elo"),
        ("fitted to the votes of b.csv", "Human Elo"),
    ],
)
def test_ratings_are_called_what_they_are(audit: Path, source: str, name: str) -> None:
    _say(audit, provenance={"ratings": {"source": [source]}})
    text = write_report(audit).read_text()
    other = {"Arena Elo": "Human Elo", "Human Elo": "Arena Elo"}[name]
    assert name in text
    assert other not in text
    assert name in (audit / "figures" / "ratings.svg").read_text()


@pytest.mark.parametrize(
    ("provenance", "words"),
    [
        ({"settings": {"ties": "half"}}, "a tie counts half."),
        ({"settings": {"ties": "loss"}}, "a tie counts as a loss of the policy (--ties loss); favour and sharpness count a tie half"),
        ({"source": "win rates", "settings": {"ties": "half"}}, "ties count as those who published the win rates counted them"),
    ],
)  # fmt: skip
def test_ties_as_they_were_counted(audit: Path, provenance: Mapping[str, Any], words: str) -> None:
    _say(audit, provenance=provenance)
    text = Outline(write_report(audit).read_text()).text
    assert words in text
    assert ("a tie counts half" in text) == (words == "a tie counts half.")


def test_everything_at_the_head_is_escaped(audit: Path) -> None:
    hostile = HOSTILE[0]
    row = {"policy": hostile, "favour": 1.0, "role": hostile, "sharpness": {"value": 1.0}}
    _say(
        audit,
        title=hostile,
        variants=[{"name": hostile, **row}, {"name": "other", **row}],
        provenance={
            "input": {"judge": hostile},
            "ratings": {"source": [hostile], "date": [hostile]},
            "files": [{"name": hostile, "sha256": hostile}],
        },
    )
    text = write_report(audit, date=hostile).read_text()
    assert "<script>alert" not in text
    assert text.count("&lt;script&gt;alert(1)") >= 8
    assert len(Outline(text).named("script")) == 1


def test_the_example_tells_what_length_control_makes_of_its_finding(charm: Charm, tmp_path: Path) -> None:
    done = charm("audit", "--example", "--draws", 100, "-o", tmp_path / "audit")
    assert done.exit_code == 0, done.output
    details = json.loads((tmp_path / "audit" / "audit.json").read_text())
    raw, controlled = details["variants"]
    assert (raw["name"], controlled["name"]) == ("raw", "length-controlled")
    favour = pl.read_parquet(tmp_path / "audit" / "favouritism.parquet").filter(
        pl.col("policy") == raw["policy"]
    )
    assert favour["favour"].item() == raw["favour"] > 20 > abs(controlled["favour"])
    text = " ".join(Outline((tmp_path / "audit" / "report.html").read_text()).text.split())
    assert (
        f"Favour shown to the judge’s own baseline, {raw['policy']}: raw +{raw['favour']:.0f}"
        in text.replace("'", "’")
    )
    assert "Favour shown to gpt4_1106_preview, by how win rates are counted" in text


def test_titles_by_command(charm: Charm, tmp_path: Path) -> None:
    done = charm("audit", "--example", "--draws", 0, "--title", "Mine", "-o", tmp_path / "audit")
    assert done.exit_code == 0, done.output
    page = tmp_path / "audit" / "report.html"
    assert _head(page)[0] == "Mine"
    first = page.read_bytes()
    assert charm("report", tmp_path / "audit").exit_code == 0
    assert page.read_bytes() == first
    assert charm("report", tmp_path / "audit", "--title", "Ours", "--date", "2026-11-26").exit_code == 0
    assert _head(page) == (
        "Ours",
        "Data: 45 policies Human ratings: Arena scores of the shipped example, without intervals, out of llm-bench-cost 0.1.0 Date: 2026-11-26",
    )


def test_what_was_not_tested_is_not_called_free_of_favourites(audit: Path) -> None:
    path = audit / "favouritism.parquet"
    from charm_rm.tables import Favouritism

    table = store.load(Favouritism, path)
    empty = pl.lit(None, pl.Float64)
    untested = table.frame.with_columns(p_value=empty, q_value=empty, ci_low=empty, ci_high=empty)
    store.save(Favouritism(untested, sharpness=table.sharpness), path, force=True)
    text = Outline(write_report(audit).read_text()).text
    assert "Too little data to say whether this judge plays favourites" in text
    assert "Favour was not tested for any of 4 policies" in text
    assert "beyond chance among" not in text
