"""``charm audit`` as a person or a machine would call it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import Result

from charm_rm.store import load, save
from charm_rm.style import save_calibrator, solve_style_offsets
from charm_rm.tables import Ratings, Responses, Scores
from style_worlds import FEATURES
from style_worlds import world as style_world

Charm = Callable[..., Result]


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    rows = [(f"p{i}", k, float(level + rng.gumbel())) for i in range(60) for level, k in enumerate("abcd")]
    path = tmp_path / "scores.csv"
    pl.DataFrame(rows, schema=["prompt_id", "policy", "score"], orient="row").write_csv(path)
    return path


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    path = tmp_path / "ratings.csv"
    path.write_text("policy,rating,std_err\na,1000,5\nb,1100,5\nc,1200,5\nd,1300,5\n")
    return path


def test_the_example_prints_what_it_found(charm: Charm) -> None:
    result = charm("audit", "--example")
    assert result.exit_code == 0, result.output
    assert "most favoured: gemma-2-9b-it-SimPO, +1" in result.output
    assert "judge's own baseline, gpt4_1106_preview" in result.output
    assert "length-controlled" in result.output


def test_the_example_as_json(charm: Charm) -> None:
    found = json.loads(charm("audit", "--example", "--json").stdout)
    assert found["favouritism"][0]["policy"] == "gemma-2-9b-it-SimPO"
    assert found["favouritism"][0]["favour"] > 100
    assert set(found["favouritism"][0]) >= {"policy", "favour", "ci_low", "ci_high", "q_value"}
    assert found["sharpness"]["ci_low"] < 1.9 < found["sharpness"]["ci_high"]
    assert found["rank_correlation"]["spearman"]["value"] > 0.8
    assert len(found["length_controlled"]["favouritism"]) == 45


def test_scores_against_ones_own_ratings(charm: Charm, scores: Path, ratings: Path) -> None:
    result = charm("audit", scores, "--ratings", ratings, "--reference", "b", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert {row["reference"] for row in found["mismatch"]} == {"b"}
    assert found["provenance"]["settings"]["references"] == ["b"]


def test_a_folder_of_tables_and_a_report(charm: Charm, scores: Path, ratings: Path, tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    result = charm("audit", scores, "--ratings", ratings, "-o", folder)
    assert result.exit_code == 0, result.output
    names = {p.name for p in folder.iterdir()}
    assert names >= {
        "mismatch.parquet",
        "favouritism.parquet",
        "win_rates.parquet",
        "ratings.parquet",
        "audit.json",
        "report.html",
    }
    drawn = (folder / "figures" / "ratings.svg").read_text()
    assert "Human Elo 1,100 [1,090, 1,110]" in drawn  # people's own interval is part of the picture
    again = charm("audit", scores, "--ratings", ratings, "-o", folder)
    assert again.exit_code == 2
    assert "already exists" in again.stderr
    assert charm("audit", scores, "--ratings", ratings, "-o", folder, "--force").exit_code == 0


def test_a_policy_without_rating_is_an_error_with_a_hint(charm: Charm, scores: Path, ratings: Path) -> None:
    ratings.write_text(ratings.read_text().replace("d,1300", "dd,1300"))
    result = charm("audit", scores, "--ratings", ratings)
    assert result.exit_code == 2
    assert "'d'" in result.stderr
    assert "Traceback" not in result.stderr
    skipped = charm("audit", scores, "--ratings", ratings, "--unrated", "skip")
    assert skipped.exit_code == 0
    assert "warning:" in skipped.stderr


def test_nan_scores_name_the_row(charm: Charm, scores: Path, ratings: Path) -> None:
    lines = scores.read_text().splitlines()
    lines[3] = "p0,c,nan"
    scores.write_text("\n".join(lines))
    result = charm("audit", scores, "--ratings", ratings)
    assert result.exit_code == 2
    assert "row 2 (prompt_id 'p0', policy 'c'): score is not finite" in result.stderr


def test_a_table_of_neither_kind_is_refused(charm: Charm, ratings: Path) -> None:
    result = charm("audit", ratings, "--ratings", ratings)
    assert result.exit_code == 2
    assert "exactly one of the columns" in result.stderr


def test_nothing_given_says_what_is_needed(charm: Charm) -> None:
    result = charm("audit")
    assert result.exit_code == 2
    assert "--example" in result.stderr


def test_text_from_data_is_printed_as_it_is(charm: Charm, scores: Path, ratings: Path) -> None:
    for path in (scores, ratings):
        path.write_text(path.read_text().replace("a,", "[red]a[/red],"))
    result = charm("audit", scores, "--ratings", ratings)
    assert result.exit_code == 0, result.output
    assert "[red]a[/red]" in result.output


def test_the_example_takes_no_scores_or_ratings_of_ones_own(
    charm: Charm, scores: Path, ratings: Path
) -> None:
    for given in (
        [scores, "--ratings", ratings],
        [scores],
        ["--ratings", ratings],
        ["--unrated", "skip"],
        ["--annotator", "a"],
        ["--split", "test"],
    ):
        result = charm("audit", *given, "--example")
        assert result.exit_code == 2, given
        assert "--example audits the shipped judge" in result.stderr


@pytest.mark.parametrize("draws", [0, 200])
def test_upside_down_is_said_first_also_in_the_warning(
    charm: Charm, scores: Path, ratings: Path, draws: int
) -> None:
    """Also without draws, where the correlation has no interval."""
    pl.read_csv(scores).with_columns(-pl.col("score")).write_csv(scores)
    result = charm("audit", scores, "--ratings", ratings, "--scope", "these", "--draws", draws)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[1].strip().startswith("UPSIDE DOWN")
    told = " ".join(result.stderr.split())
    assert "the RM ranks policies upside down (Spearman -1.00" in told
    assert "favour has no Elo scale" in told
    assert "no favouritism" not in told
    assert ("-1.00 [" in result.stdout) == (draws > 0)


def test_equal_ratings_are_called_equal(charm: Charm, scores: Path, ratings: Path) -> None:
    ratings.write_text("policy,rating,std_err\na,1000,5\nb,1000,5\nc,1000,5\nd,1000,5\n")
    result = charm("audit", scores, "--ratings", ratings)
    assert "the ratings of these 4 policies are all equal" in " ".join(result.stderr.split())
    assert "nan" not in result.output.lower()


# --- candidates, and several samples ----------------------------------------------------------------


def _world(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Scores and responses of rated policies and one that is not, and the ratings."""
    whole = style_world()
    others = pl.col("policy") != whole.scores.policies[0]
    save(whole.scores, tmp_path / "scores.parquet")
    save(whole.responses, tmp_path / "responses.parquet")
    save(Ratings(whole.ratings.frame.filter(others)), tmp_path / "ratings.csv")
    return tmp_path / "scores.parquet", tmp_path / "responses.parquet", tmp_path / "ratings.csv"


