"""What a table of votes may mean that its rows do not say: turns, two texts of one prompt, names that look alike, weights, which vote was first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl

from ...errors import counted, listing
from ...judgements.checks import note, refuse_rows
from ...policy_names import fold_name, near_policies
from ...ratings.votes import names_hidden
from ..frame import KEY
from ..nouns import StudyModel

_WEIGHTS = ("weight", "inclusion", "sample_weight", "weights")
# Seconds since 1970 that a date of votes may be: from 1973 to 5138. Numbers below count from something else, those above are no seconds.
_EARLIEST, _LATEST = 1e8, 1e11
_ISO, _NUMBER = r"^\d{4}-\d\d-\d\d", r"^\d+(\.\d+)?$"


def refuse_missing_policies(frame: pl.DataFrame, where: str) -> None:
    """Refuse rows that leave one of the two policies empty.

    Raises:
        SchemaError: there are some.
    """
    for side in ("policy_a", "policy_b"):
        empty = frame[side].is_null() | (frame[side].str.strip_chars() == "")
        refuse_rows(frame, empty, side, where, "is missing")


def refuse_blank_prompts(frame: pl.DataFrame, where: str) -> None:
    """Refuse rows that say nothing of their prompt: all of them would be votes on one.

    Raises:
        SchemaError: there are some.
    """
    column = "prompt_id" if "prompt_id" in frame.columns else "prompt"
    if frame.schema[column] == pl.String:
        refuse_rows(frame, frame[column].str.strip_chars() == "", column, where, "is empty")


def first_turns(frame: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Rows of the first turn, and how many of later ones are left out, where ``turn`` numbers the questions of a conversation.

    It does where one voter has rows of several turns on one prompt and pair (MT-bench). A later question was asked after each model's own
    answer, so it is another prompt, and no second vote on the first. Elsewhere (the Arena) it counts turns, and all rows stay.
    """
    if "turn" not in frame.columns:
        return frame, 0
    voter = [c for c in ("rater", "judge") if c in frame.columns]
    pair = [pl.min_horizontal(KEY[1:]).alias("first"), pl.max_horizontal(KEY[1:]).alias("second")]
    turns = frame.group_by("prompt_id", *pair, *voter).agg(pl.col("turn").n_unique())["turn"]
    if not len(turns) or turns.max() == 1:
        return frame, 0
    later = (frame["turn"] > frame["turn"].min()).fill_null(False)
    return frame.filter(~later), int(later.sum())


