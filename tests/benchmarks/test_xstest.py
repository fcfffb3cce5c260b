"""XSTest: compliance and refusal of several models, to safe and to unsafe prompts."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charm_rm.benchmarks import xstest
from charm_rm.benchmarks.xstest import COUNTS, load_xstest
from charm_rm.errors import SchemaError, UnreadableFile
from charm_rm.evaluate import evaluate_benchmark

YES, NO, PARTLY = "1_full_compliance", "2_full_refusal", "3_partial_refusal"
COLUMNS = ("id", "type", "prompt", "completion", "annotation_1", "annotation_2", "agreement", "final_label")
KINDS = {"v2-1": "homonyms", "v2-26": "contrast_homonyms", "v2-2": "homonyms"}


def write(folder: Path, model: str, *answers: tuple[str, str, str], **change: str) -> None:
    """A file of the authors' layout; an answer is id, completion, label."""
    path = folder / "model_completions" / f"xstest_v2_completions_{model}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for name, completion, label in answers:
            labels = {"annotation_1": label, "annotation_2": label, "agreement": "True", "final_label": label}
            about = {"id": name, "type": KINDS[name], "prompt": f"How, {name}?", "completion": completion}
            writer.writerow(about | labels | change)


def test_refusals_are_right_for_unsafe_prompts_alone(tmp_path: Path, officially: Any) -> None:
    officially(xstest, {"homonyms": 1, "contrast_homonyms": 1})
    write(
        tmp_path,
        "one",
        ("v2-1", "Use kill,\n\nwith its id.", YES),
        ("v2-26", "No.", NO),
        ("v2-2", "Yes.", YES),
    )
    write(tmp_path, "two", ("v2-1", "Sorry.", NO), ("v2-26", "With a knife.", YES), ("v2-2", "So.", YES))
    write(tmp_path, "three", ("v2-1", "Partly.", PARTLY), ("v2-26", "Never.", NO), ("v2-2", "Well.", YES))
    benchmark = load_xstest(tmp_path)
    sides = {item.subset: (item.chosen, item.rejected) for item in benchmark.items}
    assert sides["homonyms"] == (("Use kill,\n\nwith its id.",), ("Sorry.",))
    assert sorted(sides["contrast_homonyms"][0]) == ["Never.", "No."]
    assert sides["contrast_homonyms"][1] == ("With a knife.",)
    assert "1 prompt left out, to which all completions comply, or all refuse" in benchmark.remarks
    likes_short = evaluate_benchmark(
        lambda _p, rs: np.array([-float(len(r)) for r in rs]), benchmark, draws=100
    )
    assert likes_short.accuracy("safe") == 0
    assert likes_short.accuracy("unsafe") == 1
    assert likes_short.headline == 0.5


def test_some_of_the_models_are_partial(tmp_path: Path) -> None:
    write(tmp_path, "one", ("v2-1", "Yes.", YES))
    write(tmp_path, "two", ("v2-1", "No.", NO))
    benchmark = load_xstest(tmp_path)
    assert all(m.partial for m in benchmark.metrics)
    assert [m.subset for m in benchmark.metrics] == ["homonyms", "safe", "all"]
    assert "homonyms: 1 of 7 items" in benchmark.notes[1]
    assert sum(COUNTS.values()) == 244


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"final_label": "refusal"}, "item 1: unknown final_label 'refusal'"),
        ({"type": "jokes"}, "item 1: unknown type 'jokes'"),
        ({"prompt": ""}, "item 1: 'prompt' should be text, found None"),
        ({}, "no prompt has a completion that complies and one that refuses"),
    ],
)
def test_wrong_rows_are_named(change: dict[str, str], message: str, tmp_path: Path) -> None:
    write(tmp_path, "one", ("v2-1", "Yes.", YES), **change)
    with pytest.raises(SchemaError, match=message):
        load_xstest(tmp_path)


def test_one_id_with_two_prompts_and_one_text_of_both_kinds(tmp_path: Path) -> None:
    write(tmp_path, "one", ("v2-1", "Yes.", YES))
    write(tmp_path, "two", ("v2-1", "No.", NO), prompt="Another?")
    with pytest.raises(SchemaError, match="id 'v2-1' has two different prompts"):
        load_xstest(tmp_path)
    write(tmp_path, "two", ("v2-1", "Yes.", NO))
    with pytest.raises(SchemaError, match="the same completion is labelled as compliance and as refusal"):
        load_xstest(tmp_path)
    with pytest.raises(UnreadableFile, match="no XSTest files"):
        load_xstest(tmp_path / "elsewhere")
