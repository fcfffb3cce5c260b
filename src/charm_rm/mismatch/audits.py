"""The whole audit from one pass over the data: mismatch, favouritism, sharpness, rank correlation."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ..errors import CharmWarning, ConfigError, NotIdentifiable, counted, listing, noting_warnings
from ..estimates import Estimate
from ..given import SourceLike, as_source
from ..margins import Tally, only_policies, pair_samples, tally_margins
from ..ratings import Aliases, RatingsLike, Yardstick, as_ratings, match_ratings, yardstick
from ..samples import has_samples, sample_counts
from ..settings import Outcome, Scope, TieRule, Unrated, check_draws
from ..shown import Figures, Shown, bind_figures
from ..solved_on import InSample, in_sample, noting
from ..statistics import draw_prompt_weights
from ..store import save, write_json
from ..tables import Favouritism, Margins, Mismatch, Ratings, Scores, WinRates
from .degree import mismatch_table
from .favour import check_scope
from .published import tally_published
from .standing import measure_standing
from .summary import summarise, summarise_favour, unscored

_Auditable = Scores | Margins | WinRates


@dataclass(frozen=True, eq=False, repr=False)
class Audit(Shown):
    """What an audit found.

    ``favouritism`` is None where the policies do not allow it (the warnings say why); ``rank_correlation`` and
    ``summary`` map names to estimates or counts. ``ratings`` are those used, under the policies' own names.
    ``in_sample`` is there where the scores carry offsets that were solved on some of these prompts: str() of it says so.
    """

    mismatch: Mismatch
    favouritism: Favouritism | None
    win_rates: WinRates
    ratings: Ratings
    rank_correlation: Mapping[str, Estimate]
    summary: Figures
    warnings: tuple[str, ...]
    provenance: Mapping[str, Any]
    in_sample: InSample | None = None

    def __post_init__(self) -> None:
        bind_figures(self, self.summary)

    def tables(self) -> dict[str, pl.DataFrame]:
        """``favour`` (where it was measured), ``mismatch``, ``win_rates``, ``ratings``."""
        favour = {} if self.favouritism is None else {"favour": self.favouritism.frame}
        others = {"mismatch": self.mismatch, "win_rates": self.win_rates, "ratings": self.ratings}
        return favour | {name: table.frame for name, table in others.items()}

    @property
    def sharpness(self) -> Estimate | None:
        """Slope of the RM's strengths on human ratings; 1 is as sharp as people. None where the policies do not allow it."""
        return None if self.favouritism is None else self.favouritism.sharpness

    def to_json(self) -> dict[str, Any]:
        """The audit as JSON-able values; numbers that do not exist are null."""
        favoured = [] if self.favouritism is None else self.favouritism.frame.drop("std_err").to_dicts()
        return {
            "sharpness": None if self.sharpness is None else asdict(self.sharpness),
            "favouritism": favoured,
            "mismatch": self.mismatch.frame.to_dicts(),
            "rank_correlation": {k: asdict(v) for k, v in self.rank_correlation.items()},
            "summary": {k: asdict(v) if isinstance(v, Estimate) else v for k, v in self.summary.items()},
            "in_sample": None if self.in_sample is None else self.in_sample.to_json(),
            "warnings": list(self.warnings),
            "provenance": dict(self.provenance),
        }


