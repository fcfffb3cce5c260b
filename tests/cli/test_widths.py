"""The tables of every command that prints some, on screens of 40 to 200 columns: no number is cut."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import Result

import charm_rm.cli.tables as tables_module
from charm_rm.cli.layout import Layout, cell_width, table_lines

Charm = Callable[..., Result]
ROOT = Path(__file__).resolve().parents[1]
NAMES = ["Meta-Llama-3.1-405B-Instruct-bf16", "gpt-4o-mini-2024-07-18", "gemma-2-9b-it-SimPO", "d", "e"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scores of policies with long names, so decided that q-values have three digits in their exponent."""
    folder, rng = tmp_path_factory.mktemp("widths"), np.random.default_rng(0)
    rows = [
        {"prompt_id": f"p{i}", "prompt": f"Q{i}?", "policy": p, "response": "word " * (1 + (i + k) % 7), "score": k + 0.3 * float(rng.normal())}
        for i in range(700)
        for k, p in enumerate(NAMES)
    ]  # fmt: skip
    frame = pl.DataFrame(rows)
    frame.select("prompt_id", "policy", "score").write_parquet(folder / "scores.parquet")
    frame.select("prompt_id", "policy", score=3 * pl.col("score")).write_parquet(folder / "other.parquet")
    frame.drop("score").write_parquet(folder / "responses.parquet")
    frame.head(15).drop("score").write_parquet(folder / "few.parquet")
    pl.DataFrame({"policy": NAMES, "rating": [1000.0, 1100.0, 1250.0, 1272.25, 1290.5]}).write_csv(
        folder / "r.csv"
    )
    pairs = [{"prompt": f"{i}", "chosen": "long answer", "rejected": "no"} for i in range(4)]
    pl.DataFrame(pairs).write_ndjson(folder / "pairs.jsonl")
    battles = [
        {"model_a": a, "model_b": b, "winner": w}
        for a in NAMES for b in NAMES if a < b for w in ("model_a", "model_b", "tie")
    ]  # fmt: skip
    pl.DataFrame(battles).write_csv(folder / "battles.csv")
    return folder


SOLVE = "calibrate scores.parquet --ratings r.csv --method joint --draws 0 -o o.parquet --force"
COMMANDS = [
    "audit --example --draws 0",
    "audit scores.parquet --ratings r.csv --draws 0",
    "compare scores.parquet other.parquet --ratings r.csv --draws 0",
    "influence scores.parquet --ratings r.csv --top 2",
    "ratings show arena",
    "ratings fit battles.csv",
    "features responses.parquet --feature words --feature bold",
    "features responses.parquet --feature words --policy d",
    "features --list",
    "calibrate scores.parquet --ratings r.csv --method joint --draws 0",
    "evaluate --scores scores.parquet --baseline-scores other.parquet --ratings r.csv --draws 100",
    "evaluate --rm python:benchmark_fakes:reward --pairs pairs.jsonl --draws 0 --no-cache",
    "judge few.parquet --judge python:benchmark_fakes:judge -o margins.parquet --no-cache --force",
    "score few.parquet --rm python:benchmark_fakes:reward -o s.parquet --no-cache --force",
    "relabel scores.parquet responses.parquet OFFSETS -o prefs --force --strategy all-pairs",
]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Layout]:
    """The tables that a command lays out, as it runs."""
    found: list[Layout] = []
    real = tables_module.framed

    def recorded(*args: object, **how: object) -> Layout:
        found.append(real(*args, **how))  # type: ignore[arg-type]
        return found[-1]

    monkeypatch.setattr(tables_module, "framed", recorded)
    return found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("line", COMMANDS)
def test_no_number_is_cut(
    charm: Charm, folder: Path, monkeypatch: pytest.MonkeyPatch, shown: list[Layout], line: str
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(ROOT)
    if "OFFSETS" in line:
        first = charm(*SOLVE.split())
        assert first.exit_code == 0, first.output
        shown.clear()
    result = charm(*line.replace("OFFSETS", "o.parquet").split())
    assert result.exit_code == 0, result.output
    assert shown
    for table in shown:
        for width in range(40, 201):
            check(table, width)


def check(table: Layout, width: int) -> None:
    """What is printed of the cells is printed whole, and no line is longer than the screen but for one long word."""
    lines = table_lines(table, width)
    names = {part for c in table.columns for part in (*re.split(r"(?<=_)| ", c.name), *c.name.split())}
    whole = {word for c in table.columns for cell in c.cells for word in cell.split()}
    for line in lines:
        if line.startswith("(too narrow"):  # the last lines of a table
            break
        if line.startswith("... ") or set(line) <= {"-", " "}:
            continue
        for word in line.split():
            assert word in whole | names, (width, word, line)
        assert cell_width(line) <= width or len(line.split()) == 1, (width, line)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_lines_between_tables_fit_as_well(charm: Charm, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = charm("audit", "--example", "--draws", 0).stdout.splitlines()
    assert max(map(cell_width, lines)) <= width
    assert lines[0].startswith("Audit of AlpacaEval")


def test_without_a_screen_nothing_is_left_out(charm: Charm) -> None:
    text = charm("audit", "--example", "--draws", 0).stdout
    assert "too narrow" not in text
    assert re.search(r"rm_elo +arena_elo", text)
    assert "2.4e-94" in text
