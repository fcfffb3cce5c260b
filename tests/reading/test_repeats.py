"""Scores that stand several times: what tells them apart is named before samples are."""

from __future__ import annotations

from pathlib import Path

import pytest

from charm_rm import load_scores
from charm_rm.errors import ConfigError, ReadingNote

HEAD = "prompt_id,policy,score"


def table(path: Path, column: str, values: list[str]) -> Path:
    rows = [f"{p},{q},1,{v}" for p in ("p1", "p2") for q in ("oak", "elm") for v in values]
    path.write_text("\n".join([f"{HEAD},{column}", *rows, ""]))
    return path


@pytest.mark.parametrize("column", ["language", "dataset", "split", "temperature", "turn", "file_name"])
def test_a_column_that_tells_them_apart_is_named(tmp_path: Path, column: str) -> None:
    path = table(tmp_path / "s.csv", column, ["1", "2"])
    with pytest.raises(ConfigError) as caught:
        load_scores(path)
    assert f"column {column!r} tells them apart" in caught.value.what
    assert f"keep the rows of one {column} ({column} = " in (caught.value.fix or "")


def test_even_where_few_rows_are_repeated(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    rows = [f"p{i},{q},1,en" for i in range(5) for q in ("oak", "elm")]
    path.write_text("\n".join([f"{HEAD},language", *rows, "p0,oak,2,de", "p0,elm,2,de", ""]))
    with pytest.raises(ConfigError, match="column 'language' tells them apart"):
        load_scores(path)


def test_another_id_is_offered_as_the_prompts(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    rows = [f"p{i // 2},{q},1,u{i}" for i in range(4) for q in ("oak", "elm")]
    path.write_text("\n".join([f"{HEAD},uid", *rows, ""]))
    with pytest.raises(ConfigError, match="--column prompt_id=uid"):
        load_scores(path)
    with pytest.warns(ReadingNote):
        assert load_scores(path, columns={"prompt_id": "uid"}).frame.height == 8


@pytest.mark.parametrize(
    ("column", "values"), [("sample", ["0", "1"]), ("response", ["Yes.", "No."]), ("subset", ["x", "x"])]
)
def test_samples_are_still_offered_as_samples(tmp_path: Path, column: str, values: list[str]) -> None:
    path = table(tmp_path / "s.csv", column, values)
    with pytest.raises(ConfigError, match="best of n"):
        load_scores(path)


def test_files_of_a_folder_are_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text(f"{HEAD}\np1,oak,1\np1,elm,2\n")
    with pytest.raises(
        ConfigError, match=r"(?s)several files.*policy 'oak' on prompt 'p1'.*one file at a time"
    ):
        load_scores(tmp_path)
