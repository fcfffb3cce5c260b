"""What a model says of a benchmark: a reward model scores each distinct response once, a judge is asked for the comparisons that the rules read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from ...benchmarks import Benchmark, ScoredItem, scored_by_judge
from ...errors import NoOverlap
from ...evaluate import Details, score_items
from ...judging import JudgeRun, run_judge
from ...memo import Memo
from ...models import score_texts
from ...models.scoring.unknown import refuse_unknown
from ...protocols import PairwisePreference, ScalarReward
from ...tables import Responses, as_messages
from .again import asked_again


@dataclass(frozen=True, eq=False)
class Said:
    """What a model said of a benchmark; ``truncated``: how many texts, or questions, it read shortened."""

    scored: Sequence[ScoredItem]
    truncated: int
    details: Details


@dataclass(frozen=True, eq=False)
class AskedReward:
    """A reward model: it scores each distinct response once."""

    model: ScalarReward
    unchecked: bool = False

    def ask(self, benchmark: Benchmark, *, memo: Path | None, progress: bool, run: int = 0) -> Said:
        texts = benchmark.texts()
        prompts, responses = [p for p, _ in texts.values()], [r for _, r in texts.values()]
        if not self.unchecked:
            refuse_unknown(self.model, responses, where=f"{self.model.source} on {benchmark.name}")
        found = score_texts(asked_again(self.model, run), prompts, responses, memo=memo, progress=progress)
        cut = {
            key for key, short in zip(texts, found.truncated or [False] * len(texts), strict=True) if short
        }
        at = frozenset(
            (i, j)
            for i, item in enumerate(benchmark.items)
            for j, response in enumerate(item.responses)
            if cut and (item.prompt_key, response) in cut
        )
        by_subset = dict.fromkeys(benchmark.subsets, 0)
        for subset, _ in {
            (item.subset, (item.prompt_key, r))
            for item in benchmark.items
            for r in item.responses
            if cut and (item.prompt_key, r) in cut
        }:
            by_subset[subset] += 1
        known = {} if found.truncated is None else by_subset
        return Said(score_items(benchmark, found.values), len(cut), Details(at, truncated=known))


@dataclass(frozen=True, eq=False)
class AskedJudge:
    """A judge: it is asked for the comparisons that the benchmark's rules read, each in both orders."""

    model: PairwisePreference

    def ask(self, benchmark: Benchmark, *, memo: Path | None, progress: bool, run: int = 0) -> Said:
        pairs = _pairs(benchmark)
        if not pairs.height:
            raise NoOverlap(
                f"benchmark {benchmark.name}: its rules read no comparison, so there is nothing to ask a judge",
                fix="evaluate a reward model on it",
            )
        with Memo.open(memo) as opened:
            found = run_judge(
                asked_again(self.model, run),
                _responses(benchmark),
                pairs,
                memo=opened,
                missing="keep",
                progress=progress,
            )
        names = found.margins.frame.select("prompt_id", "policy", "reference").rows()
        margin = dict(zip(names, found.margins.frame["margin"].to_list(), strict=True))
        scored = [
            scored_by_judge(
                item,
                cells,
                [margin.get((str(i), str(a), str(b)), np.nan) for a, b in cells],
                tie_value=benchmark.tie_value_of_judges,
            )
            for i, (item, cells) in enumerate(zip(benchmark.items, benchmark.comparisons(), strict=True))
        ]
        return Said(scored, found.margins.provenance["truncated"], _details(benchmark, found))


def _details(benchmark: Benchmark, run: JudgeRun) -> Details:
    """What the judge said in either order, where that is known, and which pairs it saw shortened."""
    orders = _said_in_orders(run.margins.frame)
    cut = [(int(i), int(a), int(b)) for i, a, b in run.cut]
    by_subset = dict.fromkeys(benchmark.subsets, 0)
    for i, _, _ in cut:
        by_subset[benchmark.items[i].subset] += 1
    return Details(frozenset((i, j) for i, a, b in cut for j in (a, b)), orders, by_subset)


def _said_in_orders(margins: pl.DataFrame) -> dict[tuple[int, int, int], tuple[float, float]]:
    """By (item, response, other): the preference when it was shown first, and second. A calibrated judge has none: only its margins are corrected."""
    if "p_first" not in margins.columns:
        return {}
    frame = margins.select("prompt_id", "policy", "reference", "p_first", "p_second")
    return {
        (int(i), int(a), int(b)): (np.nan if one is None else one, np.nan if two is None else two)
        for i, a, b, one, two in frame.iter_rows()
    }


Ask = AskedReward | AskedJudge


def _responses(benchmark: Benchmark) -> Responses:
    """The items as responses: a prompt is an item's position, a policy the position of a response in it."""
    chat = any(not isinstance(item.prompt, str) for item in benchmark.items)
    prompts = [as_messages(item.prompt) if chat else item.prompt for item in benchmark.items]
    rows = [
        {"prompt_id": str(i), "prompt": prompts[i], "policy": str(j), "response": response}
        for i, item in enumerate(benchmark.items)
        for j, response in enumerate(item.responses)
    ]
    return Responses(pl.DataFrame(rows, infer_schema_length=None), {"benchmark": benchmark.name})


def _pairs(benchmark: Benchmark) -> pl.DataFrame:
    rows = [(str(i), str(a), str(b)) for i, cells in enumerate(benchmark.comparisons()) for a, b in cells]
    names = ("prompt_id", "policy", "reference")
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
