"""RM-Bench: domains, the 3 x 3 table, partial data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from charm_rm.benchmarks import rm_bench
from charm_rm.benchmarks.rm_bench import CELLS, SUBSETS, load_rm_bench
from charm_rm.errors import SchemaError


def row(number: int, **more: Any) -> dict[str, Any]:
    sides = {side: [f"{side} {style} {number}" for style in range(3)] for side in ("chosen", "rejected")}
    return {"id": number, "prompt": f"prompt {number}"} | sides | more


def write_parts(folder: Path, *subsets: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for subset in subsets:
        (folder / f"{subset}_filtered.json").write_text(json.dumps([row(1), row(2)]))


def test_cells_of_easy_normal_hard() -> None:
    # rows: chosen concise, detailed, markdown; columns: rejected, the same
    assert CELLS["easy"] == ((1, 0), (2, 0), (2, 1))
    assert CELLS["normal"] == ((0, 0), (1, 1), (2, 2))
    assert CELLS["hard"] == ((0, 1), (0, 2), (1, 2))
    assert sorted(CELLS["easy"] + CELLS["normal"] + CELLS["hard"]) == sorted(CELLS["average"])


def test_five_files_are_the_whole(tmp_path: Path, officially: Any) -> None:
    officially(rm_bench, dict.fromkeys(SUBSETS, 2))
    write_parts(tmp_path / "RM-Bench" / "data", *SUBSETS)
    benchmark = load_rm_bench(tmp_path)
    assert benchmark.subsets == dict.fromkeys(SUBSETS, 2)
    assert not benchmark.partial
    assert not any(m.partial for m in benchmark.metrics)
    total = benchmark.metrics[-1]
    assert (total.subset, total.name) == ("all", "average")
    assert total.groups == (("chat",), ("math",), ("code",), ("safety-refuse", "safety-response"))


def test_missing_math_makes_overall_figures_partial_and_is_named(tmp_path: Path, officially: Any) -> None:
    officially(rm_bench, dict.fromkeys(SUBSETS, 2))
    write_parts(tmp_path, "chat", "code", "safety-refuse", "safety-response")
    benchmark = load_rm_bench(tmp_path)
    assert {m.subset for m in benchmark.metrics if m.partial} == {"all"}
    assert "math missing" in benchmark.notes[0]


def test_half_of_safety_makes_safety_partial_too(tmp_path: Path, officially: Any) -> None:
    officially(rm_bench, dict.fromkeys(SUBSETS, 2))
    write_parts(tmp_path, "chat", "math", "code", "safety-refuse")
    benchmark = load_rm_bench(tmp_path)
    assert {m.subset for m in benchmark.metrics if m.partial} == {"safety", "all"}


def test_total_dataset_serves_where_parts_are_missing(tmp_path: Path, officially: Any) -> None:
    officially(rm_bench, dict.fromkeys(SUBSETS, 2))
    write_parts(tmp_path, "chat")
    rows = [row(i, domain=subset) for subset in SUBSETS for i in (1, 2)]
    (tmp_path / "total_dataset.json").write_text(json.dumps(rows))
    from_total = load_rm_bench(tmp_path)
    assert not from_total.partial
    write_parts(tmp_path, *SUBSETS)
    assert load_rm_bench(tmp_path).items == from_total.items


def test_an_unknown_domain_is_refused(tmp_path: Path) -> None:
    (tmp_path / "total_dataset.json").write_text(json.dumps([row(1, domain="poetry")]))
    with pytest.raises(SchemaError, match="unknown domain 'poetry'"):
        load_rm_bench(tmp_path)


def test_two_styles_are_refused(tmp_path: Path) -> None:
    (tmp_path / "chat_filtered.json").write_text(json.dumps([row(1), row(2, chosen=["a", "b"])]))
    with pytest.raises(
        SchemaError, match=r"chat_filtered.json: item 2: 'chosen' should be a list of 3 texts"
    ):
        load_rm_bench(tmp_path)


@pytest.mark.realdata
def test_the_original_files_have_798_items(real_data: Path) -> None:
    benchmark = load_rm_bench(real_data / "benchmarks")
    assert benchmark.subsets == {"chat": 129, "code": 228, "safety-refuse": 284, "safety-response": 157}
    assert len(benchmark.items) == 798
    assert benchmark.partial
