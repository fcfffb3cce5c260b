"""Candidates: policies without a human rating, placed on the scale of the rated ones by the RM's own strengths.

The line θ = c + a·ρ of the rated policies is read backwards: ρ = (θ - c) / a is the rating that people would give a candidate IF the RM favoured
it like the average policy. How it is favoured cannot be seen without a rating, and is not made up here: the interval of its
rating allows for any favour such as the rated policies have. Candidates change nothing about the rated policies: neither strengths nor line.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from ..errors import (
    CharmWarning,
    ConfigError,
    NoOverlap,
    NotIdentifiable,
    UnknownPolicy,
    listing,
    noting_warnings,
)
from ..given import SourceLike, as_source
from ..margins import Tally, only_policies, pair_samples, tally_margins
from ..policy_names import near_policies
from ..ratings import Aliases, RatingsLike, as_ratings
from ..ratings.names import find_names, rated_names
from ..settings import AuditSettings, Outcome, Scope, Unrated
from ..statistics import ELO_PER_LOGIT, FloatArray, sigmoid
from ..tables import Candidates, Margins, Scores, WinRates
from .favour import check_scope
from .gaps import Errors, fieller
from .held import Held, hold_against
from .published import tally_published
from .strengths import FEWEST_PROMPTS
from .student import student_quantile

Source = Scores | Margins | WinRates
_STEPS = 200


def place_candidates(
    source: SourceLike,
    ratings: RatingsLike,
    candidates: Sequence[str],
    *,
    aliases: Aliases | None = None,
    unrated: Unrated = "error",
    outcome: Outcome = "hard",
    temperature: float = 1.0,
    scope: Scope = "sample",
) -> Candidates:
    """The RM-Elo of policies without a rating, beside rated ones.

    Args:
        source: scores, judgements or published win rates of rated policies and candidates.
        ratings: human ratings of the others.
        candidates: policies of the source that have no rating.
        aliases, unrated, outcome, temperature: as in :func:`charm_rm.audit`.
        scope: ``sample``: the rated policies stand for others like them, the candidate among these; ``these``: the line of these
            policies alone, which says nothing of a candidate's own favour: there is no interval of its rating then.

    Raises:
        UnknownPolicy: a candidate is not in the source, or another policy has no rating.
        ConfigError: a candidate has a rating.
        NotIdentifiable: the rated policies give no rising line.
    """
    source, ratings = as_source(source, samples=True), as_ratings(ratings)
    AuditSettings(outcome=outcome, temperature=temperature, scope=scope)
    check_scope(scope)
    names = checked_candidates(source, ratings, candidates, aliases)
    with noting_warnings() as notes:
        rest = only_policies(source, set(source.policies) - set(names))
        held = hold_against(
            rest, ratings, aliases=aliases, unrated=unrated, outcome=outcome, temperature=temperature
        )
        places = [place(held, source, name, outcome=outcome, temperature=temperature) for name in names]
        found = Candidates(table_of([p.row(scope) for p in places]))
        warn_of_no_interval(found)
    provenance = {
        "verb": "place_candidates",
        "settings": {"scope": scope, "outcome": outcome, "temperature": temperature, "unrated": unrated},
        "rated": len(held.policies),
        "warnings": notes,
    }
    return replace(found, provenance=provenance)


def checked_candidates(
    source: Source, ratings: RatingsLike, candidates: Sequence[str], aliases: Aliases | None
) -> list[str]:
    """The candidates, each once, after checking that they were scored and have no rating.

    Raises:
        UnknownPolicy: one is not in the source.
        ConfigError: one has a rating, or there is no other policy.
    """
    names = list(dict.fromkeys(candidates))
    for name in names:
        if name not in source.policies:
            raise UnknownPolicy(
                f"candidate {name!r} was neither scored nor judged.{near_policies(name, source.policies)}",
                fix="name a policy of the table",
            )
    known = [m for m in find_names(names, rated_names(as_ratings(ratings)), aliases=aliases) if m.rated]
    if known:
        raise ConfigError(
            f"candidate {known[0].policy!r} has a human rating (as {known[0].rated!r}): its favour is measured, not expected",
            fix="leave out --candidate for it (candidates= in Python)",
        )
    return names


def table_of(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows of candidates as a frame, the highest first; columns that are null throughout are numbers, too."""
    kinds = {name: pl.Float64() for name in rows[0] if name not in ("policy", "n")}
    return pl.DataFrame(list(rows), schema_overrides=kinds).sort("implied_elo", descending=True)


