"""Scores or judgements -> margins by prompt, pair by pair.

The pairs of K policies over n prompts are never all held at once: :class:`PairedMargins` gives them some
at a time. Everything downstream, win rates and offsets, starts from it, whatever the margins came from.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import NoOverlap, UnknownPolicy, listing
from ..given import ComparableLike, ScoresLike, as_comparable, as_scores
from ..policy_names import near_policies
from ..samples import KEY, has_samples
from ..statistics import (
    FloatArray,
    IntArray,
)
from ..tables import Margins, Scores, Table

if TYPE_CHECKING:
    from scipy.sparse import csr_array

T = TypeVar("T", bound=Table)

_BLOCK_CELLS = 2_000_000


# --- scores as a matrix -------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class ScoreMatrix:
    """Scores as (n_prompts, K) ``values``, NaN where a policy has no score for a prompt."""

    prompts: tuple[str, ...]
    policies: tuple[str, ...]
    values: FloatArray

    def column(self, policy: str) -> FloatArray:
        """The scores of one policy, by prompt."""
        return self.values[:, position(self.policies, policy)]


def score_matrix(scores: ScoresLike, *, policies: Sequence[str] | None = None) -> ScoreMatrix:
    """Arrange scores by prompt and policy, both sorted (policies in the order given, if given)."""
    scores = as_scores(scores)
    names = list(policies) if policies is not None else scores.policies
    rows, prompts = _codes(scores.frame["prompt_id"])
    columns = scores.frame["policy"].replace_strict(
        pl.Series(names), pl.Series(range(len(names))), default=None, return_dtype=pl.Int64
    )
    kept = columns.is_not_null().to_numpy()
    values = np.full((len(prompts), len(names)), np.nan)
    values[rows[kept], columns.drop_nulls().to_numpy()] = scores.frame["score"].to_numpy()[kept]
    return ScoreMatrix(prompts, tuple(names), values)


def position(policies: Sequence[str], policy: str) -> int:
    """Index of ``policy``.

    Raises:
        UnknownPolicy: it is not there.
    """
    try:
        return list(policies).index(policy)
    except ValueError:
        raise UnknownPolicy(
            f"no policy {policy!r} among those scored or judged.{near_policies(policy, policies)}",
            fix="name a policy that was scored or judged",
        ) from None


def only_policies(source: T, policies: Collection[str]) -> T:
    """The rows of a table that name none but these policies, on either side."""
    named = [c for c in ("policy", "reference") if c in source.frame.columns]
    frame = source.frame.filter(pl.all_horizontal(pl.col(c).is_in(list(policies)) for c in named))
    if frame.is_empty():
        raise NoOverlap(
            f"{source.noun}: no two of these policies were compared: {listing(sorted(policies))}",
            fix="name policies of both sides, a judge's baseline too, and give it a rating (--alias FILE where it has another name there)",
        )
    same = frame.height == source.frame.height
    return source if same else type(source)(frame, provenance=source.provenance)


def all_pairs(n_policies: int) -> IntArray:
    """(m, 2) indices of every unordered pair."""
    return np.stack(np.triu_indices(n_policies, k=1), axis=1).astype(np.int64)


def reference_pairs(policies: Sequence[str], references: Sequence[str]) -> IntArray:
    """(m, 2) indices of every policy against every reference; two references meet once."""
    chosen = [position(policies, r) for r in references]
    met = {
        (k, r) for j, r in enumerate(chosen) for k in range(len(policies)) if k != r and k not in chosen[:j]
    }
    return np.array(sorted(met), dtype=np.int64).reshape(-1, 2)


# --- margins by prompt --------------------------------------------------------------------------


class PairedMargins(Protocol):
    """Margins of ``pairs`` (m, 2: policy, reference) by prompt, given for some pairs at a time.

    ``prompts`` names the columns, where they have names. There is one row per pair, so that sums over prompts run along memory. What is given may be a view: it is
    not to be written to.
    """

    @property
    def policies(self) -> tuple[str, ...]: ...
    @property
    def n_prompts(self) -> int: ...
    @property
    def pairs(self) -> IntArray: ...
    @property
    def prompts(self) -> tuple[str, ...]: ...

    def at(self, prompts: NDArray[np.bool_]) -> PairedMargins:
        """The same pairs on some of the prompts."""

    def rows(self, which: slice | IntArray) -> FloatArray:
        """(pairs, n_prompts) margins of some pairs, NaN where a side is missing."""
        ...


def blocks(paired: PairedMargins | SampledMargins) -> Iterator[slice]:
    """Slices of pairs whose margins take a few megabytes each."""
    cells = paired.n_prompts * (paired.most**2 if isinstance(paired, SampledMargins) else 1)
    size = max(1, _BLOCK_CELLS // max(cells, 1))
    for start in range(0, len(paired.pairs), size):
        yield slice(start, min(start + size, len(paired.pairs)))


def incidence(pairs: IntArray, n_policies: int) -> csr_array:
    """(m, K): +1 for the policy of a pair, -1 for its reference."""
    from scipy.sparse import csr_array  # slow to import, and published win rates need none of it

    rows = np.tile(np.arange(len(pairs)), 2)
    signs = np.repeat([1.0, -1.0], len(pairs))
    return csr_array((signs, (rows, pairs.T.ravel())), shape=(len(pairs), n_policies))


def margins_between(paired: PairedMargins, policy: str, reference: str) -> FloatArray:
    """(n_prompts,) margins of one pair, whichever side it stands on; all NaN where it was never compared.

    Raises:
        UnknownPolicy: one of the two is not there.
    """
    k, r = position(paired.policies, policy), position(paired.policies, reference)
    for sign, sides in ((1.0, (k, r)), (-1.0, (r, k))):
        at = np.flatnonzero((paired.pairs == sides).all(axis=1))
        if at.size:
            return np.asarray(sign * paired.rows(at[:1])[0])
    return np.full(paired.n_prompts, np.nan)


@dataclass(frozen=True, eq=False)
class ScoreMargins:
    """s_policy - s_reference, computed from (K, n_prompts) scores block by block."""

    policies: tuple[str, ...]
    pairs: IntArray
    scores: FloatArray
    prompts: tuple[str, ...] = ()

    @property
    def n_prompts(self) -> int:
        return int(self.scores.shape[1])

    @property
    def of_all_pairs(self) -> bool:
        """Whether the pairs are those of :func:`all_pairs`."""
        size = len(self.policies)
        return len(self.pairs) == size * (size - 1) // 2 and bool((self.pairs == all_pairs(size)).all())

    def rows(self, which: slice | IntArray) -> FloatArray:
        left, right = self.pairs[which].T
        margins: FloatArray = self.scores[left]
        # Scores near the largest float may differ by more than it: that margin is infinite, and its sign right.
        with np.errstate(over="ignore"):
            margins -= self.scores[right]
        return margins

    def at(self, prompts: NDArray[np.bool_]) -> ScoreMargins:
        """The same pairs on some of the prompts."""
        scores = np.ascontiguousarray(self.scores[:, prompts])
        return ScoreMargins(self.policies, self.pairs, scores, _chosen(self.prompts, prompts))


@dataclass(frozen=True, eq=False)
class JudgedMargins:
    """Margins as judged, held as a dense (m, n_prompts) array."""

    policies: tuple[str, ...]
    pairs: IntArray
    values: FloatArray
    prompts: tuple[str, ...] = ()

    @property
    def n_prompts(self) -> int:
        return int(self.values.shape[1])

    def rows(self, which: slice | IntArray) -> FloatArray:
        return self.values[which]

    def at(self, prompts: NDArray[np.bool_]) -> JudgedMargins:
        """The same pairs on some of the prompts."""
        values = np.ascontiguousarray(self.values[:, prompts])
        return JudgedMargins(self.policies, self.pairs, values, _chosen(self.prompts, prompts))


def _chosen(names: tuple[str, ...], which: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(itertools.compress(names, which.tolist()))


@dataclass(frozen=True, eq=False)
class SampledMargins:
    """Pairs of policies of which some have several samples on a prompt; ``scores`` is (K, n_prompts, samples), NaN where there is none.

    There is no one margin of a pair on a prompt: :meth:`sample_rows` gives those of every sample of one with every sample of the other.
    """

    policies: tuple[str, ...]
    pairs: IntArray
    scores: FloatArray
    prompts: tuple[str, ...] = ()

    @property
    def n_prompts(self) -> int:
        return int(self.scores.shape[1])

    @property
    def most(self) -> int:
        """The largest number of samples."""
        return int(self.scores.shape[2])

    def sample_rows(self, which: slice | IntArray) -> FloatArray:
        """(pairs, n_prompts, samples of the policy · samples of the reference) margins of some pairs, NaN where a sample is missing."""
        left, right = self.pairs[which].T
        with np.errstate(over="ignore"):
            margins = self.scores[left][..., :, None] - self.scores[right][..., None, :]
        return np.asarray(margins.reshape(*margins.shape[:2], -1))

    def at(self, prompts: NDArray[np.bool_]) -> SampledMargins:
        """The same pairs on some of the prompts."""
        scores = np.ascontiguousarray(self.scores[:, prompts])
        return SampledMargins(self.policies, self.pairs, scores, _chosen(self.prompts, prompts))


def pair_samples(
    source: ComparableLike, *, references: Sequence[str] | None = None
) -> PairedMargins | SampledMargins:
    """:func:`pair_margins`, of scores that may have several samples of a policy on a prompt. Errors as there."""
    source = as_comparable(source, samples=True)
    if not (isinstance(source, Scores) and has_samples(source)):
        return pair_margins(source, references=references)
    _check_two(source)
    names = tuple(source.policies)
    pairs = all_pairs(len(names)) if references is None else reference_pairs(names, references)
    values, prompts = _sample_array(source)
    return SampledMargins(names, pairs, values, prompts)


def _sample_array(scores: Scores) -> tuple[FloatArray, tuple[str, ...]]:
    """(K, n_prompts, most samples), policies and prompts sorted, samples of a policy and prompt packed to the front; and the prompts."""
    names = scores.policies
    frame = scores.frame.sort(*KEY, "sample").with_columns(
        place=pl.int_range(pl.len()).over(KEY),
        k=pl.col("policy").replace_strict(pl.Series(names), pl.Series(range(len(names)))),
    )
    rows, prompts = _codes(frame["prompt_id"])
    values = np.full((len(names), len(prompts), int(frame["place"].max()) + 1), np.nan)  # type: ignore[arg-type]
    values[frame["k"].to_numpy(), rows, frame["place"].to_numpy()] = frame["score"].to_numpy()
    return values, prompts


def pair_margins(source: ComparableLike, *, references: Sequence[str] | None = None) -> PairedMargins:
    """Pair a source's policies: every pair, or every policy against the ``references``.

    Raises:
        SeveralSamples: scores are of several samples (:func:`pair_samples` takes them).
        UnknownPolicy: a reference is not among the policies.
        NoOverlap: fewer than two policies, or no pair shares a prompt.
    """
    source = as_comparable(source)
    _check_two(source)
    paired = (
        _pair_scores(source, references)
        if isinstance(source, Scores)
        else pair_judgements(source, references=references)
    )
    if paired.pairs.size == 0:
        raise NoOverlap("no judged pair has one of the references", fix="name a reference that was judged")
    return paired


def _check_two(source: Scores | Margins) -> None:
    if len(source.policies) < 2:
        raise NoOverlap(
            f"{source.noun}: {len(source.policies)} policy, at least two are needed to compare",
            fix="score the responses of more policies",
        )


def margins_from_scores(scores: ScoresLike, *, references: Sequence[str] | None = None) -> Margins:
    """Write the paired margins out as a table; for every pair of many policies this is large."""
    scores = as_scores(scores)
    matrix = score_matrix(scores)
    paired = _pair_scores(scores, references)
    frames = [
        pl.DataFrame({"prompt_id": list(matrix.prompts), "margin": paired.rows(slice(j, j + 1))[0]})
        .with_columns(
            pl.lit(matrix.policies[k]).alias("policy"), pl.lit(matrix.policies[r]).alias("reference")
        )
        .filter(pl.col("margin").is_not_nan())
        for j, (k, r) in enumerate(paired.pairs.tolist())
    ]
    return Margins(pl.concat(frames).select("prompt_id", "policy", "reference", "margin"))


def _pair_scores(scores: Scores, references: Sequence[str] | None) -> ScoreMargins:
    matrix = score_matrix(scores)
    names = matrix.policies
    pairs = all_pairs(len(names)) if references is None else reference_pairs(names, references)
    return ScoreMargins(names, pairs, np.ascontiguousarray(matrix.values.T), matrix.prompts)


def pair_judgements(margins: Margins, *, references: Sequence[str] | None = None) -> JudgedMargins:
    """Bring every judged pair (of the ``references``) into one orientation; both orientations of a prompt are averaged.

    Raises:
        UnknownPolicy: a reference is not among the policies.
    """
    policies = tuple(margins.policies)
    wanted = set() if references is None else {position(policies, r) for r in references}
    code = dict(zip(policies, range(len(policies)), strict=True))
    frame = margins.frame.with_columns(
        pl.col("policy").replace_strict(code).alias("k"), pl.col("reference").replace_strict(code).alias("r")
    )
    if references is not None:
        frame = frame.filter(pl.col("k").is_in(wanted) | pl.col("r").is_in(wanted))
    turn = pl.col("k") > pl.col("r")
    if references is not None:
        turn = pl.col("k").is_in(wanted) & ~(pl.col("r").is_in(wanted) & (pl.col("k") < pl.col("r")))
    frame = frame.select(
        "prompt_id",
        pl.when(turn).then("r").otherwise("k").alias("k"),
        pl.when(turn).then("k").otherwise("r").alias("r"),
        pl.when(turn).then(-pl.col("margin")).otherwise("margin").alias("margin"),
    )
    frame = frame.group_by("prompt_id", "k", "r").agg(pl.col("margin").mean())
    pairs = frame.select("k", "r").unique().sort("k", "r").with_row_index("pair")
    frame = frame.join(pairs, on=["k", "r"])
    rows, prompts = _codes(frame["prompt_id"])
    values = np.full((pairs.height, len(prompts)), np.nan)
    values[frame["pair"].to_numpy(), rows] = frame["margin"].to_numpy()
    return JudgedMargins(policies, pairs.select("k", "r").to_numpy().astype(np.int64), values, prompts)


def _codes(values: pl.Series) -> tuple[IntArray, tuple[str, ...]]:
    """Row codes of sorted distinct values, and those values."""
    distinct = values.unique().sort()
    codes = values.replace_strict(distinct, pl.Series(range(distinct.len())), return_dtype=pl.Int64)
    return codes.to_numpy(), tuple(distinct.to_list())
