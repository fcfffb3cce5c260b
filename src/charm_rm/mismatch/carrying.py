"""What carries a finding: which policies, prompts or votes move a policy's favour most when they are left out.

Every prompt's and every vote's effect comes from linear algebra (a prompt's part of the strengths times the derivative of the favour); the
largest are then left out in earnest and all is fitted again, so that what is shown beside a verdict is no approximation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ..errors import (
    ConfigError,
    UnknownPolicy,
    counted,
    listing,
    noting_warnings,
)
from ..estimates import signed
from ..given import SourceLike, as_source
from ..policy_names import near_policies
from ..ratings import Aliases, RatingsLike, as_ratings, fit_ratings
from ..settings import AuditSettings, Outcome, Scope, Unrated
from ..shown import Summarised
from ..solved_on import warn_if_in_sample
from ..statistics import FloatArray
from ..store import write_frame, write_json
from ..tables import Battles
from .favour import Favours
from .held import Derivatives, Held, derivatives, hold_against
from .refits import TOLD, Finding, Refit, told
from .votes import vote_changes


@dataclass(frozen=True, eq=False, repr=False)
class Influence(Summarised):
    """What leaving things out does to the favour of ``policy``, in Elo points.

    ``policies``, ``prompts`` and ``votes`` (None where there are none) have a row per thing left out, the largest change first: what it is,
    ``change`` (of the favour), and where all was fitted again ``favour``, ``sharpness`` and ``verdict`` (else null). ``prompts`` also has
    sharpness_change; ``votes`` has n, the votes of that kind, all left out together. ``to_lose`` says how few prompts, chosen against the
    finding, undo it.
    """

    policy: str
    favour: float
    verdict: str
    sharpness: float
    policies: pl.DataFrame
    prompts: pl.DataFrame | None
    votes: pl.DataFrame | None
    to_lose: Mapping[str, Any] | None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def tables(self) -> dict[str, pl.DataFrame]:
        """``policies``, and ``prompts`` and ``votes`` where they were left out."""
        found = {"policies": self.policies, "prompts": self.prompts, "votes": self.votes}
        return {name: frame for name, frame in found.items() if frame is not None}

    @property
    def sentences(self) -> list[str]:
        """What was found in words, one sentence an item."""
        told = [("policy", "policy", self.policies), ("prompt", "prompt_id", self.prompts)]
        lines = [
            line for what, key, frame in told if frame is not None for line in self._about(what, key, frame)
        ]
        if self.votes is not None:
            kinds = pl.concat_str(
                pl.lit("the "),
                "n",
                pl.lit(" votes "),
                "policy_a",
                pl.lit(" against "),
                "policy_b",
                pl.lit(": "),
                "winner",
            )
            lines += self._about("kind of vote", "kind", self.votes.with_columns(kinds.alias("kind")))
        return lines + self._about_losing()

    def _about(self, what: str, key: str, frame: pl.DataFrame) -> list[str]:
        refitted = frame.filter(pl.col("favour").is_not_null())
        if refitted.is_empty():
            return []
        row = refitted.row(0, named=True)
        name = row[key] if what == "kind of vote" else f"{what} {row[key]}"
        moved = f"without {name} the favour of {self.policy} goes from {signed(self.favour, 1)} to {signed(row['favour'], 1)} Elo"
        changed = refitted.filter(pl.col("verdict") != self.verdict)[key].to_list()
        if changed:
            return [
                f"{moved}; leaving out one {what} can change the verdict ({self.verdict}): {listing(changed)}"
            ]
        which = (
            "no single"
            if refitted.height == frame.height
            else f"none of the {refitted.height} most influential"
        )
        plural = {"policy": "policies", "prompt": "prompts", "kind of vote": "kinds of votes"}[what]
        return [
            f"{moved}; {which} {what if which == 'no single' else plural} changes the verdict ({self.verdict})"
        ]

    def _about_losing(self) -> list[str]:
        if self.to_lose is None:
            return []
        n, share, verdict = (self.to_lose[k] for k in ("prompts", "share", "verdict"))
        return [
            f"{counted(n, 'prompt')} ({share:.1%}), picked against the finding, {'is' if n == 1 else 'are'} about the smallest number whose removal reverses it "
            f"(without them: {verdict or 'nothing can be measured'})"
        ]

    def to_json(self) -> dict[str, Any]:
        """The influences as JSON-able values."""
        return {
            "policy": self.policy,
            "favour": self.favour,
            "verdict": self.verdict,
            "sharpness": self.sharpness,
            "policies": self.policies.to_dicts(),
            "prompts": None if self.prompts is None else self.prompts.to_dicts(),
            "votes": None if self.votes is None else self.votes.to_dicts(),
            "to_lose": None if self.to_lose is None else dict(self.to_lose),
            "sentences": self.sentences,
            "warnings": list(self.warnings),
            "provenance": dict(self.provenance),
        }


def influence(
    source: SourceLike,
    ratings: RatingsLike | Battles,
    *,
    policy: str | None = None,
    scope: Scope = "sample",
    top: int = 10,
    prior: float = 0.0,
    aliases: Aliases | None = None,
    unrated: Unrated = "error",
    outcome: Outcome = "hard",
    temperature: float = 1.0,
) -> Influence:
    """Find which policies, prompts or votes carry the favour of one policy.

    Args:
        source: scores, judgements or published win rates (of which only policies can be left out).
        ratings: human ratings; or the battles to fit them to, and then votes are left out as well.
        policy: whose favour (default: the most favoured one's, which heads an audit).
        scope: of verdicts, as in an audit.
        top: so many prompts, and kinds of votes, are left out in earnest.
        prior: of the fit to battles.
        aliases, unrated, outcome, temperature: as in :func:`charm_rm.audit`.

    Raises:
        UnknownPolicy: ``policy`` is not among the audited.
        NotIdentifiable: favour cannot be measured.
        ConfigError: ``top`` is below 1.
    """
    AuditSettings(scope=scope, outcome=outcome, temperature=temperature)
    if top < 1:
        raise ConfigError(f"top is {top}", fix="give at least 1")
    with noting_warnings() as notes:
        source = as_source(source)
        warn_if_in_sample(source)
        battles = ratings if isinstance(ratings, Battles) else None
        rated = fit_ratings(ratings, prior=prior) if isinstance(ratings, Battles) else as_ratings(ratings)
        held = hold_against(
            source, rated, aliases=aliases, unrated=unrated, outcome=outcome, temperature=temperature
        )
        again = Refit(held, scope, outcome, temperature)
        chosen = _chosen(held, again.judge(held.measured), policy)
        found = _influence(held, again, chosen, top, battles, prior)
    settings: dict[str, Any] = {"scope": scope, "top": top, "prior": prior, "unrated": unrated}
    settings |= {"outcome": outcome, "temperature": temperature}
    record = {"verb": "influence", "settings": settings, "input": dict(source.provenance)}
    return replace(found, provenance=record, warnings=tuple(notes))


def save_influence(found: Influence, folder: Path) -> None:
    """Write policies, prompts and votes (Parquet) and influence.json into an existing folder."""
    for name, frame in (("policies", found.policies), ("prompts", found.prompts), ("votes", found.votes)):
        if frame is not None:
            write_frame(frame, folder / f"{name}.parquet", force=True)
    write_json(found.to_json(), folder / "influence.json", force=True)


def _influence(
    held: Held, again: Refit, k: int, top: int, battles: Battles | None, prior: float
) -> Influence:
    here = again.of(held.measured, k)
    slopes = derivatives(held.measured)
    prompts = _prompts(held, again, slopes, k, here, top)
    votes = None if battles is None else _votes(held, again, slopes, k, here, top, battles, prior)
    return Influence(
        policy=held.policies[k],
        favour=here.favour,
        verdict=here.verdict,
        sharpness=here.sharpness,
        policies=_policies(held, again, k, here),
        prompts=prompts,
        votes=votes,
        to_lose=None if prompts is None else _to_lose(held, again, prompts, k, here),
    )


def _chosen(held: Held, found: Favours, policy: str | None) -> int:
    """Position of the policy asked for, or of the most favoured one."""
    if policy is None:
        return int(np.argmax(found.favour))
    if policy not in held.policies:
        raise UnknownPolicy(
            f"no policy {policy!r} among those audited.{near_policies(policy, held.policies)}",
            fix="name a policy that was scored or judged, and has a rating",
        )
    return held.policies.index(policy)


# --- policies ---------------------------------------------------------------------------------------


def _policies(held: Held, again: Refit, k: int, here: Finding) -> pl.DataFrame:
    """Every other policy left out of win rates and line, and both fitted again."""
    rows = []
    for j, name in enumerate(held.policies):
        if j == k:
            continue
        found = again.without_policy(j, k)
        rows.append({"policy": name, **told(found, here)})
    return _largest_first(pl.DataFrame(rows, schema=TOLD | {"policy": pl.String}).select("policy", *TOLD))


# --- prompts ----------------------------------------------------------------------------------------


def prompt_changes(held: Held, slopes: Derivatives, k: int) -> tuple[FloatArray, FloatArray] | None:
    """(n,) changes of favour and sharpness when each prompt is left out, to first order.

    θ without prompt i is θ - n/(n - 1) U_i, U_i being its part of the strengths; the derivatives carry that on.
    """
    by_prompt = held.strengths.by_prompt
    if by_prompt is None or by_prompt.shape[1] < 3:
        return None
    n = by_prompt.shape[1]
    moved = -by_prompt * n / (n - 1)
    return slopes.favour_by_theta[k] @ moved, slopes.slope_by_theta @ moved


def _prompts(
    held: Held, again: Refit, slopes: Derivatives, k: int, here: Finding, top: int
) -> pl.DataFrame | None:
    changes = prompt_changes(held, slopes, k)
    if changes is None:
        return None
    frame = pl.DataFrame({"prompt_id": held.prompts, "change": changes[0], "sharpness_change": changes[1]})
    frame = _largest_first(frame)
    found = [told(again.without_prompts([p], k), here) for p in frame["prompt_id"].head(top)]
    return _beside(frame, found)


def _to_lose(held: Held, again: Refit, prompts: pl.DataFrame, k: int, here: Finding) -> dict[str, Any] | None:
    """The fewest prompts that, by first-order changes, bring the nearer end of the interval to 0, and what a refit without them says.

    (Broderick, Giordano and Meager 2020.) None where there is no finding, or no choice of prompts undoes it.
    """
    if here.verdict not in ("over-valued", "under-valued") or not np.isfinite(here.near):
        return None
    sign = 1.0 if here.favour > 0 else -1.0
    against = prompts.sort(sign * pl.col("change"))
    undone = np.cumsum(sign * against["change"].to_numpy())
    enough = np.flatnonzero(-undone >= abs(here.near))
    if not enough.size or enough[0] + 1 > len(held.prompts) // 2:
        return None
    chosen = against["prompt_id"].head(int(enough[0]) + 1).to_list()
    return {
        "prompts": len(chosen),
        "share": len(chosen) / len(held.prompts),
        "prompt_ids": chosen,
        **{f: v for f, v in told(again.without_prompts(chosen, k), here).items() if f != "change"},
    }


# --- votes ------------------------------------------------------------------------------------------


def _votes(
    held: Held,
    again: Refit,
    slopes: Derivatives,
    k: int,
    here: Finding,
    top: int,
    battles: Battles,
    prior: float,
) -> pl.DataFrame:
    """Votes of one kind (who met whom, and how it ended) left out together."""
    renamed = held.matched.provenance.get("renamed", {})
    names = [renamed.get(p, p) for p in held.policies]
    frame = _largest_first(vote_changes(battles, names, slopes.favour_by_rho[k], prior=prior))
    found = []
    kind = ["policy_a", "policy_b", "winner"]
    for row in frame.select(kind).head(top).iter_rows(named=True):
        same = pl.all_horizontal(pl.col(c) == row[c] for c in kind)
        found.append(told(again.with_battles(battles.frame.filter(~same), k, prior=prior), here))
    return _beside(frame, found)


# --- rows -------------------------------------------------------------------------------------------


def _beside(frame: pl.DataFrame, found: list[dict[str, Any]]) -> pl.DataFrame:
    """First-order changes, and for the first rows what fitting again gave."""
    rest = [dict.fromkeys(TOLD)] * (frame.height - len(found))
    refitted = pl.DataFrame([*found, *rest], schema=TOLD).rename({"change": "refitted_change"})
    return pl.concat([frame, refitted], how="horizontal")


def _largest_first(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.sort(pl.col("change").abs(), descending=True, nulls_last=True, maintain_order=True)
