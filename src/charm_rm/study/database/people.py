"""Raters and their links, the keeper's token, and who has done what."""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
import statistics
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, or_, select, true, update

from ...errors import ConfigError, did_you_mean
from ...visible import visible
from ..exchange import Invitation, PolicyRow, Progress, Rater, RaterRow
from ..nouns import CHECK, MAIN
from ..rules import rules_of
from . import schema
from .assigning import n_places
from .texts import unpacked

_R, _A, _C, _V = schema.raters.c, schema.assignments.c, schema.comparisons.c, schema.votes.c
DAY = 86_400.0
LONGEST_NAME = 100


# --- links ----------------------------------------------------------------------------------------


def hashed(token: str) -> str:
    """SHA-256: tokens are random and long, so that no slow hash is needed."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def invite_rater(
    connection: Connection, name: str, *, now: float, days: float | None, quota: int | None, renew: bool
) -> Invitation:
    """A link's token for a new rater, or for one who has none; ``renew``: also for one who has, whose old link ends.

    Raises:
        ConfigError: the name is none, or taken; days or quota are out of bounds.
    """
    _refuse_name(name)
    if quota is not None and quota < 1:
        raise ConfigError(f"a quota of {quota} votes", fix="give 1 or more, or no quota")
    if days is not None and not 0 < days <= 36_500:
        raise ConfigError(f"a link for {days:g} days", fix="give a number of days above 0")
    found = connection.execute(
        select(_R.id, _R.token_hash, _R.revoked_at).where(_R.name == name)
    ).one_or_none()
    if found is not None and found.token_hash is not None and not renew:
        raise ConfigError(
            f"rater {name!r} has a link already"
            + (", which is revoked" if found.revoked_at is not None else ""),
            fix="add --renew (renew= in Python): a new link, and the old one ends",
        )
    token = secrets.token_urlsafe(24)
    expires = None if days is None else now + days * DAY
    values = {"token_hash": hashed(token), "quota": quota, "expires_at": expires, "revoked_at": None}
    if found is None:
        adding = insert(schema.raters).returning(_R.id)
        number = connection.execute(adding, [{"name": name, "created_at": now, **values}]).scalar_one()
    else:
        number = found.id
        connection.execute(update(schema.raters).where(_R.id == number).values(**values))
    return Invitation(Rater(number, name, quota, expires), token)


def _refuse_name(name: str) -> None:
    if not name.strip() or name != name.strip() or len(name) > LONGEST_NAME or visible(name) != name:
        raise ConfigError(
            f"{name[:LONGEST_NAME]!r} is no name for a rater",
            fix=f"give 1 to {LONGEST_NAME} visible characters, with no space at either end",
        )


def revoke_rater(connection: Connection, name: str, *, now: float) -> None:
    """End a rater's link; votes stay.

    Raises:
        ConfigError: there is no such rater.
    """
    ended = update(schema.raters).where(_R.name == name).values(revoked_at=now)
    if connection.execute(ended).rowcount == 0:
        names = connection.execute(select(_R.name)).scalars().all()
        raise ConfigError(
            f"no rater is called {name!r}.{did_you_mean(name, names)}",
            fix="charm study invite STUDY --list shows all",
        )


_HOLDS = select(schema.raters).where(
    _R.token_hash == bindparam("hash"),
    _R.revoked_at.is_(None),
    or_(_R.expires_at.is_(None), _R.expires_at > bindparam("now")),
)


def rater_of(connection: Connection, token: str, *, now: float) -> Rater | None:
    """The rater of this token, whose link holds; None otherwise."""
    row = connection.execute(_HOLDS, {"now": now, "hash": hashed(token)}).one_or_none()
    return None if row is None else Rater(row.id, row.name, row.quota, row.expires_at)


# --- the keeper -----------------------------------------------------------------------------------


def renew_admin_token(connection: Connection) -> str:
    """A new token for the keeper, in clear this once; the old one ends."""
    token = secrets.token_urlsafe(24)
    connection.execute(update(schema.study).values(admin_token_hash=hashed(token)))
    return token


def is_admin(connection: Connection, token: str) -> bool:
    """Whether this is the keeper's token."""
    kept = connection.execute(select(schema.study.c.admin_token_hash)).scalar_one()
    return kept is not None and hmac.compare_digest(kept, hashed(token))