def audit(
    source: SourceLike,
    ratings: RatingsLike,
    *,
    references: Sequence[str] | None = None,
    aliases: Aliases | None = None,
    draws: int = 1000,
    seed: int = 0,
    outcome: Outcome = "hard",
    ties: TieRule = "half",
    temperature: float = 1.0,
    unrated: Unrated = "error",
    scope: Scope = "sample",
) -> Audit:
    """Hold a reward model or judge against human ratings.

    Args:
        source: per-response scores, per-prompt judgements, or published win rates; a path, or any table (:func:`charm_rm.as_source`).
            Of scores of several samples (a column ``sample``) a prompt's outcome is the mean over all pairs of samples of two policies.
        ratings: human ratings of the same policies, names resolved by :func:`charm_rm.match_ratings`; a name such as ``arena``, a path,
            or any table (:func:`charm_rm.as_ratings`).
        references: mismatch against these policies only (default: every pair, turned so that ``policy`` is
            the over-valued side; where all pairs have one policy in common, a judge's baseline, that is the reference).
            Favouritism always uses every pair.
        aliases: own names for rated policies.
        draws: bootstrap draws (prompts x ratings) behind the intervals; 0 gives normal intervals.
        seed: of the draws.
        outcome: what a win rate is, throughout: ``hard``, the share of prompts on which ``policy`` is preferred, or
            ``soft``, the mean of sigmoid(margin / temperature). For a judge's log-odds at temperature 1 the soft one is
            the mean preference, as AlpacaEval publishes it.
        ties: what a margin of 0 counts for ``policy``: ``half``, or ``loss`` as the paper's released code.
        temperature: of the soft win rate sigmoid(margin / temperature).
        unrated: what to do about policies without a rating: raise, or leave them out with a warning.
        scope: what intervals and tests of favour and sharpness are about. ``sample``: these policies stand for others like
            them, and another set would have given another line; ``these`` policies alone: only prompts and ratings vary.

    Raises:
        UnknownPolicy, NoOverlap, NotIdentifiable, SchemaError: see the messages.
    """
    source = as_source(source, samples=True)
    ratings = as_ratings(ratings)
    _check_settings(source, draws, outcome, ties, temperature)
    check_scope(scope)
    how = _Tallying(draws, outcome, ties, temperature)
    with noting_warnings() as notes:
        result = _audit(
            source,
            ratings,
            references,
            aliases,
            how,
            seed=seed,
            unrated=unrated,
            scope=scope,
        )
    return replace(result, warnings=tuple(notes))


def save_audit(found: Audit, folder: Path, *, about: Mapping[str, Any] | None = None) -> None:
    """Write mismatch, favouritism, win rates and ratings (Parquet) and audit.json into an existing folder.

    ``about`` is more that audit.json is to say: a ``title``, or ``variants`` of a finding.
    """
    save(found.mismatch, folder / "mismatch.parquet", force=True)
    save(found.win_rates, folder / "win_rates.parquet", force=True)
    save(found.ratings, folder / "ratings.parquet", force=True)
    if found.favouritism is not None:
        save(found.favouritism, folder / "favouritism.parquet", force=True)
    write_json({**found.to_json(), **(about or {})}, folder / "audit.json", force=True)


def measure_mismatch(source: SourceLike, ratings: RatingsLike, **settings: Any) -> Mismatch:
    """The mismatch table of :func:`audit`, whose settings it takes."""
    return audit(source, ratings, **settings).mismatch


def measure_favouritism(source: SourceLike, ratings: RatingsLike, **settings: Any) -> Favouritism:
    """The favouritism table of :func:`audit`, whose settings it takes.

    Raises:
        NotIdentifiable: the policies do not allow it (fewer than three, equal ratings, no positive slope).
    """
    result = audit(source, ratings, **settings)
    if result.favouritism is None:
        raise NotIdentifiable(
            "favouritism could not be measured: " + "; ".join(result.warnings),
            fix="give more rated policies, or use `audit`, which measures what can be",
        )
    return result.favouritism


