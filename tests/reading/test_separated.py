"""Tables of separated text: names and ids are read as they are written, and what cannot be read right is refused."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charm_rm import load_scores, store
from charm_rm.errors import CharmError, ReadingNote, SchemaError, UnreadableFile
from charm_rm.preferences import load_preferences
from charm_rm.ratings import load_battles, load_ratings
from charm_rm.ratings.names import read_aliases
from charm_rm.responses import load_responses
from charm_rm.splits import read_prompt_ids
from charm_rm.tables import Scores, WinRates

TRICKY = [
    "007",
    "7",
    "1e5",
    "100000",
    "1.10",
    "1.1",
    "010",
    "10",
    "NaN",
    "nan",
    "inf",
    "True",
    "true",
    "null",
    "None",
]
TRICKY += [
    "",
    " 7",
    "7 ",
    "+7",
    "-0",
    "0",
    "1_0",
    "0x10",
    "2024-01-01",
    'a"b',
    '""',
    "a,b",
    "a;b",
    "a\tb",
    "x\ny",
    "x\r\ny",
]
TRICKY += ["é", "\ufeff7", "'7'", "#x", "12345678901234567890123", "1e400", "[1]", "\\", 'a\\"b', "a\\"]
IDS = st.sampled_from(TRICKY) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8
)


def written(folder: Path, text: str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


@pytest.mark.filterwarnings("ignore:.*take cells that begin")
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "json", "parquet"])
@given(
    ids=st.lists(IDS, min_size=1, max_size=8, unique=True),
    policies=st.lists(IDS, min_size=1, max_size=3, unique=True),
    score=st.floats(allow_nan=False, allow_infinity=False),
)
@settings(max_examples=60, deadline=None)
def test_scores_come_back_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, ids: list[str], policies: list[str], score: float
) -> None:
    rows = [{"prompt_id": i, "policy": p, "score": score} for i in ids for p in policies]
    scores = Scores(pl.DataFrame(rows))
    path = tmp_path_factory.mktemp("t") / f"scores.{suffix}"
    assert store.load(Scores, store.save(scores, path)).frame.equals(scores.frame)


def test_names_like_numbers_stay_apart(tmp_path: Path) -> None:
    battles = load_battles(
        written(tmp_path, "model_a,model_b,winner\n1.10,1.1,model_a\n1e5,100000,tie\n007,7,model_b\n")
    )
    assert battles.policies == ["007", "1.1", "1.10", "100000", "1e5", "7"]
    ratings = load_ratings(written(tmp_path, "model,rating\n1.10,1100\n1.1,1000\n"))
    assert ratings.policies == ["1.1", "1.10"]
    rates = store.load(
        WinRates, written(tmp_path, "policy,reference,win_rate,n\n1.10,1,0.5,10\n1.1,1,0.6,10\n")
    )
    assert rates.policies == ["1", "1.1", "1.10"]
    aliases = read_aliases(written(tmp_path, "policy,arena_name\n007,1.10\n7,1.1\n"))
    assert aliases["policy"].to_list() == ["007", "7"]
    assert read_prompt_ids(written(tmp_path, "prompt_id,split\n007,1\n7,01\n"), side="01") == ["7"]


def test_texts_like_numbers_stay_texts(tmp_path: Path) -> None:
    pairs = load_preferences(written(tmp_path, "prompt,chosen,rejected\nWhat is 1+1?,2,3\n0.5+1?,1.50,007\n"))
    assert [m[0]["content"] for m in pairs.frame["chosen"].to_list()] == ["2", "1.50"]
    responses = load_responses(
        written(tmp_path, "prompt_id,prompt,policy,response\n01,10,1.0,1e5\n1,10.0,1.0,100000\n")
    )
    assert responses.frame.rows() == [("01", "10", "1.0", "1e5"), ("1", "10.0", "1.0", "100000")]


def test_a_named_column_of_votes_is_text(tmp_path: Path) -> None:
    path = written(tmp_path, "model_a,model_b,winner,session\nx,y,tie,1e2\nx,y,tie,100\n")
    assert load_battles(path, keep=["session"]).frame["session"].to_list() == ["1e2", "100"]
    assert load_battles(path).frame["session"].dtype == pl.Float64


SCORES = "prompt_id,policy,score,n_tokens,truncated\n"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('p,a,"1,5",3,true', r"row 1.*'score' should hold a number, found '1,5'|found '1,5'"),
        ('p,a,"1,234.5",3,true', "found '1,234.5'"),
        ("p,a,1.5,3.5,true", "'n_tokens' should hold a whole number, found"),
        ('p,a,1.5,"1,234",true', "found '1,234'"),
        ("p,a,n/a,3,true", "found 'n/a'"),
        ("p,a,1_0,3,true", "found '1_0'"),
        ("p,a,nan,3,true", "score is not finite"),
        ("p,a,-inf,3,true", "score is not finite"),
        ("p,a,,3,true", "score is missing"),
        ("p,a,1.5,3,maybe", "'truncated' should hold a true/false, found 'maybe'"),
        ("p,a,1.5,3", "row 1: it has 4 cells, the header 5"),
        ("p,a,b,1.5,3,true", "row 1: it has 6 cells, the header 5"),
        (r'"p\"x",a,1.5,3,true', "row 1: a quote inside a cell is escaped by a backslash"),
        ('"p"x,a,1.5,3,true', "row 1: a quote inside a cell is not written twice"),
        ('5" p,a,1.5,3,true', "row 1: a quote inside a cell"),
        ('p, "a",1.5,3,true', "row 1: a quote inside a cell"),
        ('"p,a,1.5,3,true', "row 1: a quote inside a cell"),
    ],
)
def test_what_cannot_be_read_right_is_refused_with_its_row(tmp_path: Path, row: str, message: str) -> None:
    path = written(tmp_path, f'{SCORES}"a\n""b""",a,1.5,3,true\n{row}\np9,a,1.5,3,true\n')
    with pytest.raises(CharmError, match=message) as caught:
        store.load(Scores, path)
    assert "row 1" in str(caught.value)
    assert "t.csv" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "prompt_id,policy,score\n007,a,1.5\n7,b,-2\n",
        "prompt_id;policy;score\n007;a;1.5\n7;b;-2\n",
        "prompt_id\tpolicy\tscore\n007\ta\t1.5\n7\tb\t-2\n",
        "\ufeffprompt_id,policy,score\n007,a,1.5\n7,b,-2\n",
        '\ufeff"prompt_id","policy","score"\n"007","a","1.5"\n"7","b","-2"\n',
        "prompt_id,policy,score\r\n007,a,1.5\r\n7,b,-2\r\n",
        "prompt_id,policy,score\n007,a, 1.5\n7,b,-2.0 \n\n\n",
        'prompt_id,policy,score,n_tokens\n007,a,1.5,""\n7,b,-2,""\n',
    ],
)
def test_every_dialect_gives_the_same_scores(tmp_path: Path, text: str) -> None:
    frame = store.load(Scores, written(tmp_path, text)).frame
    assert frame.select("prompt_id", "policy", "score").rows() == [("007", "a", 1.5), ("7", "b", -2.0)]
    assert store.column_names(tmp_path / "t.csv")[:3] == ["prompt_id", "policy", "score"]


