"""A reward model as TRL's reward function: what GRPO and RLOO train a policy by, calibrated or not.

    reward = reward_function("my-rm", "calibrator.json")
    GRPOTrainer(model=policy, reward_funcs=reward, args=GRPOConfig(...), train_dataset=prompts).train()

TRL calls it with ``prompts`` and ``completions``, each a text or a list of messages, and whatever else the rows have; it answers with one
number for each completion. The texts are read as ``charm score`` reads them, so the rewards are the scores that were audited.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...conversations import as_conversation
from ...errors import ModelError, SchemaError
from ...protocols import Prompt, ScalarReward
from ...statistics import FloatArray
from ...style import CalibratedReward, Calibrator, calibrated, load_calibrator
from ..extras import require
from ..scoring.reward import load_reward_model

# The process's own GPU, as torchrun and accelerate tell it.
_LOCAL_RANK = "LOCAL_RANK"


@dataclass(frozen=True, eq=False)
class RewardFunction:
    """What TRL calls; made by :func:`reward_function`. ``__name__`` is what it logs the rewards under."""

    scorer: ScalarReward
    name: str = "charm_reward"

    @property
    def __name__(self) -> str:
        """TRL's name for it in logs."""
        return self.name

    def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **more: Any) -> list[float]:
        """One finite reward for each completion, in order.

        Args:
            prompts: texts, or lists of messages.
            completions: texts, or lists of messages that end with the assistant's.
            more: TRL's further columns and callbacks. Of these ``log_metric`` is told the means of the model's own scores and of what the
                calibrator adds.

        Raises:
            SchemaError: a prompt or completion is neither text nor messages, or a completion does not end with the assistant's turn.
            ModelError: a reward is not a finite number.
        """
        if len(prompts) != len(completions):
            raise SchemaError(
                f"{len(prompts)} prompts came with {len(completions)} completions",
                fix="give one prompt for each completion, as TRL does",
            )
        pairs = [_read(p, c, row=i) for i, (p, c) in enumerate(zip(prompts, completions, strict=True))]
        return self._rewards([p for p, _ in pairs], [c for _, c in pairs], more.get("log_metric"))

    def _rewards(self, prompts: Sequence[Prompt], responses: Sequence[str], log: Any) -> list[float]:
        if not isinstance(self.scorer, CalibratedReward):
            return list(
                map(float, _checked(self.scorer(prompts, responses), len(responses), self.scorer.source))
            )
        scores, added = self.scorer.parts(prompts, responses)
        scores = _checked(scores, len(responses), self.scorer.source)
        if log is not None and len(scores):
            log(f"{self.name}/score", float(scores.mean()))
            log(f"{self.name}/style", float(added.mean()))
        return list(map(float, scores + added))


def reward_function(
    rm: str | os.PathLike[str] | ScalarReward,
    calibrator: Calibrator | str | os.PathLike[str] | None = None,
    *,
    name: str = "charm_reward",
    **loading: Any,
) -> RewardFunction:
    """A reward model as a reward function of TRL's ``GRPOTrainer`` and ``RLOOTrainer`` (``reward_funcs=...``).

    Args:
        rm: folder or hub id of a reward model; or one that is loaded, of any kind: a server, a function of your own
            (:func:`charm_rm.load_scorer`).
        calibrator: of this model, or its file; None: the model's own scores.
        name: what TRL logs the rewards under.
        loading: how a model is loaded (:func:`charm_rm.load_reward_model`). Where several processes train, each loads it on its own GPU
            unless ``device`` says otherwise.

    Raises:
        ModelError: it is no reward model, or cannot be loaded.
        ConfigError: the calibrator is of another model (:func:`charm_rm.calibrated`).
        SchemaError: the file is no calibrator.
    """
    return RewardFunction(open_scorer(rm, calibrator, **loading), name)


def open_scorer(
    rm: str | os.PathLike[str] | ScalarReward,
    calibrator: Calibrator | str | os.PathLike[str] | None,
    **loading: Any,
) -> ScalarReward:
    """A model by its name or as it is, calibrated where there is a calibrator; raises as :func:`reward_function`."""
    found = load_calibrator(Path(calibrator)) if isinstance(calibrator, str | os.PathLike) else calibrator
    if isinstance(rm, str | os.PathLike):
        model: ScalarReward = load_reward_model(rm, **{"device": _own_device(), **loading})
    elif loading:
        raise TypeError(f"the model is loaded already: {', '.join(loading)} would have no effect")
    else:
        model = rm
    return model if found is None else calibrated(model, found)


def _own_device() -> str:
    """One of several training processes leaves the other GPUs to the others."""
    rank = os.environ.get(_LOCAL_RANK, "")
    return f"cuda:{rank}" if rank.isdecimal() and require("torch").cuda.is_available() else "auto"


def _checked(scores: Any, n: int, source: str) -> FloatArray:
    values = np.asarray(scores, dtype=np.float64)
    if values.shape != (n,) or not np.isfinite(values).all():
        raise ModelError(
            f"gave rewards of shape {values.shape} for {n} completions, {int((~np.isfinite(values)).sum())} of them not finite",
            where=source,
            fix="a reward model gives one finite number for each: charm doctor --rm MODEL looks into it",
        )
    return values


# --- texts and messages -------------------------------------------------------------------------


def _read(prompt: Any, completion: Any, *, row: int) -> tuple[Prompt, str]:
    """Prompt and response as scoring takes them; turns of the completion before its last (tools) are the prompt's."""
    asked = prompt if isinstance(prompt, str) else _messages(prompt, "prompt", row)
    if isinstance(completion, str):
        return asked, completion
    said = _messages(completion, "completion", row)
    if said[-1]["role"] != "assistant":
        raise _unreadable(
            "completion", row, f"ends with the turn of {said[-1]['role']!r}, not of the assistant"
        )
    before = said[:-1]
    if before:
        asked = [*([{"role": "user", "content": asked}] if isinstance(asked, str) else asked), *before]
    return asked, said[-1]["content"]


def _messages(given: Any, what: str, row: int) -> list[dict[str, str]]:
    found = as_conversation(given) if isinstance(given, Sequence) else None
    if found is None:
        raise _unreadable(what, row, f"is neither text nor messages: {type(given).__name__}")
    return found


def _unreadable(what: str, row: int, problem: str) -> SchemaError:
    return SchemaError(
        f"a {what} {problem}",
        where=f"{what}s, row {row}",
        fix="give texts, or lists of {role, content} as TRL's conversational format has them",
    )
