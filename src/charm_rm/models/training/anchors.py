"""What anchored training holds a model to: responses of rated policies, and the win rates that ratings imply between them.

Arrays alone, no torch. Which prompts and policies make up the batch of a training step is a function of the seed and the
step, so that a training that goes on after a kill goes on with the same batches.
"""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import CharmWarning, ConfigError, NoOverlap, NotIdentifiable, counted, listing
from ...preferences import prompt_key
from ...protocols import Prompt
from ...ratings import match_ratings
from ...ratings.expected import expected_matrix, yardstick
from ...ratings.names import Aliases
from ...samples import refuse_samples
from ...settings import TrainSettings, Unrated
from ...solved_on import solved_on
from ...splits import only_prompts
from ...statistics import FloatArray, IntArray, sigmoid
from ...tables import Preferences, Ratings, Responses


@dataclass(frozen=True, eq=False)
class Anchor:
    """Responses of K rated policies, and (K, K) ``expected`` win rates between them (row over column; the diagonal is ½).

    ``row_of`` (prompts, K) is the row of a policy's response in ``responses``, -1 where it gave none.
    """

    responses: Responses
    policies: tuple[str, ...]
    prompt_ids: tuple[str, ...]
    row_of: IntArray
    expected: FloatArray
    left_out: Mapping[str, int]

    @classmethod
    def of(
        cls,
        responses: Responses,
        ratings: Ratings,
        *,
        aliases: Aliases | None = None,
        unrated: Unrated = "error",
    ) -> Anchor:
        """Match responses and ratings.

        Args:
            responses: at most one per prompt and policy; of prompts that nothing will be judged on.
            ratings: of one leaderboard and date.
            aliases, unrated: as :func:`charm_rm.ratings.match_ratings` takes them; ``skip`` leaves policies without a rating out.

        Raises:
            UnknownPolicy: a policy has no rating, and ``unrated`` is ``error``.
            NotIdentifiable: fewer than two policies have one.
            SeveralSamples: a policy has several responses to a prompt.
        """
        responses = refuse_samples(responses, why="an anchor holds one response of each policy to a prompt")
        matched = match_ratings(ratings, responses.policies, aliases=aliases, unrated=unrated)
        policies = tuple(matched.frame["policy"].to_list())
        if len(policies) < 2:
            raise NotIdentifiable(
                f"an anchor needs two rated policies or more, and there is {listing(policies)} alone",
                fix="give responses of more policies, or ratings that know them",
            )
        expected = expected_matrix(yardstick(matched, policies).rating)
        frame = responses.frame.filter(responses.frame["policy"].is_in(policies))
        kept = Responses(frame, responses.provenance)
        left_out = {"unrated": len(responses.policies) - len(policies)}
        return cls(kept, policies, *_grid(kept, policies), expected, left_out)

    def without_prompts(self, keys: Collection[str]) -> Anchor:
        """Leave out prompts by their text (:func:`~charm_rm.preferences.prompt_key`): held-out pairs are about them.

        Raises:
            NoOverlap: no prompt is left.
        """
        prompts = self.responses.frame["prompt"].to_list()
        first = self.row_of.max(axis=1)  # some row of each prompt
        kept = [
            p for p, row in zip(self.prompt_ids, first, strict=True) if prompt_key(prompts[row]) not in keys
        ]
        if len(kept) == len(self.prompt_ids):
            return self
        responses = only_prompts(self.responses, kept)
        prompt_ids, row_of = _grid(responses, self.policies)
        left_out = {**self.left_out, "held_out": len(self.prompt_ids) - len(kept)}
        return replace(self, responses=responses, prompt_ids=prompt_ids, row_of=row_of, left_out=left_out)

    @property
    def answered(self) -> NDArray[np.bool_]:
        """(prompts, K): which policies answered."""
        answered: NDArray[np.bool_] = self.row_of >= 0
        return answered

    def texts(self, rows: IntArray) -> tuple[list[Prompt], list[str]]:
        """Prompts and responses of some rows."""
        frame = self.responses.frame[rows]
        return frame["prompt"].to_list(), frame["response"].to_list()

    @property
    def sha256(self) -> str:
        """Of everything in it that can enter a training."""
        frame = self.responses.frame.select("prompt_id", "prompt", "policy", "response")
        digest = hashlib.sha256(frame.write_ndjson().encode())
        digest.update("\n".join(self.policies).encode() + self.expected.tobytes())
        return digest.hexdigest()

    def record(self) -> dict[str, Any]:
        """What a model that was anchored on it remembers: prompts (as digests), policies, side of the split."""
        return solved_on(self.responses, self.policies)


def _grid(responses: Responses, policies: Sequence[str]) -> tuple[tuple[str, ...], IntArray]:
    """Prompt ids in sorted order, and the row of each policy's response to each."""
    frame = responses.frame
    prompt_ids = tuple(sorted(frame["prompt_id"].unique().to_list()))
    line = {p: i for i, p in enumerate(prompt_ids)}
    column = {p: k for k, p in enumerate(policies)}
    row_of = np.full((len(prompt_ids), len(policies)), -1, dtype=np.int64)
    for row, (prompt, policy) in enumerate(frame.select("prompt_id", "policy").iter_rows()):
        row_of[line[prompt], column[policy]] = row
    return prompt_ids, row_of


# --- batches --------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class AnchorBatch:
    """Some policies and some prompts that all of them answered, as numbers in the anchor; ``rows`` (prompts, policies)."""

    prompts: IntArray
    policies: IntArray
    rows: IntArray