def test_the_separator_is_the_one_that_gives_known_names(tmp_path: Path) -> None:
    path = written(tmp_path, "prompt_id;policy;a, b, c, d, e\n1;x;2\n")
    assert store.read_frame(path).columns == ["prompt_id", "policy", "a, b, c, d, e"]


def test_decimal_commas_between_semicolons_are_refused_with_the_row(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"(?s)row 1.*found '1,5'.*decimal point"):
        store.load(Scores, written(tmp_path, "prompt_id;policy;score\np;a;1.5\nq;a;1,5\n"))


def test_doubled_quotes_and_line_ends_inside_cells(tmp_path: Path) -> None:
    path = written(tmp_path, 'prompt_id,policy,score\n"say ""hi"", you\r\nthere",a,1\n"""",b,2\n"",c,3\n')
    assert store.load(Scores, path).frame["prompt_id"].to_list() == ['say "hi", you\r\nthere', '"', ""]


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="column 'score' is there twice"):
        store.load(Scores, written(tmp_path, "prompt_id,policy,score,score\np,a,1,2\n"))


def test_utf_16_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("prompt_id,policy,score\np,a,1\n".encode("utf-16"))
    with pytest.raises(UnreadableFile, match="(?s)not UTF-8.*UTF-16"):
        store.load(Scores, path)


