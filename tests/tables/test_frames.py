"""Tables of other libraries: read exactly, or refused with column and row."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.errors import CharmWarning, ReadingNote, SchemaError
from charm_rm.given import as_source
from charm_rm.tables import Ratings, Responses, Scores, as_frame

COLUMNS: dict[str, list[Any]] = {
    "prompt_id": ["007", "7", "007", "7"],
    "policy": ["1.10", "1.10", "1.1", "1.1"],
    "score": [0.5, -1.0, 2.0, 1e-9],
}
ROWS = [dict(zip(COLUMNS, row, strict=True)) for row in zip(*COLUMNS.values(), strict=True)]
FRAME = pl.DataFrame(COLUMNS)


def _pandas(columns: dict[str, Any] = COLUMNS) -> Any:
    return pytest.importorskip("pandas", reason="pandas is no dependency").DataFrame(columns)


def _arrow(columns: dict[str, Any] = COLUMNS) -> Any:
    return pytest.importorskip("pyarrow", reason="pyarrow is no dependency").table(columns)


def _dataset(columns: dict[str, Any] = COLUMNS) -> Any:
    return pytest.importorskip("datasets", reason="needs the [hf] extra").Dataset.from_dict(columns)


class Stream:
    """Nothing but the Arrow stream interface."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.frame.__arrow_c_stream__(requested_schema)


KINDS: dict[str, Callable[[], Any]] = {
    "polars": lambda: FRAME,
    "lazy": lambda: FRAME.lazy(),
    "columns": lambda: COLUMNS,
    "arrays": lambda: {name: np.array(values) for name, values in COLUMNS.items()},
    "objects": lambda: {name: np.array(values, dtype=object) for name, values in COLUMNS.items()},
    "series": lambda: {name: FRAME[name] for name in COLUMNS},
    "rows": lambda: ROWS,
    "stream": lambda: Stream(FRAME),
    "pandas": _pandas,
    "pandas, index": lambda: _pandas().set_index(["prompt_id", "policy"]),
    "pandas, some rows of more": lambda: _pandas({n: v + v for n, v in COLUMNS.items()}).iloc[4:],
    "pandas, category": lambda: _pandas().astype({"policy": "category"}),
    "pandas, string": lambda: _pandas().astype({"policy": "string", "score": "Float64"}),
    "pandas, object": lambda: _pandas().astype(object),
    "pandas, columns": lambda: {name: _pandas()[name] for name in COLUMNS},
    "arrow": _arrow,
    "arrow of pandas": lambda: _arrow(_pandas().iloc[::-1].iloc[::-1]),
    "arrow, dictionary": lambda: _arrow({**COLUMNS, "policy": _arrow()["policy"].dictionary_encode()}),
    "record batches": lambda: _arrow().to_reader(),
    "datasets": _dataset,
    "narwhals": lambda: pytest.importorskip("narwhals").from_native(_pandas()),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_of_any_library_is_the_same_scores(kind: str) -> None:
    assert Scores(KINDS[kind]()).frame.equals(FRAME)


def test_what_a_data_set_shows_is_read_and_not_what_it_stores() -> None:
    """A shuffled or filtered data set keeps all rows in its Arrow table, under a list of indices."""
    shown = _dataset().select([3, 0])
    assert Scores(shown).frame.equals(FRAME[[3, 0]])


def test_a_class_label_is_its_name_and_not_its_number() -> None:
    labels = pytest.importorskip("datasets").ClassLabel(names=["1.1", "1.10"])
    assert Scores(_dataset().cast_column("policy", labels)).frame.equals(FRAME)


def test_the_only_split_is_taken_and_of_two_none() -> None:
    splits = pytest.importorskip("datasets").DatasetDict
    assert Scores(splits(train=_dataset())).frame.equals(FRAME)
    with pytest.raises(SchemaError, match=r"splits 'train', 'test'[\s\S]*data\['train'\]"):
        Scores(splits(train=_dataset(), test=_dataset()))


def test_a_stream_and_a_transform_are_refused() -> None:
    with pytest.raises(SchemaError, match="without streaming"):
        Scores(_dataset().to_iterable_dataset())
    with pytest.raises(SchemaError, match=r"reset_format"):
        Scores(_dataset().with_transform(lambda batch: batch))


# --- nothing rewritten in silence ---------------------------------------------------------------


@pytest.mark.parametrize("ids", [[7.0, 8.0, 7.0, 8.0], [7, 8.0, 7, 8]], ids=["floats", "whole and float"])
def test_ids_that_became_floats_are_refused(ids: list[Any]) -> None:
    with pytest.raises(SchemaError, match=r"'prompt_id' should hold a text, found 7\.0[\s\S]*dtype=str"):
        Scores({**COLUMNS, "prompt_id": ids})


def test_ids_that_pandas_made_floats_of_are_refused() -> None:
    """One missing cell turns pandas' whole numbers into floats: 7 is 7.0."""
    with pytest.raises(SchemaError, match=r"'prompt_id' should hold a text, found 7\.0"):
        Scores(_pandas({**COLUMNS, "prompt_id": [7, None, 8, 9]}))


@pytest.mark.parametrize("kind", [dict, _pandas], ids=["columns", "pandas"])
def test_text_and_whole_numbers_in_one_column_are_refused_with_both_rows(kind: Any) -> None:
    with pytest.raises(SchemaError, match=r"row 2: column 'prompt_id' holds whole numbers \(7 in row 0\) and text \('7' in row 2\)"):  # fmt: skip
        Scores(kind({**COLUMNS, "prompt_id": [7, 8, "7", 8]}))


def test_categories_of_floats_are_refused() -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(SchemaError, match="should hold a text"):
        Scores(_pandas({**COLUMNS, "prompt_id": pandas.Categorical([1.5, 2, 1.5, 2])}))


@pytest.mark.parametrize("values", [[True, 1, 2, 3], [1.0, "2", 3.0, 4.0], [1.0, [2.0], 3.0, 4.0]])
def test_mixed_values_are_refused(values: list[Any]) -> None:
    with pytest.raises(SchemaError, match=r"row 1: column 'score' holds"):
        Scores({**COLUMNS, "score": values})


def test_a_whole_number_that_no_float_holds_is_refused_among_floats() -> None:
    with pytest.raises(SchemaError, match="whole numbers"):
        as_frame({"x": [2**53 + 1, 0.5]})
    assert as_frame({"x": [2**53, 0.5]})["x"].to_list() == [2.0**53, 0.5]


@given(st.lists(st.one_of(st.none(), st.integers(-(2**70), 2**70)), min_size=1))
def test_whole_numbers_stay_exact_at_any_size(values: list[int | None]) -> None:
    found = as_frame({"id": values})["id"].cast(pl.String).to_list()
    assert found == [None if v is None else str(v) for v in values]


@given(st.lists(st.one_of(st.none(), st.text()), min_size=1))
def test_text_stays_as_it_is(values: list[str | None]) -> None:
    assert as_frame({"id": values})["id"].to_list() == values
    assert as_frame([{"id": v} for v in values])["id"].to_list() == values


_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False), st.text(max_size=3)
)


