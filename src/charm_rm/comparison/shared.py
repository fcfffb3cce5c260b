"""What several models all said: the same prompts, policies and pairs of each, and what is left out for it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import combinations

import polars as pl

from ..errors import CharmWarning, ConfigError, NoOverlap, counted, listing
from ..tables import Margins, Scores, WinRates

ByPrompt = Scores | Margins
_CELL = ["prompt_id", "policy"]
_PAIR = ["prompt_id", "policy", "reference"]
_POLICIES, _PROMPTS = 3, 2


@dataclass(frozen=True)
class LeftOut:
    """What one model has and not all have: rows of its table, prompts, and the names of policies."""

    rows: int
    prompts: int
    policies: tuple[str, ...]


def by_prompt(name: str, source: Scores | Margins | WinRates) -> ByPrompt:
    """The source, which has to say something of every prompt.

    Raises:
        ConfigError: published win rates.
    """
    if isinstance(source, WinRates):
        raise ConfigError(
            "published win rates are not per prompt, so they cannot be paired",
            where=name,
            fix="give the scores or judgements they were made from, or audit each on its own",
        )
    return source


def refuse_doubles(sources: Mapping[str, ByPrompt]) -> None:
    """Refuse two models with the very same numbers: one file that is given twice.

    Raises:
        ConfigError: there are two such.
    """
    for (one, first), (other, second) in combinations(sources.items(), 2):
        if type(first) is type(second) and _same(first, second):
            raise ConfigError(
                f"{one!r} and {other!r} have the very same numbers: a model is compared with others, not with itself",
                fix="give each model once",
            )


def _same(first: ByPrompt, second: ByPrompt) -> bool:
    if len(first) != len(second):
        return False
    key = _CELL if isinstance(first, Scores) else _PAIR
    value = "score" if isinstance(first, Scores) else "margin"
    one, other = (x.frame.select(*key, value).sort(key) for x in (first, second))
    return one.equals(other)


def in_common(sources: Mapping[str, ByPrompt]) -> tuple[dict[str, ByPrompt], dict[str, LeftOut]]:
    """All sources on what all of them have, in the order given; a warning says what is left out.

    Where all are scores, that is the responses that all scored. Where one is of judgements, it is the pairs of responses that all
    judged; scores count as judgements of every pair that they have both sides of, their margin being the difference.

    Raises:
        NoOverlap: they share fewer than two prompts or three policies.
    """
    if all(isinstance(source, Scores) for source in sources.values()):
        cells = _intersection([source.frame for source in sources.values()], _CELL)
        found: dict[str, ByPrompt] = {
            name: Scores(source.frame.join(cells, on=_CELL, how="semi"), provenance=source.provenance)
            for name, source in sources.items()
            if isinstance(source, Scores) and cells.height
        }
        policies, prompts = cells["policy"].unique(), cells["prompt_id"].n_unique()
    else:
        pairs = _shared_pairs(sources)
        found = {name: _judged(source, pairs) for name, source in sources.items()} if pairs.height else {}
        policies = pl.concat([pairs["policy"], pairs["reference"]]).unique()
        prompts = pairs["prompt_id"].n_unique()
    if policies.len() < _POLICIES or prompts < _PROMPTS:
        raise _too_little(sources, policies.len(), prompts)
    left = {name: _left_out(sources[name], source) for name, source in found.items()}
    _tell(left, prompts, policies.len())
    return found, left


def _intersection(frames: list[pl.DataFrame], key: list[str]) -> pl.DataFrame:
    """The rows of ``key`` that all frames have, sorted."""
    first, *others = (frame.select(key).unique() for frame in frames)
    return reduce(lambda known, frame: known.join(frame, on=key, how="semi"), others, first).sort(key)


def _shared_pairs(sources: Mapping[str, ByPrompt]) -> pl.DataFrame:
    """The pairs of responses that every model compared, policy before reference by name."""
    judged = [turned(source.frame) for source in sources.values() if isinstance(source, Margins)]
    pairs = _intersection(judged, _PAIR)
    for source in sources.values():
        if isinstance(source, Scores):
            cells = source.frame.select(_CELL)
            pairs = pairs.join(cells, on=_CELL, how="semi")
            pairs = pairs.join(
                cells.rename({"policy": "reference"}), on=["prompt_id", "reference"], how="semi"
            )
    return pairs.sort(_PAIR)


def turned(frame: pl.DataFrame) -> pl.DataFrame:
    """Every pair with the name that sorts first as its policy; both orders of a prompt are averaged, as in every audit."""
    turn = pl.col("policy") > pl.col("reference")
    return (
        frame.select(
            "prompt_id",
            policy=pl.when(turn).then("reference").otherwise("policy"),
            reference=pl.when(turn).then("policy").otherwise("reference"),
            margin=pl.when(turn).then(-pl.col("margin")).otherwise("margin"),
        )
        .group_by(_PAIR)
        .agg(pl.col("margin").mean())
    )


def _judged(source: ByPrompt, pairs: pl.DataFrame) -> Margins:
    """The source's margins of these pairs."""
    if isinstance(source, Margins):
        frame = pairs.join(turned(source.frame), on=_PAIR, how="left")
    else:
        scores = source.frame.select("prompt_id", "policy", "score")
        other = scores.rename({"policy": "reference", "score": "other"})
        frame = pairs.join(scores, on=_CELL).join(other, on=["prompt_id", "reference"])
        frame = frame.with_columns(margin=pl.col("score") - pl.col("other"))
    return Margins(frame.select(*_PAIR, "margin").sort(_PAIR), provenance=source.provenance)


