"""The whole audit from one pass over the data: mismatch, favouritism, sharpness, rank correlation."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ..errors import CharmWarning, ConfigError, NoOverlap, NotConverged, NotIdentifiable, noting_warnings
from ..estimates import Estimate
from ..given import SourceLike, as_source
from ..margins import Tally, only_policies, pair_samples, tally_margins
from ..ratings import Aliases, RatingsLike, as_ratings, match_ratings, yardstick
from ..samples import has_samples, sample_counts
from ..settings import Outcome, Scope, TieRule, Unrated, check_draws
from ..shown import Figures, Shown, bind_figures
from ..solved_on import InSample, in_sample, noting
from ..statistics import draw_prompt_weights
from ..store import save, write_json
from ..streaming import ScoreStream, refuse_streaming
from ..tables import Candidates, Favouritism, Margins, Mismatch, Ratings, Scores, Table, WinRates
from .candidates import checked_candidates, place_candidates, warn_of_no_interval
from .degree import mismatch_table
from .favour import check_scope
from .published import tally_published
from .standing import measure_standing
from .summary import summarise, summarise_favour, unscored
from .thin_data import check_thin_data

_Auditable = Scores | Margins | WinRates | ScoreStream


@dataclass(frozen=True, eq=False, repr=False)
class Audit(Shown):
    """What an audit found.

    ``favouritism`` is None where the policies do not allow it (the warnings say why); ``rank_correlation`` and
    ``summary`` map names to estimates or counts. ``ratings`` are those used, under the policies' own names.
    ``candidates`` are the policies without a rating that were asked for, on the rated ones' scale.
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
    candidates: Candidates | None = None

    def __post_init__(self) -> None:
        bind_figures(self, self.summary)

    def tables(self) -> dict[str, pl.DataFrame]:
        """``favour`` (where it was measured), ``mismatch``, ``win_rates``, ``ratings``, ``candidates`` (where there are any)."""
        favour = {} if self.favouritism is None else {"favour": self.favouritism.frame}
        others: dict[str, Table] = {
            "mismatch": self.mismatch,
            "win_rates": self.win_rates,
            "ratings": self.ratings,
        }
        if self.candidates is not None:
            others["candidates"] = self.candidates
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
            "candidates": [] if self.candidates is None else self.candidates.frame.to_dicts(),
            "rank_correlation": {k: asdict(v) for k, v in self.rank_correlation.items()},
            "summary": {k: asdict(v) if isinstance(v, Estimate) else v for k, v in self.summary.items()},
            "in_sample": None if self.in_sample is None else self.in_sample.to_json(),
            "warnings": list(self.warnings),
            "provenance": dict(self.provenance),
        }


