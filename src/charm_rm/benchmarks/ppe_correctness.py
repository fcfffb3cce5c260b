"""PPE, correctness (Frick et al., ICLR 2025): 32 answers a question, each right or wrong; in pairs, and as the best of k.

Original files: the hub's ``lmarena-ai/PPE-{MMLU-Pro,MATH,GPQA,IFEval,MBPP-Plus}-Best-of-K``, split ``train``: ``question_id``,
``model_name``, ``prompt``, ``response_1`` to ``response_32``, ``scores`` (32 truth values) and ``sampled_conflict_pairs`` (positions, from 0,
of one right and one wrong answer).

Two benchmarks, for a judge can be asked for the pairs, and hardly for all 496 comparisons of 32 answers. ``ppe-correctness``: the share
of the sampled pairs in which the right answer is preferred. ``ppe-best-of-k``, with c(k) the chance that the answer with the highest score
of k drawn ones is right, and o(k) the same for who knows the answers:

    end    = c(32)
    max    = max over k of c(k)
    regret = (1/32) Σ_k (o(k) - c(k)), the error with respect to the truth: for truth values, the mean squared one, too
    auc    = chance that a right answer has a higher score than a wrong one of the same question

Scored as the paper describes; the authors' code is not compared, and draws where this takes the exact expectation. ``all`` is the mean of
the five sets.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from math import comb
from pathlib import Path

import numpy as np

from ..errors import SchemaError
from ..statistics import FloatArray
from .definition import Benchmark
from .files import Row, find, nothing_found, prompt_of, read_table, text_of
from .items import Item, good_and_bad
from .metrics import Metric, Part, mean_of_subsets
from .official import refuse_repeated_ids
from .registry import benchmark
from .rules import Rule, every_pair, no_pair, rule, share_of_pairs
from .scored import ScoredItem
from .stacks import ScoredStack

SETS: Mapping[str, str] = {
    "mmlu-pro": "PPE-MMLU-Pro-Best-of-K",
    "math": "PPE-MATH-Best-of-K",
    "gpqa": "PPE-GPQA-Best-of-K",
    "ifeval": "PPE-IFEval-Best-of-K",
    "mbpp-plus": "PPE-MBPP-Plus-Best-of-K",
}
K = 32
TIE_VALUE = 0.5
_HUB = tuple(f"lmarena-ai/{name}" for name in SETS.values())
_CITATION = "Frick et al., How to Evaluate Reward Models for RLHF, ICLR 2025"
_LICENCE = "see the sets' cards; responses under their providers' terms"
_SOURCE = "https://huggingface.co/lmarena-ai (PPE-MMLU-Pro-Best-of-K and four more)"
Labelled = tuple[Row, str, tuple[str, ...], tuple[bool, ...]]


@benchmark(
    name="ppe-correctness",
    about="does it prefer the right answer to the wrong one by the same model: knowledge, maths, science, instructions, code?",
    hub=_HUB,
    citation=_CITATION,
    licence=_LICENCE,
    source=_SOURCE,
)
def load_ppe_correctness(folder: Path) -> Benchmark:
    """Load the sampled pairs of the sets that are there.

    Raises:
        UnreadableFile: none of the sets is below the folder, or a file cannot be read.
        SchemaError: a question lacks a key, or a pair is not of one right and one wrong answer.
    """
    return _load("ppe-correctness", Path(folder), _pairs, {"accuracy": share_of_pairs})


@benchmark(
    name="ppe-best-of-k",
    about="how good is the answer that it takes of k, up to 32, and does more choice mislead it? (reward models)",
    items=2555,
    hub=_HUB,
    citation=_CITATION,
    licence=_LICENCE,
    source=_SOURCE,
)
def load_ppe_best_of_k(folder: Path) -> Benchmark:
    """Load the questions of the sets that are there, each with its 32 answers.

    Raises:
        UnreadableFile: none of the sets is below the folder, or a file cannot be read.
        SchemaError: a question lacks a key, or its numbers of answers and truth values differ.
    """
    rules = {"auc": share_of_pairs, "regret (less is better)": regret, "end": best_of_all}
    return _load("ppe-best-of-k", Path(folder), _questions, rules, (_maximum,))


def _load(
    name: str,
    folder: Path,
    items_of: Callable[[str, Labelled], list[Item]],
    rules: Mapping[str, Rule],
    more: Sequence[Callable[[str, Sequence[str], bool], Metric]] = (),
) -> Benchmark:
    files = {s: _files(folder, hub_name, f"ppe-{s}") for s, hub_name in SETS.items()}
    files = {s: paths for s, paths in files.items() if paths}
    if not files:
        raise nothing_found("PPE correctness", folder, f"{SETS['math']}/**/train*.parquet and the like")
    rows = [(s, row) for s, paths in files.items() for row in _labelled(paths, SETS[s])]
    items = tuple(item for s, row in rows for item in items_of(s, row))
    refuse_repeated_ids(name, items)
    present, missing = list(files), [s for s in SETS if s not in files]
    groups = [*((s, [s], False) for s in present), ("all", present, bool(missing))]
    metrics = [
        metric
        for subset, sets, partial in groups
        for metric in (
            *(make(subset, sets, partial) for make in more),
            *(mean_of_subsets(subset, n, [[s] for s in sets], r, partial=partial) for n, r in rules.items()),
        )
    ]
    notes = (f"{', '.join(missing)} missing: averages are over what is there",) if missing else ()
    return Benchmark(name, items, tuple(metrics), TIE_VALUE, notes)


def _files(folder: Path, name: str, fetched: str) -> list[Path]:
    """The files of a set: below a folder of its hub name, or of the name under which `charm data` keeps it."""
    if folder.is_file():
        return [folder] if name.casefold() in folder.name.casefold() else []
    return find(
        folder,
        f"*{name}*/**/train*.parquet",
        f"{fetched}/**/train*.parquet",
        f"*{name}*.parquet",
        f"*{name}*.jsonl",
    )


def _labelled(paths: Sequence[Path], what: str) -> list[Labelled]:
    """The questions of a set, with their answers and whether each is right."""
    return [(row, where, *_answers(row, where)) for row, where in read_table(paths, what)]


def _answers(row: Row, where: str) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    truth = row.get("scores")
    if not isinstance(truth, list) or len(truth) < 2 or not all(v in (0, 1) for v in truth):
        raise SchemaError(
            f"'scores' should be a list of truth values, found {truth!r:.60}",
            where=where,
            fix="fetch the file again",
        )
    texts = tuple(text_of(row, f"response_{i + 1}", where) for i in range(len(truth)))
    return texts, tuple(map(bool, truth))


def _name(row: Row, where: str) -> str:
    return f"{text_of(row, 'model_name', where)}:{row.get('question_id', where)}"


def _questions(subset: str, labelled: Labelled) -> list[Item]:
    row, where, texts, truth = labelled
    grades = tuple(map(float, truth))
    return [Item(_name(row, where), subset, prompt_of(row, "prompt", where), texts, grades)]


def _pairs(subset: str, labelled: Labelled) -> list[Item]:
    row, where, texts, truth = labelled
    name, prompt = _name(row, where), prompt_of(row, "prompt", where)
    items = []
    for n, pair in enumerate(_sampled(row, where)):
        if len(pair) != 2 or not all(0 <= p < len(texts) for p in pair) or truth[pair[0]] == truth[pair[1]]:
            raise SchemaError(
                f"'sampled_conflict_pairs' has {pair!r:.60}, which are no right and wrong answer",
                where=where,
                fix="fetch the file again",
            )
        good, bad = sorted(pair, key=lambda p: not truth[p])
        items.append(
            good_and_bad(
                f"{name}:{n}", subset, prompt, [texts[good]], [texts[bad]], linked=f"{subset}:{name}"
            )
        )
    return items


def _sampled(row: Row, where: str) -> list[list[int]]:
    pairs = row.get("sampled_conflict_pairs")
    if not isinstance(pairs, list) or not all(
        isinstance(p, list) and all(type(i) is int for i in p) for p in pairs
    ):
        raise SchemaError(
            f"'sampled_conflict_pairs' should be a list of pairs of positions, found {pairs!r:.60}",
            where=where,
            fix="fetch the file again",
        )
    return pairs


# --- the curve ----------------------------------------------------------------------------------------

_CURVES: weakref.WeakKeyDictionary[ScoredItem, tuple[FloatArray, FloatArray]] = weakref.WeakKeyDictionary()
_STACKED: weakref.WeakKeyDictionary[ScoredStack, tuple[FloatArray, FloatArray]] = weakref.WeakKeyDictionary()


@cache
def _chances(n: int) -> FloatArray:
    """(k, rank): the chance C(n - r, k - 1) / C(n, k) that rank r is the best of k drawn of n."""
    return np.array([[comb(n - r, k - 1) / comb(n, k) for r in range(1, n + 1)] for k in range(1, n + 1)])


def curve(strengths: FloatArray, grades: FloatArray) -> FloatArray:
    """(n,) the expected grade of the response with the highest score of k drawn ones, k = 1 to n; equal scores share their ranks."""
    order = np.argsort(-strengths, kind="stable")
    _, which, sizes = np.unique(-strengths, return_inverse=True, return_counts=True)
    shared = (np.bincount(which, weights=grades) / sizes)[which]
    return np.asarray(_chances(len(grades)) @ shared[order])


def curves(strengths: FloatArray, grades: FloatArray) -> FloatArray:
    """:func:`curve` of many items with n responses each: (items, n) of both, and of what comes out."""
    order = np.argsort(-strengths, axis=1, kind="stable")
    scores, ranked = (np.take_along_axis(table, order, axis=1) for table in (strengths, grades))
    new = np.concatenate([np.ones((len(scores), 1), dtype=bool), scores[:, 1:] != scores[:, :-1]], axis=1)
    which = np.cumsum(new) - 1  # responses with equal scores have the same number
    shared = (np.bincount(which, weights=ranked.ravel()) / np.bincount(which))[which]
    return np.asarray(shared.reshape(ranked.shape) @ _chances(ranked.shape[1]).T)


def _stacked_curves(stack: ScoredStack) -> tuple[FloatArray, FloatArray]:
    """:func:`_curves` of a stack, computed once."""
    found = _STACKED.get(stack)
    if found is None:
        sides = stack.strengths, stack.grades
        mine, ideal = (curves(side, stack.grades) for side in sides)
        found = _STACKED[stack] = mine, ideal
    return found


def _regrets(stack: ScoredStack) -> FloatArray:
    mine, ideal = _stacked_curves(stack)
    return np.asarray((ideal - mine).mean(axis=1))


def _curves(scored: ScoredItem) -> tuple[FloatArray, FloatArray]:
    """The model's curve, and that of who knows the grades; computed once an item."""
    found = _CURVES.get(scored)
    if found is None:
        found = _CURVES[scored] = (
            curve(scored.strengths, scored.grades),
            curve(scored.grades, scored.grades),
        )
    return found


