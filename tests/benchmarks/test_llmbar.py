"""LLMBar: subsets, labels, averages, copies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from charm_rm.benchmarks import llmbar
from charm_rm.benchmarks.llmbar import ADVERSARIAL, SUBSETS, load_llmbar
from charm_rm.errors import CharmError, SchemaError


def write(folder: Path, subset: str, *rows: dict[str, Any]) -> Path:
    path = folder / subset / "dataset.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(list(rows)))
    return path


def row(label: Any = 1, **more: Any) -> dict[str, Any]:
    return {"input": "Say hi.", "output_1": "Hi.", "output_2": "No.", "label": label} | more


def test_label_says_which_output_is_better(tmp_path: Path) -> None:
    write(tmp_path, "Natural", row(1), row(2))
    first, second = load_llmbar(tmp_path).items
    assert (first.chosen, first.rejected) == (("Hi.",), ("No.",))
    assert (second.chosen, second.rejected) == (("No.",), ("Hi.",))


def test_all_five_subsets_are_whole_and_averaged_by_subset(tmp_path: Path, officially: Any) -> None:
    officially(llmbar, dict.fromkeys(SUBSETS, 1))
    for subset in SUBSETS:
        write(tmp_path / "Dataset" / "LLMBar", subset, row())
    write(tmp_path / "Dataset" / "CaseStudy", "Negation", row())  # in the repository, but no part of LLMBar
    benchmark = load_llmbar(tmp_path)
    assert list(benchmark.subsets) == list(SUBSETS)
    assert not benchmark.partial
    metrics = {m.subset: m for m in benchmark.metrics}
    assert metrics["Adversarial"].groups == tuple((s,) for s in ADVERSARIAL)
    assert metrics["all"].groups == tuple((s,) for s in SUBSETS)
    assert not any(m.partial for m in benchmark.metrics)


def test_missing_subsets_make_the_averages_partial_and_are_named(tmp_path: Path, officially: Any) -> None:
    officially(llmbar, dict.fromkeys(SUBSETS, 1))
    write(tmp_path, "Natural", row())
    write(tmp_path, "Adversarial/GPTOut", row())
    benchmark = load_llmbar(tmp_path)
    partial = {m.subset: m.partial for m in benchmark.metrics}
    assert partial == {"Natural": False, "Adversarial/GPTOut": False, "Adversarial": True, "all": True}
    assert "Adversarial/Neighbor, Adversarial/GPTInst, Adversarial/Manual missing" in benchmark.notes[0]


def test_a_subset_folder_itself_is_found(tmp_path: Path) -> None:
    path = write(tmp_path, "Adversarial/Manual", row())
    assert load_llmbar(path.parent).subsets == {"Adversarial/Manual": 1}


def test_two_copies_are_an_error_not_a_choice(tmp_path: Path) -> None:
    write(tmp_path / "old", "Natural", row())
    write(tmp_path / "new", "Natural", row())
    with pytest.raises(CharmError, match="there 2 times"):
        load_llmbar(tmp_path)


@pytest.mark.parametrize("label", [0, 3, "1", True, None, 1.5])
def test_other_labels_are_refused(label: Any, tmp_path: Path) -> None:
    path = write(tmp_path, "Natural", row(), row(label))
    with pytest.raises(SchemaError, match="item 2: 'label' should be 1 or 2") as caught:
        load_llmbar(tmp_path)
    assert str(path) in str(caught.value)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    broken = row()
    del broken["output_2"]
    write(tmp_path, "Natural", broken)
    with pytest.raises(SchemaError, match="key 'output_2' is missing"):
        load_llmbar(tmp_path)


@pytest.mark.realdata
def test_the_original_files_have_326_items(real_data: Path) -> None:
    benchmark = load_llmbar(real_data / "benchmarks")
    assert benchmark.subsets == {"Natural": 100, "Adversarial/Neighbor": 134, "Adversarial/GPTInst": 92}
    assert len(benchmark.items) == 326
    assert load_llmbar(real_data / "benchmarks" / "LLMBar").items == benchmark.items