def test_a_candidate_is_placed_and_shown(charm: Charm, tmp_path: Path) -> None:
    scores, _, ratings = _world(tmp_path)
    own = load(Scores, scores).policies[0]
    asked = ("audit", scores, "--ratings", ratings, "--candidate", own, "--draws", "0")
    shown = charm(*asked, "-o", tmp_path / "audit")
    assert "Candidates: policies without a human rating" in shown.stdout
    assert "implied: what people would rate it IF the model favoured it like the average" in shown.stdout
    assert "style" not in shown.stdout
    page = (tmp_path / "audit" / "report.html").read_text()
    assert "Policies without a human rating, in Elo points" in page
    assert "Favour expected from style" not in page
    told = json.loads(charm(*asked, "--json").stdout)
    assert [row["policy"] for row in told["candidates"]] == [own]
    assert own not in {row["policy"] for row in told["favouritism"]}


def test_a_calibrator_says_what_favour_style_should_bring(charm: Charm, tmp_path: Path) -> None:
    scores, responses, ratings = _world(tmp_path)
    own = load(Scores, scores).policies[0]
    calibrator = tmp_path / "calibrator.json"
    given = ("--ratings", ratings, "--draws", "0")
    whole, others = style_world(), pl.col("policy") != own
    rated = [
        Scores(whole.scores.frame.filter(others)),
        Responses(whole.responses.frame.filter(others)),
        Ratings(whole.ratings.frame.filter(others)),
    ]
    solved = solve_style_offsets(*rated, features=FEATURES, penalty=1e-3, draws=0)
    save_calibrator(solved, calibrator)
    asked = ("audit", scores, *given, "--candidate", own, "--calibrator", calibrator)
    shown = charm(*asked, "--responses", responses, "-o", tmp_path / "audit")
    assert shown.exit_code == 0, shown.stderr
    assert "style: the favour to expect from the style of its responses" in shown.stdout
    assert "Favour expected from style" in (tmp_path / "audit" / "report.html").read_text()
    alone = charm(*asked)
    assert alone.exit_code == 2
    assert "--calibrator and --responses go together" in " ".join(alone.stderr.split())
    assert charm("audit", scores, *given, "--calibrator", calibrator, "--responses", responses).exit_code == 2


