"""An optimiser batch in micro-batches of similar length: the same pairs and the same gradient, with less padding.

Which pairs an optimiser step sees is drawn at random and never depends on their lengths. Within the step the order is free, as
gradients add up: pairs of similar length are put into one micro-batch (what is kept in memory until its backward pass), and
its rows, chosen and rejected alike, into forward passes of similar length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..scoring.batching import collate
from ..scoring.encoding import Encoded
from ..scoring.positions import ONE_REGIME, Regimes, set_back
from .pairs import SIDES, row_of
from .processes import ALONE, Processes, deal

# What a forward and backward pass costs beyond its tokens, as tokens: on a CPU the traffic of weights and their gradients, on a
# GPU that it is not full. A pass is split where that saves more padding.
PASS_COST = {"cpu": 64, "cuda": 1024}
TARGETS = ("margin", "p_chosen")


def group_pairs(lengths: NDArray[np.intp], *, at_once: int) -> list[NDArray[np.intp]]:
    """Numbers of pairs in groups of about one size, the longest first: where memory runs out, it does at once.

    Args:
        lengths: (pairs, 2) tokens of the chosen and the rejected response.
        at_once: most pairs in a group.
    """
    return [group for group, _ in deal(longest_first(lengths), at_once=at_once, processes=ALONE)]


def longest_first(lengths: NDArray[np.intp]) -> NDArray[np.intp]:
    """Numbers of pairs by the longer of their two responses, then by the shorter."""
    return np.lexsort((-lengths.min(axis=1), -lengths.max(axis=1)))


def split_rows(lengths: Sequence[int] | NDArray[np.intp], *, pass_cost: int) -> list[NDArray[np.intp]]:
    """Numbers of rows in passes that cost least: Σ over passes of rows x longest + ``pass_cost``.

    A best split takes rows in order of length, so that the best for the first j rows is min over i < j of (the best for i) +
    (j - i) x length_i + pass_cost.
    """
    order = np.argsort(-np.asarray(lengths), kind="stable")
    longest = np.asarray(lengths, dtype=np.int64)[order]
    best, cut = np.zeros(len(order) + 1), np.zeros(len(order) + 1, dtype=np.intp)
    for j in range(1, len(order) + 1):
        costs = best[:j] + np.arange(j, 0, -1) * longest[:j]
        cut[j] = costs.argmin()
        best[j] = costs[cut[j]] + pass_cost
    bounds = [len(order)]
    while bounds[-1]:
        bounds.append(cut[bounds[-1]])
    return np.split(order, bounds[-2:0:-1])


def make_passes(
    rows: Sequence[Encoded], *, pad_token_id: int, pass_cost: int, regimes: Regimes = ONE_REGIME
) -> tuple[list[dict[str, Any]], torch.Tensor]:
    """The inputs of each forward pass over the rows, and where in the results of all of them each row's is.

    Rows that scoring would not read together (:class:`~..scoring.positions.Regimes`) are not trained on together.
    """
    lengths = np.array([len(row) for row in rows])
    groups = [np.array(group) for group in regimes.groups(lengths.tolist())]
    parts = [group[part] for group in groups for part in split_rows(lengths[group], pass_cost=pass_cost)]
    passes = [collate([rows[i] for i in part], pad_token_id=pad_token_id) for part in parts]
    return passes, torch.from_numpy(np.argsort(np.concatenate(parts)))


def rewards_of(model: Any, passes: Sequence[Mapping[str, Any]], places: torch.Tensor) -> torch.Tensor:
    """The reward of each row, in the rows' own order and in float32, of what :func:`make_passes` made of them."""
    logits = []
    for inputs in passes:
        set_back(model)
        logits.append(model(**inputs, use_cache=False).logits[:, 0].float())
    return torch.cat(logits)[places]


@dataclass(frozen=True)
class PairCollator:
    """Examples of one optimiser batch -> its micro-batches, each with its passes, targets and share of the pairs.

    A micro-batch has ``passes`` and ``places`` (:func:`make_passes` of its chosen, then its rejected rows), ``margin`` and
    ``p_chosen`` where the examples have them, and ``share``: its weight in the mean over the optimiser batch. Of several
    ``processes``, whose gradients are averaged, each gets its own micro-batches, with so many times the weight. ``counted`` says how
    many of its pairs count, none of a stand-in.
    """

    pad_token_id: int
    at_once: int
    pass_cost: int
    regimes: Regimes = ONE_REGIME
    processes: Processes = ALONE

    def __call__(self, examples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        chosen, rejected = ([row_of(e, side) for e in examples] for side in SIDES)
        lengths = np.array([[len(c), len(r)] for c, r in zip(chosen, rejected, strict=True)])
        micro_batches = []
        dealt = deal(longest_first(lengths), at_once=self.at_once, processes=self.processes)
        for group, count in dealt:
            rows = [side[i] for side in (chosen, rejected) for i in group]
            share = count * self.processes.count / len(examples)
            micro = {**self.lay_out(rows), "share": share, "counted": count}
            micro |= {
                n: torch.tensor([float(examples[i][n]) for i in group]) for n in TARGETS if n in examples[0]
            }
            micro_batches.append(micro)
        return {"micro_batches": micro_batches, "tokens": int(lengths.sum())}

    def lay_out(self, rows: Sequence[Encoded]) -> dict[str, Any]:
        """``passes`` and ``places`` of some rows."""
        passes, places = make_passes(
            rows, pad_token_id=self.pad_token_id, pass_cost=self.pass_cost, regimes=self.regimes
        )
        return {"passes": passes, "places": places}
