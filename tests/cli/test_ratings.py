"""``charm ratings`` from the outside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from charm_rm import store
from charm_rm.tables import Ratings


@pytest.fixture
def battles(tmp_path: Path) -> Path:
    path = tmp_path / "battles.csv"
    rows = ["gpt-4,llama,a"] * 10 + ["gpt-4,llama,b"] + ["llama,[b]bold[/b],tie"] * 3
    path.write_text("policy_a,policy_b,winner\n" + "\n".join(rows) + "\n")
    return path


def test_fit_prints_a_table_and_writes_ratings(charm: Callable, battles: Path, tmp_path: Path) -> None:
    result = charm("ratings", "fit", battles, "--anchor", "llama=1000", "-o", tmp_path / "r.parquet")
    assert result.exit_code == 0, result.output
    assert "1400.0" in result.stdout
    assert "[b]bold[/b]" in result.stdout
    assert "14 battles (10 a, 1 b, 3 tie, 0 both_bad); level: llama = 1000" in result.stdout
    saved = store.load(Ratings, tmp_path / "r.parquet")
    assert saved.covariance.shape == (3, 3)


def test_fit_json_is_json_alone(charm: Callable, battles: Path, tmp_path: Path) -> None:
    result = charm("ratings", "fit", battles, "--json", "--top", 1, "-o", tmp_path / "r.parquet")
    document = json.loads(result.stdout)
    assert [r["policy"] for r in document["ratings"]] == ["gpt-4"]
    assert document["provenance"]["n_battles"] == 14


def test_fit_refuses_an_existing_output_before_reading_anything(charm: Callable, tmp_path: Path) -> None:
    (tmp_path / "r.parquet").write_text("precious")
    result = charm("ratings", "fit", tmp_path / "none.csv", "-o", tmp_path / "r.parquet")
    assert result.exit_code == 2
    assert "already exists" in result.stderr
    assert (tmp_path / "r.parquet").read_text() == "precious"


def test_fit_names_an_undefeated_policy_and_a_prior_mends_it(charm: Callable, tmp_path: Path) -> None:
    path = tmp_path / "b.csv"
    path.write_text("policy_a,policy_b,winner\nstar,x,a\n")
    result = charm("ratings", "fit", path)
    assert result.exit_code == 2
    assert "'star' never lost" in result.stderr
    result = charm("ratings", "fit", path, "--prior", 1)
    assert result.exit_code == 0
    assert "prior: 1 pseudo-battles per pair" in result.stdout


def test_fit_controls_for_style(charm: Callable, tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "policy_a": ["x", "x", "y", "x"],
            "policy_b": ["y", "y", "x", "y"],
            "winner": ["a", "b", "a", "tie"],
            "length_a": [10, 30, 20, 10],
            "length_b": [20, 20, 10, 15],
        }
    )
    frame.write_parquet(tmp_path / "b.parquet")
    result = charm("ratings", "fit", tmp_path / "b.parquet", "--style", "length")
    assert result.exit_code == 0, result.output
    assert "style length: " in result.stdout


def test_fit_counts_a_style_in_the_texts(charm: Callable, tmp_path: Path) -> None:
    """The Arena's columns, as its files have them; the same figures as from the counts themselves."""
    path, counts = tmp_path / "votes.csv", tmp_path / "counts.csv"
    rows = [
        ("x", "y", "model_a", 1, 2),
        ("x", "y", "model_b", 3, 2),
        ("y", "x", "model_a", 2, 1),
        ("x", "y", "tie", 1, 3),
    ]
    header = "model_a,model_b,winner,{0}_a,{0}_b\n"
    path.write_text(
        header.format("response")
        + "".join(f"{x},{y},{w},{'so ' * a},{'so ' * b}\n" for x, y, w, a, b in rows)
    )
    counts.write_text(header.format("words") + "".join(f"{x},{y},{w},{a},{b}\n" for x, y, w, a, b in rows))
    shown = [charm("ratings", "fit", file, "--style", "words", "--json").stdout for file in (path, counts)]
    ratings, styles = zip(
        *[(json.loads(s)["ratings"], json.loads(s)["provenance"]["style"]) for s in shown], strict=True
    )
    figures = [[{k: v for k, v in row.items() if k != "source"} for row in table] for table in ratings]
    assert figures[0] == figures[1]
    assert styles[0] == styles[1]
    assert list(styles[0]) == ["words"]