@given(st.lists(_VALUES, min_size=1, max_size=5), st.booleans())
def test_a_column_of_any_values_is_exact_or_refused(values: list[Any], as_array: bool) -> None:
    """Whatever comes in: what comes out is equal, or an error; a whole number may become the float of the same value."""
    column = np.array([*values, None], dtype=object)[:-1] if as_array else values
    try:
        found = as_frame({"x": column})["x"].to_list()
    except SchemaError:
        assert len({type(v) for v in values} - {type(None)}) > 1
        return
    assert found == values
    assert [isinstance(v, bool) for v in found] == [isinstance(v, bool) for v in values]
    assert [isinstance(v, str) for v in found] == [isinstance(v, str) for v in values]


def test_what_pandas_counts_as_missing_is_missing() -> None:
    pandas = pytest.importorskip("pandas")
    found = as_frame(
        _pandas(
            {
                "float": [1.0, np.nan],
                "nullable": pandas.array([1, None], dtype="Int64"),
                "text": ["a", None],
                "object": pandas.Series([np.nan, "nan"], dtype=object),
                "day": pandas.to_datetime(["2026-01-01", None]),
            }
        )
    )
    assert found["float"].to_list() == [1.0, None]
    assert found["nullable"].to_list() == [1, None]
    assert found["text"].to_list() == ["a", None]
    assert found["object"].to_list() == [None, "nan"]  # the word stays a word
    assert found["day"].to_list() == [datetime.datetime(2026, 1, 1), None]


def test_ratings_without_some_errors_come_from_pandas() -> None:
    ratings = Ratings(_pandas({"policy": ["a", "b"], "rating": [1000, 1100], "std_err": [5.0, np.nan]}))
    assert ratings.frame["std_err"].to_list() == [5.0, None]


# --- indices of pandas --------------------------------------------------------------------------


def test_names_in_an_index_without_a_name_are_told_of() -> None:
    frame = _pandas({"rating": [1000.0, 1100.0]}).set_axis(["a", "b"])
    with pytest.warns(CharmWarning, match=r"left out; it begins with 'a'"), pytest.raises(SchemaError, match="'policy' is missing"):  # fmt: skip
        Ratings(frame)
    assert Ratings(frame.rename_axis("policy")).policies == ["a", "b"]


def test_an_index_beside_a_column_of_its_name() -> None:
    kept = _pandas().set_index("policy", drop=False)
    assert Scores(kept).frame.equals(FRAME)
    with pytest.raises(SchemaError, match="the index and a column are both called 'policy', and differ"):
        Scores(kept.assign(policy=["b"] * 4))