@dataclass(frozen=True, eq=False)
class Place:
    """One candidate on the line of the rated policies; Elo points, ``theta`` natural log-odds on the scale of ``held.measured``.

    ``by_prompt`` (n_prompts,) and ``by_rho`` (K,) are what each prompt, and each rating's log-odds, add to ``implied``; the first is
    None where nothing is known by prompt. ``tested`` is False where errors say nothing.
    """

    name: str
    n: int
    theta: float
    held: Held
    by_prompt: FloatArray | None
    theta_covariance: FloatArray
    tested: bool

    @property
    def slope(self) -> float:
        """a."""
        return float(self.held.measured.line.slope)

    @property
    def x(self) -> float:
        """(θ - c) / a less the ratings' centre, in log-odds."""
        line = self.held.measured.line
        return float((self.theta - float(line.intercept)) / self.slope - float(line.centre))

    @property
    def implied(self) -> float:
        """The rating at which the line has the candidate's strength."""
        return float(ELO_PER_LOGIT * (self.x + float(self.held.measured.line.centre)))

    @property
    def at(self) -> FloatArray:
        """(K,) by how much a residual of each rated policy moves the line's height there: level + x·tilt."""
        line = self.held.measured.line
        return np.asarray(line.level + self.x * line.tilt)

    @property
    def residuals(self) -> FloatArray:
        """(K,) of the rated policies from the line, in Elo points."""
        measured = self.held.measured
        gap = measured.theta - measured.line.intercept - measured.line.slope * measured.rho
        return np.asarray(ELO_PER_LOGIT * gap / self.slope)

    def row(self, scope: Scope) -> dict[str, Any]:
        """The row of the table."""
        low, high, error = self.interval(scope, own=False)
        predicted = self.interval(scope, own=True) if scope == "sample" else (None, None, None)
        return {
            "policy": self.name,
            "n": self.n,
            "rm_elo": float(self.held.rated.rating.mean()) + ELO_PER_LOGIT * self.theta,
            "implied_elo": self.implied,
            "std_err": error,
            "ci_low": low,
            "ci_high": high,
            "predicted_low": predicted[0],
            "predicted_high": predicted[1],
        }

    def interval(self, scope: Scope, *, own: bool) -> tuple[float | None, float | None, float | None]:
        """95 % ends and standard error of the implied rating; ``own``: of the rating itself, with a favour of its own like the others'.

        It holds every ρ at which (g - a x)² <= t² var(g - a x), x = ρ - centre, g = θ - the line's height at the centre (Fieller). With V = cov θ + a² cov ρ
        + τ² I over the rated, the variances are those of :func:`_variances`; ``own`` adds τ² to that of g, and t then has the K - 2 degrees of
        freedom of the scatter alone, which is the greater part of it.
        """
        freedom = float(self.held.measured.line.freedom) if scope == "sample" else np.inf
        if not self.tested or freedom <= 0:
            return None, None, None
        gap, both, slope, noise = _variances(self, scope, own=own)
        whole = gap - 2 * self.x * both + self.x**2 * slope
        if scope == "sample" and not own:  # the scatter is estimated, the noise is known (Satterthwaite)
            freedom = freedom * (whole / max(whole - noise, 1e-12)) ** 2
        errors = Errors(np.array([gap]), np.array([both]), np.array([slope]), np.array([freedom]))
        found = fieller(
            np.array([self.slope * self.x]),
            np.array([self.slope]),
            errors,
            student_quantile(np.array([freedom])),
        )
        low, high = (float(ELO_PER_LOGIT * (end[0] + self.held.measured.line.centre)) for end in found)
        error = ELO_PER_LOGIT * float(np.sqrt(max(whole, 0.0))) / self.slope
        return (low if np.isfinite(low) else None), (high if np.isfinite(high) else None), error


def _variances(place: Place, scope: Scope, *, own: bool) -> tuple[float, float, float, float]:
    """var g, cov(g, a), var a, and the candidate's own noise."""
    measured, line = place.held.measured, place.held.measured.line
    a2, tau2 = float(line.slope) ** 2, float(line.tau2) if scope == "sample" else 0.0
    height = np.append(-line.level, 1.0)
    tilt = np.append(line.tilt, 0.0)
    rest = a2 * measured.rho_covariance + tau2 * np.eye(len(line.level))
    gap = height @ place.theta_covariance @ height + line.level @ rest @ line.level
    both = height @ place.theta_covariance @ tilt - line.level @ rest @ line.tilt
    slope = tilt @ place.theta_covariance @ tilt + line.tilt @ rest @ line.tilt
    noise = float(place.theta_covariance[-1, -1])
    return float(gap) + (tau2 if own else 0.0), float(both), float(slope), noise


# --- the strength of one candidate ----------------------------------------------------------------


