"""Generating by Ray: actors let policies answer, and the tables are made as without Ray, of answers that all are in the store.

A task is some of one policy's prompts; of equal prompts one is asked. Prompts go by length, the longest first, as in one process: what
does not fit is found first, and batches need little padding. Policies that are the same model share its actors.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from .. import store
from ..errors import CharmError, CharmWarning, RemoteError, StageFailed, counted
from ..extras import require
from ..generation import Asked, Generated, answered, ask_policy, plan_of, plan_requests, tell_of_systems
from ..generation.prompts import prompt_length
from ..generation.run import usage_of
from ..memo import Memo, content_key
from ..policy_specs import load_policy, policy_opening
from ..protocols import Answer, AnsweringPolicy
from ..settings import EngineSettings, PolicySettings
from .answers import added_usage, remove_inputs, store_of_task, take_over
from .cluster import joined_cluster
from .parts import Aside
from .progress import task_bar
from .tasks import Lost, Work, run_tasks

_LOST = ("too_long", "error")
Summary = Mapping[str, Any]


def generate_by_ray(
    policies: Sequence[PolicySettings],
    prompts: pl.DataFrame,
    output: Path,
    *,
    engine: EngineSettings,
    memo: Path,
    too_long: str = "fail",
    progress: bool = True,
) -> list[Generated]:
    """Let policies answer every prompt as :func:`~charm_rm.generation.generate_responses` does, asked by actors.

    Args:
        policies: each with its name; actors open those of one spec and one way to run it once.
        prompts: prompt_id and prompt.
        output: where the responses will be written; what tasks need lies beside it until then.
        memo: a store of answers: those of actors go into it.
        too_long: a prompt that does not fit: ``fail`` (its task is not asked), or ``skip`` it.

    Raises:
        StageFailed: some policies could not be asked; they are named, and the answers to all others are kept.
        CharmError: the only policy could not be asked at all.
    """
    require("ray", extra="ray")
    made: dict[str, Generated] = {}
    failed: dict[str, CharmError] = {}
    with Aside.of(output) as aside, joined_cluster(engine), Memo.open(memo) as known:
        for group in _groups(policies):
            found = _asked(group, prompts, aside, known, memo, engine, too_long=too_long, progress=progress)
            for one in group:
                try:
                    made[str(one.name)] = _made(one, prompts, found[str(one.name)], known, too_long)
                except CharmError as error:
                    failed[str(one.name)] = error
    if failed:
        raise _refusal(failed, of=len(policies))
    return [made[str(one.name)] for one in policies]


def _groups(policies: Sequence[PolicySettings]) -> Iterator[list[PolicySettings]]:
    """Policies that are opened alike, in the order of the first of each."""
    groups: dict[str, list[PolicySettings]] = {}
    for one in policies:
        groups.setdefault(content_key(policy_opening(one)), []).append(one)
    yield from groups.values()


def _refusal(failed: Mapping[str, CharmError], *, of: int) -> CharmError:
    """The error of a lone policy; of several, those that failed, by name."""
    if of == 1:
        return next(iter(failed.values()))
    lines = [f"  {name}: {error.what}" for name, error in failed.items()]
    fixes = list(dict.fromkeys(error.fix for error in failed.values() if error.fix))
    return StageFailed(
        f"{counted(len(failed), 'policy', 'policies')} of {of:,} could not be asked, and nothing was written; all answers are kept:\n"
        + "\n".join(lines),
        fix="; ".join([*fixes, "then the same command asks only what is missing"]),
    )


# --- tasks --------------------------------------------------------------------------------------


@dataclass
class _Found:
    """What came of one policy's tasks."""

    done: list[Summary] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    error: CharmError | None = None


def _asked(
    group: Sequence[PolicySettings],
    prompts: pl.DataFrame,
    aside: Aside,
    known: Memo,
    memo: Path,
    engine: EngineSettings,
    *,
    too_long: str,
    progress: bool,
) -> dict[str, _Found]:
    """Ask all policies of one model, by name; what ends all of them is told by each."""
    tasks = list(_tasks(group, prompts, aside, memo, engine))
    found = {str(one.name): _Found() for one in group}
    opening = {"policies": {str(one.name): one for one in group}, "too_long": too_long}
    try:
        with task_bar("answering", len(tasks), done=0, show=progress) as tell:
            done, lost = run_tasks(Work(_open, opening, _ask_part), tasks, engine, tell=tell)
    except CharmError as error:
        return {name: _Found(error=error) for name in found}
    finally:
        remove_inputs(tasks, ("prompts",))
    policy_of = {task["name"]: task["policy"] for task in tasks}
    for task in tasks:
        take_over(task, known, done.get(task["number"]), run="generate")
        if task["number"] in done:
            found[task["policy"]].done.append(done[task["number"]])
    for one in lost:
        found[policy_of[one.name]].lost.append(one)
    return found


