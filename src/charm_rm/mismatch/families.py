"""Favour shown to groups of policies: does a judge favour those of one maker, or its own?

The favour of a group is the mean favour of its members against the line through all policies *outside* it. (Against lines through
each other, members favoured alike would hide one another.) A group of one has the favour that an audit gives it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .. import store
from ..errors import (
    CharmWarning,
    ConfigError,
    SchemaError,
    counted,
    did_you_mean,
    listing,
    noting_warnings,
)
from ..given import SourceLike, as_source
from ..policy_names import near_policies
from ..ratings import Aliases, RatingsLike, as_ratings
from ..settings import AuditSettings, Outcome, Scope, Unrated
from ..shown import Summarised
from ..statistics import ELO_PER_LOGIT, benjamini_hochberg
from ..tables import TEXT
from .favour import favour_verdict
from .held import hold_against
from .line import fit_lines
from .measured import FEWEST, Measured
from .student import student_p, student_quantile

Groups = Mapping[str, str] | str | Path


@dataclass(frozen=True, eq=False, repr=False)
class FamilyContrasts(Summarised):
    """Favour by group, most favoured first.

    ``frame``: group, policies (how many), favour (mean of the members in Elo points, against the line through all others), std_err,
    ci_low, ci_high, p_value, q_value, verdict; nulls where the others give no line. ``own`` is the row of the judge's own group, where one
    was named. ``members`` maps policies to groups.
    """

    frame: pl.DataFrame
    own: Mapping[str, Any] | None
    members: Mapping[str, str]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The contrasts as JSON-able values."""
        return {
            "families": self.frame.to_dicts(),
            "own_family": None if self.own is None else dict(self.own),
            "members": dict(self.members),
            "warnings": list(self.warnings),
            "provenance": dict(self.provenance),
        }


def family_contrasts(
    source: SourceLike,
    ratings: RatingsLike,
    groups: Groups,
    *,
    own: str | None = None,
    scope: Scope = "sample",
    aliases: Aliases | None = None,
    unrated: Unrated = "error",
    outcome: Outcome = "hard",
    temperature: float = 1.0,
) -> FamilyContrasts:
    """Measure the favour shown to each group of policies beside all others.

    Args:
        source: scores, judgements or published win rates.
        ratings: human ratings, names resolved as in an audit.
        groups: the group of each policy: a mapping, or a file with the columns policy and group. A policy without one stands among
            the others of every group.
        own: the group that the judge itself is of.
        scope: ``sample``: the members of a group and all others are a sample of policies like them, whose favours scatter about their
            group's by τ; ``these``: these policies alone, so that a group may be found favoured for one member's sake.
        aliases, unrated, outcome, temperature: as in :func:`charm_rm.audit`.

    Raises:
        SchemaError: the file of groups lacks a column, or gives a policy twice.
        ConfigError: no policy has a group, or ``own`` is none of the groups.
        NotIdentifiable: favour cannot be measured at all.
    """
    source = as_source(source, samples=True)
    ratings = as_ratings(ratings)
    AuditSettings(scope=scope, outcome=outcome, temperature=temperature)
    with noting_warnings() as notes:
        held = hold_against(
            source, ratings, aliases=aliases, unrated=unrated, outcome=outcome, temperature=temperature
        )
        members = members_of_groups(groups, held.policies, own)
        frame = contrasts_of_groups(held.policies, members, scope, lambda _: (held.measured, 0.0))
    return FamilyContrasts(
        frame=frame,
        own=None if own is None else frame.row(by_predicate=pl.col("group") == own, named=True),
        members=members,
        provenance={
            "verb": "family_contrasts",
            "settings": {
                "own": own,
                "scope": scope,
                "unrated": unrated,
                "outcome": outcome,
                "temperature": temperature,
            },
            "input": dict(source.provenance),
        },
        warnings=tuple(notes),
    )


def save_families(found: FamilyContrasts, folder: Path) -> None:
    """Write families.parquet and families.json into an existing folder."""
    store.write_frame(found.frame, folder / "families.parquet", force=True)
    store.write_json(found.to_json(), folder / "families.json", force=True)


# --- groups -----------------------------------------------------------------------------------------


def read_groups(path: str | Path) -> dict[str, str]:
    """Policies and their groups, from a file with the columns policy and group; rows without a group are left out.

    Raises:
        SchemaError: a column is missing, or a policy has two rows.
    """
    frame = store.read_columns(path, {"policy": TEXT, "group": TEXT}, noun="groups")
    frame = frame.select(pl.col("policy", "group").str.strip_chars())
    frame = frame.filter(pl.all_horizontal(pl.all().is_not_null() & (pl.all() != "")))
    twice = frame.filter(pl.col("policy").is_duplicated())["policy"]
    if twice.len():
        raise SchemaError(
            f"groups: {twice[0]!r} has several rows", where=str(path), fix="give one row per policy"
        )
    return dict(frame.iter_rows())