def test_all_samples_are_audited_and_said(charm: Charm, tmp_path: Path) -> None:
    scores, _, ratings = _world(tmp_path)
    table = load(Scores, scores).frame.filter(pl.col("policy") != load(Scores, scores).policies[0])
    more = table.filter(policy=table["policy"][0]).with_columns(sample=1, score=pl.col("score") + 0.5)
    several = tmp_path / "several.parquet"
    save(Scores(pl.concat([table.with_columns(sample=0), more])), several)
    asked = ("audit", several, "--ratings", ratings, "--draws", "0")
    assert "--sample all" in charm(*asked).stderr
    shown = charm(*asked, "--sample", "all")
    assert "1 to 2 samples of a policy on a prompt (mean 1.1)" in " ".join(shown.stdout.split())
    assert "mean over all pairs of samples" in " ".join(shown.stdout.split())
    told = json.loads(charm(*asked, "--sample", "all", "--json").stdout)
    assert told["summary"]["samples"]["most"] == 2
    first = json.loads(charm(*asked, "--sample", "first", "--json").stdout)
    assert first["summary"]["samples"] is None


# --- scores larger than memory --------------------------------------------------------------------


def _parts(scores: Path) -> Path:
    folder = scores.parent / "parts"
    folder.mkdir()
    frame = pl.read_csv(scores).sample(fraction=1.0, shuffle=True, seed=0)
    for i in range(3):
        frame[i::3].write_parquet(folder / f"{i}.parquet")
    return folder


def test_streamed_it_finds_what_it_finds_in_memory(charm: Charm, scores: Path, ratings: Path) -> None:
    common = ("--ratings", str(ratings), "--draws", "0", "--json")
    streamed = charm("audit", str(_parts(scores)), *common, "--engine", "streaming", "--memory", "1GB")
    assert streamed.exit_code == 0, streamed.output
    assert "engine: streaming, as asked, within 1.0 GB" in streamed.stderr
    found, known = json.loads(streamed.stdout), json.loads(charm("audit", str(scores), *common).stdout)
    assert found["provenance"]["input"]["engine"] == "streaming"
    for one, other in zip(found["mismatch"], known["mismatch"], strict=True):
        assert {k: one[k] for k in ("policy", "win_rate", "mismatch", "verdict")} == {
            k: other[k] for k in ("policy", "win_rate", "mismatch", "verdict")
        }
    assert found["sharpness"]["value"] == pytest.approx(known["sharpness"]["value"])


def test_streamed_it_takes_one_side_of_a_split_and_writes_the_same_folder(
    charm: Charm, scores: Path, ratings: Path, tmp_path: Path
) -> None:
    parts, common = _parts(scores), ("--ratings", str(ratings), "--draws", "0", "--split", "test")
    for name, source, engine in (("a", parts, "streaming"), ("b", scores, "memory")):
        result = charm("audit", str(source), *common, "--engine", engine, "-o", str(tmp_path / name))
        assert result.exit_code == 0, result.output
    a, b = (pl.read_parquet(tmp_path / n / "mismatch.parquet").sort("policy", "reference") for n in "ab")
    assert a["win_rate"].equals(b["win_rate"])
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == sorted(
        p.name for p in (tmp_path / "b").iterdir()
    )
    assert (
        json.loads((tmp_path / "a" / "audit.json").read_text())["provenance"]["input"]["split"]["side"]
        == "test"
    )


def test_what_takes_all_scores_at_once_is_refused(
    charm: Charm, scores: Path, ratings: Path, tmp_path: Path
) -> None:
    groups = tmp_path / "groups.csv"
    groups.write_text("policy,group\na,x\nb,x\nc,y\nd,y\n")
    parts = str(_parts(scores))
    result = charm("audit", parts, "--ratings", str(ratings), "--engine", "streaming", "--group", str(groups))
    assert result.exit_code == 2
    assert "cannot do --group: it takes all scores at once" in result.stderr
    result = charm("audit", parts, "--ratings", str(ratings), "--memory", "little")
    assert result.exit_code == 2
    assert "'little' is no amount of memory" in result.stderr


def test_what_takes_all_scores_at_once_is_read_in_memory_where_size_alone_would_stream(
    charm: Charm, scores: Path, ratings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("charm_rm.streaming.engine.IN_MEMORY", 1 << 20)
    groups = tmp_path / "groups.csv"
    groups.write_text("policy,group\na,x\nb,x\nc,y\nd,y\n")
    common = ("audit", str(_parts(scores)), "--ratings", str(ratings), "--draws", "0", "--memory", "64MB")
    assert "engine: streaming (240 rows would take about" in charm(*common).stderr
    result = charm(*common, "--group", str(groups))
    assert result.exit_code == 0, result.output
    assert "engine: memory, as --group takes all scores at once (240 rows" in result.stderr


def test_the_size_decides_and_it_says_so(charm: Charm, scores: Path, ratings: Path) -> None:
    result = charm(
        "audit", str(_parts(scores)), "--ratings", str(ratings), "--draws", "0", "--memory", "64MB"
    )
    assert result.exit_code == 0, result.output
    assert "engine: memory (240 rows would take about" in result.stderr
