"""A reward model that vLLM computes in this process: its pooling runner, without a server.

The token ids are those that scoring by transformers reads (:class:`~.scoring.encoding.ResponseEncoder`), template, special tokens
and shortening included, so that vLLM computes and decides nothing about texts. The trap is the activation: vLLM's classifiers squash
their output unless ``use_activation`` is false, and versions before that name have ``activation`` or ``softmax``. ``charm doctor
--against vllm-offline:DIR`` holds the scores to those of transformers.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, ModelError, first_line
from ..memo import content_key
from ..protocols import Prompt
from .extras import require
from .loading.config import find_outputs, transformers_config
from .loading.folders import ADAPTER_CONFIG, fingerprint, model_folder
from .loading.libraries import as_model_error, quiet
from .loading.source import find_source
from .loading.tokenizers import load_tokenizer
from .scoring.encoding import ResponseEncoder, resolve_max_length
from .scoring.finishing import check_finite, warn_truncated

# The number of the whole text, or of its last token where the head gives one to each.
TASKS = ("classify", "token_classify")
# What it was called, newest first.
_ACTIVATIONS = ("use_activation", "activation", "softmax")


@dataclass(frozen=True, eq=False)
class VllmReward:
    """A :class:`~charm_rm.protocols.ScalarReward`; made by :func:`load_vllm_reward`."""

    source: str
    fingerprint: str
    engine: Any
    parameters: Any
    encoder: ResponseEncoder
    task: str
    # Texts a call: vLLM makes its own batches of them.
    chunk_size: int = 4096

    def __call__(self, prompts: Sequence[Prompt], responses: Sequence[str]) -> NDArray[np.float64]:
        """(n,) rewards, in order.

        Raises:
            ModelError: vLLM fails, or gives something else than one finite number a text.
            CharmWarning: (as a warning) some texts were shortened.
        """
        rows = self.encoder.encode_many(prompts, responses)
        if any(row.token_type_ids is not None for row in rows):
            raise ModelError(
                "reads pairs of texts with token types, which are not handed to vLLM",
                where=self.source,
                fix="score it without vLLM: it is an encoder, and small",
            )
        warn_truncated([row.truncated for row in rows], self.encoder.max_length)
        given = [{"prompt_token_ids": list(row.input_ids)} for row in rows]
        try:
            outputs = self.engine.encode(given, self.parameters, pooling_task=self.task, use_tqdm=False)
        except (ValueError, RuntimeError) as error:
            raise _fails(error, self.source) from error
        if len(outputs) != len(rows):
            raise ModelError(
                f"vLLM gave {len(outputs)} results for {len(rows)} texts",
                where=self.source,
                fix="score it without vLLM, or by another version",
            )
        scores = np.array([self._one(output.outputs.data) for output in outputs], dtype=np.float64)
        check_finite(scores, source=self.source)
        return scores

    def _one(self, data: Any) -> float:
        """The reward among the numbers of a text: the only one, or that of the last token."""
        values = np.asarray(data.float().cpu() if hasattr(data, "cpu") else data, dtype=np.float64)
        if self.task == "token_classify" and values.ndim == 2:
            values = values[-1]
        if values.size != 1:
            raise ModelError(
                f"vLLM gives numbers of shape {values.shape} for a text, and a reward is one",
                where=self.source,
                fix="a model with a number for each token takes task='token_classify' in Python (load_scorer)",
            )
        return float(values.reshape(-1)[0])


def load_vllm_reward(
    rm: str | os.PathLike[str],
    *,
    dtype: str = "float32",
    max_length: int | None = None,
    trust_remote_code: bool = False,
    task: str = "classify",
) -> VllmReward:
    """Open a one-output classifier in vLLM's pooling runner, on the GPUs of this process.

    Args:
        rm: local folder or hub id.
        dtype, max_length, trust_remote_code: as :func:`charm_rm.models.load_reward_model` takes them.
        task: ``classify``, or ``token_classify`` for heads that give a number to each token, whose last is the reward.

    Raises:
        MissingExtra: vLLM is not installed.
        ConfigError: the task is unknown.
        ModelError: there is no such model, it has several outputs, or vLLM cannot open it.
    """
    vllm = require("vllm", extra="vllm")
    if task not in TASKS:
        raise ConfigError(f"task {task!r} is unknown", fix=f"use one of {', '.join(TASKS)}")
    folder = model_folder(rm)
    if (folder / ADAPTER_CONFIG).exists():
        raise ModelError(
            "is an adapter, and vLLM's engine is given whole models",
            where=str(rm),
            fix="score it without vLLM, or merge it into its base (charm train --merge)",
        )
    options: dict[str, Any] = {"dtype": dtype, "trust_remote_code": trust_remote_code}
    with as_model_error(rm), quiet():
        source = find_source(rm, folder, None, options)
        outputs, _ = find_outputs(source)
        tokenizer = load_tokenizer(source)
        limit = resolve_max_length(tokenizer, transformers_config(source), max_length)
    if outputs != 1:
        raise ModelError(
            f"has {outputs} outputs, and vLLM is asked for one",
            where=str(rm),
            fix="score it without vLLM, where --reward chooses among outputs",
        )
    encoder = ResponseEncoder(tokenizer, limit)
    parameters = _raw(vllm.PoolingParams, source=str(rm))
    how: dict[str, Any] = {"dtype": dtype, "max_model_len": limit, "trust_remote_code": trust_remote_code}
    try:
        engine = vllm.LLM(model=str(folder), runner="pooling", **how)
    except (ValueError, RuntimeError, OSError) as error:
        raise _fails(error, str(rm)) from error
    version = str(getattr(vllm, "__version__", "unknown"))
    parts = (fingerprint(folder), version, dtype, limit, encoder.layout, task)
    return VllmReward(str(rm), content_key("vllm-offline", 1, *parts), engine, parameters, encoder, task)


def _raw(parameters: Any, *, source: str) -> Any:
    """Pooling parameters that switch the activation off, by the name that this version knows.

    Raises:
        ModelError: it knows none.
    """
    for name in _ACTIVATIONS:
        try:
            return parameters(**{name: False})
        except TypeError:
            continue
    raise ModelError(
        "this vLLM cannot be told to leave scores as they are: it would squash them by a sigmoid or softmax",
        where=source,
        fix="install a newer vLLM",
    )


def _fails(error: Exception, source: str) -> ModelError:
    return ModelError(
        f"vLLM cannot do this: {first_line(error)}",
        where=source,
        fix="score it without vLLM; docs/scale.md says which models it takes",
    )
