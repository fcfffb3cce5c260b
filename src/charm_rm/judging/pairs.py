"""Which pairs of responses to ask a judge about: all, every policy against one, or a balanced sample.

The plan depends on prompts, policies and seed alone, never on the order of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import polars as pl

from ..errors import ConfigError, NoOverlap, UnknownPolicy
from ..policy_names import near_policies
from ..responses import ResponsesLike, as_responses

SPECS = "all, vs:POLICY or sampled:K"
_SCHEMA = {"prompt_id": pl.String, "policy": pl.String, "reference": pl.String}


def plan_pairs(responses: ResponsesLike, spec: str = "all", seed: int = 0) -> pl.DataFrame:
    """Pairs (prompt_id, policy, reference) of responses to the same prompt, sorted.

    Args:
        responses: what the policies answered.
        spec: ``all`` pairs of every prompt; ``vs:POLICY``, every other policy against that one; ``sampled:K``,
            K random pairs of every prompt (fewer where there are fewer), each policy drawn about equally often.
        seed: of ``sampled``.

    Raises:
        ConfigError: the spec is unknown.
        UnknownPolicy: no responses of the policy in ``vs:POLICY``.
        NoOverlap: no two policies answered the same prompt.
    """
    responses = as_responses(responses)
    kind, _, rest = spec.partition(":")
    answered = responses.frame.select("prompt_id", "policy").sort("prompt_id", "policy")
    if kind == "all" and not rest:
        pairs = _all(answered)
    elif kind == "vs" and rest:
        pairs = _against(answered, rest, responses.policies)
    elif kind == "sampled" and rest.isascii() and rest.isdigit() and int(rest) > 0:
        pairs = _sampled(answered, int(rest), np.random.default_rng(seed))
    else:
        raise ConfigError(f"pairs {spec!r} are unknown", fix=f"use {SPECS}, K being a whole number above 0")
    if pairs.height == 0:
        raise NoOverlap(
            f"pairs {spec!r}: no prompt was answered by two policies to compare",
            fix="check prompt_id: the same prompt needs the same id for every policy",
        )
    return pairs.sort("prompt_id", "policy", "reference")


def _all(answered: pl.DataFrame) -> pl.DataFrame:
    both = answered.join(answered.rename({"policy": "reference"}), on="prompt_id")
    return both.filter(pl.col("policy") < pl.col("reference"))


def _against(answered: pl.DataFrame, reference: str, known: Sequence[str]) -> pl.DataFrame:
    if reference not in known:
        raise UnknownPolicy(
            f"no responses of policy {reference!r}.{near_policies(reference, known)}",
            fix="check the policy's name",
        )
    theirs = answered.filter(pl.col("policy") == reference).rename({"policy": "reference"})
    return answered.filter(pl.col("policy") != reference).join(theirs, on="prompt_id")


def _sampled(answered: pl.DataFrame, k: int, rng: np.random.Generator) -> pl.DataFrame:
    names = sorted(answered["policy"].unique().to_list())
    code = {name: i for i, name in enumerate(names)}
    seen = np.zeros(len(names), dtype=np.int64)
    met = np.zeros((len(names), len(names)), dtype=np.int64)
    rows = []
    for (prompt,), group in answered.group_by("prompt_id", maintain_order=True):
        present = [code[name] for name in group["policy"].to_list()]
        candidates = np.array(list(combinations(present, 2)), dtype=np.int64).reshape(-1, 2)
        for _ in range(min(k, len(candidates))):
            chosen = _least_seen(candidates, seen, met, rng)
            left, right = candidates[chosen]
            seen[[left, right]] += 1
            met[left, right] += 1
            rows.append((prompt, names[left], names[right]))
            candidates = np.delete(candidates, chosen, axis=0)
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _least_seen(candidates: np.ndarray, seen: np.ndarray, met: np.ndarray, rng: np.random.Generator) -> int:
    """A random one of the pairs whose policies were drawn least so far, and met each other least."""
    left, right = candidates.T
    loads = np.stack(
        [seen[left] + seen[right], np.maximum(seen[left], seen[right]), met[left, right]], axis=1
    )
    least = np.flatnonzero((loads == loads[np.lexsort(loads.T[::-1])[0]]).all(axis=1))
    return int(rng.choice(least))