def _tasks(
    group: Sequence[PolicySettings], prompts: pl.DataFrame, aside: Aside, memo: Path, engine: EngineSettings
) -> Iterator[dict[str, Any]]:
    """Some prompts of one policy each, in a file of their own."""
    keyed = prompts.with_columns(_key=pl.Series([content_key(p) for p in prompts["prompt"].to_list()]))
    lengths = pl.Series([prompt_length(p) for p in prompts["prompt"].to_list()])
    order = keyed.with_columns(_length=lengths).sort(["_length", "_key"], descending=[True, False])
    each = order.unique("_key", keep="first", maintain_order=True)
    number = 0
    for one in group:
        size = max(1, engine.ray_rows // one.samples)
        for start in range(0, each.height, size):
            some = each.slice(start, size)
            key = content_key(str(one.name), asdict(one), some["_key"].to_list())
            file = aside.file(key, "-prompts.parquet")
            store.write_frame(some.drop("_key", "_length"), file, force=True)
            yield {
                "number": number,
                "name": f"policy {one.name!r}, prompts {start + 1:,} to {start + some.height:,} by length",
                "policy": str(one.name),
                "prompts": str(file),
                **store_of_task(aside, key, memo, engine),
            }
            number += 1


# --- in the actors ------------------------------------------------------------------------------


@dataclass
class _Opened:
    """A model, the policies that it is, what was said when it was opened, and which of its policies has no server any more."""

    policy: AnsweringPolicy
    policies: Mapping[str, PolicySettings]
    too_long: str
    said: list[str]
    down: dict[str, RemoteError] = field(default_factory=dict)


def _open(opening: Mapping[str, Any]) -> _Opened:
    policies = opening["policies"]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        policy = load_policy(**policy_opening(next(iter(policies.values()))))
    return _Opened(policy, policies, opening["too_long"], _of_charm(said))


def _ask_part(opened: _Opened, task: Mapping[str, Any]) -> Summary:
    """Ask what is not known; say what was asked, who answered, and what has no answer."""
    name = task["policy"]
    if name in opened.down:  # all retries of all tasks would take hours
        raise opened.down[name]
    plan = plan_of(opened.policies[name], opened.policy)
    with warnings.catch_warnings(record=True) as said, Memo.open(task["memo"]) as memo:
        warnings.simplefilter("always")
        try:
            found = ask_policy(
                plan, store.read_frame(task["prompts"]), memo=memo, too_long=opened.too_long, progress=False
            )
        except RemoteError as error:
            opened.down[name] = error
            raise
    return {
        "asked": len(found.asked),
        "spent": asdict(usage_of(found.asked)),
        "long": dict(found.long),
        "failed": [key for key, answer in found.asked.items() if answer.finish == "error"],
        "keys": list(found.requests.requests) if task["memo_goes"] else [],
        "said": list(dict.fromkeys([*opened.said, *_of_charm(said)])),
        "policy": asdict(_About.of(opened.policy)),
    }


def _of_charm(said: Sequence[warnings.WarningMessage]) -> list[str]:
    return [str(one.message) for one in said if issubclass(one.category, CharmWarning)]


# --- the whole ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _About:
    """A policy as its manifest has it; it answers nothing."""

    source: str
    fingerprint: str
    draws: bool | None
    own_sampling: bool
    about: Mapping[str, Any]

    @classmethod
    def of(cls, policy: Any) -> _About:
        return cls(
            policy.source,
            policy.fingerprint,
            draws=getattr(policy, "draws", None),
            own_sampling=bool(getattr(policy, "own_sampling", False)),
            about=dict(getattr(policy, "about", {})),
        )


def _made(one: PolicySettings, prompts: pl.DataFrame, found: _Found, known: Memo, too_long: str) -> Generated:
    """What one policy answered, as a run has it that found every answer known.

    Raises:
        CharmError: what it, or its first lost task, failed with.
    """
    if found.error is not None:
        raise found.error
    for words in dict.fromkeys(words for summary in found.done for words in summary["said"]):
        warnings.warn(words, CharmWarning, stacklevel=4)
    if found.lost:
        raise _part_lost(found)
    about: Any = _About(**found.done[0]["policy"])
    plan = plan_of(one, about)
    tell_of_systems(plan, prompts)
    requests = plan_requests(plan, prompts)
    long = {key: int(by) for summary in found.done for key, by in summary["long"].items()}
    none = {key: Answer("", "error") for summary in found.done for key in summary["failed"]}
    answers = {key: Answer(**entry.value) for key, entry in known.lookup(requests.requests).items()}
    refused = bool(long) and too_long == "fail"
    missing = len(requests.requests.keys() - answers.keys() - none.keys() - long.keys())
    if missing and not refused:
        raise StageFailed(
            f"{counted(missing, 'answer')} of policy {one.name!r} cannot be found: the actors had another model, or another store",
            where="--engine ray",
            fix="let all machines see the same files under the same paths",
        )
    whole = answered(plan, prompts, Asked(requests, answers, none, long), too_long)
    asked = sum(int(summary["asked"]) for summary in found.done)
    spent = added_usage(found.done)
    return replace(whole, asked=asked, known=max(0, whole.known + len(none) - asked), spent=spent)


def _part_lost(found: _Found) -> CharmError:
    """The error of a policy that answered nothing; of one that answered some parts, how many it did not."""
    first = found.lost[0].error
    if not found.done:
        return first
    parts = counted(len(found.done) + len(found.lost), "part")
    return StageFailed(
        f"{len(found.lost):,} of {parts} could not be asked; the first, {found.lost[0].name}: {first.what}",
        where=first.where,
        fix=first.fix,
    )
