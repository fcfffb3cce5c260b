"""Asking one policy: what the store knows is not asked again, every answer is kept the moment it comes."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import polars as pl

from ..costs import Usage
from ..errors import CharmWarning, ConfigError, ModelError, RemoteError, counted, listing, verb
from ..memo import Memo, in_portions
from ..protocols import Answer
from ..visible import visible
from .marks import CUT_OFF, with_marks
from .plan import PolicyPlan, Request, RequestPlan, plan_requests, tell_of_systems

# Prompts per block for policies that answer in blocks: what a kill loses at most.
BLOCK = 64
# With a larger share of answers cut off, their lengths say more of the limit than of the policy.
MANY_CUT_OFF = 0.25
TOO_LONG = "too_long"
_LOST = (TOO_LONG, "error")


@dataclass(frozen=True, eq=False)
class Generated:
    """A policy's answers, and what this run took.

    ``frame``: prompt_id, prompt, policy, response, sample, finish_reason, n_tokens, empty, refusal. ``asked`` now, ``known`` from the
    store; ``usage`` of all answers, ``spent`` now; ``too_long`` and ``failed``: rows that have no answer. ``models``: what a server
    called the model that answered, with how many answers.
    """

    plan: PolicyPlan
    frame: pl.DataFrame
    asked: int
    known: int
    usage: Usage
    spent: Usage
    too_long: int
    failed: int
    models: Mapping[str, int]


def generate_responses(
    plan: PolicyPlan,
    prompts: pl.DataFrame,
    *,
    memo: Memo | None = None,
    too_long: str = "fail",
    progress: bool = True,
) -> Generated:
    """Let one policy answer every prompt.

    Args:
        plan: the policy, and how it is asked.
        prompts: prompt_id and prompt, as :func:`~.prompts.load_prompts` gives them.
        memo: where answers are kept; None: in memory, for this run.
        too_long: a prompt that does not fit, with room for the answer: ``fail`` before anything is asked, or ``skip`` it.
        progress: show a bar on standard error.

    Raises:
        ModelError: a prompt is too long, the policy leaves prompts unanswered, or answers nothing but empty texts.
        CharmWarning: (as a warning) prompts have no answer, many answers are cut off, or system messages are joined.
    """
    tell_of_systems(plan, prompts)
    return answered(
        plan, prompts, ask_policy(plan, prompts, memo=memo, too_long=too_long, progress=progress), too_long
    )


@dataclass(frozen=True, eq=False)
class Asked:
    """What became of the questions of one policy: answers by key, ``known`` before and ``asked`` now.

    ``long``: by how many tokens prompts exceed what the policy takes, of those that do (0: its server said so); they have no answer.
    """

    requests: RequestPlan
    known: Mapping[str, Answer]
    asked: Mapping[str, Answer]
    long: Mapping[str, int]


def ask_policy(
    plan: PolicyPlan,
    prompts: pl.DataFrame,
    *,
    memo: Memo | None = None,
    too_long: str = "fail",
    progress: bool = True,
) -> Asked:
    """Ask one policy what ``memo`` does not know; arguments as of :func:`generate_responses`.

    Nothing is asked where ``too_long`` is ``fail`` and a prompt does not fit.

    Raises:
        ModelError: the policy leaves prompts unanswered.
    """
    if too_long not in ("fail", "skip"):
        raise ConfigError(f"too_long {too_long!r} is unknown", fix="use fail or skip")
    requests = plan_requests(plan, prompts)
    long = _too_long(plan, requests.requests)
    if long and too_long == "fail":
        return Asked(requests, {}, {}, long)
    with _opened(memo) as store, _naming(plan):
        known, asked = _ask(plan, requests, store, skip=set(long), progress=progress)
    late = {key: 0 for key, answer in asked.items() if answer.finish == TOO_LONG}
    return Asked(requests, known, asked, long | late)


def answered(plan: PolicyPlan, prompts: pl.DataFrame, found: Asked, too_long: str = "fail") -> Generated:
    """The table of what was asked, and what it took.

    Raises:
        ModelError: a prompt is too long and ``too_long`` is ``fail``, or the policy answers nothing but empty texts.
        CharmWarning: (as a warning) prompts have no answer, or many answers are cut off.
    """
    if found.long and too_long == "fail":
        raise _does_not_fit(plan, prompts, found.requests, found.long)
    answers = {**found.known, **found.asked, **dict.fromkeys(found.long, Answer("", TOO_LONG))}
    frame, lost = _table(plan, prompts, found.requests, answers)
    _check(plan, frame, lost)
    kept = {k: a for k, a in answers.items() if a.finish not in _LOST}
    return Generated(
        plan,
        with_marks(frame),
        asked=len(found.asked),
        known=len(found.known),
        usage=usage_of(kept),
        spent=usage_of(found.asked),
        too_long=lost[TOO_LONG],
        failed=lost["error"],
        models=_models(kept),
    )


# --- asking -------------------------------------------------------------------------------------


@contextmanager
def _opened(memo: Memo | None) -> Iterator[Memo]:
    if memo is not None:
        yield memo
        return
    with Memo.open(None) as fresh:
        yield fresh


@contextmanager
def _naming(plan: PolicyPlan) -> Iterator[None]:
    """Say which policy it is in what goes wrong with its model or server."""
    try:
        yield
    except (ModelError, RemoteError, ConfigError) as error:
        if f"policy {plan.name!r}" not in (error.where or ""):
            error.where = f"policy {plan.name!r}: {error.where}" if error.where else _named(plan)
        raise


def _ask(
    plan: PolicyPlan, requests: RequestPlan, memo: Memo, *, skip: set[str], progress: bool
) -> tuple[dict[str, Answer], dict[str, Answer]]:
    """Answers that were known, and those asked for now."""
    wanted = [key for key in requests.requests if key not in skip]
    known = {key: Answer(**entry.value) for key, entry in memo.lookup(wanted).items()}
    asked: dict[str, Answer] = {}
    with _bar(plan.name, len(wanted), done=len(known), show=progress) as advance:
        for block in _blocks(plan, wanted):
            new = [key for key in block if key not in known]
            for answers in _answers(plan, new, requests.requests):
                # What was not answered is asked again by the next run.
                memo.add({k: asdict(a) for k, a in answers.items() if a.finish not in _LOST}, run="generate")
                asked |= answers
                advance(len(answers))
    if lost := len(wanted) - len(known) - len(asked):
        raise ModelError(
            f"the policy left {counted(lost, 'prompt')} unanswered",
            where=_named(plan),
            fix="run again: answers so far are kept",
        )
    return known, asked


def _blocks(plan: PolicyPlan, keys: list[str]) -> Iterator[list[str]]:
    """All at once for a policy that streams; else the same blocks whatever is known already."""
    size = max(1, len(keys)) if _streams(plan) else int(getattr(plan.policy, "block", BLOCK))
    return (keys[start : start + size] for start in range(0, len(keys), size))


def _streams(plan: PolicyPlan) -> bool:
    return bool(getattr(plan.policy, "streams", False))


def _answers(
    plan: PolicyPlan, keys: list[str], requests: Mapping[str, Request]
) -> Iterator[dict[str, Answer]]:
    """Answers by key, in portions to be kept at once."""
    if not keys:
        return
    prompts, seeds = [requests[k].prompt for k in keys], [requests[k].seed for k in keys]
    answers = plan.policy.answers(prompts, plan.sampling, seeds)
    yield from in_portions(keys, answers, one_by_one=_streams(plan))


@contextmanager
def _bar(name: str, total: int, *, done: int, show: bool) -> Iterator[Callable[[int], None]]:
    """A bar that counts answers, with time left; yields the function that advances it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(file=sys.stderr),
        disable=not show or done == total,
    )
    with bar:
        task = bar.add_task(visible(name), total=total, completed=done)
        yield lambda answers: bar.advance(task, answers)


