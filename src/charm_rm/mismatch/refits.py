"""A finding made anew from what is left: without prompts, without a policy, with other ratings."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from ..errors import CharmError, CharmWarning
from ..ratings import Yardstick, fit_ratings, match_ratings, yardstick
from ..settings import Outcome, Scope
from ..statistics import benjamini_hochberg
from ..tables import Battles, Ratings
from .favour import Favours, favour_verdict, leave_one_out
from .held import Held, hold_against, rising_line
from .measured import Measured
from .strengths import rm_strengths

TOLD = {"change": pl.Float64, "favour": pl.Float64, "sharpness": pl.Float64, "verdict": pl.String}


@dataclass(frozen=True)
class Finding:
    """Favour, sharpness and verdict of the policy asked about; ``near`` is the end of its interval that is nearer to 0."""

    favour: float
    sharpness: float
    verdict: str
    near: float


def told(found: Finding | None, here: Finding) -> dict[str, Any]:
    """What is left of the finding ``here``, as a row; nulls where nothing can be measured any more."""
    if found is None:
        return dict.fromkeys(TOLD)
    return {
        "change": found.favour - here.favour,
        "favour": found.favour,
        "sharpness": found.sharpness,
        "verdict": found.verdict,
    }


@dataclass(frozen=True, eq=False)
class Refit:
    """How a finding is made anew; ``k`` is the position of the policy asked about in ``held``. None: it cannot be measured."""

    held: Held
    scope: Scope
    outcome: Outcome
    temperature: float

    def judge(self, measured: Measured) -> Favours:
        """The favours of all policies."""
        return leave_one_out(measured, self.scope)

    def of(self, measured: Measured, k: int) -> Finding:
        """The finding as measured."""
        found = self.judge(measured)
        q = benjamini_hochberg(found.p)
        low, high = float(found.low[k]), float(found.high[k])
        ends = [v if np.isfinite(v) else None for v in (low, high)]
        q_value = None if np.isnan(q[k]) else float(q[k])
        favour = float(found.favour[k])
        verdict = favour_verdict(favour, ends[0], ends[1], q_value)
        return Finding(favour, float(measured.line.slope), verdict, low if favour > 0 else high)

    def without_prompts(self, prompts: list[str], k: int) -> Finding | None:
        """All from the scores or judgements on the other prompts."""
        rest = self.held.source.frame.filter(~pl.col("prompt_id").is_in(prompts))

        def again() -> Finding:
            held = hold_against(
                type(self.held.source)(rest),
                self.held.matched,
                outcome=self.outcome,
                temperature=self.temperature,
            )
            return self.of(held.measured, held.policies.index(self.held.policies[k]))

        return None if self._loses(rest, k) else _quietly(again)

    def _loses(self, rest: pl.DataFrame, k: int) -> bool:
        """Whether the policy asked about is in none of the rows."""
        columns = [c for c in ("policy", "reference") if c in rest.columns]
        return not any((rest[c] == self.held.policies[k]).any() for c in columns)

    def without_policy(self, j: int, k: int) -> Finding | None:
        """Strengths of the others from their own pairs, and the line anew; the strengths' errors are those of the whole."""
        held, kept = self.held, np.arange(len(self.held.policies)) != j
        place = np.cumsum(kept) - 1
        tally = held.tally.subset(kept[held.tally.pairs].all(axis=1))
        tally = replace(
            tally,
            policies=tuple(p for p, ok in zip(held.policies, kept, strict=True) if ok),
            pairs=place[tally.pairs],
            score_covariance=tally.score_covariance[np.ix_(kept, kept)],
            prompt_scores=None,
        )

        def again() -> Finding:
            errors = held.strengths.covariance[np.ix_(kept, kept)]
            rated = replace(
                held.rated,
                policies=tally.policies,
                rating=held.rated.rating[kept],
                covariance=held.rated.full_covariance[np.ix_(kept, kept)],
            )
            strengths = replace(rm_strengths(tally), covariance=errors)
            return self.of(rising_line(strengths, rated), int(place[k]))

        return _quietly(again)

    def with_battles(self, battles: pl.DataFrame, k: int, *, prior: float) -> Finding | None:
        """The same strengths held against ratings fitted to other votes."""

        def again() -> Finding:
            rated = self._in_order(fit_ratings(Battles(battles), prior=prior))
            return self.of(rising_line(self.held.strengths, rated), k)

        return _quietly(again)

    def _in_order(self, ratings: Ratings) -> Yardstick:
        renamed = self.held.matched.provenance.get("renamed", {})
        aliases = {p: renamed.get(p, p) for p in self.held.policies}
        return yardstick(match_ratings(ratings, self.held.policies, aliases=aliases), self.held.policies)


def _quietly(again: Callable[[], Finding]) -> Finding | None:
    """None where nothing can be measured; what there is to warn of was said of the whole already."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)
        try:
            return again()
        except CharmError:
            return None
