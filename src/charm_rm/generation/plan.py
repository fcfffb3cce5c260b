"""What has to be asked of one policy: every prompt, as often as samples are wanted, each with its own seed and its own key."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import polars as pl

from ..conversations import prompt_hash
from ..errors import BadSetting, CharmWarning, counted, verb
from ..memo import content_key
from ..protocols import JOINS_SYSTEM, AnsweringPolicy, Prompt, Sampling
from ..settings import PolicySettings
from .prompts import prompt_length, with_system

# Part of every key: raise it when what is kept of an answer changes.
_KEPT = 1


@dataclass(frozen=True)
class PolicyPlan:
    """A policy under its name, and how it is asked.

    Args:
        name: what it is called in every table after this one.
        policy: what answers.
        sampling: how answers are drawn.
        system: its system prompt.
        seed: of all that it draws.
        samples: answers to each prompt.
    """

    name: str
    policy: AnsweringPolicy
    sampling: Sampling = field(default_factory=Sampling)
    system: str | None = None
    seed: int = 0
    samples: int = 1

    def __post_init__(self) -> None:
        if self.samples > 1 and not self.draws and getattr(self.policy, "own_sampling", False):
            raise BadSetting(
                f"the function takes no seeds, so its {self.samples} samples would be one answer, {self.samples} times over",
                setting="samples",
                where=f"policy {self.name!r}",
                fix="let it take them, (prompts, seeds), and draw each answer by its own; or ask for one sample",
            )
        if self.samples > 1 and not self.draws:
            raise BadSetting(
                f"{self.samples} samples at temperature 0 are one answer, {self.samples} times over",
                setting="samples",
                where=f"policy {self.name!r}",
                fix="give it a temperature above 0, or one sample",
            )

    @property
    def draws(self) -> bool:
        """Whether its answers depend on a seed."""
        own = getattr(self.policy, "draws", None)
        return self.sampling.temperature > 0 if own is None else bool(own)

    @property
    def settings(self) -> dict[str, Any]:
        """All that decides its answers, for the manifest."""
        sampling = asdict(self.sampling) | {"stop": list(self.sampling.stop)}
        told = {} if getattr(self.policy, "own_sampling", False) else sampling
        return {
            "system": self.system,
            **told,
            "seed": self.seed if self.draws else None,
            "samples": self.samples,
            "fingerprint": self.policy.fingerprint,
            "model": dict(getattr(self.policy, "about", {})),
        }


def plan_of(settings: PolicySettings, policy: AnsweringPolicy) -> PolicyPlan:
    """A policy that is opened, asked as its settings say.

    Raises:
        BadSetting: several samples are wanted of what does not draw.
    """
    return PolicyPlan(
        str(settings.name),
        policy,
        Sampling(settings.temperature, settings.top_p, settings.max_tokens, tuple(settings.stop)),
        system=settings.system,
        seed=settings.seed,
        samples=settings.samples,
    )


@dataclass(frozen=True)
class Request:
    """One question: which rows it answers is known by its key."""

    prompt: Prompt
    seed: int


@dataclass(frozen=True)
class RequestPlan:
    """``requests`` by key, the longest prompts first; ``keys`` of the rows: prompts in their order, their samples in turn."""

    requests: Mapping[str, Request]
    keys: Sequence[str]


def plan_requests(plan: PolicyPlan, prompts: pl.DataFrame) -> RequestPlan:
    """Every prompt with the policy's system prompt, keyed by all that decides the answer; equal questions are asked once.

    The order is the same whatever is known already, so a run that goes on asks in the very blocks in which it would have asked
    anyway.
    """
    requests: dict[str, Request] = {}
    keys: list[str] = []
    sampling = {} if getattr(plan.policy, "own_sampling", False) else plan.sampling.deciding
    for given in prompts["prompt"].to_list():
        prompt = with_system(given, plan.system)
        for sample in range(plan.samples):
            seed = seed_of(plan, given, sample) if plan.draws else 0
            key = content_key("answer", _KEPT, plan.policy.fingerprint, sampling, prompt, seed)
            requests.setdefault(key, Request(prompt, seed))
            keys.append(key)
    order = sorted(requests, key=lambda key: (-prompt_length(requests[key].prompt), key))
    return RequestPlan({key: requests[key] for key in order}, keys)


def tell_of_systems(plan: PolicyPlan, prompts: pl.DataFrame) -> None:
    """Warn, with counts, where a policy is asked otherwise than with just the system message that it or the prompt has.

    The policy's goes before a prompt's own; and a chat template may have no place for either (:data:`~charm_rm.protocols.JOINS_SYSTEM`).
    """
    own = sum(not isinstance(p, str) and p[0]["role"] == "system" for p in prompts["prompt"].to_list())
    of = f"{counted(own, 'prompt')} of {prompts.height:,}"
    if plan.system and own:
        has = verb(own, "has a system message of its", "have a system message of their")
        _warn(plan, f"{of} {has} own: it follows the policy's, after a blank line")
    if (plan.system or own) and dict(getattr(plan.policy, "about", {})).get(JOINS_SYSTEM):
        whose = "its system prompt" if plan.system else f"what {of} {verb(own, 'has', 'have')}"
        _warn(
            plan,
            f"its chat template has no place for a system message: {whose} goes before the first request, as part of it",
        )


def _warn(plan: PolicyPlan, what: str) -> None:
    warnings.warn(f"policy {plan.name!r}: {what}", CharmWarning, stacklevel=4)


def seed_of(plan: PolicyPlan, prompt: Prompt, sample: int) -> int:
    """The seed of one answer, of 31 bits: a hash of the policy's seed and name, the prompt's text and the number of the sample."""
    text = json.dumps([plan.seed, plan.name, prompt_hash(prompt), sample])
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:4]) >> 1
