"""The item-level table: what a model made of every single response."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from ..benchmarks import ScoredItem
from ..memo import content_key
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
    rows = _judged(result) if _is_judged(result) else _scored(result)
    frame = pl.DataFrame(list(rows), schema=list(_SCHEMA.items())[1:], orient="row")
    return frame.select(pl.lit(model).alias("model"), pl.all())


def _is_judged(result: BenchmarkResult) -> bool:
    return any(scored.scores is None for scored in result.scored)


def _head(result: BenchmarkResult, scored: ScoredItem) -> tuple[Any, ...]:
    item = scored.item
    return result.benchmark.name, item.subset, item.item_id, content_key(item.prompt_key)[:16]


def _scored(result: BenchmarkResult) -> Iterator[tuple[Any, ...]]:
    for i, scored in enumerate(result.scored):
        head, item = _head(result, scored), scored.item
        margins, correct = _candidates(scored)
        scores = scored.strengths.tolist()
        for j, response in enumerate(item.responses):
            said = (item.grades[j], scores[j], margins[j], correct[j], len(response))
            yield (*head, j, None, None, *said, (i, j) in result.details.cut)


def _candidates(scored: ScoredItem) -> tuple[list[float | None], list[float | None]]:
    """Per response its margin over the best of another grade, and the share of its comparisons that came out right."""
    grades = scored.grades
    rival = grades[:, None] != grades[None, :]
    better = grades[:, None] > grades[None, :]
    right = np.where(better, scored.outcomes, scored.outcomes.T)
    some = rival.any(axis=1).tolist()
    margin = np.where(rival, scored.margins, np.inf).min(axis=1).tolist()
    share = ((right * rival).sum(axis=1) / np.maximum(1, rival.sum(axis=1))).tolist()
    return (
        [m if known else None for m, known in zip(margin, some, strict=True)],
        [s if known else None for s, known in zip(share, some, strict=True)],
    )


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
