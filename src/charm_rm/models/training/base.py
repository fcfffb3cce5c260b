"""The model that a training starts from: a reward model, or with ``new_head`` any backbone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import ConfigError, ModelError
from ..first_token import compute_first_token_alone
from ..loading.folders import ADAPTER_CONFIG
from ..loading.opening import open_model
from ..scoring.batching import set_pad_token
from ..scoring.encoding import ResponseEncoder, last_token, resolve_max_length
from .settings import TrainSettings


@dataclass(frozen=True, eq=False)
class Base:
    """Model in float32, its tokenizer (whose pad token the model knows), and how both read text."""

    model: Any
    tokenizer: Any
    encoder: ResponseEncoder


def load_base(rm: str | Path, *, settings: TrainSettings, trust_remote_code: bool = False) -> Base:
    """Load the model to train, padded and encoded as scoring does it.

    Raises:
        ModelError: the folder or id is no model, or it has no one-output head and ``new_head`` is off.
        ConfigError: ``new_head`` is on and the model has a head already.
    """
    if (Path(rm) / ADAPTER_CONFIG).exists() and settings.lora and not settings.merge:
        raise ConfigError(
            "an adapter on top of an adapter cannot be saved by itself",
            where=str(rm),
            fix="merge it (--merge)",
        )
    opened = open_model(rm, trust_remote_code=trust_remote_code, new_head_seed=settings.seed)
    _check_head(rm, fresh=opened.has_new_head, asked=settings.new_head)
    limit = min(settings.max_length, resolve_max_length(opened.tokenizer, opened.model.config))
    encoder = ResponseEncoder(opened.tokenizer, limit)
    set_pad_token(opened.model, opened.tokenizer, last=last_token(encoder, where=str(rm)))
    compute_first_token_alone(opened.model)
    return Base(opened.model, opened.tokenizer, encoder)


def _check_head(rm: str | Path, *, fresh: bool, asked: bool) -> None:
    if fresh and not asked:
        raise ModelError(
            "this model has no reward head, so its scores would be random",
            where=str(rm),
            fix="name a reward model, or add --new-head to train a fresh head on this backbone",
        )
    if asked and not fresh:
        raise ConfigError(
            "this model has a reward head already; a new one would throw it away",
            where=str(rm),
            fix="leave --new-head out",
        )
