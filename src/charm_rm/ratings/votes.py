"""Which votes of a file count: the Arena's rules, and whose votes where several judges share a file."""

from __future__ import annotations

import re
import warnings
from typing import Any, NamedTuple

import polars as pl

from ..errors import CharmWarning, ConfigError, SchemaError, did_you_mean, listing
from ..reading import name_texts
from ..settings import Votes

PEOPLE, EVERYBODY = "people", "all"
JUDGE_COLUMNS = ("judge", "annotator", "evaluator", "judge_model", "judge_name")
NAMES_SHOWN, NOT_SAMPLED = "cast with names shown (anony)", "duplicates that the Arena left out (dedup_tag)"
_SAMPLED = r"""["']?sampled["']?\s*:\s*(\w+)"""
# Names of models, and of prompts that make a model a judge.
_AUTOMATIC = re.compile(
    r"(?<![a-z])(?:(?:chat|auto|open)?gpt|claude|gemini|gemma|palm|bard|(?:code)?llama|mi[sx]tral|qwen|deepseek|grok|"
    r"command-?r|vicuna|yi-|phi-|nova-|kimi|glm|(?:auto-?)?llm|o[1345](?![a-z0-9])|davinci|alpaca|prometheus|auto-?j|"
    r"judge-?lm|pair[-_]?(?:v\d|rm)|single-v\d|skywork|internlm|nemotron|(?:rm|ai|bot|model|auto|machine)(?![a-z])|"
    r"automatic|reward[-_]?model|weighted_)|[-_/](?:llm|rm)(?![a-z])",
    re.IGNORECASE,
)
# So few different voters are named, so that a judge under a name of its own is seen among them.
_FEW = 20


class Choice(NamedTuple):
    """Which rows count, why the others do not, and who judged them."""

    counted: pl.Series
    left_out: dict[str, int]
    judge: str | None


def choose_votes(frame: pl.DataFrame, *, votes: Votes, judge: str | None, where: str) -> Choice:
    """Votes that count: cast with names hidden, sampled by the Arena, of one kind of judge; with a count of all others.

    Raises:
        ConfigError: people's and automatic judges' votes, or several of the latter, and no choice between them.
        SchemaError: a flag that says neither yes nor no; no vote is left.
    """
    who, named = _of_judge(frame, judge)
    rules = {"of other judges": who}
    if votes == "arena":
        rules |= _arena_rules(frame)
    counted = pl.repeat(True, frame.height, dtype=pl.Boolean, eager=True)
    left_out: dict[str, int] = {}
    for reason, good in rules.items():
        lost = int((counted & ~good).sum())
        if lost:
            left_out[reason] = lost
        counted = counted & good
    if frame.height and not counted.any():
        raise SchemaError(
            f"battles: no vote is left of {frame.height} ({_told(left_out)})",
            fix="choose others: --votes all (votes='all'), or another --judge",
        )
    if left_out:
        warnings.warn(
            f"{where}: {sum(left_out.values())} of {frame.height} votes are left out: {_told(left_out)}",
            CharmWarning,
            stacklevel=4,
        )
    return Choice(counted, left_out, named)


def is_automatic(judge: str) -> bool:
    """Whether a judge's name is one of a model, or of a prompt that makes a model a judge."""
    return _AUTOMATIC.search(judge) is not None


def _told(left_out: dict[str, int]) -> str:
    return "; ".join(f"{count} {reason}" for reason, count in left_out.items())


# --- the Arena's rules ----------------------------------------------------------------------------


def _arena_rules(frame: pl.DataFrame) -> dict[str, pl.Series]:
    """The Arena counts votes whose voter did not see the names, and of prompts asked again and again a sample."""
    rules = {}
    if "anony" in frame.columns:
        rules[NAMES_SHOWN] = names_hidden(frame)
    tag = next((c for c in ("dedup_tag", "dedup_tag.sampled") if c in frame.columns), None)
    if tag is not None:
        rules[NOT_SAMPLED] = _truths(_sampled(frame[tag]), tag)
    return rules


