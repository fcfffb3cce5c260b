"""JudgeBench (Tan et al., ICLR 2025): of two answers to a hard question by the same model, which one is right?

Original files: ``dataset=judgebench,response_model=MODEL.jsonl`` for the answers of gpt-4o-2024-05-13 (350 pairs) and of
claude-3-5-sonnet-20240620 (270), with ``pair_id``, ``source``, ``question``, ``response_A``, ``response_B`` and ``label``
(``A>B`` or ``B>A``). The category is the beginning of ``source``.

Official scoring (``utils/metrics.py``): a judge is asked in both orders. An order with the right answer counts +1, one with the wrong
answer -1, a tie or no verdict 0. The pair is right where the sum is above 0; so an inconsistent judge is wrong. A set's
overall figure pools its pairs. Reward models score each answer; equal scores turn with the order, and are wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import SchemaError, listing
from .definition import Benchmark
from .files import Row, find, nothing_found, one_of, read_items, text_of
from .items import Item, good_and_bad
from .metrics import Metric, mean_of_subsets
from .official import Official
from .registry import benchmark

# How a category's sources begin, and what the category is called.
CATEGORIES: Mapping[str, str] = {
    "mmlu-pro": "knowledge",
    "livebench-reasoning": "reasoning",
    "livebench-math": "math",
    "livecodebench": "coding",
}
SETS: Mapping[str, str] = {"gpt-4o-2024-05-13": "gpt-4o", "claude-3-5-sonnet-20240620": "claude-3.5-sonnet"}
_COUNTS = {"gpt-4o": (154, 98, 56, 42), "claude-3.5-sonnet": (154, 51, 34, 31)}
OFFICIAL = Official(
    "judgebench",
    {
        f"{name}/{category}": n
        for name, counts in _COUNTS.items()
        for category, n in zip(CATEGORIES.values(), counts, strict=True)
    },
)
_LABELS = ("A>B", "B>A")
TIE_VALUE = 0.0
_FILES = (
    "dataset=judgebench,response_model=*.jsonl",
    "judgebench*.jsonl",
    "judgebench*.parquet",
    *(f"{split}-*.parquet" for split in ("gpt", "claude")),
)


@benchmark(
    name="judgebench",
    about="does it see which of two answers to a hard question is right: knowledge, reasoning, math, coding?",
    citation="Tan et al., JudgeBench: A Benchmark for Evaluating LLM-Based Judges, ICLR 2025",
    licence="none stated",
    items=620,
    source="https://github.com/ScalerLab/JudgeBench (data/), https://huggingface.co/datasets/ScalerLab/JudgeBench",
    hub=("ScalerLab/JudgeBench",),
)
def load_judgebench(folder: Path) -> Benchmark:
    """Load what is there of JudgeBench's two sets; a missing set makes the overall figure partial.

    Raises:
        UnreadableFile: nothing of JudgeBench is below the folder, or a file cannot be read.
        SchemaError: an item lacks a key, or has an unknown source, response model or label; or a pair stands twice.
    """
    folder = Path(folder)
    files = find(folder, *_FILES)
    if not files:
        raise nothing_found("JudgeBench", folder, _FILES[0])
    items = tuple(item for path in files for item in read_items(path, _item))
    return OFFICIAL.benchmark(items, official_metrics(items), TIE_VALUE)


def _item(row: Row, where: str) -> Item:
    model = one_of(row, "response_model", SETS, where)
    responses = [text_of(row, f"response_{side}", where) for side in "AB"]
    better = _LABELS.index(one_of(row, "label", _LABELS, where))
    subset = f"{SETS[model]}/{_category(text_of(row, 'source', where), where)}"
    question = text_of(row, "question", where)
    return good_and_bad(
        text_of(row, "pair_id", where), subset, question, [responses[better]], [responses[1 - better]]
    )


def _category(source: str, where: str) -> str:
    for beginning, category in CATEGORIES.items():
        if source.startswith(beginning):
            return category
    raise SchemaError(
        f"unknown source {source!r}",
        where=where,
        fix=f"sources begin with one of {listing(CATEGORIES)}; fetch the file again",
    )


def official_metrics(items: Sequence[Item]) -> tuple[Metric, ...]:
    """Accuracy per category and over all of each set, then over all pairs."""
    present = [s for s in OFFICIAL.counts if any(item.subset == s for item in items)]
    metrics = [_pooled(s, [s], [s], items) for s in present]
    for name in _COUNTS:
        official = [s for s in OFFICIAL.counts if s.startswith(f"{name}/")]
        if there := [s for s in official if s in present]:
            metrics.append(_pooled(name, there, official, items))
    return (*metrics, _pooled("all", present, list(OFFICIAL.counts), items))


def _pooled(name: str, subsets: Sequence[str], official: Sequence[str], items: Sequence[Item]) -> Metric:
    return mean_of_subsets(name, "accuracy", [subsets], partial=not OFFICIAL.whole(official, items))
