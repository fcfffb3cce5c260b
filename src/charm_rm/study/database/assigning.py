"""What a rater sees next.

A rater's comparisons are numbered by slots, from 0. A check or a repeat is due when their planned share of the slots so far says so;
otherwise comes the comparison with the fewest votes and open assignments, drawn among equals. Sides are drawn, too, and kept in balance.
All draws are hashes of the study's seed, the rater and what is drawn, so that nothing depends on who came first beyond the counts.

Statements are built once, with places for what changes: building one takes longer than SQLite takes to answer it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, func, insert, or_, select, true
from sqlalchemy.orm import aliased

from ...errors import ConfigError
from ..exchange import Assignment
from ..nouns import CHECK, MAIN
from ..rules import Rules, rules_of
from . import schema
from .texts import unpacked

_A, _C = schema.assignments.c, schema.comparisons.c
_A_SIDE, _B_SIDE = "a", "b"


@dataclass(frozen=True)
class _Seen:
    """What a rater has been given so far, in order of slots; one row is (slot, comparison_id, repeat, left, kind, voted)."""

    rater_id: int
    rows: Sequence[Row[tuple[int, int, bool, str | None, str, bool]]]
    rules: Rules

    @property
    def slot(self) -> int:
        return len(self.rows)

    def draw(self, what: object, *more: object) -> int:
        """64 bits that depend on the seed, this rater and what is drawn."""
        *first, last = (what, *more)
        return int.from_bytes(self.draws(*first)(last), "big")

    def draws(self, *what: object) -> Callable[[object], bytes]:
        """:meth:`draw` of ``what`` and one thing more, as 8 bytes, highest first: for many things, hashing what is common once."""
        common = "".join(f"{word}:" for word in (self.rules.seed, self.rater_id, *what))
        begun = hashlib.blake2b(common.encode(), digest_size=8)

        def drawn(last: object) -> bytes:
            one = begun.copy()
            one.update(str(last).encode())
            return one.digest()

        return drawn


# --- what the database is asked -------------------------------------------------------------------

_RATER: Any = bindparam("rater")
_FRESH: Any = bindparam("fresh")
_MINE = schema.assignments.alias("mine")
_OWN = select(_MINE.c.comparison_id).where(_MINE.c.rater_id == _RATER)
_HEAD = (
    select(schema.study.c.provenance, schema.study.c.paused, schema.raters.c.quota)
    .select_from(schema.raters.join(schema.study, true()))
    .where(schema.raters.c.id == _RATER)
)
_SEEN = (
    select(_A.slot, _A.comparison_id, _A.repeat, _A.left, _C.kind, _A.vote_id.is_not(None).label("voted"))
    .join_from(schema.assignments, schema.comparisons, _A.comparison_id == _C.id)
    .where(_A.rater_id == _RATER)
    .order_by(_A.slot)
)
_SIDES = select(_A.left).where(_A.comparison_id == bindparam("comparison"), _A.repeat.is_(False))
_ADD = insert(schema.assignments)


def _undone_comment() -> Any:
    """What the rater wrote to the last vote on an assignment, which is open again."""
    v = schema.votes.c
    mine = and_(v.rater_id == _A.rater_id, v.assignment_id == _A.id, v.choice.is_not(None))
    query = select(v.comment).where(mine).order_by(v.id.desc()).limit(1)
    return query.correlate(schema.assignments).scalar_subquery()


def _open_query() -> Any:
    """The texts of a rater's first open assignment."""
    a, b = aliased(schema.answers), aliased(schema.answers)
    tables = (
        schema.assignments.join(schema.comparisons, _A.comparison_id == _C.id)
        .join(schema.prompts, schema.prompts.c.prompt_id == _C.prompt_id)
        .outerjoin(a, a.c.id == _C.answer_a)
        .outerjoin(b, b.c.id == _C.answer_b)
    )
    return (
        select(
            _A.public_id,
            _A.left,
            _A.slot,
            _undone_comment(),
            schema.prompts.c.prompt,
            a.c.response,
            b.c.response,
        )
        .select_from(tables)
        .where(_A.rater_id == _RATER, _A.vote_id.is_(None))
        .order_by(_A.slot)
        .limit(1)
    )


