"""Do the battles determine the ratings at all? If not, say which policies stand in the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import NotIdentifiable, listing
from .bradley_terry import Counts, pinned_information

if TYPE_CHECKING:
    from scipy.sparse import coo_array

_LARGEST_SHOWN = 4


def check_identifiable(counts: Counts, policies: Sequence[str]) -> None:
    """Raise unless the Bradley-Terry maximum is finite and unique up to a shift.

    That is so exactly where the graph "beat or tied" is strongly connected (Ford 1957; Zermelo 1929): no group
    of policies may be without battles against the rest, undefeated by it, or winless against it.

    Covariates must not repeat one another or the policies.

    Raises:
        NotIdentifiable: naming the groups and how to fix it.
    """
    from scipy.sparse.csgraph import connected_components  # a tenth of a second that only fits should pay

    beat = _win_graph(counts)
    n_groups, group = connected_components(beat, directed=False)
    if n_groups > 1:
        raise _disconnected(group, policies)
    n_blocks, block = connected_components(beat, directed=True, connection="strong")
    if n_blocks > 1:
        raise _separated(beat, block, policies)
    if counts.covariates.size and not _full_rank(counts):
        raise NotIdentifiable(
            "the style columns repeat one another, or are fixed by which policies meet",
            fix="leave one out: a style that never varies within a pair of policies cannot be told from strength",
        )


def _full_rank(counts: Counts) -> bool:
    curvature = pinned_information(np.zeros(counts.n_parameters), counts)
    scale = np.sqrt(np.diag(curvature))
    rank = np.linalg.matrix_rank(curvature / np.outer(scale, scale), tol=1e-10, hermitian=True)
    return bool(rank == counts.n_parameters)


def _win_graph(counts: Counts) -> coo_array:
    """An edge i -> j wherever i beat j at least once; a tie is an edge both ways."""
    from scipy.sparse import coo_array

    first, second = counts.first, counts.second
    won, lost = counts.outcome > 0.0, counts.outcome < 1.0
    rows = np.concatenate([first[won], second[lost]])
    columns = np.concatenate([second[won], first[lost]])
    shape = (counts.n_policies, counts.n_policies)
    return coo_array((np.ones(rows.size), (rows, columns)), shape=shape)


def _disconnected(group: NDArray[np.int32], policies: Sequence[str]) -> NotIdentifiable:
    sizes = np.bincount(group)
    shown = [_members(group, int(g), policies) for g in np.argsort(-sizes, kind="stable")[:_LARGEST_SHOWN]]
    tail = f"; and {len(sizes) - _LARGEST_SHOWN} more groups" if len(sizes) > _LARGEST_SHOWN else ""
    return NotIdentifiable(
        f"the policies fall into {len(sizes)} groups that never meet in battle: {'; '.join(shown)}{tail}",
        fix="add battles between the groups, or fit each group alone: their ratings cannot be compared",
    )


def _separated(beat: coo_array, block: NDArray[np.int32], policies: Sequence[str]) -> NotIdentifiable:
    winner, loser = block[beat.row], block[beat.col]
    crossing = winner != loser
    blocks = set(range(int(block.max()) + 1))
    parts = []
    for verb, beaten in (("never lost to", loser), ("never won against", winner)):
        groups = sorted(blocks - set(beaten[crossing].tolist()))
        parts += [f"{_members(block, g, policies)} {verb} any other policy" for g in groups[:_LARGEST_SHOWN]]
    return NotIdentifiable(
        f"the maximum-likelihood ratings are infinite: {'; '.join(parts)}",
        fix="add battles, leave these policies out, or give a prior (prior=1 or --prior 1: half a win and "
        "half a loss for every pair that met)",
    )


def _members(label: NDArray[np.int32], which: int, policies: Sequence[str]) -> str:
    names = [policies[int(i)] for i in np.flatnonzero(label == which)]
    return listing(names) if len(names) == 1 else f"the {len(names)} policies {listing(names)}"
