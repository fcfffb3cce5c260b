"""The item-level table: what a model made of every single response."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from ..benchmarks import ScoredItem, ScoredStack
from ..memo import content_key
from ..statistics import IntArray
from .accuracy import BenchmarkResult

_SCHEMA = {
    "model": pl.String,
    "benchmark": pl.String,
    "subset": pl.String,
    "item": pl.String,
    "prompt_key": pl.String,
    "candidate": pl.Int64,
    "against": pl.Int64,
    "order": pl.String,
    "grade": pl.Float64,
    "score": pl.Float64,
    "margin": pl.Float64,
    "correct": pl.Float64,
    "length": pl.Int64,
    "truncated": pl.Boolean,
}


def item_table(result: BenchmarkResult, *, model: str = "model") -> pl.DataFrame:
    """One row per response of every item; of a judge one per comparison and order.

    Columns: model, benchmark, subset, item, prompt_key (a hash: equal prompts, equal key), candidate (position in the item), against and
    order (judges: the other response, and whether the candidate was shown ``first`` or ``second``), grade, score (a judge's: P(candidate
    better) in this order, null without a verdict), margin (score less the best score of another grade; a judge's: log-odds over both orders),
    correct (share of the candidate's comparisons with other grades that came out right), length (characters), truncated.
    """
    schema = dict(list(_SCHEMA.items())[1:])
    judged = any(scored.scores is None for scored in result.scored)
    frame = (
        pl.DataFrame(list(_judged(result)), schema=schema, orient="row")
        if judged
        else _scored(result).select(pl.col(name).cast(dtype) for name, dtype in schema.items())
    )
    return frame.select(pl.lit(model).alias("model"), pl.all())


def _head(result: BenchmarkResult, scored: ScoredItem) -> tuple[Any, ...]:
    item = scored.item
    return result.benchmark.name, item.subset, item.item_id, content_key(item.prompt_key)[:16]


def _scored(result: BenchmarkResult) -> pl.DataFrame:
    parts = [_of_stack(at, stack) for at, stack in result.book.stacks()]
    item, candidate, grade, score, margin, correct = (
        np.concatenate(side) for side in zip(*parts, strict=True)
    )
    order = np.argsort(item, kind="stable")
    heads = pl.DataFrame(
        [_head(result, scored) for scored in result.scored],
        schema=dict.fromkeys(("benchmark", "subset", "item", "prompt_key"), pl.String),
        orient="row",
    )
    cut = result.details.cut
    return heads[item[order]].with_columns(
        pl.Series("candidate", candidate[order]),
        against=None,
        order=None,
        grade=grade[order],
        score=score[order],
        margin=pl.Series(margin[order]).fill_nan(None),
        correct=pl.Series(correct[order]).fill_nan(None),
        length=pl.Series([len(text) for scored in result.scored for text in scored.item.responses]),
        truncated=pl.Series(
            [
                (i, j) in cut
                for i, scored in enumerate(result.scored)
                for j in range(len(scored.item.responses))
            ]
        ),
    )


def _of_stack(at: IntArray, stack: ScoredStack) -> tuple[np.ndarray, ...]:
    """Item, candidate, grade, score, margin over the best of another grade, and share of comparisons that came out right."""
    m, n = stack.grades.shape
    rival = stack.grades[:, :, None] != stack.grades[:, None, :]
    right = np.where(stack.better, stack.outcomes, stack.outcomes.transpose(0, 2, 1))
    rivals = rival.sum(axis=2)
    margin = np.where(rival, stack.margins, np.inf).min(axis=2)
    share = (right * rival).sum(axis=2) / np.maximum(1, rivals)
    told = [np.where(rivals > 0, values, np.nan) for values in (margin, share)]
    columns = stack.grades, stack.strengths, *told
    return np.repeat(at, n), np.tile(np.arange(n), m), *(values.ravel() for values in columns)


def _judged(result: BenchmarkResult) -> Iterator[tuple[Any, ...]]:
    for i, (scored, cells) in enumerate(zip(result.scored, result.benchmark.comparisons(), strict=True)):
        head, item = _head(result, scored), scored.item
        for j, k in cells:
            margin = None if np.isnan(scored.margins[j, k]) else float(scored.margins[j, k])
            won = scored.outcomes[j, k] if item.grades[j] >= item.grades[k] else scored.outcomes[k, j]
            correct = None if item.grades[j] == item.grades[k] else float(won)
            cut = (i, j) in result.details.cut or (i, k) in result.details.cut
            for order, said in zip(("first", "second"), result.details.orders.get((i, j, k), (np.nan,) * 2), strict=True):  # fmt: skip
                score = None if np.isnan(said) else float(said)
                yield (
                    *head,
                    j,
                    k,
                    order,
                    item.grades[j],
                    score,
                    margin,
                    correct,
                    len(item.responses[j]),
                    cut,
                )
