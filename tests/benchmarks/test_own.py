"""Tables of one's own: what their columns make of them, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.official_layouts import by_text, write_lines, write_parquet
from charm_rm.benchmarks import load_own
from charm_rm.errors import SchemaError, UnreadableFile
from charm_rm.evaluate import evaluate_benchmark

TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi."},
    {"role": "assistant", "content": "Hello."},
    {"role": "user", "content": "And now?"},
]
SCORES = {"a": 4.0, "b": 3.0, "c": 2.0, "d": 1.0, "e": 1.0}


def test_pairs_are_what_they_were(tmp_path: Path) -> None:
    rows = [
        {"prompt": TURNS, "chosen": "a", "rejected": "b"},
        {"prompt": "p", "chosen": "d", "rejected": "c"},
    ]
    for path in (write_lines(tmp_path / "t.jsonl", rows), write_parquet(tmp_path / "t.parquet", rows[1:])):
        benchmark = load_own(path)
        assert benchmark.name == "pairs"
        assert [m.name for m in benchmark.metrics] == ["accuracy"]
    (tmp_path / "t.csv").write_text("prompt,chosen,rejected\np,a,b\n")
    assert load_own(tmp_path / "t.csv").items[0].chosen == ("a",)


def test_any_number_of_good_against_any_number_of_bad(tmp_path: Path) -> None:
    rows = [
        {"prompt": TURNS, "chosen": ["a", "d"], "rejected": ["c"], "subset": "x"},
        {"prompt": "p", "chosen": ["b"], "rejected": ["c", "d", "e"], "subset": "y"},
        {"prompt": "q", "chosen": ["d"], "rejected": ["e"], "subset": "y"},
    ]
    benchmark = load_own(write_lines(tmp_path / "t.jsonl", rows))
    assert benchmark.name == "own"
    assert benchmark.items[0].prompt == TURNS
    result = evaluate_benchmark(by_text(SCORES), benchmark, draws=100)
    assert result.accuracy("x", "accuracy") == 0.5  # a > c, d < c
    assert result.accuracy("x", "all above") == 0
    assert result.accuracy("x", "best") == 1
    assert result.accuracy("y", "accuracy") == 0.75  # all three, then a tie
    assert result.accuracy("all", "all above") == pytest.approx((0 + 1 + 0.5) / 3)


def test_ratings_of_each_response(tmp_path: Path) -> None:
    rows = [
        {"prompt": "p", "responses": ["a", "b", "c"], "ratings": [5, 3, 4]},
        {"prompt": "q", "responses": ["d", "c"], "ratings": [1.5, 2.5]},
        {"prompt": "r", "responses": ["a", "b"], "ratings": [3, 3]},
    ]
    benchmark = load_own(write_parquet(tmp_path / "t.parquet", rows))
    assert benchmark.remarks == ("1 item left out, whose responses are all rated alike",)
    result = evaluate_benchmark(by_text(SCORES), benchmark, draws=100)
    assert result.accuracy("all", "accuracy") == pytest.approx((2 / 3 + 1) / 2)
    assert result.accuracy("all", "kendall") == pytest.approx((1 / 3 + 1) / 2)
    assert result.accuracy("all", "best") == 1


def test_a_row_a_response_is_the_same_table(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "prompt_id,prompt,response,rating,subset\n1,p,a,5,x\n2,q,d,1.5,x\n1,p,b,3,x\n1,p,c,4,x\n2,q,c,2.5,x\n"
    )
    benchmark = load_own(tmp_path / "t.csv")
    assert [(item.item_id, item.responses) for item in benchmark.items] == [
        ("1", ("a", "b", "c")),
        ("2", ("d", "c")),
    ]
    assert evaluate_benchmark(by_text(SCORES), benchmark, draws=100).accuracy(
        "x", "accuracy"
    ) == pytest.approx(5 / 6)


def test_the_best_of_n(tmp_path: Path) -> None:
    rows = [
        {"prompt": "p", "responses": ["c", "b", "d"], "best": 1},
        {"prompt": "q", "responses": ["d", "e"], "best": 0},
        {"prompt": "r", "responses": ["a", "d", "c"], "best": [1, 2]},
    ]
    result = evaluate_benchmark(by_text(SCORES), load_own(write_lines(tmp_path / "t.jsonl", rows)), draws=100)
    assert result.accuracy("all", "best") == pytest.approx((1 + 0.5 + 0) / 3)
    assert result.accuracy("all", "accuracy") == pytest.approx((1 + 0.5 + 0) / 3)


@given(st.lists(st.lists(st.integers(0, 3), min_size=2, max_size=5), min_size=1, max_size=6))
def test_perfect_scores_earn_everything(ratings: list[list[int]]) -> None:
    """Whoever scores as people rate is right in every pair, and is first."""
    import tempfile

    rows = [
        {"prompt": f"p{i}", "responses": [f"{i} {j} {r}" for j, r in enumerate(row)], "ratings": row}
        for i, row in enumerate(ratings)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = write_lines(Path(folder) / "t.jsonl", rows)
        if all(len(set(row)) == 1 for row in ratings):
            with pytest.raises(SchemaError, match="nothing to compare"):
                load_own(path)
            return
        scores = {r: float(r.split()[-1]) for row in rows for r in row["responses"]}
        result = evaluate_benchmark(by_text(scores), load_own(path), draws=100)
    for metric in set(result.frame["metric"]) - {"kendall"}:
        expected = {"all above", "best", "accuracy"}
        assert metric in expected
        assert result.accuracy("all", metric) == 1


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"chosen": ["a", "b"], "rejected": ["b"]}, "item 1: the same text is chosen and rejected: 'b'"),
        ({"chosen": ["a", "b"], "rejected": []}, r"item 1: 'rejected' should be a list of texts, found \[\]"),
        ({"responses": ["a"], "ratings": [1]}, "an item with one response has nothing to compare"),
        ({"responses": ["a", "a"], "ratings": [1, 2]}, "two responses have the same text"),
        ({"responses": ["a", "b"], "ratings": [1]}, "'ratings' should be a list of 2 numbers"),
        ({"responses": ["a", "b"], "ratings": [1, float("nan")]}, "'ratings' should be a list of 2 numbers"),
        ({"responses": ["a", "b"], "best": 2}, "'best' should be a position from 0 to 1, found 2"),
        ({"responses": ["a", "b"], "best": "a"}, "'best' should be a position"),
        ({"responses": ["a", "b"], "best": []}, "'best' should be a position"),
        (
            {"responses": ["a", "b"], "rating_s": [1, 2]},
            "without 'ratings' or 'best'.*Did you mean 'rating_s'",
        ),
        ({"reponses": ["a", "b"], "ratings": [1, 2]}, "Did you mean 'reponses'"),
        ({"response": "a", "rating": 1}, "an item with one response has nothing to compare"),
        ({"response": "a", "rating": "good"}, "'rating' should be a number, found 'good'"),
        ({"chosen": "a"}, "'rejected' is missing"),
    ],
)
def test_wrong_tables_name_file_and_row(row: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "t.jsonl", [{"prompt": "p"} | row])
    with pytest.raises(SchemaError, match=message) as caught:
        load_own(path)
    assert str(path) in str(caught.value)


def test_ids_that_stand_twice_and_prompts_of_one_id_that_differ(tmp_path: Path) -> None:
    row = {"prompt": "p", "responses": ["a", "b"], "best": 0, "id": "7"}
    with pytest.raises(SchemaError, match="1 id more than once: 'all/7'"):
        load_own(write_lines(tmp_path / "t.jsonl", [row, row]))
    rows = [{"prompt_id": "1", "prompt": p, "response": p, "rating": 1} for p in "ab"]
    with pytest.raises(SchemaError, match="prompt_id '1' has 2 different prompts"):
        load_own(write_lines(tmp_path / "t.jsonl", rows))


def test_bad_bytes_and_missing_files(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_bytes(b'{"prompt": "\xff", "responses": ["a", "b"], "best": 0}\n')
    with pytest.raises(UnreadableFile, match="UTF-8"):
        load_own(tmp_path / "t.jsonl")
    with pytest.raises(UnreadableFile, match="no such file"):
        load_own(tmp_path / "none.jsonl")
