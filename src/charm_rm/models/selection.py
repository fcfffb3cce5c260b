"""Best of n: of several responses to a prompt the one that a reward model, calibrated or not, scores highest."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SchemaError
from ..protocols import Prompt, ScalarReward
from ..statistics import FloatArray
from ..style import Calibrator
from .scoring.responses import score_texts
from .training.reward_function import open_scorer


@dataclass(frozen=True, eq=False)
class Selected:
    """``index`` (n prompts,) is each prompt's best response, ``responses`` are their texts, ``scores`` those of all, prompt by prompt."""

    index: NDArray[np.int64]
    responses: tuple[str, ...]
    scores: tuple[FloatArray, ...]


def best_of_n(
    rm: str | os.PathLike[str] | ScalarReward,
    prompts: Sequence[Prompt],
    responses: Sequence[Sequence[str]],
    *,
    calibrator: Calibrator | str | os.PathLike[str] | None = None,
    memo: str | Path | None = None,
    **loading: Any,
) -> Selected:
    """Choose the best of each prompt's responses; of equal ones the first.

    Args:
        rm, calibrator, loading: as :func:`charm_rm.reward_function` takes them.
        prompts: texts or chat messages.
        responses: of each prompt one text or more, not the same number everywhere.
        memo: a store (:mod:`charm_rm.memo`): what is in it is not scored again, by whatever calibrator. None: one for this call alone.

    Raises:
        SchemaError: a prompt has no response, or the two have not the same length.
        ModelError, ConfigError: as :func:`charm_rm.reward_function`.
    """
    _check(prompts, responses)
    scorer = open_scorer(rm, calibrator, **loading)
    sizes = [len(some) for some in responses]
    asked = [prompt for prompt, n in zip(prompts, sizes, strict=True) for _ in range(n)]
    said = [text for some in responses for text in some]
    values = score_texts(scorer, asked, said, memo=memo, progress=False).values
    scores = tuple(np.split(values, np.cumsum(sizes)[:-1])) if sizes else ()
    index = np.array([int(some.argmax()) for some in scores], dtype=np.int64)
    best = tuple(some[i] for some, i in zip(responses, index, strict=True))
    return Selected(index, best, scores)


def _check(prompts: Sequence[Prompt], responses: Sequence[Sequence[str]]) -> None:
    if len(prompts) != len(responses):
        raise SchemaError(
            f"{len(prompts)} prompts came with responses to {len(responses)}",
            fix="give for each prompt a list of its responses",
        )
    for i, some in enumerate(responses):
        if isinstance(some, str) or not len(some) or not all(isinstance(text, str) for text in some):
            raise SchemaError(
                "a prompt has no list of responses",
                where=f"responses, row {i}",
                fix="give for each prompt a list of at least one text",
            )
