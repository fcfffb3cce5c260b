"""Every command on files that a person might really hand it: broken ones, and ones that would be overwritten.

Whatever the command and whatever the fault: exit code 2, one message on standard error that names the file,
nothing on standard output, no traceback, no output written.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from click.testing import Result

Charm = Callable[..., Result]

# Good tables, and the column of each that is taken away.
TABLES = {
    "scores": pl.DataFrame(
        {"prompt_id": ["p", "p", "q", "q"], "policy": ["a", "b"] * 2, "score": [0.1, 0.9, 0.6, 0.2]}
    ),
    "ratings": pl.DataFrame({"policy": ["a", "b"], "rating": [1000.0, 1100.0], "std_err": [5.0, 5.0]}),
    "responses": pl.DataFrame(
        {"prompt_id": ["p", "p"], "prompt": ["Hi?"] * 2, "policy": ["a", "b"], "response": ["Yes.", "Né."]}
    ),
    "battles": pl.DataFrame({"policy_a": ["a", "b"], "policy_b": ["b", "a"], "winner": ["a", "a"]}),
    "offsets": pl.DataFrame(
        {"policy": ["a", "b"], "delta": [0.5, 0.0], "is_reference": [False, True], "target": [0.5, None]}
    ).with_columns(pl.lit(None, pl.Float64).alias(c) for c in ("std_err", "ci_low", "ci_high", "attained")),
    "prefs": pl.DataFrame({"prompt": ["Hi?"], "chosen": ["Yes."], "rejected": ["No."]}),
}
NEEDED = {
    "scores": "score",
    "ratings": "rating",
    "responses": "response",
    "battles": "winner",
    "offsets": "delta",
    "prefs": "chosen",
}

# Command lines; @name is a good table, and each such table is broken in turn.
COMMANDS = {
    "audit": "audit @scores --ratings @ratings -o OUT",
    "calibrate": "calibrate @scores --ratings @ratings --over a --ref b -o OUT.parquet",
    "apply": "apply @scores @offsets -o OUT.parquet",
    "relabel": "relabel @scores @responses @offsets -o OUT",
    "score": "score @responses --rm /no/model -o OUT.parquet",
    "train": "train @prefs --rm /no/model -o OUT",
    "evaluate": "evaluate --scores @scores --ratings @ratings -o OUT",
    "ratings fit": "ratings fit @battles -o OUT.parquet",
    "ratings save": "ratings save @ratings -o OUT.parquet",
}
NEEDS_MODELS = {"score", "train"}


def empty(_table: pl.DataFrame, path: Path, _needed: str) -> Path:
    path.write_bytes(b"")
    return path


def cut_short(table: pl.DataFrame, path: Path, _needed: str) -> Path:
    table.write_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
    return path


def not_utf8(table: pl.DataFrame, path: Path, _needed: str) -> Path:
    text = table.cast(pl.String).with_columns(pl.lit("café").alias("note")).write_csv()
    path = path.with_suffix(".csv")
    path.write_bytes(text.encode("latin-1"))
    return path


def without_a_column(table: pl.DataFrame, path: Path, needed: str) -> Path:
    table.drop(needed).write_parquet(path)
    return path


def without_rows(table: pl.DataFrame, path: Path, _needed: str) -> Path:
    table.clear().write_parquet(path)
    return path


def missing(_table: pl.DataFrame, path: Path, _needed: str) -> Path:
    return path


def a_folder(_table: pl.DataFrame, path: Path, _needed: str) -> Path:
    path.mkdir()
    return path


FAULTS = (empty, cut_short, not_utf8, without_a_column, without_rows, missing, a_folder)


def cases() -> list[object]:
    found = []
    for command, line in COMMANDS.items():
        marks = [pytest.mark.models] if command in NEEDS_MODELS else []
        for name in (word[1:] for word in line.split() if word.startswith("@")):
            found += [
                pytest.param(line, name, f, id=f"{command}-{name}-{f.__name__}", marks=marks) for f in FAULTS
            ]
    return found


def write_tables(folder: Path) -> dict[str, Path]:
    paths = {name: folder / f"{name}.parquet" for name in TABLES}
    for name, path in paths.items():
        TABLES[name].write_parquet(path)
    return paths


def arguments(line: str, paths: dict[str, Path], out: Path) -> list[str]:
    words = [str(paths[w[1:]]) if w.startswith("@") else w for w in line.split()]
    return [w.replace("OUT", str(out)) for w in words]


@pytest.mark.parametrize(
    "line",
    [
        "apply @scores @offsets -o OUT.parquet",
        "relabel @scores @responses @offsets -o OUT",
        "calibrate @scores --ratings @ratings --over a --ref b --draws 0 -o OUT.parquet",
        "ratings fit @battles --prior 1 -o OUT.parquet",
        "ratings save @ratings -o OUT.parquet",
    ],
)
def test_the_tables_are_good_until_they_are_broken(charm: Charm, tmp_path: Path, line: str) -> None:
    result = charm(*arguments(line, write_tables(tmp_path), tmp_path / "out"))
    assert result.exit_code == 0, result.output
    assert list(tmp_path.glob("out*"))


@pytest.mark.parametrize(("line", "name", "fault"), cases())
def test_a_broken_file_is_named_and_nothing_is_written(
    charm: Charm, tmp_path: Path, line: str, name: str, fault: Callable[[pl.DataFrame, Path, str], Path]
) -> None:
    paths = write_tables(tmp_path)
    paths[name].unlink()
    paths[name] = fault(TABLES[name], paths[name], NEEDED[name])
    result = charm(*arguments(line, paths, tmp_path / "out"))
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "error:" in result.stderr
    assert paths[name].name in result.stderr
    assert "Traceback" not in result.stderr
    assert "unexpected" not in result.stderr
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize("line", COMMANDS.values(), ids=COMMANDS)
def test_an_existing_output_is_refused_before_any_file_is_read(
    charm: Charm, tmp_path: Path, line: str
) -> None:
    for kept in (tmp_path / "out.parquet", tmp_path / "out" / "evaluation.json"):
        kept.parent.mkdir(exist_ok=True)
        kept.write_text("precious")
    nowhere = {name: tmp_path / "nowhere" / f"{name}.parquet" for name in TABLES}
    result = charm(*arguments(line, nowhere, tmp_path / "out"))
    assert result.exit_code == 2, result.output
    assert "already exists" in result.stderr
    assert "--force" in result.stderr
    assert (tmp_path / "out.parquet").read_text() == "precious"
    assert (tmp_path / "out" / "evaluation.json").read_text() == "precious"


@pytest.mark.parametrize(
    "line",
    [c for c in COMMANDS.values() if c.endswith(".parquet")],
    ids=[c for c in COMMANDS if COMMANDS[c].endswith(".parquet")],
)
def test_an_output_of_unknown_kind_is_refused_before_any_file_is_read(
    charm: Charm, tmp_path: Path, line: str
) -> None:
    nowhere = {name: tmp_path / f"{name}.parquet" for name in TABLES}
    result = charm(*arguments(line.replace("OUT.parquet", "OUT.xlsx"), nowhere, tmp_path / "out"))
    assert result.exit_code == 2, result.output
    assert "'.xlsx'" in result.stderr
    assert ".parquet" in result.stderr


@pytest.mark.parametrize("line", COMMANDS.values(), ids=COMMANDS)
def test_a_file_where_the_outputs_folder_would_be_is_named_first(
    charm: Charm, tmp_path: Path, line: str
) -> None:
    (tmp_path / "notes").write_text("precious")
    nowhere = {name: tmp_path / f"{name}.parquet" for name in TABLES}
    result = charm(*arguments(line, nowhere, tmp_path / "notes" / "out"))
    assert result.exit_code == 2, result.output
    assert "notes: is a file; a folder is needed" in result.stderr


@pytest.mark.parametrize(
    "line",
    [
        "audit @scores --ratings @ratings --seed -1",
        "audit @scores --ratings @ratings --draws -1",
        "audit @scores --ratings @ratings --draws 5",
        "audit @scores --ratings @ratings --temperature nan",
        "audit @scores --ratings @ratings --top -1",
        "audit @scores --ratings @ratings --reference c",
        "calibrate @scores --ratings @ratings --over a --ref b --seed -1",
        "calibrate @scores --ratings @ratings --over a --ref a",
        "calibrate @scores --ratings @ratings --over c --ref a",
        "calibrate @scores --ratings @ratings --over a --ref b --link sigmoid --temperature -1",
        "relabel @scores @responses @offsets --strategy sampled -k 0 -o OUT",
        "relabel @scores @responses @offsets --temperature 0 -o OUT",
        "relabel @scores @responses @offsets --policy c -o OUT",
        "evaluate --scores @scores --ratings @ratings --draws -1",
        "evaluate --scores @scores --ratings @ratings --seed -1",
        "ratings fit @battles --prior nan",
        "ratings fit @battles --anchor a",
        "ratings fit @battles --anchor c=1000",
        "ratings fit @battles --style length",
        "ratings show @ratings --find nobody",
        "ratings show arena:no-such-category",
        "report OUT",
        "init @scores",
    ],
)
def test_settings_out_of_the_question_are_the_callers_error(charm: Charm, tmp_path: Path, line: str) -> None:
    result = charm(*arguments(line, write_tables(tmp_path), tmp_path / "out"))
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "error:" in result.stderr.lower()
    assert "unexpected" not in result.stderr
    assert not (tmp_path / "out").exists()