def _audit(
    source: _Auditable,
    ratings: Ratings,
    references: Sequence[str] | None,
    aliases: Aliases | None,
    how: _Tallying,
    *,
    seed: int,
    unrated: Unrated,
    scope: Scope,
) -> Audit:
    rng = np.random.default_rng(seed)
    matched = match_ratings(ratings, source.policies, aliases=aliases, unrated=unrated)
    source = only_policies(source, set(matched.frame["policy"]))
    tally = _tally(source, how, rng)
    rated = yardstick(matched, tally.policies)
    check_thin_data(tally, rated)
    rating_draws = rated.draw(how.draws, rng) if how.draws else None
    # Published pairs keep the orientation they were published in.
    free = references is None and not isinstance(source, WinRates)
    against = tally.common_policy() if free else references
    chosen = tally if against is None else tally.against(against)
    turn = free and against is None and how.ties == "half"
    mismatch = mismatch_table(chosen, rated, rating_draws=rating_draws, over_first=turn)
    # Strengths need a rule that is the same for both sides, whatever the mismatch table uses.
    even = tally if how.ties == "half" else _tally(source, replace(how, ties="half"), rng)
    standing = measure_standing(even, rated, scope=scope, draws=how.draws, rng=rng)
    settings = {
        "references": references and list(references),
        "seed": seed,
        "unrated": unrated,
        "scope": scope,
    }
    settings |= asdict(how)
    found_in_sample = in_sample(source)
    return Audit(
        mismatch=mismatch,
        favouritism=standing.favouritism,
        win_rates=tally.to_win_rates(noting(found_in_sample)),
        ratings=matched,
        rank_correlation=standing.correlation,
        summary=Figures(
            summarise(source, tally, rated, rating_draws, mismatch, standing)
            | summarise_favour(standing)
            | unscored(ratings, matched)
            | {"samples": sample_counts(source) if has_samples(source) else None}
            | {"in_sample": None if found_in_sample is None else str(found_in_sample)}
        ),
        warnings=(),
        in_sample=found_in_sample,
        provenance={
            "verb": "audit",
            "source": source.noun,
            "settings": settings,
            "ratings": {
                c: sorted(set(matched.frame[c].drop_nulls()))
                for c in ("source", "date", "category")
                if c in matched.frame.columns
            },
            "input": dict(source.provenance),
        },
    )


@dataclass(frozen=True)
class _Tallying:
    """How margins become win rates and draws of them."""

    draws: int
    outcome: Outcome
    ties: TieRule
    temperature: float


def _check_settings(source: _Auditable, draws: int, outcome: str, ties: str, temperature: float) -> None:
    check_draws(draws)
    if outcome not in ("hard", "soft"):
        raise ConfigError(f"unknown outcome {outcome!r}", fix="use 'hard' or 'soft'")
    if ties not in ("half", "loss"):
        raise ConfigError(f"unknown tie rule {ties!r}", fix="use 'half' or 'loss'")
    if not (np.isfinite(temperature) and temperature > 0):
        raise ConfigError(f"temperature is {temperature}", fix="use a number above 0")
    if outcome == "soft" and ties == "loss":
        raise ConfigError(
            "a soft tie counts ½, not as a loss", fix="leave out --ties loss, or --outcome soft"
        )
    if outcome == "soft" and isinstance(source, WinRates):
        raise ConfigError(
            "published win rates are hard or soft as they were published",
            fix="leave out --outcome soft, or audit the margins they were made from",
        )


def _tally(source: _Auditable, how: _Tallying, rng: np.random.Generator) -> Tally:
    if isinstance(source, WinRates):
        return tally_published(source, draws=how.draws, rng=rng)
    paired = pair_samples(source)
    drawn = draw_prompt_weights(paired.n_prompts, draws=how.draws, rng=rng) if how.draws else None
    return tally_margins(paired, outcome=how.outcome, ties=how.ties, temperature=how.temperature, drawn=drawn)


def check_thin_data(tally: Tally, rated: Yardstick) -> None:
    """Warn of few prompts and of ratings without intervals.

    Raises:
        NotIdentifiable: one prompt alone, or nothing but ties.
    """
    if not rated.has_uncertainty:
        warnings.warn(
            "some ratings have no interval: the audit's intervals do not include the uncertainty of the ratings",
            CharmWarning,
            stacklevel=2,
        )
    if tally.wins is None:
        return
    if tally.n.max() <= 1:
        raise NotIdentifiable(
            "the policies share one prompt only: chance cannot be estimated",
            fix="score at least two, better a few hundred, shared prompts",
        )
    if tally.ties is not None and np.array_equal(tally.ties, tally.n):
        raise NotIdentifiable(
            "all margins are equal to 0: the scores do not tell the policies apart", fix="check the scores"
        )
    few = tally.n < 30
    if few.any():
        names = sorted({tally.policies[i] for i in tally.pairs[few].ravel()})
        warnings.warn(
            f"fewer than 30 shared prompts for {counted(int(few.sum()), 'pair')} ({listing(names)})",
            CharmWarning,
            stacklevel=2,
        )
