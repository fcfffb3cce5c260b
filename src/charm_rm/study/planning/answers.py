"""Which answers can be set beside which: all pairs of answers to a prompt, and the first reason why one is no comparison for people."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ...errors import ConfigError, UnknownPolicy
from ...policy_names import near_policies
from ...tables import Responses

# Beyond this a frame of all comparisons no longer fits in a small machine's memory: some 100 bytes each.
MOST_CANDIDATES = 20_000_000
MISSING, BLANK, IDENTICAL = "missing", "blank", "identical"
_Codes = NDArray[np.int64]


def comparable_pairs(
    responses: Responses,
    *,
    policies: Sequence[str] | None,
    pairs: Collection[tuple[str, str]] | None,
    unfit: Mapping[str, pl.DataFrame],
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Comparisons prompt_id, policy_a, policy_b whose two answers may be compared, sorted; and an account of the others by reason.

    Arguments and errors as of :func:`..frame.find_candidates`.
    """
    answers = _answers(responses, policies, unfit)
    left, right = _chosen_pairs(answers, pairs)
    reason = np.minimum(answers.state[:, left], answers.state[:, right])
    fit = reason == 2 + len(unfit)
    same = fit & (answers.text[:, left] == answers.text[:, right])
    counts = np.bincount(reason.ravel(), minlength=3 + len(unfit)).tolist()
    account: dict[str, Any] = {
        "prompts": len(answers.prompts),
        "policies": len(answers.policies),
        "possible": int(reason.size),
        **dict(zip((MISSING, BLANK, *unfit), counts[:-1], strict=True)),
        IDENTICAL: int(same.sum()),
    }
    prompt, pair = np.nonzero(fit & ~same)
    names = pl.Series(answers.policies, dtype=pl.String)
    frame = pl.DataFrame(
        {
            "prompt_id": pl.Series(answers.prompts, dtype=pl.String).gather(prompt),
            "policy_a": names.gather(left[pair]),
            "policy_b": names.gather(right[pair]),
        }
    )
    return frame, account


@dataclass(frozen=True, eq=False)
class _Answers:
    """Who answered what: (P, K) arrays over sorted prompts and policies.

    ``state`` is 0 where there is no answer, 1 where it is blank, 2, 3 ... for each reason it is unfit, and the largest where it may
    be compared: of two answers the smaller says why they are not. ``text`` is equal for equal texts.
    """

    prompts: list[str]
    policies: list[str]
    state: _Codes
    text: _Codes


def _answers(
    responses: Responses, policies: Sequence[str] | None, unfit: Mapping[str, pl.DataFrame]
) -> _Answers:
    _refuse_unknown(policies or (), responses.policies)
    frame = responses.frame.select("prompt_id", "policy", "response")
    if policies is not None:
        frame = frame.filter(pl.col("policy").is_in(list(policies)))
    fit = 2 + len(unfit)
    blank = pl.col("response").str.strip_chars() == ""
    frame = frame.select(
        "prompt_id",
        "policy",
        state=pl.when(blank).then(pl.lit(1, dtype=pl.Int64)).otherwise(pl.lit(fit, dtype=pl.Int64)),
        text=pl.col("response").rank("dense"),
    )
    prompts, names = (frame[c].unique().sort() for c in ("prompt_id", "policy"))
    rows, columns = _codes(frame["prompt_id"], prompts), _codes(frame["policy"], names)
    state, text = (np.zeros((len(prompts), len(names)), dtype=np.int64) for _ in range(2))
    state[rows, columns] = frame["state"].to_numpy()
    text[rows, columns] = frame["text"].to_numpy()
    for at, answers in enumerate(unfit.values()):
        known = answers.filter(pl.col("prompt_id").is_in(prompts) & pl.col("policy").is_in(names))
        place = (_codes(known["prompt_id"], prompts), _codes(known["policy"], names))
        state[place] = np.minimum(state[place], 2 + at)
    return _Answers(prompts.to_list(), names.to_list(), state, text)


def _codes(values: pl.Series, known: pl.Series) -> _Codes:
    codes = values.replace_strict(known, pl.Series(range(known.len())), return_dtype=pl.Int64)
    return codes.to_numpy()


def _refuse_unknown(names: Collection[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise UnknownPolicy(
                f"no responses of policy {name!r}.{near_policies(name, known)}", fix="check the policy's name"
            )


def _chosen_pairs(answers: _Answers, pairs: Collection[tuple[str, str]] | None) -> _Codes:
    """(2, m) codes of the pairs, first before second by name, sorted.

    Raises:
        ConfigError: more comparisons than memory holds.
    """
    names = answers.policies
    if pairs is None:
        chosen = np.array(np.triu_indices(len(names), k=1), dtype=np.int64)
    else:
        _refuse_unknown([name for pair in pairs for name in pair], names)
        at = {name: k for k, name in enumerate(names)}
        ordered = sorted({tuple(sorted((at[a], at[b]))) for a, b in pairs if a != b})
        chosen = np.array(ordered, dtype=np.int64).reshape(-1, 2).T
    possible = len(answers.prompts) * chosen.shape[1]
    if possible > MOST_CANDIDATES:
        raise ConfigError(
            f"{len(answers.prompts):,} prompts x {chosen.shape[1]:,} pairs of policies are {possible:,} comparisons; up to {MOST_CANDIDATES:,} "
            "are held at once",
            fix="give the responses to fewer prompts, or fewer --policy (policies= in Python)",
        )
    return chosen