def _places_query() -> Any:
    """(comparison, votes and open assignments) of what a rater has not seen and what wants more."""
    taken = func.count(_A.id)
    counts = and_(
        _A.comparison_id == _C.id, _A.repeat.is_(False), or_(_A.vote_id.is_not(None), _A.opened_at > _FRESH)
    )
    return (
        select(_C.id, taken.label("taken"))
        .select_from(schema.comparisons.outerjoin(schema.assignments, counts))
        .where(_C.kind == MAIN, _C.id.not_in(_OWN))
        .group_by(_C.id, _C.votes_wanted)
        .having(taken < _C.votes_wanted)
    )


def _checks_query() -> Any:
    """(check, how often it was given) of the checks that a rater has not seen."""
    return (
        select(_C.id, func.count(_A.id).label("given"))
        .select_from(schema.comparisons.outerjoin(schema.assignments, _A.comparison_id == _C.id))
        .where(_C.kind == CHECK, _C.id.not_in(_OWN))
        .group_by(_C.id)
    )


_OPEN = _open_query()
_PLACES = _places_query()
_N_PLACES = select(func.count()).select_from(_PLACES.subquery())
_CHECKS = _checks_query()


# --- the open one ---------------------------------------------------------------------------------


def open_assignment(connection: Connection, rater_id: int) -> Assignment | None:
    """The first of a rater's assignments without a vote that stands; None where all have one.

    Raises:
        ConfigError: the study has no texts to show.
    """
    found = connection.execute(_OPEN, {"rater": rater_id}).one_or_none()
    if found is None:
        return None
    public_id, left, slot, comment, prompt, *texts = found
    if prompt is None or None in texts:
        raise _no_texts()
    answers = [unpacked(text) for text in texts]
    first, second = answers if left == _A_SIDE else reversed(answers)
    return Assignment(
        public_id, unpacked(prompt), first, second, slot + 1, unpacked(comment) if comment else ""
    )


def refuse_without_texts(connection: Connection) -> None:
    """Raise where raters could not be shown some comparison.

    Raises:
        ConfigError: a comparison has no text of its prompt, or of an answer.
    """
    silent = or_(schema.prompts.c.prompt.is_(None), _C.answer_a.is_(None), _C.answer_b.is_(None))
    joined = schema.comparisons.join(schema.prompts, schema.prompts.c.prompt_id == _C.prompt_id)
    if connection.execute(select(_C.id).select_from(joined).where(silent).limit(1)).first() is not None:
        raise _no_texts()


def _no_texts() -> ConfigError:
    return ConfigError(
        "the study has no texts to show: it was imported without them",
        fix="import it anew with the answers that were compared: charm study import VOTES --responses RESPONSES -o STUDY",
    )


# --- a new one ------------------------------------------------------------------------------------


def open_another(connection: Connection, rater_id: int, *, now: float) -> bool:
    """Open the rater's next assignment, within a writing transaction; False where there is nothing left for this rater, or a pause."""
    head = connection.execute(_HEAD, {"rater": rater_id}).one()
    rules = rules_of(unpacked(head.provenance))
    seen = _Seen(rater_id, connection.execute(_SEEN, {"rater": rater_id}).all(), rules)
    if head.paused or (head.quota is not None and seen.slot >= head.quota):
        return False
    chosen = _next(connection, seen, now=now)
    if chosen is None:
        return False
    comparison_id, repeat, left = chosen
    row = {
        "public_id": secrets.token_hex(16),
        "rater_id": rater_id,
        "comparison_id": comparison_id,
        "slot": seen.slot,
        "repeat": repeat,
        "left": left,
        "opened_at": now,
    }
    connection.execute(_ADD, [row])
    return True


