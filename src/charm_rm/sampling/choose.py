"""Which of the prompts that are left are drawn: by their place in a seeded order, in strata or clusters where there are some."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.cluster.vq import kmeans2, vq

from .workspace import KEPT, Workspace

Embed = Callable[[Sequence[str]], np.ndarray]
# Of prompts to cluster: so many for each that is drawn, at least; centres are found on so many, at most.
POOL_EACH, LEAST_POOL, MOST_FITTED = 20, 20_000, 20_000
_AT_ONCE = 1024


def shares(sizes: Mapping[str, int], n: int, *, equal: bool) -> dict[str, int]:
    """How many of ``n`` each stratum gives: in proportion to its size (largest remainders), or all alike, those that have fewer all they have.

    Sums to ``n``, or to the sum of the sizes where that is less.
    """
    n = min(n, sum(sizes.values()))
    return _alike(sizes, n) if equal else _in_proportion(sizes, n)


def _in_proportion(sizes: Mapping[str, int], n: int) -> dict[str, int]:
    total = sum(sizes.values())
    found = {name: n * size // total for name, size in sizes.items()}
    remainders = sorted(sizes, key=lambda name: (-(n * sizes[name] % total), name))
    for name in remainders[: n - sum(found.values())]:
        found[name] += 1
    return found


def _alike(sizes: Mapping[str, int], n: int) -> dict[str, int]:
    """The smallest first: each gives its part of what is still wanted, or all that it has."""
    found: dict[str, int] = {}
    for k, name in enumerate(sorted(sizes, key=lambda one: (sizes[one], one))):
        found[name] = min(sizes[name], n // (len(sizes) - k))
        n -= found[name]
    return {name: found[name] for name in sizes}


def uniform(workspace: Workspace, n: int | None) -> list[int]:
    """The first ``n`` rows in the seeded order; all, where it is None. A smaller ``n`` is a part of a larger one."""
    query = "SELECT row FROM prompts WHERE state = ? ORDER BY priority, row LIMIT ?"
    return [row for (row,) in workspace.sql.execute(query, (KEPT, -1 if n is None else n))]


def by_stratum(workspace: Workspace, n: int | None, *, equal: bool) -> list[int]:
    """The first rows of each stratum in the seeded order."""
    sizes = dict(
        workspace.sql.execute(
            "SELECT stratum, COUNT(*) FROM prompts WHERE state = ? GROUP BY stratum", (KEPT,)
        )
    )
    left = shares(sizes, sum(sizes.values()) if n is None else n, equal=equal)
    drawn = []
    query = "SELECT row FROM prompts WHERE state = ? AND stratum = ? ORDER BY priority, row LIMIT ?"
    for name, count in left.items():
        drawn += [row for (row,) in workspace.sql.execute(query, (KEPT, name, count))]
    return drawn


def by_cluster(
    workspace: Workspace, n: int | None, clusters: int, embed: Embed, *, seed: int
) -> dict[int, int]:
    """Rows drawn alike from clusters of sentence embeddings, and the cluster of each.

    Clusters are those of k-means on the first prompts in the seeded order (20 for each that is drawn, at least 20,000); within a cluster
    the seeded order decides.
    """
    left = uniform(workspace, None if n is None else max(POOL_EACH * n, LEAST_POOL))
    n = len(left) if n is None else n
    vectors = np.vstack(
        [embed(workspace.texts(left[at : at + _AT_ONCE])) for at in range(0, len(left), _AT_ONCE)]
    )
    labels = _labels(vectors, min(clusters, len(left)), seed)
    sizes = {
        f"{label:06d}": int(count)
        for label, count in zip(*np.unique(labels, return_counts=True), strict=True)
    }
    wanted = shares(sizes, n, equal=True)
    drawn: dict[int, int] = {}
    for row, label in zip(left, labels.tolist(), strict=True):
        if wanted[f"{label:06d}"]:
            wanted[f"{label:06d}"] -= 1
            drawn[row] = label
    return drawn


def _labels(vectors: np.ndarray, clusters: int, seed: int) -> np.ndarray:
    """The cluster of each row, numbered from 0 in the order of their first rows."""
    fitted = vectors[:MOST_FITTED].astype(np.float64)
    centres, _ = kmeans2(fitted, clusters, minit="++", seed=np.random.default_rng(seed), missing="warn")
    found, _ = vq(vectors.astype(np.float64), centres)
    firsts = {int(label): place for place, label in reversed(list(enumerate(found)))}
    order = {label: k for k, label in enumerate(heapq.nsmallest(len(firsts), firsts, key=firsts.__getitem__))}
    return np.array([order[int(label)] for label in found])