def test_fit_says_which_votes_go_together(charm: Callable, tmp_path: Path) -> None:
    rows = [f"x,y,model_{w},p{i // 2},v{i % 25}" for i, w in enumerate("aababbab" * 10)]
    path = tmp_path / "votes.csv"
    path.write_text("model_a,model_b,winner,prompt_id,voter\n" + "\n".join(rows) + "\n")
    said = {
        "auto": "40 clusters of votes, by prompt_id",
        "voter": "25 clusters of votes, by voter",
        "none": "assume independent votes",
    }
    for choice, words in said.items():
        result = charm("ratings", "fit", path, "--cluster", choice, "--json")
        assert result.exit_code == 0, result.output
        assert words in result.stderr
        record = json.loads(result.stdout)["provenance"]
        assert record["cluster"] == {"auto": "prompt_id", "none": None}.get(choice, choice)
    result = charm("ratings", "fit", path, "--cluster", "votr")
    assert result.exit_code == 2
    assert "'votr' is missing. Did you mean 'voter'" in result.stderr.replace("\n", " ")


@pytest.mark.parametrize("anchor", ["llama", "=3", "llama=high"])
def test_a_malformed_anchor_is_refused(charm: Callable, battles: Path, anchor: str) -> None:
    result = charm("ratings", "fit", battles, "--anchor", anchor)
    assert result.exit_code == 2
    assert "is not POLICY=RATING" in result.stderr


def test_show_the_shipped_table(charm: Callable) -> None:
    result = charm("ratings", "show", "arena:coding", "--top", 3)
    assert result.exit_code == 0, result.output
    assert "CC BY 4.0" in " ".join(result.stdout.split())
    assert "241 more" in result.stdout


def test_show_finds_by_part_of_a_name(charm: Callable) -> None:
    result = charm("ratings", "show", "arena", "--find", "gemma-3-27b", "--json")
    assert [r["policy"] for r in json.loads(result.stdout)["ratings"]] == ["Gemma 3 27B IT"]
    result = charm("ratings", "show", "arena", "--find", "gema 3")
    assert result.exit_code == 2
    assert "Did you mean" in result.stderr


def test_show_lists_the_choices_where_none_was_made(charm: Callable, tmp_path: Path) -> None:
    path = tmp_path / "dated.csv"
    path.write_text("date,policy,rating\n2024-12-30,x,1\n2024-12-31,x,2\n")
    result = charm("ratings", "show", path)
    assert result.exit_code == 2
    assert "2024-12-30, 2024-12-31" in result.stderr
    assert charm("ratings", "show", path, "--date", "latest").exit_code == 0


def test_save_pins_one_table(charm: Callable, tmp_path: Path) -> None:
    result = charm("ratings", "save", "arena", "--category", "math", "-o", tmp_path / "math.csv")
    assert result.exit_code == 0, result.output
    assert pl.read_csv(tmp_path / "math.csv")["category"].unique().to_list() == ["math"]
    again = charm("ratings", "save", "arena", "-o", tmp_path / "math.csv")
    assert again.exit_code == 2
    assert "--force" in again.stderr


def test_a_search_is_never_answered_with_another_model(charm: Callable) -> None:
    result = charm("ratings", "show", "arena", "--find", "gemma-2-9b-it-SimPO")
    assert result.exit_code == 2
    assert "Near: 'Gemma 2 9B IT', a different model? (tuning simpo only in yours)" in result.output
    assert "Did you mean" not in result.output