def test_labels_that_tell_no_columns_apart_are_refused() -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(SchemaError, match=r"0 is no text and names a column"):
        Scores(_pandas().set_axis([0, 1, 2], axis=1))
    levels = pandas.MultiIndex.from_tuples([("a", "policy"), ("a", "x"), ("b", "y")])
    with pytest.raises(SchemaError, match="index of several levels"):
        Scores(_pandas().set_axis(levels, axis=1))
    with pytest.raises(SchemaError, match="several columns are called 'score'"):
        Scores(pandas.concat([_pandas(), _pandas()[["score"]]], axis=1))


# --- messages and other nested values -----------------------------------------------------------

TALK = [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize("kind", [dict, _pandas, _dataset], ids=["columns", "pandas", "datasets"])
def test_messages_stay_messages(kind: Any) -> None:
    columns = {"prompt_id": ["1"], "prompt": [TALK], "policy": ["a"], "response": ["Hello"]}
    assert Responses(kind(columns)).frame["prompt"].to_list() == [TALK]


def test_messages_in_arrays_as_parquet_gives_them_to_pandas() -> None:
    array = np.empty(1, dtype=object)
    array[0] = {"role": "user", "content": "Hi"}
    assert as_frame(_pandas({"prompt": [array]}))["prompt"].to_list() == [TALK]


def test_keys_beside_role_and_content_are_not_lost() -> None:
    values = [TALK, [{"role": "user", "content": "Hi", "name": "Ann"}]]
    assert as_frame({"prompt": values})["prompt"].to_list() == values


def test_nested_values_that_no_column_keeps_are_refused() -> None:
    assert as_frame({"tokens": [[1, 2], [3]]})["tokens"].to_list() == [[1, 2], [3]]
    with pytest.raises(SchemaError, match=r"column 'meta' holds lists or mappings of different shapes"):
        as_frame({"meta": [{"a": 1}, {"b": 2}]})


# --- what is no table ---------------------------------------------------------------------------


@pytest.mark.parametrize("data", ["scores.csv", 3, None, object(), {1, 2}, iter([]), pl.Series([1])])
def test_what_is_no_table_is_refused_with_what_is(data: Any) -> None:
    with pytest.raises(SchemaError, match=r"scores: a[\s\S]*Fix: give a pandas or Polars frame"):
        Scores(data)


def test_a_series_of_pandas_is_one_column() -> None:
    with pytest.raises(SchemaError, match=r"is one column[\s\S]*reset_index"):
        Scores(_pandas()["score"])


def test_columns_have_one_value_a_row() -> None:
    with pytest.raises(SchemaError, match="'policy' is no list of values but 'a'"):
        Scores({**COLUMNS, "policy": "a"})
    with pytest.raises(SchemaError, match="different lengths: 'prompt_id' 4, 'policy' 4, 'score' 3"):
        Scores({**COLUMNS, "score": [1.0, 2.0, 3.0]})
    with pytest.raises(SchemaError, match=r"2 dimensions \(shape \(2, 2\)\)"):
        Scores({**COLUMNS, "score": np.zeros((2, 2))})
    with pytest.raises(SchemaError, match="holds complex objects"):
        Scores({**COLUMNS, "score": [1j, 2, 3, 4][:1] * 4})


def test_other_libraries_take_our_tables() -> None:
    assert pl.DataFrame(Scores(FRAME)).equals(FRAME)
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is no dependency")
    assert Scores(arrow.table(Scores(FRAME))).frame.equals(FRAME)


def test_a_table_of_ours_is_not_taken_for_its_rows() -> None:
    """Its provenance, a covariance, would be lost in silence."""
    with pytest.raises(SchemaError, match=r"a result of charm's own[\s\S]*\.frame"):
        Scores(Scores(FRAME))


def test_half_a_character_is_refused_with_its_row() -> None:
    with pytest.raises(
        SchemaError, match=r"row 1: column 'policy' holds half a character \(a lone surrogate\)"
    ):
        Scores({**COLUMNS, "policy": ["a", "b\ud800", "c", "d"]})


def test_a_pivoted_frame_of_pandas_is_a_column_a_policy() -> None:
    wide = _pandas().pivot(index="prompt_id", columns="policy", values="score")
    with pytest.warns(ReadingNote, match="a column a policy: 2 policies"):
        assert as_source(wide).frame.sort("prompt_id", "policy").equals(FRAME.sort("prompt_id", "policy"))


def test_a_row_without_a_key_is_missing_there() -> None:
    assert as_frame([{"a": 1}, {"b": "x"}]).to_dicts() == [{"a": 1, "b": None}, {"a": None, "b": "x"}]
    with pytest.raises(SchemaError, match=r"row 1 is a tuple"):
        as_frame([{"a": 1}, (1, 2)])


def test_a_lazy_frame_that_cannot_be_read_says_so() -> None:
    with pytest.raises(SchemaError, match="cannot be read as a table"):
        Scores(FRAME.lazy().select("nowhere"))
