"""RewardBench: sections from the authors' weights, prior sets, partial copies, other splits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.official_layouts import by_text, write_json, write_lines, write_parquet
from charm_rm.benchmarks import load_benchmark, scored_by_judge
from charm_rm.benchmarks.rewardbench import OFFICIAL, PRIOR_SETS, SECTIONS, WEIGHTS, load_rewardbench
from charm_rm.errors import SchemaError, UnreadableFile
from charm_rm.evaluate import evaluate_benchmark, measure_benchmark

EACH = 4


def right(subset: int, item: int) -> bool:
    return (subset * 7 + item * 3) % 5 < 3


def row(subset: str, item: int, **more: Any) -> dict[str, Any]:
    """An item as the hub's table has it."""
    sides = {side: f"{side} {subset} {item}" for side in ("chosen", "rejected")}
    models = {"chosen_model": "good-model", "rejected_model": "bad-model"}
    return {"prompt": f"prompt {subset} {item}"} | sides | models | {"subset": subset, "id": item} | more


def rows(*, but: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    return [row(s, j) for s in WEIGHTS if s not in but for j in range(EACH)]


def scores() -> dict[str, float]:
    """Item j of subset i is right where (7 i + 3 j) mod 5 < 3."""
    found = {}
    for i, subset in enumerate(_AUTHORS_ORDER):
        for j in range(EACH):
            found[f"chosen {subset} {j}"] = 1.0 if right(i, j) else 0.0
            found[f"rejected {subset} {j}"] = 0.5
    return found


# EXAMPLE_COUNTS as the authors order it: which items are right depends on the position.
_AUTHORS_ORDER = (
    *(
        "alpacaeval-easy",
        "alpacaeval-length",
        "alpacaeval-hard",
        "mt-bench-easy",
        "mt-bench-med",
        "mt-bench-hard",
    ),
    *("math-prm", "refusals-dangerous", "refusals-offensive"),
    *("llmbar-natural", "llmbar-adver-neighbor", "llmbar-adver-GPTInst", "llmbar-adver-GPTOut"),
    *("llmbar-adver-manual", "xstest-should-refuse", "xstest-should-respond", "donotanswer"),
    *("hep-cpp", "hep-go", "hep-java", "hep-js", "hep-python", "hep-rust"),
)


def test_the_constants_are_the_whole_of_2985() -> None:
    assert sum(OFFICIAL.counts.values()) == 2985
    assert sorted(s for subsets in SECTIONS.values() for s in subsets) == sorted(WEIGHTS)
    assert WEIGHTS["math-prm"] == sum(n for s, n in WEIGHTS.items() if s.startswith("hep-")) == 984


def test_sections_are_those_of_the_authors_code(tmp_path: Path) -> None:
    """Figures printed by `calculate_scores_per_section` of allenai/reward-bench at 05a9005 for these items' accuracies."""
    write_parquet(tmp_path / "data" / "filtered-00000-of-00001.parquet", rows())
    result = evaluate_benchmark(by_text(scores()), load_rewardbench(tmp_path), draws=100)
    assert result.accuracy("Chat") == pytest.approx(0.5858938547486033, abs=1e-12)
    assert result.accuracy("Chat Hard") == pytest.approx(0.5756578947368421, abs=1e-12)
    assert result.accuracy("Safety") == pytest.approx(0.5797297297297297, abs=1e-12)
    assert result.accuracy("Reasoning") == pytest.approx(0.6666666666666666, abs=1e-12)
    assert result.headline == pytest.approx(0.6019870364704605, abs=1e-12)


def test_missing_subsets_are_left_out_as_by_the_authors_and_named(tmp_path: Path) -> None:
    lost = ("math-prm", *(s for s in WEIGHTS if s.startswith("llmbar")))
    write_lines(tmp_path / "rewardbench.jsonl", rows(but=lost))
    benchmark = load_rewardbench(tmp_path)
    result = evaluate_benchmark(by_text(scores()), benchmark, draws=100)
    assert result.accuracy("Chat Hard") == 0.5
    assert result.accuracy("Reasoning") == pytest.approx(0.5833333333333334, abs=1e-12)
    assert benchmark.notes[0].startswith("llmbar-natural, ")
    assert "math-prm missing" in benchmark.notes[0]
    assert "hep-cpp: 4 of 164 items" in benchmark.notes[1]
    assert benchmark.partial


def test_prior_sets_count_half_a_section(tmp_path: Path) -> None:
    """The authors' `np.average(..., weights=[2, 2, 2, 2, 1])`, with the mean of the four prior sets last."""
    write_parquet(tmp_path / "filtered.parquet", rows())
    known = scores()
    for name, n_right in zip(PRIOR_SETS, (3, 2, 1, 4), strict=True):
        turns = [{"role": "user", "content": f"{name}?"}]
        prior = [row(name, j, prompt=[*turns, *turns]) for j in range(4)]
        write_parquet(tmp_path / f"{name}-00000-of-00001.parquet", prior)
        for j in range(4):
            known |= {f"chosen {name} {j}": float(j < n_right), f"rejected {name} {j}": 0.5}
    benchmark = load_rewardbench(tmp_path)
    result = evaluate_benchmark(by_text(known), benchmark, draws=100)
    assert result.accuracy("prior sets") == pytest.approx(0.625)
    assert result.accuracy("all with prior sets") == pytest.approx(0.6045440324181871, abs=1e-12)
    assert result.headline == pytest.approx(0.6019870364704605, abs=1e-12)
    assert isinstance(benchmark.items[-1].prompt, list)


def test_a_tie_is_wrong_for_a_reward_model_and_a_half_for_a_judge(tmp_path: Path) -> None:
    write_json(tmp_path / "rewardbench.json", rows())
    benchmark = load_rewardbench(tmp_path)
    tied = evaluate_benchmark(lambda _p, responses: np.zeros(len(responses)), benchmark, draws=100)
    assert tied.headline == 0
    judged = [
        scored_by_judge(item, cells, [0.0] * len(cells), tie_value=benchmark.tie_value_of_judges)
        for item, cells in zip(benchmark.items, benchmark.comparisons(), strict=True)
    ]
    assert measure_benchmark(benchmark, judged, draws=100).headline == 0.5


def test_another_split_is_named(tmp_path: Path) -> None:
    write_parquet(tmp_path / "raw-00000-of-00001.parquet", rows())
    with pytest.raises(UnreadableFile, match="scored on its split 'filtered'.*raw-00000"):
        load_rewardbench(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"subset": "hep-cobol"}, r"item 1: unknown subset 'hep-cobol'. Did you mean"),
        ({"chosen": None}, "item 1: 'chosen' should be text, found None"),
        ({"rejected": ["a", "b"]}, "item 1: 'rejected' should be text"),
        ({"prompt": 3}, "item 1: 'prompt' should be text or chat messages, found 3"),
        ({"id": 1}, "1 id more than once: 'alpacaeval-easy/1'"),
        ({"chosen": float("nan")}, "item 1: 'chosen' should be text"),
    ],
)
def test_wrong_items_are_named(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    write_lines(
        tmp_path / "rewardbench.jsonl", [row("alpacaeval-easy", 0) | change, row("alpacaeval-easy", 1)]
    )
    with pytest.raises(SchemaError, match=message):
        load_rewardbench(tmp_path)


def test_a_renamed_column_is_named_with_the_near_one(tmp_path: Path) -> None:
    renamed = [{("chosen_text" if k == "chosen" else k): v for k, v in row("donotanswer", 0).items()}]
    write_lines(tmp_path / "rewardbench.jsonl", renamed)
    with pytest.raises(SchemaError, match="key 'chosen' is missing.*Did you mean 'chosen_text'"):
        load_rewardbench(tmp_path)


def test_equal_texts_on_both_sides_are_told(tmp_path: Path) -> None:
    write_lines(tmp_path / "rewardbench.jsonl", [row("donotanswer", 0, chosen="no", rejected="no")])
    benchmark = load_rewardbench(tmp_path)
    assert benchmark.remarks == (
        "1 item has the same text on both sides, a tie for every model: 'donotanswer/0'",
    )


def test_bad_bytes_and_two_copies_are_refused(tmp_path: Path) -> None:
    (tmp_path / "rewardbench.jsonl").write_bytes(b'{"prompt": "\xff"}\n')
    with pytest.raises(UnreadableFile, match="UTF-8"):
        load_rewardbench(tmp_path)
    write_lines(tmp_path / "rewardbench.jsonl", rows())
    assert load_rewardbench(tmp_path / "rewardbench.jsonl").items == load_rewardbench(tmp_path).items
    write_parquet(tmp_path / "filtered.parquet", rows())
    with pytest.raises(Exception, match="there 2 times"):
        load_rewardbench(tmp_path)


def test_a_line_of_five_megabytes_is_read(tmp_path: Path) -> None:
    write_lines(tmp_path / "rewardbench.jsonl", [row("hep-go", 0, chosen="x" * 5_000_000)])
    assert len(load_rewardbench(tmp_path).items[0].chosen[0]) == 5_000_000


@pytest.mark.realdata
def test_rebuilt_parts_are_labelled_as_another_number_of_items(real_data: Path) -> None:
    benchmark = load_benchmark("rewardbench", real_data / "benchmarks")
    assert benchmark.subsets["hep-rust"] == 164
    assert "alpacaeval-easy: 805 items, officially 100" in benchmark.notes[1]
    partial = {m.subset: m.partial for m in benchmark.metrics}
    assert (partial["hep-rust"], partial["Chat"], partial["all"]) == (False, True, True)
    assert "6 items have the same text on both sides" in benchmark.remarks[0]
