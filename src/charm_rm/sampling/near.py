"""Near duplicates: prompts whose character 5-grams are mostly the same as those of an earlier prompt.

MinHash finds candidates, and the exact Jaccard similarity decides: a prompt is never left out by chance. The bands lie in the workspace,
so memory does not grow with the source.
"""

from __future__ import annotations

import heapq
import zlib
from collections import Counter
from collections.abc import Callable
from functools import cache
from math import comb

import numpy as np

from ..extras import require
from .workspace import NEAR, Fate, Workspace

SHINGLE = 5
# datasketch is everywhere; rensa's compiled hashes take over where its speed counts.
MOST_IN_PYTHON = 1_000_000
_HASHES, _MISSED, _LEAST_SHARED = 128, 1e-3, 2
_LOOKED_AT = 100  # candidates that are compared exactly, those with most bands in common first
_FNV_BASIS, _FNV_PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
_SEED = 1  # of the hashes: which of two prompts stays is no matter of the draw's seed

Signer = Callable[[frozenset[str]], "np.ndarray"]


def shingles(text: str) -> frozenset[str]:
    """The 5-grams of characters, in small letters, white space as one space; a shorter text is one."""
    plain = " ".join(text.casefold().split())
    return frozenset(plain[i : i + SHINGLE] for i in range(max(len(plain) - SHINGLE + 1, 1)))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Shared shingles over all shingles of the two."""
    return len(one & other) / len(one | other)


def bands_for(threshold: float) -> tuple[int, int]:
    """How many bands of how many hashes: the longest that two texts at the threshold miss (fewer than two in common) at most once in 1,000."""
    fitting = [r for r in range(1, 33) if missed(threshold, _HASHES // r, r) <= _MISSED]
    rows = max(fitting, default=1)
    return _HASHES // rows, rows


def missed(similarity: float, bands: int, rows: int) -> float:
    """The chance that texts of a similarity share fewer than two bands: P[Binomial(bands, similarity^rows) < 2]."""
    p = similarity**rows
    return sum(comb(bands, k) * p**k * (1 - p) ** (bands - k) for k in range(_LEAST_SHARED))


def leave_out_near_duplicates(
    workspace: Workspace,
    threshold: float,
    *,
    engine: str | None = None,
    progress: Callable[[int], None] = lambda _n: None,
) -> str:
    """Leave out every kept prompt that is as similar as ``threshold`` to an earlier one that stays; return the engine's name.

    Args:
        engine: ``datasketch`` or ``rensa``; None: rensa past a million prompts.
        progress: called with 1 for each prompt.

    Raises:
        MissingExtra: it is not installed.
    """
    rows = workspace.rows_kept()
    engine = engine or ("datasketch" if len(rows) <= MOST_IN_PYTHON else "rensa")
    bands, per_band = bands_for(threshold)
    sign = SIGNERS[engine](bands * per_band)
    for row in rows:
        text = shingles(workspace.text(row))
        keys = _keys(sign(text), bands)
        match = _similar(workspace, keys, text, threshold)
        if match is None:
            workspace.sql.executemany("INSERT OR IGNORE INTO bands VALUES (?, ?)", [(k, row) for k in keys])
        else:
            workspace.leave_out(row, Fate(NEAR, matched=match[0], similarity=match[1]))
        progress(1)
    return engine


def _similar(
    workspace: Workspace, keys: list[int], text: frozenset[str], threshold: float
) -> tuple[str, float] | None:
    """The first prompt, of those with most bands in common, that is similar enough; its id and similarity."""
    for row in _candidates(workspace, keys):
        found = jaccard(text, shingles(workspace.text(row)))
        if found >= threshold:
            (prompt_id,) = workspace.sql.execute(
                "SELECT prompt_id FROM prompts WHERE row = ?", (row,)
            ).fetchone()
            return str(prompt_id), found
    return None


def _candidates(workspace: Workspace, keys: list[int]) -> list[int]:
    """The rows with two bands in common at least, those with most first."""
    shared: Counter[int] = Counter()
    for key in keys:
        shared.update(row for (row,) in workspace.sql.execute("SELECT row FROM bands WHERE band = ?", (key,)))
    enough = [row for row, count in shared.items() if count >= _LEAST_SHARED]
    return heapq.nsmallest(_LOOKED_AT, enough, key=lambda row: (-shared[row], row))


def _keys(signature: np.ndarray, bands: int) -> list[int]:
    """One number of 64 bits for each band of a signature (FNV-1a over its hashes); one that two bands share by chance is a candidate more."""
    parts = signature.reshape(bands, -1).astype(np.uint64)
    keys = np.arange(bands, dtype=np.uint64) ^ _FNV_BASIS
    for column in parts.T:
        keys = (keys ^ column) * _FNV_PRIME
    found: list[int] = keys.view(np.int64).tolist()
    return found


# --- libraries ----------------------------------------------------------------------------------


def _by_datasketch(hashes: int) -> Signer:
    minhash = require("datasketch", extra="sample", what="finding near duplicates").MinHash
    empty = minhash(num_perm=hashes, seed=_SEED, hashfunc=_as_it_is)

    def sign(text: frozenset[str]) -> np.ndarray:
        one = empty.copy()
        one.update_batch([zlib.crc32(part.encode("utf-8", "surrogatepass")) for part in text])
        return np.asarray(one.hashvalues)

    return sign


def _as_it_is(value: int) -> int:
    return value


def _by_rensa(hashes: int) -> Signer:
    minhash = require("rensa", extra="sample", what="finding near duplicates").RMinHash

    def sign(text: frozenset[str]) -> np.ndarray:
        one = minhash(num_perm=hashes, seed=_SEED)
        one.update(list(text))
        return np.asarray(one.digest(), dtype=np.uint32)

    return sign


SIGNERS: dict[str, Callable[[int], Signer]] = {
    "datasketch": cache(_by_datasketch),
    "rensa": cache(_by_rensa),
}