def members_of_groups(groups: Groups, policies: tuple[str, ...], own: str | None) -> dict[str, str]:
    """The groups of the audited policies; a warning names those that have none.

    Raises:
        SchemaError: as :func:`read_groups`.
        ConfigError: no policy has a group, or ``own`` is none of the groups.
    """
    given = dict(groups) if isinstance(groups, Mapping) else read_groups(groups)
    members = {p: given[p] for p in policies if p in given}
    if not members:
        raise ConfigError(
            f"no audited policy has a group.{near_policies(policies[0], given)}",
            fix="write the policies as the scores do, in a file with the columns policy,group",
        )
    if own is not None and own not in members.values():
        raise ConfigError(
            f"no audited policy is of the group {own!r}.{did_you_mean(own, members.values())}",
            fix=f"name one of {listing(sorted(set(members.values())), limit=12)}",
        )
    if len(members) < len(policies):
        lost = [p for p in policies if p not in members]
        _warn(
            f"{counted(len(lost), 'policy', 'policies')} without a group, counted among the others of every group: {listing(lost)}"
        )
    return members


# --- contrasts --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Contrast:
    """One group's favour; None where it cannot be had."""

    group: str
    policies: int
    favour: float | None = None
    std_err: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    p_value: float | None = None
    q_value: float | None = None
    verdict: str = "underpowered"


_SCHEMA = dict.fromkeys(_Contrast.__dataclass_fields__, pl.Float64) | {
    "group": pl.String,
    "policies": pl.Int64,
    "verdict": pl.String,
}


def contrasts_of_groups(
    policies: tuple[str, ...],
    members: Mapping[str, str],
    scope: Scope,
    measured: Callable[[NDArray[np.bool_]], tuple[Measured, float]],
) -> pl.DataFrame:
    """The favour of every group, most favoured first.

    ``measured`` gives what to hold a group's members (K,) against, and the standard error (Elo) of their mean favour that this does not know of.
    """
    names = sorted(set(members.values()))
    inside = np.array([[members.get(p) == name for p in policies] for name in names])
    found = []
    for name, row in zip(names, inside, strict=True):
        against, doubt = measured(row)
        found.append(group_favour(against, row, name, scope, doubt=doubt))
    p = np.array([np.nan if row.p_value is None else row.p_value for row in found])
    judged = []
    for row, q in zip(found, benjamini_hochberg(p).tolist(), strict=True):
        if row.favour is None or np.isnan(q):
            judged.append(row)
            continue
        verdict = favour_verdict(row.favour, row.ci_low, row.ci_high, q)
        judged.append(replace(row, q_value=q, verdict=verdict))
    lost = [row.group for row in found if row.p_value is None]
    if lost:
        _warn(
            f"the policies outside {listing(lost)} are too few for a line, or theirs does not rise: no favour there"
        )
    frame = pl.DataFrame([vars(row) for row in judged], schema=_SCHEMA)
    return frame.sort("favour", descending=True, nulls_last=True)


def group_favour(
    measured: Measured, inside: NDArray[np.bool_], name: str, scope: Scope, *, doubt: float = 0.0
) -> _Contrast:
    """Mean over the members of (θ_k - c - a ρ_k) / a, the line being that of all policies outside.

    With m the members' mean, g = m - (influence of residuals on the line at ρ̄) and f the favour: var f = v V vᵀ / a², with
    v = g - f·tilt and V = cov θ + a² cov ρ, as for a single policy; for a sample V has τ² on its diagonal too, of members as of others,
    and Student's t the degrees of freedom of τ². ``doubt`` is a further standard error of the favour, in Elo points.
    """
    size = int(inside.sum())
    fewest = FEWEST if scope == "sample" else FEWEST - 1
    if int((~inside).sum()) < fewest:
        return _Contrast(name, size)
    line = fit_lines(measured.rho, measured.theta, measured.theta_noise, measured.rho_noise, used=~inside)
    slope = float(line.slope)
    if not (line.found and slope > 0):
        return _Contrast(name, size)
    mean = inside / size
    gap = float(mean @ measured.theta - line.intercept - slope * (mean @ measured.rho))
    favour = gap / slope
    by_gap = mean - line.influence(mean @ measured.rho)
    noise = measured.theta_covariance + slope**2 * measured.rho_covariance
    freedom = np.inf
    if scope == "sample":
        noise = noise + float(line.tau2) * np.eye(len(inside))
        freedom = float(line.freedom)
    by_favour = (by_gap - favour * line.tilt) / slope
    more = (doubt / ELO_PER_LOGIT) ** 2
    error = float(np.sqrt(by_favour @ noise @ by_favour + more))
    test = gap / float(np.sqrt(by_gap @ noise @ by_gap + slope**2 * more))
    half = float(student_quantile(freedom)) * error
    return _Contrast(
        name,
        size,
        ELO_PER_LOGIT * favour,
        ELO_PER_LOGIT * error,
        ELO_PER_LOGIT * (favour - half),
        ELO_PER_LOGIT * (favour + half),
        float(student_p(test, freedom)),
    )


def _warn(message: str) -> None:
    warnings.warn(message, CharmWarning, stacklevel=4)
