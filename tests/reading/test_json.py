"""JSON and JSONL: one reader, one set of errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from charm_rm import store
from charm_rm.errors import CharmError, CharmWarning, SchemaError, UnreadableFile
from charm_rm.judgements import load_judgements
from charm_rm.preferences import load_preferences
from charm_rm.responses import load_responses
from charm_rm.tables import Scores

SCORE = {"prompt_id": "p", "policy": "a", "score": 0.5}
BOTH = pytest.mark.parametrize("suffix", ["json", "jsonl"])
USER = {"role": "user", "content": "hello"}


def written(folder: Path, suffix: str, *rows: Any) -> Path:
    """Rows (JSON text, or values) as a list or a line each, with a blank line after the first."""
    texts = [r if isinstance(r, str) else json.dumps(r) for r in rows]
    path = folder / f"t.{suffix}"
    path.write_bytes((f"[{','.join(texts)}]" if suffix == "json" else "\n\n".join(texts) + "\n").encode())
    return path


def place(suffix: str, row: int) -> str:
    return f"item {row + 1}" if suffix == "json" else f"line {2 * row + 1}"


@BOTH
@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{"prompt_id":"q","policy":"a","score":NaN}', "score is not finite: nan"),
        ('{"prompt_id":"q","policy":"a","score":-Infinity}', "score is not finite: -inf"),
        ('{"prompt_id":"q","policy":"a","score":"NaN"}', "score is not finite: nan"),
        ('{"prompt_id":"q","policy":"a","score":"Infinity"}', "score is not finite: inf"),
        ('{"prompt_id":"q","policy":"a","score":1e999}', "score is not finite: inf"),
        ('{"prompt_id":"q","policy":"a","score":"1,5"}', "'score' should hold a number, found '1,5'"),
        ('{"prompt_id":"q","policy":"a","score":"1_0"}', "'score' should hold a number, found '1_0'"),
        ('{"prompt_id":"q","policy":"a","score":true}', "'score' should hold a number, found True"),
        ('{"prompt_id":"q","policy":"a","score":[1]}', r"'score' should hold a number, found \[1\]"),
        ('{"prompt_id":1.5,"policy":"a","score":1}', "'prompt_id' holds 'p' first and 1.5 here"),
        ('{"prompt_id":["q"],"policy":"a","score":1}', r"'prompt_id' holds 'p' first and \['q'\] here"),
        ('{"prompt_id":"q","policy":true,"score":1}', "'policy' holds 'a' first and True here"),
        ('{"prompt_id":"q","score":1,"score":2}', "has the key 'score' twice in one object"),
        ('{"prompt_id":"q\\udc00","policy":"a","score":1}', "prompt_id, character 1, holds half a surrogate pair"),
        ('{"prompt_id":"q","policy":"a","score":1,"x\\ud83d":1}', "holds half a surrogate pair"),
        ('{"prompt_id":"q","policy":"a","score":1', "is not valid JSON"),
        ("[" * 100_000 + "]" * 100_000, "is nested too deep"),
        ("7", "holds a number, a table has an object a row"),
    ],
)  # fmt: skip
def test_the_same_error_with_line_or_item(tmp_path: Path, suffix: str, row: str, message: str) -> None:
    with pytest.raises(CharmError, match=message) as caught:
        store.load(Scores, written(tmp_path, suffix, SCORE, row))
    assert place(suffix, 1) in str(caught.value)
    assert f"t.{suffix}" in str(caught.value)


@BOTH
def test_a_byte_order_mark_is_none_of_the_table(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path, suffix, SCORE)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert store.load(Scores, path).frame.rows() == [("p", "a", 0.5)]
    assert store.column_names(path) == ["prompt_id", "policy", "score"]


@BOTH
def test_a_whole_surrogate_pair_is_a_character(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path, suffix, r'{"prompt_id":"\ud83d\ude00\u0041","policy":"a","score":1}')
    assert store.load(Scores, path).frame["prompt_id"].to_list() == ["😀A"]


@BOTH
def test_ids_beyond_64_bits_are_exact(tmp_path: Path, suffix: str) -> None:
    rows = [SCORE | {"prompt_id": 12345678901234567890123 + i} for i in range(2)]
    rows.append(SCORE | {"prompt_id": 7})
    ids = store.load(Scores, written(tmp_path, suffix, *rows)).frame["prompt_id"].to_list()
    assert ids == ["12345678901234567890123", "12345678901234567890124", "7"]


@BOTH
def test_ids_as_numbers_and_as_text(tmp_path: Path, suffix: str) -> None:
    rows = [SCORE | {"prompt_id": 7}, SCORE | {"prompt_id": "008"}]
    assert store.load(Scores, written(tmp_path, suffix, *rows)).frame["prompt_id"].to_list() == ["7", "008"]
    for text in ("7", "007"):
        with pytest.raises(SchemaError, match=f"both the number 7 and the text '{text}'"):
            store.load(Scores, written(tmp_path, suffix, *rows, SCORE | {"prompt_id": text}))


@BOTH
def test_float_ids_are_refused(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(SchemaError, match="'prompt_id' should hold a text, found 1.0"):
        store.load(Scores, written(tmp_path, suffix, SCORE | {"prompt_id": 1.0}))


@BOTH
def test_numbers_as_text_are_numbers(tmp_path: Path, suffix: str) -> None:
    path = written(
        tmp_path, suffix, SCORE | {"score": "1e-2", "n_tokens": "12"}, SCORE | {"prompt_id": "q", "score": 2}
    )
    assert store.load(Scores, path).frame.select("score", "n_tokens").rows() == [(0.01, 12), (2.0, None)]


@BOTH
def test_other_columns_may_hold_anything(tmp_path: Path, suffix: str) -> None:
    rows = [{"x": 1, "y": {"a": [1]}, "z": 10**30}, {"x": "1", "y": {"b": 2}}, {"x": [1], "y": None}]
    frame = store.read_frame(written(tmp_path, suffix, *rows))
    assert frame["x"].to_list() == ["1", "1", "[1]"]
    assert frame["z"].to_list() == [str(10**30), None, None]
    assert frame["y"].to_list() == [{"a": [1], "b": None}, {"a": None, "b": 2}, None]


def test_a_list_in_a_file_of_lines_and_lines_in_a_file_of_one_list(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="(?s)line 1 holds a list.*one list of objects"):
        store.read_frame(written(tmp_path, "jsonl", [SCORE]))
    path = tmp_path / "x.json"
    path.write_text(f"{json.dumps(SCORE)}\n{json.dumps(SCORE)}\n")
    assert store.read_frame(path, noun=Scores).rows() == [tuple(SCORE.values())] * 2
    assert store.column_names(path) == list(SCORE)
    path.write_text(f"{json.dumps([SCORE])}\n{json.dumps([SCORE])}\n")
    with pytest.raises(UnreadableFile, match=r"(?s)Extra data.*\.jsonl"):
        store.read_frame(path)
    path.write_text(json.dumps({"prompt_id": "p", "score": 1}))
    with pytest.raises(UnreadableFile, match="(?s)holds one object.*records"):
        store.read_frame(path)


def test_a_dict_of_lists_is_a_table(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"prompt_id": ["007", "7"], "policy": ["a", "a"], "score": [1, 2.5]}))
    assert store.load(Scores, path).frame.rows() == [("007", "a", 1.0), ("7", "a", 2.5)]


# --- prompts and responses ------------------------------------------------------------------------


@BOTH
def test_prompts_that_are_text_in_some_rows_and_messages_in_others(tmp_path: Path, suffix: str) -> None:
    rows = [{"prompt": p, "policy": m, "response": m} for p in ("hi", [USER]) for m in ("a", "b")]
    responses = load_responses(written(tmp_path, suffix, *rows)).frame
    hi = [{"role": "user", "content": "hi"}]
    assert responses["prompt"].to_list() == [hi, hi, [USER], [USER]]
    assert responses["prompt_id"].n_unique() == 2


@BOTH
def test_pairs_that_are_text_in_some_rows_and_messages_in_others(tmp_path: Path, suffix: str) -> None:
    good, bad = ({"role": "assistant", "content": c} for c in ("good", "bad"))
    rows = [
        {"prompt": "hello", "chosen": "good", "rejected": "bad"},
        {"prompt": [USER], "chosen": [good], "rejected": [bad]},
    ]
    pairs = load_preferences(written(tmp_path, suffix, *rows)).frame
    assert pairs.rows() == [([USER], [good], [bad])] * 2


@BOTH
@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}], "hello"),
        ([{"text": "hello"}], "hello"),
        (["hel", "lo"], "hello"),
        ([], ""),
    ],
)
def test_content_in_parts_is_the_parts_joined(tmp_path: Path, suffix: str, content: Any, text: str) -> None:
    rows = [
        {"prompt": [{"role": "user", "content": content}], "policy": "a", "response": "x"},
        {"prompt": [USER], "policy": "b", "response": "y"},
    ]
    prompts = load_responses(written(tmp_path, suffix, *rows)).frame["prompt"].to_list()
    assert prompts == [[{"role": "user", "content": text}], [USER]]


@BOTH
def test_a_part_that_is_no_text_is_refused_by_name(tmp_path: Path, suffix: str) -> None:
    parts = [{"type": "text", "text": "what is"}, {"type": "image_url", "image_url": {"url": "x"}}]
    row = {"prompt": [{"role": "user", "content": parts}], "policy": "a", "response": "x"}
    with pytest.raises(
        SchemaError, match="column 'prompt': content has a part of type 'image_url'"
    ) as caught:
        load_responses(written(tmp_path, suffix, row | {"prompt": "hi"}, row))
    assert place(suffix, 1) in str(caught.value)


def test_content_in_parts_in_parquet(tmp_path: Path) -> None:
    prompt = [[{"role": "user", "content": [{"type": "text", "text": "hello"}]}]]
    frame = pl.DataFrame({"prompt_id": ["p"], "prompt": prompt, "policy": ["a"], "response": ["x"]})
    frame.write_parquet(tmp_path / "t.parquet")
    assert load_responses(tmp_path / "t.parquet").frame["prompt"].to_list() == [[USER]]


@BOTH
@pytest.mark.parametrize(
    "message",
    [
        {"from": "human", "value": "hello"},
        {"role": "Human", "content": "hello"},
        USER | {"name": "Ann", "weight": 1},
    ],
)
def test_roles_in_other_words(tmp_path: Path, suffix: str, message: dict[str, Any]) -> None:
    row = {"prompt": [message], "policy": "a", "response": "x"}
    assert load_responses(written(tmp_path, suffix, row)).frame["prompt"].to_list() == [[USER]]


@BOTH
def test_a_response_as_one_message_is_its_text(tmp_path: Path, suffix: str) -> None:
    answer = {"role": "assistant", "content": "x"}
    rows = [{"prompt": "hi", "policy": p, "response": r} for p, r in (("a", [answer]), ("b", "y"))]
    assert load_responses(written(tmp_path, suffix, *rows)).frame["response"].to_list() == ["x", "y"]
    rows[0]["response"] = [USER, answer]
    with pytest.raises(SchemaError, match="response should be text, or one message"):
        load_responses(written(tmp_path, suffix, *rows))


@BOTH
@pytest.mark.parametrize(
    "prompt", [["hi"], [{"role": "user"}], {"role": "user", "content": "x"}, 7, [], None]
)
def test_what_is_no_prompt_is_refused(tmp_path: Path, suffix: str, prompt: Any) -> None:
    with pytest.raises(SchemaError, match="row 0.*prompt should be text"):
        load_responses(written(tmp_path, suffix, {"prompt": prompt, "policy": "a", "response": "x"}))


# --- messages written as text ---------------------------------------------------------------------


def csv_of(folder: Path, **cells: Any) -> Path:
    path = folder / "t.csv"
    pl.DataFrame({k: [v] for k, v in cells.items()}).write_csv(path)
    return path


TALK = [USER, {"role": "assistant", "content": 'good "a", \n[b]'}]
OTHER = [USER, {"role": "assistant", "content": "bad"}]


def test_messages_written_as_json_in_csv_are_messages(tmp_path: Path) -> None:
    row = load_preferences(csv_of(tmp_path, chosen=json.dumps(TALK), rejected=json.dumps(OTHER))).frame.row(0)
    assert row == ([USER], TALK[1:], OTHER[1:])
    path = csv_of(tmp_path, prompt=json.dumps([USER]), policy="007", response="[1]")
    assert load_responses(path).frame.select("prompt", "policy", "response").row(0) == ([USER], "007", "[1]")


def test_some_cells_of_messages_and_some_of_text(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    prompts = ["hi", json.dumps([USER]), "[see below]", '[{"a": 1}]']
    pl.DataFrame({"prompt": prompts, "policy": "a", "response": "x"}).write_csv(path)
    contents = [m[0]["content"] for m in load_responses(path).frame["prompt"].to_list()]
    assert contents == ["hi", "hello", "[see below]", '[{"a": 1}]']


@pytest.mark.parametrize(
    "cell", [str(TALK), str(TALK).replace("}, {", "}\n {"), "[{'from': 'human', 'value': 'x'}]"]
)
def test_messages_as_python_prints_them_are_refused(tmp_path: Path, cell: str) -> None:
    with pytest.raises(SchemaError, match="row 0, column 'chosen': a list as a program prints it, not JSON"):
        load_preferences(csv_of(tmp_path, prompt="q", chosen=cell, rejected="b"))


def test_lists_of_one_text(tmp_path: Path) -> None:
    row = load_preferences(csv_of(tmp_path, prompt='["q"]', chosen='["a"]', rejected='["b"]')).frame.row(
        0, named=True
    )
    assert [row[c][0]["content"] for c in ("prompt", "chosen", "rejected")] == ["q", "a", "b"]
    with pytest.raises(SchemaError, match="column 'chosen': a list as a program prints it"):
        load_preferences(csv_of(tmp_path, prompt="q", chosen="['a']", rejected="['b']"))


def test_answers_that_are_lists_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    pl.DataFrame({"prompt": "q", "chosen": ["['a']", "none"], "rejected": ["[]", '["b"]']}).write_csv(path)
    pairs = load_preferences(path).frame
    assert [m[0]["content"] for m in pairs["chosen"].to_list()] == ["['a']", "none"]
    assert [m[0]["content"] for m in pairs["rejected"].to_list()] == ["[]", '["b"]']


@BOTH
def test_in_json_only_a_whole_column_of_written_messages_is_messages(tmp_path: Path, suffix: str) -> None:
    rows = [{"prompt": json.dumps([USER]), "policy": p, "response": json.dumps(TALK)} for p in "ab"]
    rows[1]["response"] = "plain"
    frame = load_responses(written(tmp_path, suffix, *rows)).frame
    assert frame["prompt"].to_list() == [[USER], [USER]]
    assert frame["response"].to_list() == [json.dumps(TALK), "plain"]


@BOTH
def test_judgements_keep_large_ids(tmp_path: Path, suffix: str) -> None:
    rows = [{"prompt_id": 10**25 + i, "policy": "a", "reference": "b", "winner": "policy"} for i in range(2)]
    margins = load_judgements(written(tmp_path, suffix, *rows))
    assert margins.frame["prompt_id"].to_list() == [str(10**25), str(10**25 + 1)]


@BOTH
@pytest.mark.parametrize(
    "deep",
    [
        "[" * 65 + "]" * 65,
        "[" * 700 + "]" * 700,  # Python's own reader takes it
        '{"a":' * 400 + "1" + "}" * 400,
        "[" * 100_000 + "]" * 100_000,
        '["\\ud800",' * 400 + "1" + "]" * 400,
    ],
)
def test_what_is_nested_without_end_is_refused(tmp_path: Path, suffix: str, deep: str) -> None:
    path = written(tmp_path, suffix, SCORE, f'{{"prompt_id":"q","policy":"a","score":{deep}}}')
    with pytest.raises(UnreadableFile, match="nested") as caught:
        store.load(Scores, path)
    assert place(suffix, 1) in str(caught.value) or "document" in str(caught.value)


@BOTH
def test_brackets_within_texts_are_no_depth(tmp_path: Path, suffix: str) -> None:
    names = ["[" * 500, "{" * 500, "]" * 300 + "[" * 100]
    path = written(tmp_path, suffix, *[{**SCORE, "policy": name} for name in names])
    assert store.load(Scores, path).frame["policy"].to_list() == names


@BOTH
@pytest.mark.parametrize("digits", [401, 4000, 5000])
def test_whole_numbers_beyond_any_number_are_refused(tmp_path: Path, suffix: str, digits: int) -> None:
    path = written(tmp_path, suffix, SCORE, f'{{"prompt_id":"q","policy":"a","score":{"9" * digits}}}')
    with pytest.raises(CharmError, match="beyond what a number can hold|not valid JSON") as caught:
        store.load(Scores, path)
    assert place(suffix, 1) in str(caught.value)
    extra = written(tmp_path, suffix, {**SCORE, "note": 10**400}, {**SCORE, "policy": "b", "note": 0.5})
    with pytest.warns(CharmWarning, match="note"):
        assert len(store.load(Scores, extra)) == 2
