"""Offset of one policy against one or several references: the paper's calibration, solved as a root."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from ..errors import ConfigError, NoOverlap, NotIdentifiable
from ..margins import margins_between, pair_margins, position, score_matrix
from ..ratings import Aliases, expected_matrix
from ..settings import Link
from ..statistics import FloatArray, PromptWeights, draw_prompt_weights, hard_outcomes
from ..tables import Margins, Offsets, Ratings, Scores
from .allpairs import AllPairs, hard_root_all_pairs, rates_all_pairs, sigmoid_root_all_pairs
from .inputs import (
    Settings,
    as_offsets,
    checked_weights,
    measured_in,
    named,
    note_verdicts,
    rating_targets,
    summarise_draws,
)
from .roots import hard_root, sigmoid_root
from .uncertainty import unpaired_draws

# A target this near to 0 or 1 is one in all but name: the ratings lie some 3600 points apart.
_CERTAIN = 1e-9


def solve_offsets(
    source: Scores | Margins,
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

    Solves Σ_l w_l L_l(Δ) = Σ_l w_l P_l, with L_l(Δ) = mean_i link((m_l,i + Δ)/τ) over the prompts shared with reference l;
    m_l,i is the margin over it, s_over,i - s_l,i of scores. References stay as they are (Δ = 0).

    Args:
        source: reward-model scores, or judgements of pairs (margins), whose offset is in log-odds.
        ratings: human-preference ratings of the same policies.
        over: the policy to calibrate, or several; each is solved on its own.
        references: what to calibrate against.
        reference_weights: w_l, equal unless given; scaled to add up to 1.
        link: ``hard`` solves for the win rate itself; ``sigmoid`` for the mean of sigmoid(margin / temperature).
        temperature: of the sigmoid, in units of the margins.
        paired: compare responses to the same prompt; off, every response of one with every response of
            the other, as the paper's released code does (scores alone: judgements are paired by nature).
        aliases: the names of policies in the ratings, as in :func:`charm_rm.ratings.match_ratings`.
        draws: Bayesian-bootstrap draws of the prompts, each with a draw of the ratings (0: no intervals).
        seed: of the draws.

    Returns:
        One row per policy. ``target`` and ``attained`` are Σ w_l P_l and Σ w_l L_l(Δ) under the link.
        ``residuals`` has one row per pair: n comparisons, target, and hard win rate before and after.

    Raises:
        UnknownPolicy: a policy was neither scored nor judged, or has no rating.
        NoOverlap: no prompt is shared with a reference.
        NotIdentifiable: one shared prompt, margins all equal, or a target of 0 or 1.
        ConfigError: a setting is not usable.
    """
    settings = Settings(link, temperature, draws, seed)
    overs, refs = named(over), named(references)
    weights = checked_weights(overs, refs, reference_weights)
    for name in (*overs, *refs):
        position(source.policies, name)
    margins = pair_margins(source, references=refs)
    columns = None if paired else _score_columns(source, [*overs, *refs])
    rng = np.random.default_rng(seed)
    targets, notes = rating_targets(ratings, [*overs, *refs], aliases=aliases, draws=draws, rng=rng)
    drawn = draw_prompt_weights(margins.n_prompts, draws=draws, rng=rng)
    solved = []
    for k, name in enumerate(overs):
        chosen = [k, *range(len(overs), len(overs) + len(refs))]
        pair = _Pair(
            name,
            refs,
            weights,
            targets.rating[chosen],
            targets.draws[:, chosen],
            settings,
            np.stack([margins_between(margins, name, r) for r in refs]),
            None if columns is None else [columns[j] for j in chosen],
        )
        solved.append(pair.solve(drawn))
    return as_offsets(
        pl.concat([s.row for s in solved] + [_fixed(refs)], how="diagonal_relaxed"),
        residuals=pl.concat([s.residuals for s in solved]),
        provenance={
            "verb": "solve_offsets",
            **measured_in(source),
            "over": overs,
            "references": refs,
            "reference_weights": weights.tolist(),
            "link": link,
            "temperature": temperature if link == "sigmoid" else None,
            "paired": paired,
            "draws": draws,
            "seed": seed,
        },
        notes=[*notes, *note_verdicts(source), *(note for s in solved for note in s.notes)],
    )


