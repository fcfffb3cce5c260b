"""Wide tables of scores: no policy or prompt is lost for a cell; whatever is left out is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from charm_rm import Scores, as_source, load_scores, load_source
from charm_rm.errors import ReadingNote, SchemaError, UnreadableFile


def write(tmp_path: Path, text: str, name: str = "w.csv") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def read(path: Path) -> tuple[set[tuple[str, str, float]], str]:
    """The scores, and the notes."""
    with pytest.warns(ReadingNote) as caught:
        scores = load_scores(path)
    return set(scores.frame.select("prompt_id", "policy", "score").iter_rows()), str(caught[-1].message)


# --- a cell that is no number ---------------------------------------------------------------------

CELLS = ["N/A", "error", "-", "null", "1,234", "[1, 2]", "True", "3 %", "003", "n.a. (timeout)"]


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_that_is_no_number_is_refused_with_its_place(tmp_path: Path, cell: str) -> None:
    path = write(tmp_path, f'prompt_id,oak,elm,fir\np1,1,2,3\np2,2,1,"{cell}"\np3,2,1,3\n')
    with pytest.raises(SchemaError) as caught:
        load_scores(path)
    assert f"w.csv: scores, row 1: column 'fir' holds '{cell}'" in str(caught.value)


@pytest.mark.parametrize(
    "rows",
    [
        "p1,1,2,N/A\np2,2,1,3\n",
        "p1,1,2,N/A\np2,2,1,N/A\n",  # by its name: a letter beside letters
        "p1,1,2,True\np2,2,1,False\n",
        'p1,1,2,"[1,2]"\np2,2,1,"[3,4]"\n',
        "p1,1,2,01\np2,2,1,02\n",
    ],
)
def test_so_is_a_whole_column(tmp_path: Path, rows: str) -> None:
    with pytest.raises(SchemaError, match="row 0: column 'C' holds"):
        load_scores(write(tmp_path, "prompt_id,A,B,C\n" + rows))


def test_where_every_policy_has_such_a_cell_it_is_said_as_well(tmp_path: Path) -> None:
    path = write(tmp_path, "prompt_id,oak,elm\np1,1,N/A\np2,N/A,1\np3,1,2\n")
    with pytest.raises(SchemaError, match=r"row 1: column 'oak' holds 'N/A'.*so do 'elm'"):
        load_scores(path)


@pytest.mark.filterwarnings("ignore::charm_rm.errors.ReadingNote")
def test_a_prompt_is_not_lost_either(tmp_path: Path) -> None:
    path = write(tmp_path, "model,p1,p2,p3\noak,1,2,N/A\nelm,2,1,3\nfir,1,2,3\n")
    with pytest.raises(SchemaError, match="row 0: column 'p3' holds 'N/A'"):
        load_scores(path)


@pytest.mark.filterwarnings("ignore::charm_rm.errors.ReadingNote")
def test_thousands_between_semicolons_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "prompt_id;oak;elm;fir\n1;1,5;2,5;1,234\n2;2,5;1,5;1,345\n")
    with pytest.raises(SchemaError, match="column 'fir' holds '1,234'"):
        load_scores(path)


@pytest.mark.parametrize("cells", [("N/A", 2.0), ([1.0, 2.0], [3.0, 4.0]), ("1.5", "2.5")])
def test_json_too(tmp_path: Path, cells: tuple[Any, Any]) -> None:
    rows = [{"prompt_id": str(i), "scores": {"oak": c, "elm": 1.0, "fir": 2.0}} for i, c in enumerate(cells)]
    with pytest.raises(SchemaError, match="row 0: column 'oak' holds"):
        load_scores(write(tmp_path, json.dumps(rows), "w.json"))


def test_categories_too() -> None:
    cells = pl.Series(["1.5", "N/A"], dtype=pl.Categorical)
    with pytest.raises(SchemaError, match="row 1: column 'oak' holds 'N/A'"):
        as_source(pl.DataFrame({"prompt_id": ["p1", "p2"], "oak": cells, "elm": [1, 2], "fir": [1, 2]}))


# --- what is left out is named --------------------------------------------------------------------


def test_columns_that_are_left_out_are_named(tmp_path: Path) -> None:
    text = (
        "prompt_id,difficulty,year,category,oak,elm,average,conversation_id,hard,fir\n"
        "p1,1,2024,math,1,2,1.5,007,True,\np2,2,2025,code,2,1,1.5,008,False,\n"
    )
    found, notes = read(write(tmp_path, text))
    assert {policy for _, policy, _ in found} == {"oak", "elm"}
    spare = "'difficulty', 'year', 'category', 'average', 'conversation_id', 'hard'"
    assert f"left out the columns {spare}" in notes
    assert "left out the column 'fir', without any cell" in notes


def test_rows_that_sum_up_the_others_are_left_out_and_named(tmp_path: Path) -> None:
    text = "prompt_id,oak,elm\np1,1,2\nmax,3,4\nMean,2,3\nstd,1,1\n"
    found, notes = read(write(tmp_path, text))
    assert {prompt for prompt, _, _ in found} == {"p1"}
    assert "left out the rows 'max', 'Mean', 'std': figures of the others" in notes
    found, notes = read(write(tmp_path, text.replace("Mean", "p2").replace("std", "p3")))
    assert {prompt for prompt, _, _ in found} == {"p1", "p2", "p3", "max"}
    assert "left out" not in notes


def test_an_unnamed_index_of_means_is_left_out(tmp_path: Path) -> None:
    found, notes = read(write(tmp_path, ",oak,elm\np1,1,2\nmean,1,2\n"))
    assert {prompt for prompt, _, _ in found} == {"p1"}
    assert "left out the row 'mean'" in notes


def test_an_index_beside_ids_is_named(tmp_path: Path) -> None:
    assert "left out the column ''" in read(write(tmp_path, ",prompt_id,oak,elm\n0,p1,1,2\n1,p2,1,2\n"))[1]


# --- names ----------------------------------------------------------------------------------------

NAMES = ["oak", "\U0001f642", "-", "\U0001f680", '"x" y', "a,b"]


def test_policies_may_have_any_name(tmp_path: Path) -> None:
    table = pl.DataFrame({"prompt_id": ["p1", "p2"], **{n: [0.5 + i, i] for i, n in enumerate(NAMES)}})
    expected = {(p, n, table[n][k]) for k, p in enumerate(["p1", "p2"]) for n in NAMES}
    table.write_parquet(tmp_path / "w.parquet")
    header = ",".join(['"' + n.replace('"', '""') + '"' for n in table.columns])
    lines = "".join(",".join(map(str, row)) + "\n" for row in table.iter_rows())
    for path in (write(tmp_path, f"{header}\n{lines}"), tmp_path / "w.parquet"):
        assert read(path)[0] == expected
    with pytest.warns(ReadingNote):
        source = as_source(table)
    assert isinstance(source, Scores)
    assert set(source.frame.select("prompt_id", "policy", "score").iter_rows()) == expected


# --- no header, nothing in cells ------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["p1,oak,0.7936\np1,elm,0.5\n", "p1,0.5,0.7\np2,0.25,0.5\n", "p1,oak,3\np1,elm,4\n"]
)
def test_a_table_without_a_header_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(SchemaError, match=r"(?s)seems to have no header.*prompt_id,policy,score"):
        load_source(write(tmp_path, text))


def test_policies_with_numbers_for_names_have_a_header(tmp_path: Path) -> None:
    assert {q for _, q, _ in read(write(tmp_path, "prompt_id,1.5,2.5\np1,1,2\n"))[0]} == {"1.5", "2.5"}


def test_empty_lists_are_counted(tmp_path: Path) -> None:
    lists = [
        {"prompt_id": "1", "results": []},
        {"prompt_id": "2", "results": [{"model": "oak", "reward": 1}, {"model": "elm", "reward": 2}]},
    ]
    found, notes = read(write(tmp_path, json.dumps(lists), "l.json"))
    assert found == {("2", "oak", 1.0), ("2", "elm", 2.0)}
    assert "left out 1 row with an empty list in 'results'" in notes


def test_nulls_by_policy_and_prompt_are_said(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        json.dumps({"1": {"oak": 1, "elm": None}, "2": {"oak": 1, "elm": 2}, "3": {"oak": 1}}),
        "n.json",
    )
    with pytest.warns(ReadingNote, match="left out 1 score that is null"):
        load_scores(path)


def test_an_id_as_number_and_as_text_is_refused(tmp_path: Path) -> None:
    rows = [{"prompt_id": p, "policy": q, "score": 1} for p in (1, "001") for q in ("oak", "elm")]
    with pytest.raises(SchemaError, match="both the number 1 and the text '001'"):
        load_scores(write(tmp_path, json.dumps(rows), "i.json"))


@pytest.mark.parametrize(("name", "kind"), [("s.parquet.zst", "Parquet"), ("s.arrow.zst", "Arrow")])
def test_packed_parquet_is_told_to_be_packed(tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / name).write_bytes(b"\x28\xb5\x2f\xfd\x00")
    with pytest.raises(
        UnreadableFile, match=rf"(?s)packed {kind} is not read.*unpack it first: zstd -d {name}"
    ):
        load_scores(tmp_path / name)