# --- prompts that do not fit --------------------------------------------------------------------


def _too_long(plan: PolicyPlan, requests: Mapping[str, Request]) -> dict[str, int]:
    """By how many tokens prompts exceed what the policy takes, of those that do; empty where it cannot tell."""
    excess = getattr(plan.policy, "excess", None)
    if excess is None:
        return {}
    over = {key: int(excess(request.prompt, plan.sampling)) for key, request in requests.items()}
    return {key: tokens for key, tokens in over.items() if tokens > 0}


def _does_not_fit(
    plan: PolicyPlan, prompts: pl.DataFrame, requests: RequestPlan, long: Mapping[str, int]
) -> ModelError:
    rows = [i // plan.samples for i, key in enumerate(requests.keys) if key in long]
    ids = list(dict.fromkeys(prompts["prompt_id"][row] for row in rows))
    most = max(long.values())
    by = f" (by up to {counted(most, 'token')})" if most else ""
    return ModelError(
        f"{counted(len(ids), 'prompt')} of {prompts.height:,} with room for an answer of {plan.sampling.max_tokens:,} tokens "
        f"exceed what it takes{by}: {listing(ids, limit=3)}",
        where=_named(plan),
        fix="leave them out (--too-long skip), lower --max-tokens, or give the model more room",
    )


# --- the result ---------------------------------------------------------------------------------


def _table(
    plan: PolicyPlan, prompts: pl.DataFrame, requests: RequestPlan, answers: Mapping[str, Answer]
) -> tuple[pl.DataFrame, dict[str, int]]:
    """A row for each answer, and how many there are of which kind of none."""
    whole = (
        prompts.with_columns(sample=pl.int_ranges(0, plan.samples, dtype=pl.Int64))
        .explode("sample")
        .with_columns(
            pl.lit(plan.name).alias("policy"),
            pl.Series("response", [answers[k].text for k in requests.keys], dtype=pl.String),
            pl.Series("finish_reason", [answers[k].finish for k in requests.keys], dtype=pl.String),
            pl.Series("n_tokens", [answers[k].n_tokens for k in requests.keys], dtype=pl.Int64),
        )
        .select("prompt_id", "prompt", "policy", "response", "sample", "finish_reason", "n_tokens")
    )
    lost = {kind: int((whole["finish_reason"] == kind).sum()) for kind in _LOST}
    gone = pl.col("finish_reason").is_in(list(_LOST)).fill_null(False)
    return whole.filter(~gone), lost


def _check(plan: PolicyPlan, frame: pl.DataFrame, lost: Mapping[str, int]) -> None:
    """Refuse a policy that says nothing at all; tell of what is missing or cut off."""
    if not frame.height or (frame["response"].str.strip_chars() == "").all():
        what = (
            "not one prompt was answered"
            if not frame.height
            else f"{verb(frame.height, 'the one answer is', f'all {frame.height:,} answers are')} empty"
        )
        raise ModelError(
            what,
            where=_named(plan),
            fix="look at its chat template, --stop and --max-tokens, or leave the policy out; all answers are kept, so after a "
            "change at a server ask with another --cache",
        )
    if lost[TOO_LONG]:
        _warn(plan, f"{counted(lost[TOO_LONG], 'prompt')} left out: too long for it")
    if lost["error"]:
        _warn(plan, f"{counted(lost['error'], 'prompt')} left out: no answer; the next run asks again")
    cut = int((frame["finish_reason"] == CUT_OFF).sum())
    if cut > MANY_CUT_OFF * frame.height:
        _warn(
            plan,
            f"{cut:,} of {frame.height:,} answers are cut off at {plan.sampling.max_tokens:,} tokens: their length and end "
            "are the limit's, not the policy's (--max-tokens)",
        )


def _warn(plan: PolicyPlan, what: str) -> None:
    warnings.warn(f"{_named(plan)}: {what}", CharmWarning, stacklevel=4)


def usage_of(answers: Mapping[str, Answer]) -> Usage:
    """Tokens of the answers; those that are none took none."""
    return Usage.of((a.prompt_tokens, a.n_tokens) for a in answers.values() if a.finish not in _LOST)


def _models(answers: Mapping[str, Answer]) -> dict[str, int]:
    found: dict[str, int] = {}
    for answer in answers.values():
        if answer.model is not None:
            found[answer.model] = found.get(answer.model, 0) + 1
    return dict(sorted(found.items()))


def _named(plan: PolicyPlan) -> str:
    return f"policy {plan.name!r} ({plan.policy.source})"