def _next(connection: Connection, seen: _Seen, *, now: float) -> tuple[int, bool, str] | None:
    """(comparison, whether it is a repeat, the answer on the left) of the next slot."""
    fewest = _fewest(seen, places(connection, seen.rater_id, seen.rules, now=now))
    if fewest is None:
        return None
    if _due(seen, "check", seen.rules.checks, sum(row.kind == CHECK for row in seen.rows)):
        check = _fewest(seen, connection.execute(_CHECKS, {"rater": seen.rater_id}).all())
        if check is not None:
            return check, False, _side(connection, seen, check)
    if _due(seen, "repeat", seen.rules.repeats, sum(row.repeat for row in seen.rows)):
        repeat = _repeat(seen)
        if repeat is not None:
            return repeat
    return fewest, False, _side(connection, seen, fewest)


def _due(seen: _Seen, kind: str, share: float, given: int) -> bool:
    """Whether fewer were given than floor(share (slot + 1) + u), u drawn once per rater: the share holds at every length, and not at the same slots."""
    start = seen.draw(kind) / 2**64
    return given < int(share * (seen.slot + 1) + start)


def _fewest(seen: _Seen, counted: Iterable[tuple[int, int]]) -> int | None:
    """The comparison of the fewest, drawn among equals, from (comparison, count)."""
    rows = list(counted)
    least = min((count for _, count in rows), default=0)
    drawn = seen.draws("order")
    return min((comparison for comparison, count in rows if count == least), key=drawn, default=None)


def places(connection: Connection, rater_id: int, rules: Rules, *, now: float) -> Sequence[tuple[int, int]]:
    """(comparison, votes and open assignments) of the comparisons that this rater has not seen and that want more.

    An assignment that has been open for longer than ``stale_minutes`` is not counted: its place is free again.
    """
    return connection.execute(_PLACES, _of(rater_id, rules, now)).all()


def n_places(connection: Connection, rater_id: int, rules: Rules, *, now: float) -> int:
    """How many :func:`places` there are, counted by the database: every page asks it."""
    return connection.execute(_N_PLACES, _of(rater_id, rules, now)).scalar_one()


def _of(rater_id: int, rules: Rules, now: float) -> dict[str, float]:
    return {"rater": rater_id, "fresh": now - 60.0 * rules.stale_minutes}


def _repeat(seen: _Seen) -> tuple[int, bool, str] | None:
    """A comparison that the rater voted on at least ``repeat_gap`` slots ago, and once only; sides are swapped."""
    again = {row.comparison_id for row in seen.rows if row.repeat}
    old = [
        row
        for row in seen.rows
        if row.voted
        and row.kind == MAIN
        and row.left is not None
        and row.comparison_id not in again
        and row.slot <= seen.slot - seen.rules.repeat_gap
    ]
    if not old:
        return None
    row = min(old, key=lambda row: seen.draw("repeat", row.comparison_id))
    return row.comparison_id, True, _B_SIDE if row.left == _A_SIDE else _A_SIDE


def _side(connection: Connection, seen: _Seen, comparison_id: int) -> str:
    """The answer on the left: the rarer one of this rater's where one leads by two, else of this comparison's, else drawn."""
    mine = _lead(row.left for row in seen.rows if not row.repeat)
    theirs = _lead(connection.execute(_SIDES, {"comparison": comparison_id}).scalars())
    lead = mine if abs(mine) >= 2 else theirs
    if lead == 0:
        return _A_SIDE if seen.draw("side", comparison_id) % 2 else _B_SIDE
    return _B_SIDE if lead > 0 else _A_SIDE


def _lead(sides: Iterable[str | None]) -> int:
    """By how much `a` was on the left more often than `b`."""
    return sum({_A_SIDE: 1, _B_SIDE: -1}.get(side or "", 0) for side in sides)