def test_columns_that_are_no_names_have_the_type_of_all_their_cells(tmp_path: Path) -> None:
    path = written(tmp_path, "whole,number,truth,zip,mixed,empty\n1,1.5,True,01,1,\n2,2,false,2,x,\n")
    assert dict(store.read_frame(path).schema) == {
        "whole": pl.Int64,
        "number": pl.Float64,
        "truth": pl.Boolean,
        "zip": pl.String,
        "mixed": pl.String,
        "empty": pl.String,
    }


@pytest.mark.parametrize(
    "text",
    [
        'model,arena_score,95_pct_ci\nb,1100,+5/-5\na,"1,234",+5/-5\n',
        'model,rating\nb,1100\na,"1,234"\na,"1,235"\n',
        "policy;rating;ci_low;ci_high\nb;1100;1090;1110\na;1,234;1230;1240\n",
    ],
)
def test_ratings_with_commas_are_refused_with_the_row(tmp_path: Path, text: str) -> None:
    with pytest.raises(SchemaError, match=r"(?s)row 1.*should hold a number, found '1,?234.*decimal point"):
        load_ratings(written(tmp_path, text))


class TestTypedSources:
    """Ids and numbers of files that have types of their own."""

    def scores(self, **columns: list) -> pl.DataFrame:
        return Scores(
            pl.DataFrame({"policy": ["a", "b"], "prompt_id": ["p", "p"], "score": [1.0, 2.0]} | columns)
        ).frame

    def test_whole_numbers_are_their_digits(self) -> None:
        assert self.scores(prompt_id=[2**62, 7])["prompt_id"].to_list() == ["4611686018427387904", "7"]

    def test_decimals_are_their_digits(self) -> None:
        ids = pl.Series(["1.10", "1.20"]).cast(pl.Decimal(10, 2))
        assert self.scores(prompt_id=ids)["prompt_id"].to_list() == ["1.10", "1.20"]

    @pytest.mark.parametrize("column", ["prompt_id", "policy"])
    def test_floats_are_no_ids(self, column: str) -> None:
        with pytest.raises(SchemaError, match=f"(?s)'{column}' should hold a text, found 7.0.*dtype=str"):
            self.scores(**{column: [7.0, 8.0]})

    @pytest.mark.parametrize("value", [[["x"], ["y"]], [{"x": 1}, {"x": 2}]])
    def test_lists_are_no_ids(self, value: list) -> None:
        with pytest.raises(SchemaError, match="'prompt_id' should hold a text"):
            self.scores(prompt_id=value)

    def test_numbers_as_text_are_numbers(self) -> None:
        frame = self.scores(
            score=["1.5", " 2e1 "], n_tokens=["9007199254740993", "3.0"], truncated=["TRUE", "0"]
        )
        assert frame["score"].to_list() == [1.5, 20.0]
        assert frame["n_tokens"].to_list() == [9007199254740993, 3]
        assert frame["truncated"].to_list() == [True, False]

    @pytest.mark.parametrize(
        "columns",
        [
            {"score": ["1.5", "2,5"]},
            {"n_tokens": ["1", "2.5"]},
            {"n_tokens": [True, False]},
            {"truncated": [1, 2]},
            {"score": [True, False]},
        ],
    )
    def test_what_is_no_such_number_is_refused(self, columns: dict[str, list]) -> None:
        with pytest.raises(SchemaError, match="should hold a"):
            self.scores(**columns)

    def test_dates_are_days(self) -> None:
        from datetime import date, datetime

        from charm_rm.tables import Ratings

        for day in (date(2024, 12, 31), datetime(2024, 12, 31)):
            frame = Ratings(pl.DataFrame({"policy": ["a"], "rating": [1.0], "date": [day]})).frame
            assert frame["date"].to_list() == ["2024-12-31"]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_decimal_commas_are_read_where_nothing_else_can_be_meant(tmp_path: Path, separator: str) -> None:
    rows = ["prompt_id,policy,score,n_tokens", "1.10,claude-2.1,-1.5,7", "p,b,1234.25,1000", "q,b,3,12"]
    text = "\n".join(r.replace(",", separator) for r in rows)
    commas = text.replace("-1.5", "-1,5").replace("1234.25", "1234,25")
    with pytest.warns(ReadingNote, match="decimal commas in column 'score'$"):
        found = store.load(Scores, written(tmp_path, commas))
    assert found.frame.equals(store.load(Scores, written(tmp_path, text)).frame)