def place(held: Held, source: Source, name: str, *, outcome: Outcome, temperature: float) -> Place:
    """Fit a candidate's strength against the rated policies', which stay as they are.

    Σ_l n_l (r_l - σ(θ - θ_l)) = 0 over the rated policies l that it met. To first order prompt i adds
    δθ = (Σ_l (o_il - r_l) + Σ_l n_l p_l (1 - p_l) δθ_l) / Σ_l n_l p_l (1 - p_l).
    """
    tally, prompts = _against_rated(held, source, name, outcome=outcome, temperature=temperature)
    other = np.array([held.policies.index(tally.policies[k]) for k in tally.pairs[:, 0]])
    rate, games = 1 - tally.win_rate, tally.n  # of the candidate, which stands on the reference's side
    finite = 0 < float((rate * games).sum()) < float(games.sum())
    if not finite:
        rate, games = (rate * games + 0.5) / (games + 1), games + 1
    theta = _root(held.strengths.theta[other], rate, games)
    p = sigmoid(theta - held.strengths.theta[other])
    weight = games * p * (1 - p)
    total = float(weight.sum())
    share = np.zeros(len(held.policies))
    np.add.at(share, other, weight / total)
    mine = tally.policies.index(name)
    by_prompt = None
    if tally.prompt_scores is not None and held.strengths.by_prompt is not None:
        own = np.zeros(len(held.prompts))
        own[prompts] = tally.prompt_scores[mine] / total
        by_prompt = own + share @ held.strengths.by_prompt
        joint = np.vstack([held.strengths.by_prompt, by_prompt])
        covariance = joint @ joint.T
    else:
        covariance = _joined(held.strengths.covariance, share, tally.score_covariance[mine, mine] / total**2)
    tested = finite and float(tally.n.max()) >= FEWEST_PROMPTS and bool(held.strengths.tested.all())
    found = Place(name, int(tally.n.max()), theta, held, None, covariance, tested)
    if by_prompt is None or held.strengths.by_prompt is None:
        return found
    implied = ELO_PER_LOGIT * (by_prompt - found.at @ held.strengths.by_prompt) / found.slope
    return Place(name, found.n, theta, held, implied, covariance, tested)


def _joined(covariance: FloatArray, share: FloatArray, own: float) -> FloatArray:
    """Covariance of the rated strengths and one that is share·θ and its own noise, where nothing is known by prompt."""
    both = share @ covariance
    return np.block([[covariance, both[:, None]], [both[None, :], np.array([[own + both @ share]])]])


def _against_rated(
    held: Held, source: Source, name: str, *, outcome: Outcome, temperature: float
) -> tuple[Tally, np.ndarray]:
    """The candidate's win rates against rated policies, it as the reference; and which of the rated policies' prompts the columns are."""
    try:
        some = only_policies(source, {*held.policies, name})
        if isinstance(some, WinRates):
            return tally_published(some, draws=0, rng=np.random.default_rng(0)).against([name]), np.empty(
                0, int
            )
        some = _on_prompts(some, held.prompts)
        paired = pair_samples(some, references=[name])
    except (NoOverlap, UnknownPolicy) as error:
        raise NoOverlap(
            f"candidate {name!r} shares no prompt with a rated policy", fix="score the same prompts"
        ) from error
    tally = tally_margins(paired, outcome=outcome, temperature=temperature)
    return tally, np.searchsorted(
        np.array(held.prompts, dtype=object), np.array(paired.prompts, dtype=object)
    )


def _on_prompts(source: Scores | Margins, prompts: Sequence[str]) -> Scores | Margins:
    kept = source.frame.filter(pl.col("prompt_id").is_in(list(prompts)))
    if kept.is_empty():
        raise NoOverlap("no prompt is shared", fix="score the same prompts")
    return type(source)(kept, provenance=source.provenance)


def _root(theta: FloatArray, rate: FloatArray, games: FloatArray) -> float:
    """The θ at which Σ n (r - σ(θ - θ_l)) = 0: it falls, so halving an interval that holds the root ends at it.

    Raises:
        NotIdentifiable: nothing was compared.
    """
    if not games.sum() > 0:
        raise NotIdentifiable("a candidate met no rated policy", fix="score the same prompts")
    low, high = float(theta.min()) - 60.0, float(theta.max()) + 60.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if float((games * (rate - sigmoid(middle - theta))).sum()) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def warn_of_no_interval(candidates: Candidates) -> None:
    """Say of which candidates the place is not known well enough for an interval."""
    lost = candidates.frame.filter(pl.col("std_err").is_null())["policy"].to_list()
    if lost:
        warnings.warn(
            f"no interval for {listing(lost)}: fewer than {FEWEST_PROMPTS} prompts shared with a rated policy, every comparison won or lost, "
            "or too few rated policies; score more",
            CharmWarning,
            stacklevel=3,
        )