@rule(every_pair, batch=lambda stack: _stacked_curves(stack)[0][:, -1])
def best_of_all(scored: ScoredItem) -> float:
    """c(n): the grade of the response with the highest score of all."""
    return float(_curves(scored)[0][-1])


@rule(no_pair, batch=_regrets)
def regret(scored: ScoredItem) -> float:
    """(1/n) Σ_k (o(k) - c(k))."""
    mine, ideal = _curves(scored)
    return float((ideal - mine).mean())


@cache
def best_of_first(k: int) -> Rule:
    """c(k); of items with fewer responses, the last of their curve."""

    def credit(scored: ScoredItem) -> float:
        mine, _ = _curves(scored)
        return float(mine[min(k, len(mine)) - 1])

    def batch(stack: ScoredStack) -> FloatArray:
        mine, _ = _stacked_curves(stack)
        return np.asarray(mine[:, min(k, mine.shape[1]) - 1])

    return Rule(credit, no_pair, batch=batch)  # the 496 comparisons of an item are named by `end`, once


def _maximum(subset: str, sets: Sequence[str], partial: bool) -> Metric:
    """Mean over the sets of the highest point of a set's mean curve."""
    parts = tuple(Part((s,), best_of_first(k)) for s in sets for k in range(1, K + 1))

    def highest(values: FloatArray) -> FloatArray:
        by_set = values.reshape(*values.shape[:-1], len(sets), K)
        return np.asarray(by_set.max(axis=-1).mean(axis=-1))

    return Metric(subset, "max", parts, partial, combine=highest)