def blind_votes(frame: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Votes cast with the policies' names hidden, where ``anony`` tells, as the Arena counts them; and how many others are left out."""
    if "anony" not in frame.columns:
        return frame, 0
    hidden = names_hidden(frame)
    return frame.filter(hidden).drop("anony"), int((~hidden).sum())


def earliest_first(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows by time, where every row tells it as a date (2024-05-13 ...) or a number of seconds; else in the order of the file."""
    if "voted_at" not in frame.columns:
        return frame
    told = frame["voted_at"].str.strip_chars()
    if told.null_count():
        return frame
    if told.str.contains(_NUMBER).all():
        return frame.sort(told.cast(pl.Float64), maintain_order=True)
    if not told.str.contains(_ISO).all():
        return frame
    moments = [_moment(text) for text in told.to_list()]
    if None in moments:
        return frame.sort(told, maintain_order=True)
    return frame.sort(pl.Series(moments, dtype=pl.Float64), maintain_order=True)


def _moment(text: str) -> float | None:
    """Seconds since 1970 of a date as ISO 8601, in its own time zone, or UTC where it names none."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def with_times(votes: pl.DataFrame, where: str) -> pl.DataFrame:
    """``voted_at`` as ISO 8601: numbers are seconds (or thousandths) since 1970; what is no date is left out, and said."""
    if "voted_at" not in votes.columns:
        return votes
    given = votes["voted_at"]
    times = pl.Series("voted_at", [_as_time(text) for text in given.to_list()], dtype=pl.String)
    lost = (times.is_null() & given.is_not_null()).arg_true()
    if len(lost):
        note(
            f"{where}: {counted(len(lost), 'time')} of votes left out, {given[int(lost[0])]!r} for one: write them as 2026-11-26T14:30:00Z"
        )
    return votes.with_columns(times)


def _as_time(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        if not re.match(_NUMBER, text.strip()):
            datetime.fromisoformat(text.strip())
            return text.strip()
        seconds = float(text)
        while seconds >= _LATEST:
            seconds /= 1000
        return datetime.fromtimestamp(seconds, UTC).isoformat() if seconds >= _EARLIEST else None
    except ValueError:
        return None


def say_unknown_policies(frame: pl.DataFrame, models: Sequence[StudyModel], where: str) -> None:
    """Warn of policies that people voted on and a model's table does not have, with names there that look like them."""
    voted = sorted({*frame["policy_a"], *frame["policy_b"]})
    for model in models:
        known = model.table.policies
        lost = [name for name in voted if name not in known]
        if lost:
            hints = "".join(near_policies(name, known) for name in lost[:3])
            note(
                f"{where}: {model.name!r} has no verdict on {listing(lost)}: votes on it are left out.{hints}"
            )


def say_what_may_mislead(votes: pl.DataFrame, frame: pl.DataFrame, used: Sequence[str], where: str) -> None:
    """Warn of weights that are not used, of prompts with two texts, and of names that differ in case or punctuation alone.

    Args:
        votes: as they came.
        frame: the same under our names, with ``prompt_id`` and perhaps ``prompt``.
        used: columns of ``votes`` that are one of our fields.
        where: what messages call the table.
    """
    _say_weights(votes, used, where)
    _say_two_texts(frame, where)
    policies = pl.concat([frame["policy_a"], frame["policy_b"].alias("policy_a")])
    _say_near(policies, "policies", where)
    for field in ("rater", "judge"):
        if field in frame.columns:
            _say_near(frame[field], "voters", where)
            break


def _say_weights(votes: pl.DataFrame, used: Sequence[str], where: str) -> None:
    uneven = [
        c
        for c in votes.columns
        if c.lower() in _WEIGHTS and c not in used and votes[c].drop_nulls().n_unique() > 1
    ]
    if uneven:
        note(
            f"{where}: the column {listing(uneven)} is not used: every comparison weighs 1, so figures are about these comparisons "
            "alone. Of a study's own export, analyse the study itself"
        )


def _say_two_texts(frame: pl.DataFrame, where: str) -> None:
    if "prompt" not in frame.columns or frame["prompt"].dtype != pl.String:
        return
    text = pl.col("prompt").str.strip_chars().str.replace_all(r"\s+", " ")
    several = (
        frame.group_by("prompt_id")
        .agg(text.n_unique().alias("n"))
        .filter(pl.col("n") > 1)["prompt_id"]
        .sort()
    )
    if len(several):
        have = "has" if len(several) == 1 else "have"
        note(
            f"{where}: {counted(len(several), 'prompt_id')} {have} several texts ({listing(several, limit=3)}), and their votes are taken "
            "as on one prompt. Where the texts are different prompts, name another column: --column prompt_id=COLUMN"
        )


def _say_near(names: pl.Series, noun: str, where: str) -> None:
    known = names.drop_nulls().unique().sort().to_list()
    alike: dict[str, list[str]] = {}
    for name in known:
        alike.setdefault(fold_name(name) or name, []).append(name)
    same = [group for group in alike.values() if len(group) > 1]
    if same:
        told = "; ".join(" and ".join(repr(name) for name in group[:4]) for group in same[:3])
        note(
            f"{where}: {counted(len(same), 'name')} of {noun} {'is' if len(same) == 1 else 'are'} written in several ways, which count as "
            f"different {noun}: {told}. Write them alike if they are one"
        )