@dataclass(frozen=True, eq=False)
class _Solved:
    row: pl.DataFrame
    residuals: pl.DataFrame
    notes: list[str]


@dataclass(frozen=True, eq=False)
class _Pair:
    """One policy against its references; ``rating`` and ``rating_draws`` hold the policy first.

    ``margins`` (references, n_prompts) are NaN where not both were scored or judged. ``columns``, the scores by prompt
    of the policy and then of its references, are there for the unpaired estimand alone.
    """

    over: str
    references: list[str]
    weights: FloatArray
    rating: FloatArray
    rating_draws: FloatArray
    settings: Settings
    margins: FloatArray
    columns: list[FloatArray] | None

    def solve(self, drawn: PromptWeights) -> _Solved:
        """Point estimate, interval and residuals."""
        expected = expected_matrix(self.rating)[0, 1:]
        target = float(self.weights @ expected)
        self._check_target(target)
        goals = expected_matrix(self.rating_draws)[:, 0, 1:] @ self.weights
        estimand = self._paired if self.columns is None else self._unpaired
        delta, attained, draws = estimand(target, goals, drawn)
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

    def _check_margins(self) -> None:
        for reference, margin in zip(self.references, self.margins, strict=True):
            shared = int((~np.isnan(margin)).sum())
            where = f"policies {self.over!r} and {reference!r}"
            if shared == 0:
                raise NoOverlap(
                    "they share no prompt",
                    where=where,
                    mend="score or judge the same prompts (check prompt_id)",
                )
            if shared == 1:
                raise NotIdentifiable(
                    "they share one prompt, which does not determine a win rate",
                    where=where,
                    mend="score or judge more prompts",
                )
        self._check_spread(float(np.nanmin(self.margins)), float(np.nanmax(self.margins)))

    def _check_spread(self, smallest: float, largest: float) -> None:
        """Equal margins make the hard win rate jump from 0 to 1 at one offset: nothing lies between."""
        if smallest == largest and self.settings.link == "hard":
            raise NotIdentifiable(
                f"all margins are equal ({smallest:g}): the win rate can only be 0, ½ or 1",
                where=f"policy {self.over!r} against {', '.join(self.references)}",
                mend="check the scores or judgements (a constant reward model?), or use --link sigmoid",
            )

    def _paired(
        self, target: float, goals: FloatArray, drawn: PromptWeights
    ) -> tuple[float, float, FloatArray]:
        """Pooled margins with weight w_l / n_l each; draws solve the same equation under drawn weights."""
        self._check_margins()
        margins = self.margins
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
        columns = self.columns or []
        pairs = self._all_pairs(columns)
        self._check_spread(*pairs.range())
        temperature = None if self.settings.link == "hard" else self.settings.temperature
        if temperature is None:
            delta, attained = hard_root_all_pairs(pairs, target)
        else:
            delta, attained = sigmoid_root_all_pairs(pairs, target, temperature=temperature)
        draws = unpaired_draws(columns, self.weights, delta, goals - target, drawn, temperature=temperature)
        return delta, attained, draws

    def _all_pairs(self, columns: list[FloatArray]) -> AllPairs:
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
        for j, (reference, target) in enumerate(zip(self.references, expected.tolist(), strict=True)):
            if self.columns is None:
                counted = _paired_rates(self.margins[j], delta)
            else:
                counted = rates_all_pairs(self.columns[0], self.columns[j + 1], delta)
            rows.append((self.over, reference, counted[0], target, *counted[1:]))
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


def _paired_rates(margins: FloatArray, delta: float) -> tuple[int, float, float]:
    """(n comparisons, hard win rate before, after)."""
    margins = margins[~np.isnan(margins)]
    before, after = hard_outcomes(margins).mean(), hard_outcomes(margins + delta).mean()
    return margins.size, float(before), float(after)


def _score_columns(source: Scores | Margins, policies: Sequence[str]) -> list[FloatArray]:
    """Scores of each policy by prompt.

    Raises:
        ConfigError: there are none, as the source holds judgements.
    """
    if isinstance(source, Margins):
        raise ConfigError(
            "judgements compare two responses to one prompt: there are no scores of their own to compare unpaired",
            mend="leave out --unpaired (paired=True)",
        )
    matrix = score_matrix(source)
    return [matrix.column(p) for p in policies]


def _fixed(references: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame({"policy": list(references), "delta": 0.0, "is_reference": True})