def names_hidden(frame: pl.DataFrame) -> pl.Series:
    """Whether the voter of each row did not see whose answers they were, by the column ``anony``.

    Raises:
        SchemaError: a flag says neither yes nor no.
    """
    return _truths(frame["anony"], "anony")


def _sampled(tags: pl.Series) -> pl.Series:
    """The tag's part ``sampled``, out of a struct or the text of one."""
    if isinstance(tags.dtype, pl.Struct) and "sampled" in [f.name for f in tags.dtype.fields]:
        return tags.struct.field("sampled")
    if tags.dtype == pl.String and tags.str.contains("sampled").any():
        return tags.str.extract(_SAMPLED)
    return tags


def _truths(flags: pl.Series, name: str) -> pl.Series:
    """True where a flag says so; a missing one does not."""
    words = name_texts(flags).str.strip_chars().str.to_lowercase()
    yes, no = words.is_in(["true", "1", "1.0"]), words.is_in(["false", "0", "0.0", ""])
    unknown = ~(yes | no).fill_null(True)
    if unknown.any():
        row = int(unknown.arg_true()[0])
        raise SchemaError(
            f"{name} {flags[row]!r} is neither true nor false",
            where=f"battles, row {row}",
            fix="correct these rows, or count all votes: --votes all (votes='all')",
        )
    return yes.fill_null(False)


# --- whose votes ----------------------------------------------------------------------------------


def _of_judge(frame: pl.DataFrame, judge: str | None) -> tuple[pl.Series, str | None]:
    """The rows of the judge asked for; or all, where they are of one kind."""
    everyone = pl.repeat(True, frame.height, dtype=pl.Boolean, eager=True)
    column = next((c for c in JUDGE_COLUMNS if c in frame.columns), None)
    if column is None:
        if judge not in (None, EVERYBODY):
            raise ConfigError(
                f"judge {judge!r} is asked for, and the votes do not say who cast them",
                fix=f"leave it out, or add a column {JUDGE_COLUMNS[0]}",
            )
        return everyone, None
    names = name_texts(frame[column])
    known = names.drop_nulls().unique().sort().to_list()
    automatic = [name for name in known if is_automatic(name)]
    if judge == EVERYBODY:
        return everyone, EVERYBODY
    if judge is not None and judge in known:
        return (names == judge).fill_null(False), judge
    if judge == PEOPLE:
        return ~names.is_in(automatic).fill_null(False), PEOPLE
    if judge is not None:
        raise ConfigError(
            f"no votes of judge {judge!r}.{did_you_mean(judge, known)}",
            fix=f"choose {PEOPLE}, {EVERYBODY}, or one of {listing(known, limit=12)}",
        )
    _refuse_mixtures(known, automatic, column, unnamed=names.null_count())
    return everyone, automatic[0] if automatic else None


def _refuse_mixtures(known: list[str], automatic: list[str], column: str, *, unnamed: int) -> None:
    """Automatic judges beside people, or beside each other, are told apart by the caller; few names are told."""
    people = [name for name in known if name not in automatic]
    if automatic and (people or unnamed or len(automatic) > 1):
        others = f" and of {listing(people)}" if people else (" and of nobody named" if unnamed else "")
        raise ConfigError(
            f"votes of automatic judges ({listing(automatic)}){others} in one file, which are not mixed unless you ask for it",
            fix=f"choose whose with --judge (judge=): {PEOPLE}, one of these names, or {EVERYBODY}",
        )
    if 1 < len(people) <= _FEW:
        warnings.warn(
            f"votes of {len(people)} people (column {column}) are counted together: {listing(people, limit=_FEW)}; "
            f"if one is an automatic judge, choose with --judge",
            CharmWarning,
            stacklevel=6,
        )


def record(choice: Choice, votes: Votes) -> dict[str, Any]:
    """What was chosen, for provenance."""
    return {"votes": votes, "judge": choice.judge, "left_out": choice.left_out}