@pytest.mark.parametrize("cells", [["1,234", "2,500"], ["1,5", "1.5"], ["1,5", "x"], ["1,234,567", "1,5"]])
def test_commas_that_may_be_anything_are_refused(tmp_path: Path, cells: list[str]) -> None:
    text = "prompt_id;policy;score\n" + "".join(f"p{i};a;{c}\n" for i, c in enumerate(cells))
    with pytest.raises(SchemaError, match="'score' should hold a number"):
        store.load(Scores, written(tmp_path, text))


TABLE = "prompt_id,policy,score\np,a,1.5\nq,b,-2\n"
DIALECTS = {
    "bars": TABLE.replace(",", "|"),
    "carriage returns alone": TABLE.replace("\n", "\r"),
    "blank lines": TABLE.replace("\n", "\n\n"),
    "blank lines of spaces before": "  \n\n" + TABLE,
    "a comment": "# made on Tuesday, by me\n#\n" + TABLE,
    "a header that begins with #": "#" + TABLE,
    "Excel's separator": "sep=;\r\n" + TABLE.replace(",", ";").replace("\n", "\r\n"),
    "spaces after separators": TABLE.replace(",", ", "),
}


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.filterwarnings("ignore::charm_rm.errors.ReadingNote")
def test_dialects_are_one_table(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, DIALECTS[name])
    frame = load_scores(path).frame
    assert frame.rows() == [("p", "a", 1.5), ("q", "b", -2.0)]
    assert len(store.column_names(path)) == 3


@pytest.mark.parametrize("name", ["blank lines", "a comment", "Excel's separator", "spaces after separators"])
def test_what_is_left_out_of_a_file_is_told(tmp_path: Path, name: str) -> None:
    with pytest.warns(ReadingNote, match="left out (2 blank lines|[12] lines? before|the space after)"):
        load_scores(written(tmp_path, DIALECTS[name]))


def test_spaces_that_are_not_everywhere_are_names(tmp_path: Path) -> None:
    path = written(tmp_path, "prompt_id,policy,score\np, a,1\np,a,2\n")
    assert load_scores(path).policies == [" a", "a"]


def test_quoted_cells_between_carriage_returns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="carriage returns alone"):
        load_scores(written(tmp_path, 'prompt_id,policy,score\r"p",a,1\r'))


def test_an_empty_line_of_one_column_is_an_empty_cell(tmp_path: Path) -> None:
    assert store.read_frame(written(tmp_path, "note\na\n\nb\n"))["note"].to_list() == ["a", None, "b"]
