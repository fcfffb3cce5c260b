"""Items, whole benchmarks, samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from charm_rm.benchmarks import Benchmark, Item, good_and_bad, load_benchmark, mean_of_subsets
from charm_rm.benchmarks.rules import mean_of_cells
from charm_rm.errors import ConfigError, SchemaError, UnreadableFile

PAIR = mean_of_subsets("all", "accuracy", [["x", "y"]])


def items(x: int, y: int) -> tuple[Item, ...]:
    return tuple(
        good_and_bad(str(i), subset, f"prompt {subset}{i}", ["good"], ["bad"])
        for subset, n in (("x", x), ("y", y))
        for i in range(n)
    )


def test_sample_keeps_the_share_of_every_subset_and_says_that_it_is_a_sample() -> None:
    whole = Benchmark("b", items(80, 20), (PAIR,), 0.0)
    sample = whole.sample(10, seed=3)
    assert sample.subsets == {"x": 8, "y": 2}
    assert sample.partial
    assert all(m.partial for m in sample.metrics)
    assert "10 of 100 items (seed 3)" in sample.notes[0]
    told = Benchmark("b", items(80, 20), (PAIR,), 0.0, remarks=("2 items are odd",)).sample(10)
    assert told.remarks == ("of the whole: 2 items are odd",)
    assert sample.items == whole.sample(10, seed=3).items
    assert sample.items != whole.sample(10, seed=4).items
    assert set(sample.items) < set(whole.items)


def test_sample_leaves_at_least_one_item_of_every_subset() -> None:
    assert Benchmark("b", items(99, 1), (PAIR,), 0.0).sample(2).subsets == {"x": 2, "y": 1}


def test_sample_as_large_as_the_whole_is_the_whole() -> None:
    whole = Benchmark("b", items(3, 3), (PAIR,), 0.0)
    assert whole.sample(6) is whole
    assert not whole.partial


def test_items_too_small_for_their_rule_are_refused_before_any_model_is_asked() -> None:
    table = mean_of_subsets("all", "hard", [["x"]], mean_of_cells([(0, 0), (0, 1)]))
    small = good_and_bad("7", "x", "p", ["good"], ["bad"])
    large = good_and_bad("8", "x", "p", ["good"], ["bad", "worse"])
    assert Benchmark("b", (large,), (table,), 0.0).comparisons() == [((0, 1), (0, 2))]
    with pytest.raises(SchemaError, match=r"benchmark b: item x/7: has 1 good and 1 bad responses, too few"):
        Benchmark("b", (large, small), (table,), 0.0)


def test_a_metric_of_subsets_that_are_not_there_is_refused() -> None:
    with pytest.raises(SchemaError, match="no items of 'y', which a metric is about"):
        Benchmark("b", items(3, 0), (PAIR,), 0.0)


@pytest.mark.parametrize(
    ("responses", "grades", "message"),
    [
        (("a", "b"), (1.0,), "2 responses and 1 grades"),
        ((), (), "0 responses"),
        (("a", "b"), (1.0, float("nan")), "not all finite"),
        (("a", None), (1.0, 0.0), "not text"),
    ],
)
def test_malformed_items_name_themselves(responses: Any, grades: Any, message: str) -> None:
    with pytest.raises(SchemaError, match=f"item s/1: .*{message}"):
        Item("1", "s", "p", responses, grades)


@pytest.mark.parametrize("prompt", [[], [{"role": "user"}], [{"role": "user", "content": 3}], ["text"]])
def test_prompts_are_text_or_messages(prompt: Any) -> None:
    with pytest.raises(SchemaError, match="item s/1: the prompt is neither text nor chat messages"):
        good_and_bad("1", "s", prompt, ["a"], ["b"])


def test_good_and_bad_needs_both() -> None:
    with pytest.raises(SchemaError, match="item s/1: 0 good and 2 bad responses"):
        good_and_bad("1", "s", "p", [], ["a", "b"])


def test_the_best_grade_is_chosen_whatever_the_scale() -> None:
    item = Item("1", "s", "p", ("a", "b", "c", "d"), (2.0, 5.0, 1.5, 5.0))
    assert (item.chosen, item.rejected) == (("b", "d"), ("a", "c"))
    assert (item.best, item.others) == ((1, 3), (0, 2))


def test_text_and_the_same_text_as_one_user_turn_are_the_same_prompt() -> None:
    turn = [{"role": "user", "content": "hi"}]
    two = (good_and_bad("1", "x", "hi", ["a"], ["b"]), good_and_bad("2", "x", turn, ["a"], ["c"]))
    texts = Benchmark("b", two, (mean_of_subsets("all", "accuracy", [["x"]]),), 0.0).texts()
    assert [response for _, response in texts.values()] == ["a", "b", "c"]


def test_linked_items_are_sampled_together() -> None:
    linked = tuple(
        good_and_bad(f"{kind}{i}", kind, f"{kind}{i}", ["a"], ["b"], linked=f"pair {i}")
        for kind in ("ref", "tied")
        for i in range(20)
    )
    whole = Benchmark("b", linked, (mean_of_subsets("all", "accuracy", [["ref", "tied"]]),), 0.0)
    sample = whole.sample(10, seed=1)
    assert sample.subsets == {"ref": 5, "tied": 5}
    names = [[item.linked for item in sample.items if item.subset == s] for s in ("ref", "tied")]
    assert names[0] == names[1]


def test_no_items_and_empty_samples_are_refused() -> None:
    with pytest.raises(SchemaError, match="no items"):
        Benchmark("b", (), (PAIR,), 0.0)
    with pytest.raises(SchemaError, match="at least 1"):
        Benchmark("b", items(2, 2), (PAIR,), 0.0).sample(0)


def test_unknown_benchmark_is_named_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown benchmark 'rmbench'.*'rm-bench'"):
        load_benchmark("rmbench", tmp_path)


@pytest.mark.parametrize("name", ["llmbar", "rm-bench"])
def test_a_folder_without_the_benchmark_says_what_was_looked_for(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="looked for"):
        load_benchmark(name, tmp_path)
    with pytest.raises(UnreadableFile, match="no such folder"):
        load_benchmark(name, tmp_path / "missing")
