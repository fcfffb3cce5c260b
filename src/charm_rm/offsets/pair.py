"""Offset of one policy against one or several references: the paper's calibration, solved as a root."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from ..errors import NoOverlap, NotIdentifiable
from ..margins import ScoreMatrix, position, score_matrix
from ..ratings import Aliases, expected_matrix
from ..statistics import FloatArray, PromptWeights, draw_prompt_weights, hard_outcomes
from ..tables import Offsets, Ratings, Scores
from .allpairs import AllPairs, hard_root_all_pairs, sigmoid_root_all_pairs
from .inputs import Link, Settings, as_offsets, checked_weights, named, rating_targets, summarise_draws
from .roots import hard_root, sigmoid_root
from .uncertainty import unpaired_draws

# A target this near to 0 or 1 is one in all but name: the ratings lie some 3600 points apart.
_CERTAIN = 1e-9


def solve_offsets(
    scores: Scores,
    ratings: Ratings,
    *,
    over: str | Sequence[str],
    references: str | Sequence[str],
    reference_weights: Sequence[float] | None = None,
    link: Link = "hard",
    temperature: float = 1.0,
    paired: bool = True,
    aliases: Aliases | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> Offsets:
    """Find the offset Δ of each policy in ``over`` at which its win rate is what the ratings say.

    Solves Σ_l w_l L_l(Δ) = Σ_l w_l P_l, with L_l(Δ) = mean_i link((s_over,i - s_l,i + Δ)/τ) over the prompts shared
    with reference l. References keep their scores (Δ = 0).

    Args:
        scores: reward-model scores.
        ratings: human-preference ratings of the same policies.
        over: the policy to calibrate, or several; each is solved on its own.
        references: what to calibrate against.
        reference_weights: w_l, equal unless given; scaled to add up to 1.
        link: ``hard`` solves for the win rate itself; ``sigmoid`` for the mean of sigmoid(margin / temperature).
        temperature: of the sigmoid, in score units.
        paired: compare responses to the same prompt; off, every response of one with every response of
            the other, as the paper's released code does.
        aliases: the names of policies in the ratings, as in :func:`charm_rm.ratings.match_ratings`.
        draws: Bayesian-bootstrap draws of the prompts, each with a draw of the ratings (0: no intervals).
        seed: of the draws.

    Returns:
        One row per policy. ``target`` and ``attained`` are Σ w_l P_l and Σ w_l L_l(Δ) under the link.
        ``residuals`` has one row per pair: n comparisons, target, and hard win rate before and after.

    Raises:
        UnknownPolicy: a policy has no score or no rating.
        NoOverlap: no prompt is shared with a reference.
        NotIdentifiable: one shared prompt, margins all equal, or a target of 0 or 1.
        ConfigError: a setting is not usable.
    """
    settings = Settings(link, temperature, draws, seed)
    overs, refs = named(over), named(references)
    weights = checked_weights(overs, refs, reference_weights)
    matrix = score_matrix(scores)
    for name in (*overs, *refs):
        position(matrix.policies, name)
    rng = np.random.default_rng(seed)
    targets, notes = rating_targets(ratings, [*overs, *refs], aliases=aliases, draws=draws, rng=rng)
    drawn = draw_prompt_weights(len(matrix.prompts), draws=draws, rng=rng)
    solved = []
    for k, name in enumerate(overs):
        chosen = [k, *range(len(overs), len(overs) + len(refs))]
        pair = _Pair(
            matrix, name, refs, weights, targets.rating[chosen], targets.draws[:, chosen], settings, paired
        )
        solved.append(pair.solve(drawn))
    return as_offsets(
        pl.concat([s.row for s in solved] + [_fixed(refs)], how="diagonal_relaxed"),
        residuals=pl.concat([s.residuals for s in solved]),
        provenance={
            "verb": "solve_offsets",
            "over": overs,
            "references": refs,
            "reference_weights": weights.tolist(),
            "link": link,
            "temperature": temperature if link == "sigmoid" else None,
            "paired": paired,
            "draws": draws,
            "seed": seed,
        },
        notes=notes + [note for s in solved for note in s.notes],
    )


@dataclass(frozen=True, eq=False)
class _Solved:
    row: pl.DataFrame
    residuals: pl.DataFrame
    notes: list[str]


@dataclass(frozen=True, eq=False)
class _Pair:
    """One policy against its references; ``rating`` and ``rating_draws`` hold the policy first."""

    scores: ScoreMatrix
    over: str
    references: list[str]
    weights: FloatArray
    rating: FloatArray
    rating_draws: FloatArray
    settings: Settings
    paired: bool

    def solve(self, drawn: PromptWeights) -> _Solved:
        """Point estimate, interval and residuals."""
        expected = expected_matrix(self.rating)[0, 1:]
        target = float(self.weights @ expected)
        self._check_target(target)
        goals = expected_matrix(self.rating_draws)[:, 0, 1:] @ self.weights
        delta, attained, draws = (self._paired if self.paired else self._unpaired)(target, goals, drawn)
        std_err, low, high = summarise_draws(draws[:, None])
        row = {
            "policy": self.over,
            "delta": delta,
            "std_err": std_err[0],
            "ci_low": low[0],
            "ci_high": high[0],
            "is_reference": False,
            "target": target,
            "attained": attained,
        }
        residuals = self._residuals(expected, delta)
        return _Solved(pl.DataFrame(row), residuals, self._notes(target, attained, residuals))

    def _check_target(self, target: float) -> None:
        if not _CERTAIN < target < 1 - _CERTAIN:
            raise NotIdentifiable(
                f"the ratings imply a win rate of {target:.0f}, which no finite offset reaches",
                where=f"policy {self.over!r}",
                mend="check that the ratings are on the Elo scale and of one leaderboard",
            )

    def _margins(self) -> list[FloatArray]:
        """Margins by prompt against each reference, NaN where not both are scored."""
        own = self.scores.column(self.over)
        margins = [own - self.scores.column(r) for r in self.references]
        for reference, margin in zip(self.references, margins, strict=True):
            shared = int((~np.isnan(margin)).sum())
            where = f"policies {self.over!r} and {reference!r}"
            if shared == 0:
                raise NoOverlap(
                    "they share no prompt", where=where, mend="score the same prompts (check prompt_id)"
                )
            if shared == 1:
                raise NotIdentifiable(
                    "they share one prompt, which does not determine a win rate",
                    where=where,
                    mend="score more prompts",
                )
        self._check_spread(min(map(np.nanmin, margins)), max(map(np.nanmax, margins)))
        return margins

    def _check_spread(self, smallest: float, largest: float) -> None:
        """Equal margins make the hard win rate jump from 0 to 1 at one offset: nothing lies between."""
        if smallest == largest and self.settings.link == "hard":
            raise NotIdentifiable(
                f"all margins are equal ({smallest:g}): the win rate can only be 0, ½ or 1",
                where=f"policy {self.over!r} against {', '.join(self.references)}",
                mend="check the scores (a constant reward model?), or use --link sigmoid",
            )

    def _paired(
        self, target: float, goals: FloatArray, drawn: PromptWeights
    ) -> tuple[float, float, FloatArray]:
        """Pooled margins with weight w_l / n_l each; draws solve the same equation under drawn weights."""
        margins = np.stack(self._margins())
        present = ~np.isnan(margins)
        equal = self.weights[:, None] * present / present.sum(axis=1, keepdims=True)
        pooled = margins[present]
        flat = None if len(self.references) == 1 else equal[present][None]
        delta, attained = self._root(pooled, np.array([target]), flat)
        draws = _draw_roots(self, margins, goals, drawn)
        return float(delta[0]), float(attained[0]), draws

    def _root(
        self, margins: FloatArray, targets: FloatArray, weights: FloatArray | None
    ) -> tuple[FloatArray, FloatArray]:
        if self.settings.link == "hard":
            return hard_root(margins, targets, weights=weights)
        return sigmoid_root(margins, targets, temperature=self.settings.temperature, weights=weights)

    def _unpaired(
        self, target: float, goals: FloatArray, drawn: PromptWeights
    ) -> tuple[float, float, FloatArray]:
        pairs = self._all_pairs()
        self._check_spread(*pairs.range())
        temperature = None if self.settings.link == "hard" else self.settings.temperature
        if temperature is None:
            delta, attained = hard_root_all_pairs(pairs, target)
        else:
            delta, attained = sigmoid_root_all_pairs(pairs, target, temperature=temperature)
        columns = [self.scores.column(name) for name in (self.over, *self.references)]
        draws = unpaired_draws(columns, self.weights, delta, goals - target, drawn, temperature=temperature)
        return delta, attained, draws

    def _all_pairs(self) -> AllPairs:
        columns = [self.scores.column(name) for name in (self.over, *self.references)]
        own, *others = [c[~np.isnan(c)] for c in columns]
        if min(own.size, *(o.size for o in others)) < 2:
            raise NotIdentifiable(
                "a policy has a single score, which does not determine a win rate",
                where=f"policy {self.over!r} against {', '.join(self.references)}",
                mend="score more prompts",
            )
        return AllPairs.of(own, others, self.weights.tolist())

    def _residuals(self, expected: FloatArray, delta: float) -> pl.DataFrame:
        """Per reference: n comparisons, target, hard win rate before and after."""
        rows = []
        for reference, target in zip(self.references, expected.tolist(), strict=True):
            own, other = self.scores.column(self.over), self.scores.column(reference)
            n, before, after = _win_rates(own, other, delta, paired=self.paired)
            rows.append((self.over, reference, n, target, before, after))
        names = ["policy", "reference", "n", "target", "before", "after"]
        return pl.DataFrame(rows, schema=names, orient="row")

    def _notes(self, target: float, attained: float, residuals: pl.DataFrame) -> list[str]:
        """Say so where equal margins keep the win rate further from its target than one comparison would."""
        step = float((self.weights / residuals["n"].to_numpy()).max())
        if abs(attained - target) <= max(step / 2, 0.005) * (1 + 1e-9):
            return []
        return [
            f"the offset of {self.over!r} attains a win rate of {attained:.4f}, not {target:.4f}: "
            "many margins are equal there, and their wins turn all at once"
        ]


def _draw_roots(pair: _Pair, margins: FloatArray, goals: FloatArray, drawn: PromptWeights) -> FloatArray:
    """Re-solve under each draw's prompt weights and target, with one Jeffreys pseudo-observation per reference.

    With W_i a draw's weights, S_l their sum over shared prompts, g₁ and g₀ the pseudo-observation's: L*_l =
    (Σ W_i link_il + g₁) / (S_l + g₁ + g₀). Taking the constant g₁ terms to the right leaves a plain weighted root.
    """
    if len(goals) == 0:
        return np.empty(0)
    present = ~np.isnan(margins)
    pseudo = drawn.pseudo_wins + drawn.pseudo_losses
    total = drawn.weights @ present.T + pseudo[:, None]
    goals = goals - drawn.pseudo_wins * (pair.weights / total).sum(axis=1)
    scale, solved = pair.weights / total, []
    for start in range(0, len(goals), size := max(1, 4_000_000 // present.sum())):
        rows = slice(start, start + size)
        weights = np.concatenate(
            [scale[rows, [r]] * drawn.weights[rows][:, seen] for r, seen in enumerate(present)], axis=1
        )
        mass = weights.sum(axis=1)
        edge = 1 / (4 * weights.shape[1])
        targets = np.clip(goals[rows] / mass, edge, 1 - edge)
        solved.append(pair._root(margins[present], targets, weights)[0])
    return np.concatenate(solved)


def _win_rates(own: FloatArray, other: FloatArray, delta: float, *, paired: bool) -> tuple[int, float, float]:
    """(n comparisons, hard win rate before, after)."""
    if paired:
        margins = (own - other)[~np.isnan(own - other)]
        before, after = hard_outcomes(margins).mean(), hard_outcomes(margins + delta).mean()
        return margins.size, float(before), float(after)
    own, other = own[~np.isnan(own)], other[~np.isnan(other)]
    pairs = AllPairs.of(own, [other], [1.0])
    return own.size * other.size, pairs.hard(0.0), pairs.hard(delta)


def _fixed(references: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame({"policy": list(references), "delta": 0.0, "is_reference": True})
