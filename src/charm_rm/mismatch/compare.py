"""Favour compared between two reward models or judges, prompt by prompt.

Both are held against the same ratings on the same prompts and policies. What these do to both alike (a prompt that suits a
policy, a rating that is too high) cancels in the difference, whose error is therefore far smaller than that of two separate tables.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import CharmWarning, ConfigError, NoOverlap, counted, listing, noting_warnings, verb
from ..estimates import SIGNIFICANT
from ..given import SourceLike, as_source
from ..ratings import Aliases, RatingsLike, as_ratings
from ..settings import AuditSettings, Outcome, Scope, Unrated
from ..shown import Figures, Shown, bind_figures
from ..solved_on import warn_if_in_sample
from ..statistics import benjamini_hochberg
from ..store import save, write_frame, write_json
from ..tables import Margins, Ratings, Scores, WinRates
from .compare_figures import FigureDifference, correlation_differences, sharpness_difference
from .compare_scatter import line_scatter
from .favour import leave_one_out
from .held import (
    Held,
    derivatives,
    hold_against,
    judged,
    prompt_variance,
    prompts_of,
    quadratic,
)
from .measured import FEWEST
from .verdicts import count_verdicts

_FIGURES_SCHEMA = {f.name: pl.Float64 for f in fields(FigureDifference)} | {"figure": pl.String}


@dataclass(frozen=True, eq=False, repr=False)
class FavourComparison(Shown):
    """Differences between two models, ``first`` minus ``second``.

    ``frame`` has a row per policy, the largest difference first: policy, first_favour, second_favour, difference (Elo points), std_err, ci_low,
    ci_high, p_value, q_value, std_err_unpaired (what two separate audits would give), verdict. ``figures`` has a row for sharpness, spearman
    and kendall: figure, first, second, difference, std_err, ci_low, ci_high, p_value. ``ratings`` are those used.
    """

    frame: pl.DataFrame
    figures: pl.DataFrame
    ratings: Ratings
    summary: Figures
    provenance: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        bind_figures(self, self.summary)

    def tables(self) -> dict[str, pl.DataFrame]:
        """``favour``, a row a policy, and ``figures``."""
        return {"favour": self.frame, "figures": self.figures}

    def to_json(self) -> dict[str, Any]:
        """The comparison as JSON-able values; numbers that do not exist are null."""
        return {
            "policies": self.frame.to_dicts(),
            "figures": self.figures.to_dicts(),
            "summary": dict(self.summary),
            "warnings": list(self.warnings),
            "provenance": dict(self.provenance),
        }


def compare_favour(
    first: SourceLike,
    second: SourceLike,
    ratings: RatingsLike,
    *,
    aliases: Aliases | None = None,
    unrated: Unrated = "error",
    outcome: Outcome = "hard",
    temperature: float = 1.0,
    scope: Scope = "sample",
    draws: int = 1000,
    seed: int = 0,
) -> FavourComparison:
    """Compare the favours, the sharpness and the rank correlation of two models, paired by prompt.

    Args:
        first: scores of a reward model, or judgements.
        second: scores or judgements of another, of the same prompts and policies; only what both have is used.
        ratings: human ratings, names resolved as in an audit.
        aliases: own names for rated policies.
        unrated: what to do about policies without a rating: raise, or leave them out with a warning.
        outcome: ``hard`` or ``soft`` win rates (see :func:`charm_rm.audit`), of both.
        temperature: of soft win rates.
        scope: as in an audit: policies as a sample of others like them, whose own differences then count as chance, or ``these``
            alone, where a policy that one model favours moves the line of all others, and with it their differences.
        draws: behind the intervals of the rank correlations; 0 leaves them out.
        seed: of the draws.

    Raises:
        ConfigError: published win rates, which cannot be paired by prompt.
        NoOverlap: the two share fewer than two prompts or three policies.
        NotIdentifiable: favour cannot be measured for one of them.
    """
    first = as_source(first)
    second = as_source(second)
    ratings = as_ratings(ratings)
    AuditSettings(outcome=outcome, temperature=temperature, scope=scope, draws=draws)
    how = _How(unrated, outcome, temperature, scope)
    with noting_warnings() as notes:
        result = _compare(first, second, ratings, aliases, how, draws, seed)
    return replace(result, warnings=tuple(notes))


def save_comparison(found: FavourComparison, folder: Path) -> None:
    """Write favour.parquet, figures.parquet, ratings.parquet and comparison.json into an existing folder."""
    write_frame(found.frame, folder / "favour.parquet", force=True)
    write_frame(found.figures, folder / "figures.parquet", force=True)
    save(found.ratings, folder / "ratings.parquet", force=True)
    write_json(found.to_json(), folder / "comparison.json", force=True)


@dataclass(frozen=True)
class _How:
    """Settings of a comparison that are those of an audit."""

    unrated: Unrated
    outcome: Outcome
    temperature: float
    scope: Scope


def _compare(
    first: Scores | Margins | WinRates,
    second: Scores | Margins | WinRates,
    ratings: Ratings,
    aliases: Aliases | None,
    how: _How,
    draws: int,
    seed: int,
) -> FavourComparison:
    first, second, dropped = shared_sources(_by_prompt(first), _by_prompt(second))
    for source, whose in ((first, "first: "), (second, "second: ")):
        warn_if_in_sample(source, whose)
    one, other = (
        hold_against(
            source,
            ratings,
            aliases=aliases,
            unrated=how.unrated,
            outcome=how.outcome,
            temperature=how.temperature,
        )
        for source in (first, second)
    )
    frame = favour_differences(one, other, how.scope)
    figures = [sharpness_difference(one, other, how.scope)]
    figures += correlation_differences(one, other, draws=draws, seed=seed)
    return FavourComparison(
        frame=frame,
        figures=pl.DataFrame([asdict(row) for row in figures], schema=_FIGURES_SCHEMA),
        ratings=one.matched,
        summary=Figures(_summary(frame, len(one.prompts))),
        provenance={
            "verb": "compare_favour",
            "settings": asdict(how) | {"draws": draws, "seed": seed},
            "prompts": len(one.prompts),
            "left_out": dropped,
            "first": dict(first.provenance),
            "second": dict(second.provenance),
        },
    )


# --- what both have ---------------------------------------------------------------------------------


def _by_prompt(source: Scores | Margins | WinRates) -> Scores | Margins:
    if isinstance(source, WinRates):
        raise ConfigError(
            "published win rates are not per prompt, so they cannot be paired",
            fix="give the scores or judgements they were made from, or audit each on its own",
        )
    return source


def shared_sources(
    first: Scores | Margins, second: Scores | Margins
) -> tuple[Scores | Margins, Scores | Margins, dict[str, int]]:
    """Both sources on the policies and prompts that both have; of two scored sources, on the responses that both scored."""
    before = len(first) + len(second)
    while True:
        policies = sorted(set(first.policies) & set(second.policies))
        prompts = sorted(set(prompts_of(first)) & set(prompts_of(second)))
        if len(policies) < 3 or len(prompts) < 2:
            raise NoOverlap(
                f"the two share {counted(len(policies), 'policy', 'policies')} and {counted(len(prompts), 'prompt')}; three policies and two prompts are needed",
                fix="score the same responses with both (check prompt_id and policy)",
            )
        one, other = _reduced(first, policies, prompts), _reduced(second, policies, prompts)
        if isinstance(one, Scores) and isinstance(other, Scores):
            key = ["prompt_id", "policy"]
            one, other = (
                Scores(a.frame.join(b.frame, on=key, how="semi"), provenance=a.provenance)
                for a, b in ((one, other), (other, one))
            )
        if len(one) == len(first) and len(other) == len(second):
            break
        first, second = one, other
    dropped = before - len(first) - len(second)
    if dropped:
        _warn(
            f"the comparison is over the {counted(len(prompts), 'prompt')} and {counted(len(policies), 'policy', 'policies')} that both have; "
            f"{counted(dropped, 'row')} {verb(dropped, 'is', 'are')} left out"
        )
    return first, second, {"rows": dropped}


def _reduced(source: Scores | Margins, policies: list[str], prompts: list[str]) -> Scores | Margins:
    wanted = pl.col("prompt_id").is_in(prompts) & pl.col("policy").is_in(policies)
    if isinstance(source, Margins):
        wanted = wanted & pl.col("reference").is_in(policies)
    return type(source)(source.frame.filter(wanted), provenance=source.provenance)


# --- differences ------------------------------------------------------------------------------------


def favour_differences(one: Held, other: Held, scope: Scope) -> pl.DataFrame:
    """f - f', its error from the prompts' parts of both strengths and from the ratings' part of both lines.

    δ(f - f') = Σ_i (D U_i - D' U'_i) + (E - E') δρ, with U_i what prompt i adds to the strengths and D, E the derivatives
    (:func:`derivatives`): what a prompt or a rating does to both alike is gone before anything is squared. For a sample of policies the
    others' own favours add what they do to both lines (:func:`.compare_scatter.line_scatter`).
    """
    mine, theirs = leave_one_out(one.measured, scope), leave_one_out(other.measured, scope)
    d, e = derivatives(one.measured), derivatives(other.measured)
    by_prompt = d.favour_by_theta @ one.by_prompt, e.favour_by_theta @ other.by_prompt
    variance = prompt_variance(by_prompt[0] - by_prompt[1])
    variance = variance + quadratic(d.favour_by_rho - e.favour_by_rho, one.measured.rho_covariance)
    freedom = np.full(len(variance), float(len(one.prompts) - 1))
    if scope == "sample":
        scatter = line_scatter(one, other, d.favour_by_theta, e.favour_by_theta)
        known = np.divide(variance, scatter, out=np.full_like(variance, np.inf), where=scatter > 0)
        freedom = np.minimum(freedom, max(len(variance) - 3, 1) * (1 + known) ** 2)
        variance = variance + scatter
    difference = mine.favour - theirs.favour
    known = mine.found & theirs.found & (scope == "these" or len(variance) > FEWEST)
    error = np.where(known, np.sqrt(variance), np.nan)
    p, low, high = judged(difference, error, freedom)
    q = benjamini_hochberg(p)
    _warn_of_lost(one, known)
    frame = pl.DataFrame(
        {
            "policy": list(one.policies),
            "first_favour": mine.favour,
            "second_favour": theirs.favour,
            "difference": difference,
            "std_err": error,
            "ci_low": low,
            "ci_high": high,
            "p_value": p,
            "q_value": q,
            "std_err_unpaired": np.where(known, np.hypot(mine.std_err, theirs.std_err), np.nan),
            "verdict": [
                _verdict(*row)
                for row in zip(difference.tolist(), q.tolist(), low.tolist(), high.tolist(), strict=True)
            ],
        }
    )
    return frame.with_columns(pl.col(pl.Float64).fill_nan(None)).sort("difference", descending=True)


def _verdict(difference: float, q: float, low: float, high: float) -> str:
    """Who favours the policy more, where q and interval say so; else whether 50 Elo points could have been seen."""
    if q <= SIGNIFICANT and (low > 0 or high < 0):
        return "first favours it more" if difference > 0 else "second favours it more"
    if not high - low <= 100.0:
        return "underpowered"
    return "no evidence"


def _warn_of_lost(one: Held, known: NDArray[np.bool_]) -> None:
    lost = [name for name, ok in zip(one.policies, known, strict=True) if not ok]
    if len(known) == FEWEST and lost:
        _warn(
            "with three policies the line through the other two has no scatter to estimate noise from: no tests (scope `these` has them)"
        )
    elif lost:
        _warn(
            f"without {listing(lost)} the other policies' strengths do not rise with their ratings: no test there"
        )


def _summary(frame: pl.DataFrame, prompts: int) -> dict[str, Any]:
    return {
        "policies": frame.height,
        "prompts": prompts,
        "verdicts": count_verdicts(frame["verdict"]),
        "mean_std_err": frame["std_err"].mean(),
        "mean_std_err_unpaired": frame["std_err_unpaired"].mean(),
    }


def _warn(message: str) -> None:
    warnings.warn(message, CharmWarning, stacklevel=4)
