"""Columns of types that nobody expects, in every layout: refused with row and column, or read for what they say."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import Result

Charm = Callable[..., Result]
NAMES = ["a", "b", "c"]
BATTLES = pl.DataFrame(
    {
        "model_a": ["a", "b", "c"] * 4,
        "model_b": ["b", "c", "a"] * 4,
        "winner": ["model_a", "model_b", "tie", "model_a"] * 3,
    }
)
RATINGS = pl.DataFrame({"model": NAMES, "arena_score": [1000, 1050, 1100], "95_pct_ci": ["+5/-5"] * 3})
JUDGED = pl.DataFrame(
    {
        "prompt_id": ["p", "q", "r"],
        "policy": ["a"] * 3,
        "reference": ["b"] * 3,
        "preference": [0.1, 0.6, 0.9],
        "annotator": ["j"] * 3,
    }
)
ALIASES = pl.DataFrame({"policy": NAMES, "arena_name": NAMES})
GROUPS = pl.DataFrame({"policy": NAMES, "group": ["x", "x", "y"]})
PROMPTS = pl.DataFrame({"prompt_id": ["p", "q", "r"], "split": ["train", "test", "test"]})
RESPONSES = pl.DataFrame(
    {"prompt_id": ["p"] * 3, "prompt": ["?"] * 3, "policy": NAMES, "response": ["yes"] * 3}
)
SCORES = pl.DataFrame(
    {"prompt_id": ["p", "q", "r"] * 3, "policy": sorted(NAMES * 3), "score": [0.1 * i for i in range(9)]}
)

# A table, a column of it, and a command that reads it from `file`.
TABLES: dict[str, tuple[pl.DataFrame, tuple[str, ...], tuple[str, ...]]] = {
    "battles": (BATTLES, ("model_a", "winner"), ("ratings", "fit", "file")),
    "leaderboard": (RATINGS, ("model", "arena_score", "95_pct_ci"), ("ratings", "show", "file")),
    "judgements": (JUDGED, ("policy", "preference"), ("audit", "file", "--ratings", "board", "--draws", "0")),
    "aliases": (ALIASES, ("policy", "arena_name"), ("audit", "scores", "--ratings", "board", "--alias", "file", "--draws", "0")),
    "groups": (GROUPS, ("policy", "group"), ("audit", "scores", "--ratings", "board", "--group", "file", "--draws", "0")),
    "prompts": (PROMPTS, ("prompt_id", "split"), ("audit", "scores", "--ratings", "board", "--prompts", "file", "--split", "test", "--draws", "0")),
    "responses": (RESPONSES, ("prompt_id", "policy", "response"), ("judge", "file", "--judge", "openai:x", "--pairs", "vs:a", "-o", "out.parquet", "--dry-run")),
}  # fmt: skip
COLUMNS = [(table, column) for table, (_, columns, _) in TABLES.items() for column in columns]
ODD: dict[str, Callable[[int], pl.Series]] = {
    "lists": lambda n: pl.Series([["x"]] * n),
    "structs": lambda n: pl.Series([{"x": i} for i in range(n)]),
    "bytes that are no text": lambda n: pl.Series([b"\xff\xfe"] * n),
    "durations": lambda n: pl.Series([timedelta(seconds=i) for i in range(n)]),
    "truths": lambda n: pl.Series([True, False, True] * (n // 3)),
    "dates": lambda n: pl.Series([date(2024, 1, 1) + timedelta(days=i) for i in range(n)]),
}


def run(charm: Charm, folder: Path, table: str, frame: pl.DataFrame) -> Result:
    frame.write_parquet(folder / "file.parquet")
    SCORES.write_parquet(folder / "scores.parquet")
    RATINGS.write_parquet(folder / "board.parquet")
    files = {"file", "scores", "board"}
    return charm(*[str(folder / f"{w}.parquet") if w in files else w for w in TABLES[table][2]])


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_odd_columns(
    charm: Charm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str, column: str, odd: str
) -> None:
    monkeypatch.chdir(tmp_path)
    frame = TABLES[table][0]
    result = run(charm, tmp_path, table, frame.with_columns(ODD[odd](frame.height).alias(column)))
    assert "fault in charm" not in result.stderr
    assert not result.exit_code or "Fix:" in result.stderr
    if odd != "dates" or column in ("arena_score", "preference"):  # dates may be names, never numbers
        assert result.exit_code == 2
        assert column in result.stderr
        assert "file.parquet" in result.stderr


@pytest.mark.parametrize("dtype", [pl.Categorical, pl.Binary])
@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_text_in_another_dress(
    charm: Charm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str, column: str, dtype: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    frame = TABLES[table][0]
    if frame.schema[column] != pl.String:
        pytest.skip("a column of numbers")
    plain = run(charm, tmp_path, table, frame)
    assert plain.exit_code == 0, plain.stderr
    dressed = run(charm, tmp_path, table, frame.with_columns(pl.col(column).cast(dtype)))
    assert (dressed.exit_code, dressed.stdout) == (0, plain.stdout), dressed.stderr


@pytest.mark.parametrize("value", ["N/A", None, True, [1], {}, 10**400, "1,200"])
@pytest.mark.parametrize("key", ["rating", "rating_q025"])
def test_a_catalog_with_something_else_for_a_number(
    charm: Charm, tmp_path: Path, key: str, value: Any
) -> None:
    entry = {"rating": 1000.0, "rating_q025": 990.0, "rating_q975": 1010.0}
    path = tmp_path / "board.json"
    path.write_text(json.dumps({"full": {"a": entry, "b": {**entry, key: value}}}))
    result = charm("ratings", "show", path)
    if value is None and key != "rating":
        assert result.exit_code == 0
        return
    assert result.exit_code == 2
    assert "model 'b'" in result.stderr
    assert key in result.stderr
    assert "Fix:" in result.stderr


@pytest.mark.parametrize("cell", ["N/A", "", "5", "+5", "+a/-b"])
def test_a_history_whose_interval_is_none(charm: Charm, tmp_path: Path, cell: str) -> None:
    path = tmp_path / "board.csv"
    RATINGS.with_columns(
        pl.when(pl.col("model") == "b").then(pl.lit(cell)).otherwise("95_pct_ci").alias("95_pct_ci")
    ).write_csv(path)
    result = charm("ratings", "show", path)
    assert result.exit_code == (0 if cell == "" else 2)
    if cell:
        assert "model 'b'" in result.stderr