def draw_batches(anchor: Anchor, steps: int, *, policies: int, prompts: int, seed: int) -> list[AnchorBatch]:
    """One batch a training step: policies at random, then prompts at random among those that all of them answered.

    A batch has fewer policies where no more share that many prompts.

    Raises:
        NoOverlap: no two policies share ``prompts`` prompts.
        CharmWarning: (as a warning) some policy shares as many with no other, and is in no batch.
    """
    answered = anchor.answered
    shared = answered.T.astype(np.int64) @ answered
    np.fill_diagonal(shared, 0)
    usable = np.flatnonzero((shared >= prompts).any(axis=1))
    if not usable.size:
        raise NoOverlap(
            f"an anchor batch has {counted(prompts, 'prompt')}, and no two policies share as many (at most {shared.max()})",
            fix="give more responses to the same prompts, or lower anchor_prompts (--anchor-prompts)",
        )
    if alone := [name for k, name in enumerate(anchor.policies) if k not in set(usable.tolist())]:
        warnings.warn(
            f"left out of the anchor, as they share fewer than {prompts} prompts with any other policy: {listing(alone)}",
            CharmWarning,
            stacklevel=2,
        )
    return [_draw(anchor, answered, usable, policies, prompts, [seed, step]) for step in range(steps)]


def _draw(
    anchor: Anchor,
    answered: NDArray[np.bool_],
    usable: IntArray,
    n_policies: int,
    n_prompts: int,
    seed: list[int],
) -> AnchorBatch:
    rng = np.random.default_rng(seed)
    chosen: list[int] = []
    common = np.ones(len(answered), dtype=bool)
    for policy in rng.permutation(usable):
        if np.count_nonzero(common & answered[:, policy]) >= n_prompts:
            common &= answered[:, policy]
            chosen.append(int(policy))
        if len(chosen) == n_policies:
            break
    prompts = rng.choice(np.flatnonzero(common), size=n_prompts, replace=False)
    columns = np.array(chosen)
    return AnchorBatch(prompts, columns, anchor.row_of[np.ix_(prompts, columns)])


@dataclass(frozen=True, eq=False)
class AnchorPlan:
    """An anchor and the batches of a training, one a step."""

    anchor: Anchor
    batches: Sequence[AnchorBatch]

    def batch(self, step: int) -> AnchorBatch:
        """The batch of a step (from 0); after the last one the first comes again."""
        return self.batches[step % len(self.batches)]

    @property
    def rows(self) -> IntArray:
        """The rows of the responses that any batch has, in order."""
        return np.unique(np.concatenate([batch.rows.ravel() for batch in self.batches]))

    def counts(self) -> dict[str, Any]:
        """How much there is, and how much of it is used."""
        return {
            "policies": len(self.anchor.policies),
            "prompts": len(self.anchor.prompt_ids),
            "left_out": dict(self.anchor.left_out),
            "batches": len(self.batches),
            "responses_used": len(self.rows),
        }


def plan_anchor(
    anchor: Anchor | None, settings: TrainSettings, *, pairs: int, held_out: Preferences | None
) -> AnchorPlan | None:
    """Leave out the prompts of held-out pairs, and draw a batch for every optimiser step of a training on ``pairs`` pairs.

    Raises:
        ConfigError: there is an anchor and no weight, or the other way round.
        NoOverlap: as :func:`draw_batches`.
    """
    if (anchor is None) != (settings.anchor_weight == 0):
        raise ConfigError(
            "an anchor and its weight go together",
            where="anchor_weight",
            fix="give both: --anchor RESPONSES --ratings SPEC --anchor-weight NUMBER",
        )
    if anchor is None:
        return None
    if held_out is not None:
        anchor = anchor.without_prompts({prompt_key(p) for p in held_out.frame["prompt"].to_list()})
    steps = settings.max_steps or math.ceil(settings.epochs * math.ceil(pairs / settings.batch_size))
    how = {"policies": settings.anchor_policies, "prompts": settings.anchor_prompts, "seed": settings.seed}
    return AnchorPlan(anchor, draw_batches(anchor, steps, **how))


# --- the scores before training --------------------------------------------------------------------


def score_grid(anchor: Anchor, rows: IntArray, scores: FloatArray) -> FloatArray:
    """Scores of some rows as (prompts, K), NaN where there is none."""
    by_row = np.full(len(anchor.responses), np.nan)
    by_row[rows] = scores
    return np.where(anchor.row_of >= 0, by_row[anchor.row_of], np.nan)


def within_prompt_sd(scores: FloatArray) -> float:
    """sqrt(Σ_i Σ_k (s_ik - s̄_i)² / Σ_i (n_i - 1)) of scores (prompts, K) with NaN where there is none.

    Raises:
        NotIdentifiable: it is 0: the model gives all responses to a prompt the same score.
    """
    known = scores[(~np.isnan(scores)).sum(axis=1) > 1]
    n = (~np.isnan(known)).sum(axis=1)
    squares = np.nansum((known - np.nanmean(known, axis=1, keepdims=True)) ** 2)
    sd = float(np.sqrt(squares / (n - 1).sum()))
    if not sd > 0:
        raise NotIdentifiable(
            "the model gives all responses to a prompt the same score, so that anchored win rates have no unit",
            fix="anchor a model that tells responses apart",
        )
    return sd


def mean_wins(scores: FloatArray, *, temperature: float) -> FloatArray:
    """(K, K) means over prompts of sigmoid((s_k - s_l) / T), of the prompts where both have a score; NaN where there is none."""
    total = np.zeros((scores.shape[1],) * 2)
    n = np.zeros_like(total)
    for line in scores:
        gap = (line[:, None] - line[None, :]) / temperature
        known = ~np.isnan(gap)
        total[known] += sigmoid(gap[known])
        n += known
    means: FloatArray = np.divide(total, n, out=np.full_like(total, np.nan), where=n > 0)
    return means