def audit(
    source: SourceLike | ScoreStream,
    ratings: RatingsLike,
    *,
    references: Sequence[str] | None = None,
    candidates: Sequence[str] = (),
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
        source: per-response scores, per-prompt judgements, or published win rates; a path, or any table (:func:`charm_rm.as_source`);
            or scores larger than memory (:func:`charm_rm.stream_scores`), with the same results but for the draws of intervals.
            Of scores of several samples (a column ``sample``) a prompt's outcome is the mean over all pairs of samples of two policies.
        ratings: human ratings of the same policies, names resolved by :func:`charm_rm.match_ratings`; a name such as ``arena``, a path,
            or any table (:func:`charm_rm.as_ratings`).
        references: mismatch against these policies only (default: every pair, turned so that ``policy`` is
            the over-valued side; where all pairs have one policy in common, a judge's baseline, that is the reference).
            Favouritism always uses every pair.
        candidates: policies of the source without a rating, which are placed beside the rated ones (:func:`charm_rm.place_candidates`): they
            change nothing about these, and are in no other table.
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
    source = source if isinstance(source, ScoreStream) else as_source(source, samples=True)
    ratings = as_ratings(ratings)
    _check_settings(source, draws, outcome, ties, temperature)
    check_scope(scope)
    how = _Tallying(draws, outcome, ties, temperature)
    with noting_warnings() as notes:
        names = _candidates(source, ratings, candidates, aliases)
        result = _audit(
            _only(source, set(source.policies) - set(names)) if names else source,
            ratings,
            references,
            aliases,
            how,
            seed=seed,
            unrated=unrated,
            scope=scope,
        )
        placed = None
        if names and not isinstance(source, ScoreStream):
            placed = _placed(source, ratings, names, aliases, how, unrated, scope)
    result.provenance["settings"]["candidates"] = names
    return replace(result, candidates=placed, warnings=tuple(notes))


def _candidates(
    source: _Auditable, ratings: Ratings, candidates: Sequence[str], aliases: Aliases | None
) -> list[str]:
    """Their names, checked; a stream places none, as that takes its prompts one by one."""
    if not isinstance(source, ScoreStream):
        return checked_candidates(source, ratings, candidates, aliases)
    if candidates:
        raise refuse_streaming("place candidates", fix="leave out --candidate, or use --engine memory")
    return []


def _only(source: _Auditable, policies: Collection[str]) -> _Auditable:
    return source.only(policies) if isinstance(source, ScoreStream) else only_policies(source, policies)


def _placed(
    source: Scores | Margins | WinRates,
    ratings: Ratings,
    names: list[str],
    aliases: Aliases | None,
    how: _Tallying,
    unrated: Unrated,
    scope: Scope,
) -> Candidates | None:
    """The candidates' places, or a warning that says why there are none; what the audit has said already is not said again."""
    said = {"outcome": how.outcome, "temperature": how.temperature, "scope": scope}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CharmWarning)
            placed = place_candidates(source, ratings, names, aliases=aliases, unrated=unrated, **said)  # type: ignore[arg-type]
    except (NotIdentifiable, NotConverged, NoOverlap) as error:
        warnings.warn(f"candidates cannot be placed: {error.what}", CharmWarning, stacklevel=2)
        return None
    warn_of_no_interval(placed)
    return placed


def save_audit(found: Audit, folder: Path, *, about: Mapping[str, Any] | None = None) -> None:
    """Write mismatch, favouritism, win rates and ratings (Parquet) and audit.json into an existing folder.

    ``about`` is more that audit.json is to say: a ``title``, or ``variants`` of a finding.
    """
    save(found.mismatch, folder / "mismatch.parquet", force=True)
    save(found.win_rates, folder / "win_rates.parquet", force=True)
    save(found.ratings, folder / "ratings.parquet", force=True)
    if found.candidates is not None:
        save(found.candidates, folder / "candidates.parquet", force=True)
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
    source = _only(source, set(matched.frame["policy"]))
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
    found_in_sample = source.in_sample() if isinstance(source, ScoreStream) else in_sample(source)
    return Audit(
        mismatch=mismatch,
        favouritism=standing.favouritism,
        win_rates=tally.to_win_rates(noting(found_in_sample)),
        ratings=matched,
        rank_correlation=standing.correlation,
        summary=Figures(
            summarise(_prompts(source), tally, rated, rating_draws, mismatch, standing)
            | summarise_favour(standing)
            | unscored(ratings, matched)
            | {"samples": _samples(source)}
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


def _prompts(source: _Auditable) -> int | None:
    """How many prompts; None where the source names none."""
    if isinstance(source, ScoreStream):
        return source.n_prompts
    return source.frame["prompt_id"].n_unique() if "prompt_id" in source.frame.columns else None


def _samples(source: _Auditable) -> Any:
    """How many samples there are where there are several; a stream has one of each."""
    if isinstance(source, ScoreStream) or not has_samples(source):
        return None
    return sample_counts(source)


def _tally(source: _Auditable, how: _Tallying, rng: np.random.Generator) -> Tally:
    if isinstance(source, ScoreStream):
        return source.tally(**asdict(how), rng=rng)
    if isinstance(source, WinRates):
        return tally_published(source, draws=how.draws, rng=rng)
    paired = pair_samples(source)
    drawn = draw_prompt_weights(paired.n_prompts, draws=how.draws, rng=rng) if how.draws else None
    return tally_margins(paired, outcome=how.outcome, ties=how.ties, temperature=how.temperature, drawn=drawn)
