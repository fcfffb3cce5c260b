"""A scalar reward model: (prompt, response) -> one number, higher is better."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import CharmWarning, ConfigError, ModelError
from ..protocols import Prompt
from . import require
from .batching import collate, plan_batches, set_pad_token
from .encoding import Encoded, ResponseEncoder, resolve_max_length
from .loading import open_model

DTypeName = Literal["float32", "bfloat16", "auto"]
# Tokens per batch, padding included. On two cores larger batches bring nothing; a GPU wants more.
TOKEN_BUDGET = {"cpu": 4096, "cuda": 32768}


@dataclass(frozen=True, eq=False)
class RewardModel:
    """A loaded reward model. Call it with prompts and responses; :func:`~.scoring.score_responses` does more.

    ``source`` is what it was loaded from, ``fingerprint`` the hash of its files, ``dtype`` the precision it runs in.
    """

    model: Any
    encoder: ResponseEncoder
    pad_token_id: int
    device: str
    dtype: str
    source: str
    fingerprint: str
    padding_side: Literal["left", "right"] = "right"
    accepts: frozenset[str] = field(default_factory=frozenset)

    def __call__(self, prompts: Sequence[Prompt], responses: Sequence[str]) -> NDArray[np.float64]:
        """Score each response to its prompt.

        Raises:
            ModelError: a score is not finite.
        """
        encoded = [self.encoder.encode(p, r) for p, r in zip(prompts, responses, strict=True)]
        warn_truncated(encoded, self.encoder.max_length)
        scores = np.empty(len(encoded))
        for rows in plan_batches([len(e) for e in encoded], token_budget=self.token_budget):
            scores[rows] = self.score_batch([encoded[i] for i in rows])
        check_finite(scores, source=self.source)
        return scores

    @property
    def token_budget(self) -> int:
        """A sane number of tokens per batch for the device."""
        return TOKEN_BUDGET["cuda" if self.device.startswith("cuda") else "cpu"]

    def score_batch(self, batch: Sequence[Encoded]) -> NDArray[np.float64]:
        """Score encoded rows in one forward pass."""
        torch = require("torch")
        inputs = collate(batch, pad_token_id=self.pad_token_id, side=self.padding_side)
        if self.padding_side == "left" and "position_ids" in self.accepts:
            # Absolute positions count from the first real token, not from the padding.
            inputs["position_ids"] = (inputs["attention_mask"].cumsum(-1) - 1).clamp(min=0)
        with torch.inference_mode():
            logits = self.model(**{k: v.to(self.device) for k, v in inputs.items()}).logits
        scores: NDArray[np.float64] = logits[:, 0].double().cpu().numpy()
        return scores


def load_reward_model(
    path_or_id: str | os.PathLike[str],
    *,
    dtype: DTypeName = "float32",
    device: str = "auto",
    max_length: int | None = None,
    trust_remote_code: bool = False,
    reward: str | None = None,
) -> RewardModel:
    """Load a Hugging Face reward model of any kind, or a PEFT adapter of a classifier, ready to score.

    Args:
        path_or_id: local folder or hub id.
        dtype: precision of the body; the head always runs in float32, as bfloat16's three digits would tie
            responses of nearly equal worth.
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda``, ``cuda:1`` ...
        max_length: most tokens per sequence; default: all that the model takes.
        trust_remote_code: run Python code that comes with the model.
        reward: which of its outputs is the reward, or where its head is (:mod:`.reduction`); default: as the
            registry of well-known models says, or the only one.

    Raises:
        ModelError: it is not a reward model, or cannot be loaded.
        ConfigError: ``max_length``, ``dtype`` or ``device`` is out of the question.
    """
    if dtype not in ("float32", "bfloat16", "auto"):
        raise ConfigError(f"dtype {dtype!r} is unknown", mend="use float32, bfloat16 or auto")
    device = _device(device)
    opened = open_model(path_or_id, dtype=dtype, trust_remote_code=trust_remote_code, reward=reward)
    length = resolve_max_length(opened.tokenizer, opened.model.config, max_length)
    encoder = ResponseEncoder(opened.tokenizer, length)
    pad = set_pad_token(opened.model, opened.tokenizer, last=encoder.encode("a", "b").input_ids[-1])
    _float32_head(opened.model)
    return RewardModel(
        model=opened.model.to(device),
        encoder=encoder,
        pad_token_id=pad,
        device=device,
        dtype=str(opened.model.dtype).removeprefix("torch."),
        source=os.fspath(path_or_id),
        fingerprint=opened.fingerprint,
        padding_side="left"
        if encoder.layout != "pair" and opened.tokenizer.padding_side == "left"
        else "right",
        accepts=frozenset(inspect.signature(opened.model.forward).parameters),
    )


def warn_truncated(encoded: Sequence[Encoded], max_length: int) -> None:
    """Say by a :class:`CharmWarning` how many rows lost part of their text."""
    cut = sum(e.truncated for e in encoded)
    if cut:
        warnings.warn(
            f"{cut} of {len(encoded)} conversations ({cut / len(encoded):.1%}) were longer than {max_length} tokens "
            "and scored without part of their text",
            CharmWarning,
            stacklevel=3,
        )


def check_finite(scores: NDArray[np.float64], *, source: str, names: Sequence[str] | None = None) -> None:
    """Raise :class:`ModelError` naming the first rows whose score is NaN or infinite."""
    bad = np.flatnonzero(~np.isfinite(scores))
    if bad.size:
        shown = ", ".join(names[i] if names else f"row {i}" for i in bad[:5])
        raise ModelError(
            f"{bad.size} of {len(scores)} scores are not finite: {shown}{' ...' if bad.size > 5 else ''}",
            where=source,
            mend="the weights or the precision are unsound: try dtype float32, and look at these texts",
        )


def _device(device: str) -> str:
    torch = require("torch")
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(
            f"device {device!r} is not usable here: {str(error).splitlines()[0]}", mend="use auto or cpu"
        ) from error
    return device


def _float32_head(model: Any) -> None:
    """Run the reward head in float32 whatever the body runs in."""
    names = ("reward_head", "score", "classifier")
    head = next((h for h in (getattr(model, name, None) for name in names) if h is not None), None)
    if head is None or all(p.dtype == require("torch").float32 for p in head.parameters()):
        return
    head.float()
    head.register_forward_pre_hook(lambda _head, inputs: tuple(x.float() for x in inputs))