# --- who has done what ----------------------------------------------------------------------------


_COUNTED = (
    select(func.count(_A.id).label("opened"), func.count(_A.vote_id).label("done"))
    .where(_A.rater_id == bindparam("rater"))
    .subquery()
)
_GIVEN = (
    select(schema.study.c.provenance, _R.quota, _COUNTED.c.opened, _COUNTED.c.done)
    .select_from(schema.raters.join(schema.study, true()).join(_COUNTED, true()))
    .where(_R.id == bindparam("rater"))
)


def progress_of(connection: Connection, rater_id: int, *, now: float) -> Progress:
    """How far a rater is. The total is what may still come: own open ones, and places left with their share of repeats and checks."""
    row = connection.execute(_GIVEN, {"rater": rater_id}).one()
    rules, quota, opened, done = rules_of(unpacked(row.provenance)), row.quota, row.opened, row.done
    left = n_places(connection, rater_id, rules, now=now)
    total = opened + math.floor(left / (1.0 - rules.repeats - rules.checks) + 1e-9) if left else opened
    return Progress(done, total if quota is None else max(done, min(quota, total)), quota)


def rater_rows(connection: Connection, *, now: float) -> list[RaterRow]:
    """Every rater, in the order in which they were added."""
    people = connection.execute(select(schema.raters).order_by(_R.id)).all()
    cast: dict[int, list[Row[Any]]] = {}
    for row in connection.execute(_standing()):
        cast.setdefault(row.rater_id, []).append(row)
    undoing = select(_V.rater_id, func.count()).where(_V.choice.is_(None)).group_by(_V.rater_id)
    undone = {row[0]: row[1] for row in connection.execute(undoing)}
    return [_rater_row(person, cast.get(person.id, []), undone.get(person.id, 0), now) for person in people]


def _standing() -> Any:
    """The votes that stand, with what they are on."""
    return (
        select(_A.rater_id, _A.repeat, _C.kind, _C.expected, _V.choice, _V.seconds, _V.voted_at)
        .join_from(schema.assignments, schema.votes, _A.vote_id == _V.id)
        .join(schema.comparisons, _A.comparison_id == _C.id)
    )


def _rater_row(person: Any, cast: list[Row[Any]], undone: int, now: float) -> RaterRow:
    checks = [row for row in cast if row.kind == CHECK]
    times = [row.seconds for row in cast if row.seconds is not None]
    return RaterRow(
        name=person.name,
        status=_status(person, now),
        votes=sum(row.kind == MAIN and not row.repeat for row in cast),
        repeats=sum(row.repeat for row in cast),
        checks=len(checks),
        checks_passed=sum(row.choice == row.expected for row in checks),
        undone=undone,
        quota=person.quota,
        seconds=statistics.median(times) if times else None,
        last_vote=max((row.voted_at for row in cast if row.voted_at is not None), default=None),
        expires_at=person.expires_at,
    )


def _status(person: Any, now: float) -> str:
    if person.token_hash is None:
        return "imported"
    if person.revoked_at is not None:
        return "revoked"
    return "expired" if person.expires_at is not None and person.expires_at <= now else "open"


def policy_rows(connection: Connection) -> list[PolicyRow]:
    """Every policy with the votes on its comparisons, sorted by name."""
    votes = (
        select(_A.comparison_id, func.count().label("n"))
        .where(_A.vote_id.is_not(None), _A.repeat.is_(False))
        .group_by(_A.comparison_id)
        .subquery()
    )
    query = (
        select(_C.policy_a, _C.policy_b, _C.votes_wanted, func.coalesce(votes.c.n, 0).label("n"))
        .select_from(schema.comparisons.outerjoin(votes, votes.c.comparison_id == _C.id))
        .where(_C.kind == MAIN)
    )
    sums: dict[str, list[int]] = {}
    for row in connection.execute(query):
        for policy in (row.policy_a, row.policy_b):
            total = sums.setdefault(policy, [0, 0, 0])
            total[:] = [total[0] + 1, total[1] + row.votes_wanted, total[2] + row.n]
    return [PolicyRow(policy, *sums[policy]) for policy in sorted(sums)]
