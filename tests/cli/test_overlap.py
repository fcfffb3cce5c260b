"""No command replaces what it reads, under whatever name: ``--force`` or not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from click.testing import Result

from charm_rm import store

Charm = Callable[..., Result]
NAMES = ("one", "two", "three")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """scores, responses, ratings, battles, offsets, aliases, prompts as tables, and a function that scores."""
    monkeypatch.chdir(tmp_path)
    rows = [
        {"prompt_id": f"q{q}", "prompt": f"Q{q}?", "policy": p, "response": f"{p}{q}", "score": float((q * 7 + i * 3) % 11)}
        for q in range(40)
        for i, p in enumerate(NAMES)
    ]  # fmt: skip
    frame = pl.DataFrame(rows)
    battles = [
        {"model_a": a, "model_b": b, "winner": w} for a in NAMES for b in NAMES if a < b for w in ("model_a", "model_b")
    ]  # fmt: skip
    tables = {
        "scores": frame.select("prompt_id", "policy", "score"),
        "responses": frame.drop("score"),
        "ratings": pl.DataFrame({"policy": NAMES, "rating": [1000.0, 1040.0, 1090.0]}),
        "battles": pl.DataFrame(battles),
        "aliases": pl.DataFrame({"policy": ["one"], "arena_name": ["one"]}),
        "prompts": frame.select("prompt_id").unique(maintain_order=True),
    }
    for name, table in tables.items():
        store.write_frame(table, tmp_path / f"{name}.csv")
    (tmp_path / "own.py").write_text(
        "def score(prompts, responses):\n    return [float(len(r)) for r in responses]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


COMMANDS = {
    "score": (("score", "responses.csv", "--rm", "python:own:score"), ("responses",)),
    "judge": (("judge", "responses.csv", "--judge", "python:own:score"), ("responses",)),
    "calibrate": (
        ("calibrate", "scores.csv", "--ratings", "ratings.csv", "--alias", "aliases.csv", "--prompts", "prompts.csv", "--all"),
        ("scores", "ratings", "aliases", "prompts"),
    ),
    "apply": (("apply", "scores.csv", "offsets.csv", "--prompts", "prompts.csv"), ("scores", "offsets", "prompts")),
    "ratings fit": (("ratings", "fit", "battles.csv"), ("battles",)),
    "ratings save": (("ratings", "save", "ratings.csv"), ("ratings",)),
    "features": (("features", "responses.csv"), ("responses",)),
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("way", ["as it is", "by a longer path", "through a link", "by a second name"])
def test_a_table_that_is_read_is_not_written(charm: Charm, data: Path, name: str, way: str) -> None:
    command, read = COMMANDS[name]
    (data / "offsets.csv").write_text("policy,delta\none,0\n")
    for table in read:
        path = data / f"{table}.csv"
        before = path.read_bytes()
        output = {"as it is": f"{table}.csv", "by a longer path": f"../{data.name}/./{table}.csv"}.get(way)
        arguments = list(command)
        if way == "through a link":  # the input is named by a link to it
            (data / "link.csv").unlink(missing_ok=True)
            (data / "link.csv").symlink_to(path)
            arguments[arguments.index(f"{table}.csv")] = "link.csv"
            output = f"{table}.csv"
        elif way == "by a second name":
            (data / "second.csv").unlink(missing_ok=True)
            os.link(path, data / "second.csv")
            output = "second.csv"
        for force in ((), ("--force",)):
            result = charm(*arguments, "-o", output, *force)
            assert result.exit_code == 2, result.output
            assert "the output is the input" in result.stderr
        assert path.read_bytes() == before


def test_specs_are_looked_into(charm: Charm, data: Path) -> None:
    result = charm("ratings", "save", "ratings.csv:overall@2024-01-01", "-o", data / "ratings.csv", "--force")
    assert "the output is the input 'ratings.csv' itself" in result.stderr
    (data / "model").mkdir()
    (data / "model" / "config.json").write_text("{}")
    for rm in ("model", "dpo:model,model", "dpo:x,model"):
        result = charm("score", "responses.csv", "--rm", rm, "-o", "model/config.json", "--force")
        assert result.exit_code == 2
        assert "lies in the input 'model'" in result.stderr
    assert (data / "model" / "config.json").read_text() == "{}"


def test_folders_that_hold_an_input_are_not_replaced(charm: Charm, data: Path) -> None:
    """The ratings that an audit saved are in its folder; a second audit against them may not take it away."""
    known = ("scores.csv", "--ratings", "ratings.csv", "--draws", 0)
    assert charm("audit", *known, "-o", "audit").exit_code == 0
    for command in (
        ("audit", "scores.csv", "--ratings", "audit/ratings.parquet"),
        ("compare", "scores.csv", "scores.csv", "--ratings", "audit/ratings.parquet"),
        ("influence", "scores.csv", "--ratings", "audit/ratings.parquet"),
        ("evaluate", "--scores", "scores.csv", "--ratings", "audit/ratings.parquet"),
    ):
        result = charm(*command, "-o", "audit", "--force")
        assert result.exit_code == 2, result.output
        assert "contain one another" in result.stderr
    assert (data / "audit" / "ratings.parquet").exists()


def test_names_of_policies_are_no_paths(charm: Charm, data: Path) -> None:
    (data / "one").mkdir()
    (data / "one" / "s.csv").write_text("old")
    assert (
        charm(
            "score",
            "responses.csv",
            "--rm",
            "python:own:score",
            "--policy",
            "one",
            "-o",
            "one/s.csv",
            "--force",
        ).exit_code
        == 0
    )


def test_a_report_replaces_no_table(charm: Charm, data: Path) -> None:
    assert (
        charm("audit", "scores.csv", "--ratings", "ratings.csv", "--draws", 0, "-o", "audit").exit_code == 0
    )
    before = (data / "audit" / "audit.json").read_bytes()
    result = charm("report", "audit", "-o", "audit/audit.json", "--force")
    assert result.exit_code == 2
    assert (data / "audit" / "audit.json").read_bytes() == before
    assert charm("report", "audit", "-o", "audit/report.html", "--force").exit_code == 0


def test_a_store_in_the_outputs_place(charm: Charm, data: Path) -> None:
    result = charm(
        "score",
        "responses.csv",
        "--rm",
        "python:own:score",
        "-o",
        "s.csv",
        "--cache",
        f"../{data.name}/s.csv",
    )
    assert result.exit_code == 2
    assert "the same file" in result.stderr
    assert not (data / "s.csv").exists()
