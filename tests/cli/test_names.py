"""``charm names``: what is printed, and the alias table that closes the loop."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from click.testing import Result

Charm = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    names = ["gemma-2-9b-it-SimPO", "openai/gpt-4o-2024-05-13", "Oak"]
    rows = [(f"p{i}", name, float(i % (k + 2))) for k, name in enumerate(names) for i in range(40)]
    pl.DataFrame(rows, schema=["prompt_id", "policy", "score"], orient="row").write_csv(
        tmp_path / "scores.csv"
    )
    (tmp_path / "ratings.csv").write_text(
        "policy,rating,std_err\nGemma 2 9B IT,1267,3\nGPT-4o (2024-05-13),1300,3\noak,1100,3\n"
    )
    (tmp_path / "responses.json").write_text(
        json.dumps([{"instruction": "Hi", "output": "Yes", "generator": name} for name in names])
    )
    return tmp_path


@pytest.mark.parametrize("file", ["scores.csv", "responses.json"])
def test_names_with_and_without_a_rating_are_listed(charm: Charm, folder: Path, file: str) -> None:
    result = charm("names", folder / file, "--ratings", folder / "ratings.csv")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("2 of 3 policies without a rating in ")
    assert "      'Gemma 2 9B IT': a different model? (tuning simpo only in yours)" in lines
    assert "      'GPT-4o (2024-05-13)': the same model? (case, punctuation, order or maker alone)" in lines
    assert ["Oak", "oak", "case", "and", "punctuation"] in [line.split() for line in lines]


def test_the_alias_table_closes_the_loop(charm: Charm, folder: Path) -> None:
    names = ("names", folder / "scores.csv", "--ratings", folder / "ratings.csv")
    result = charm(*names, "-o", folder / "aliases.csv")
    assert result.exit_code == 0, result.output
    assert "2 rows, 1 to fill in or drop" in result.stderr
    again = charm(*names, "-o", folder / "aliases.csv")
    assert again.exit_code == 2
    text = (folder / "aliases.csv").read_text()
    (folder / "aliases.csv").write_text(
        "".join(x for x in text.splitlines(keepends=True) if "SimPO" not in x)
    )
    audited = charm(
        *("audit", folder / "scores.csv", "--ratings", folder / "ratings.csv", "--draws", 0, "--json"),
        *("--alias", folder / "aliases.csv", "--unrated", "skip"),
    )
    assert audited.exit_code == 0, audited.output
    assert "skipped 1 policy without a rating: 'gemma-2-9b-it-SimPO'" in audited.stderr
    pair = json.loads(audited.stdout)["mismatch"][0]
    assert {pair["policy"], pair["reference"]} == {"openai/gpt-4o-2024-05-13", "Oak"}


def test_as_json(charm: Charm, folder: Path) -> None:
    found = json.loads(
        charm("names", folder / "scores.csv", "--ratings", folder / "ratings.csv", "--json").stdout
    )
    assert found["ratings"]["n"] == 3
    assert [m["how"] for m in found["matched"]] == ["case and punctuation"]
    assert [n["nearness"] for m in found["unmatched"] for n in m["near"]] == ["another", "same parts"]


def test_nothing_to_write_is_said(charm: Charm, folder: Path) -> None:
    (folder / "ratings.csv").write_text(
        "policy,rating\ngemma-2-9b-it-simpo,1\nopenai/gpt-4o-2024-05-13,2\nOak,3\n"
    )
    result = charm(
        "names", folder / "scores.csv", "--ratings", folder / "ratings.csv", "-o", folder / "a.csv"
    )
    assert result.exit_code == 0, result.output
    assert "nothing written" in result.stderr
    assert not (folder / "a.csv").exists()


def test_ratings_are_needed(charm: Charm, folder: Path) -> None:
    result = charm("names", folder / "scores.csv")
    assert result.exit_code == 2
    assert "--ratings" in result.output


def test_an_unrated_policy_is_never_offered_another_model(charm: Charm, folder: Path) -> None:
    result = charm("audit", folder / "scores.csv", "--ratings", folder / "ratings.csv")
    assert result.exit_code == 2
    assert (
        "'gemma-2-9b-it-SimPO' Near: 'Gemma 2 9B IT', a different model? (tuning simpo only in yours)"
        in result.output
    )
    assert "Did you mean 'Gemma" not in result.output
    assert "'openai/gpt-4o-2024-05-13' Did you mean 'GPT-4o (2024-05-13)'?" in result.output
    assert "charm names" in result.output