def _too_little(sources: Mapping[str, ByPrompt], policies: int, prompts: int) -> NoOverlap:
    sizes = ", ".join(
        f"{name} has {counted(source.frame['prompt_id'].n_unique(), 'prompt')} of {counted(len(source.policies), 'policy', 'policies')}"
        for name, source in sources.items()
    )
    baselines = {
        name: sorted(set(source.frame["reference"].unique()))
        for name, source in sources.items()
        if isinstance(source, Margins)
    }
    met = "".join(f"; {name} compared with {listing(some, limit=2)}" for name, some in baselines.items())
    return NoOverlap(
        f"the {counted(len(sources), 'model')} share {counted(policies, 'policy', 'policies')} and {counted(prompts, 'prompt')}; "
        f"three policies and two prompts are needed ({sizes}{met})",
        fix="score the same responses with all of them, judges against the same baseline (check prompt_id and policy; files that are parts of one table are given "
        "as one pattern in quotes)",
    )


def _left_out(whole: ByPrompt, kept: ByPrompt) -> LeftOut:
    prompts = whole.frame["prompt_id"].n_unique() - kept.frame["prompt_id"].n_unique()
    policies = tuple(sorted(set(whole.policies) - set(kept.policies)))
    rows = 0  # of scores beside judgements, responses are what is left out
    if isinstance(whole, Margins):
        rows = turned(whole.frame).height - len(kept)
    elif isinstance(kept, Scores):
        rows = len(whole) - len(kept)
    return LeftOut(rows, prompts, policies)


def _tell(left: Mapping[str, LeftOut], prompts: int, policies: int) -> None:
    parts = []
    for name, one in left.items():
        what = [counted(one.prompts, "prompt")] if one.prompts else []
        what += (
            [f"{counted(len(one.policies), 'policy', 'policies')} ({listing(one.policies, limit=3)})"]
            if one.policies
            else []
        )
        if not what and one.rows > 0:
            what = [counted(one.rows, "row")]
        if what:
            parts.append(f"{name}: {' and '.join(what)}")
    if parts:
        warnings.warn(
            f"the comparison is over the {counted(prompts, 'prompt')} and {counted(policies, 'policy', 'policies')} that all have; "
            f"left out are, of {'; of '.join(parts)}",
            CharmWarning,
            stacklevel=3,
        )
