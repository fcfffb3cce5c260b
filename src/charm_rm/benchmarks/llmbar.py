"""LLMBar (Zeng et al., ICLR 2024): does the judge see which output follows the instruction?

Original files: ``Natural/dataset.json`` and ``Adversarial/{Neighbor,GPTInst,GPTOut,Manual}/dataset.json``, each
a list of ``{input, output_1, output_2, label}`` with label 1 or 2 for the better output.

Official scoring: accuracy per subset; "Adversarial" is the mean of the four adversarial subsets, "Average" the
mean of all five, whatever their sizes. A judge is asked in both orders and the two accuracies averaged; for
judges that rate each output alone, equal ratings go to output 2 in one order and to output 1 in the other,
so a tie counts a half.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import SchemaError
from .definition import Benchmark
from .files import nothing_found, only_copy, read_rows, text_of
from .items import Item, good_and_bad
from .metrics import Metric, mean_of_subsets
from .official import Official
from .registry import benchmark

_NATURAL = "Natural"
ADVERSARIAL = tuple(f"Adversarial/{name}" for name in ("Neighbor", "GPTInst", "GPTOut", "Manual"))
SUBSETS = (_NATURAL, *ADVERSARIAL)
OFFICIAL = Official("llmbar", dict(zip(SUBSETS, (100, 134, 92, 47, 46), strict=True)))
TIE_VALUE = 0.5


@benchmark(
    name="llmbar",
    about="does it see which output follows the instruction, against outputs that only look better?",
    citation="Zeng et al., Evaluating Large Language Models at Evaluating Instruction Following, ICLR 2024",
    licence="MIT",
    items=419,
    source="https://github.com/princeton-nlp/LLMBar (Dataset/LLMBar/)",
)
def load_llmbar(folder: str | Path) -> Benchmark:
    """Load what is there of LLMBar's five subsets below ``folder``; a missing subset makes averages partial.

    Raises:
        UnreadableFile: nothing of LLMBar is below the folder, or a file cannot be read.
        SchemaError: an item lacks a key or has another label than 1 or 2.
    """
    files = _find(Path(folder))
    items = tuple(item for subset, path in files.items() for item in _read(path, subset))
    return OFFICIAL.benchmark(items, official_metrics(list(files), items), TIE_VALUE)


def _find(folder: Path) -> dict[str, Path]:
    """Map subset to file, in official order. The paths are recognised by the folders that hold them."""
    found: dict[str, list[Path]] = {s: [] for s in SUBSETS}
    for path in sorted(folder.resolve().rglob("dataset.json")):
        for subset in SUBSETS:
            if path.parent.as_posix().endswith(f"/{subset}"):
                found[subset].append(path)
    if not any(found.values()):
        raise nothing_found("LLMBar", folder, "Natural/dataset.json and Adversarial/*/dataset.json")
    return {s: only_copy(paths, f"LLMBar {s}") for s, paths in found.items() if paths}


def _read(path: Path, subset: str) -> list[Item]:
    return [_item(row, subset, number, where) for number, (row, where) in enumerate(read_rows(path))]


def _item(row: Any, subset: str, number: int, where: str) -> Item:
    prompt = text_of(row, "input", where)
    outputs = text_of(row, "output_1", where), text_of(row, "output_2", where)
    label = row.get("label")
    if label not in (1, 2) or isinstance(label, bool):
        raise SchemaError(
            f"'label' should be 1 or 2, found {label!r}", where=where, fix="fetch the file again"
        )
    better = label - 1
    return good_and_bad(str(number), subset, prompt, [outputs[better]], [outputs[1 - better]])


def official_metrics(subsets: list[str], items: Sequence[Item] = ()) -> tuple[Metric, ...]:
    """One accuracy per subset, then the two official averages of what is there; partial where less than the official ``items`` are."""
    metrics = [_accuracy(s, [s], [s], items) for s in subsets]
    adversarial = [s for s in subsets if s in ADVERSARIAL]
    if adversarial:
        metrics.append(_accuracy("Adversarial", adversarial, ADVERSARIAL, items))
    return (*metrics, _accuracy("all", subsets, SUBSETS, items))


def _accuracy(name: str, subsets: list[str], official: Sequence[str], items: Sequence[Item]) -> Metric:
    partial = len(subsets) < len(official) or bool(items and not OFFICIAL.whole(official, items))
    return mean_of_subsets(name, "accuracy", [[s] for s in subsets], partial=partial)
