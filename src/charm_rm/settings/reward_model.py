"""Settings of the reward model: which, and how it is opened."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import BadSetting
from .definition import Settings, setting
from .train import TrainFromSettings
from .vocabulary import Attention, DType


@dataclass(frozen=True, kw_only=True)
class LocalModelSettings(Settings):
    """How a local model is loaded."""

    max_length: int | None = setting(None, "Most tokens per conversation (default: the model's).", least=1)
    dtype: DType = setting("float32", "Precision of the body; `auto`: as the model was saved.")
    device: str = setting(
        "auto", "auto (all GPUs, else the CPU), cpu, cuda, cuda:1, or several: cuda:0,cuda:1"
    )
    trust_remote_code: bool = setting(False, "Run Python code that comes with the model.")


@dataclass(frozen=True, kw_only=True)
class ModelSettings(LocalModelSettings):
    """How a reward model of any kind is opened."""

    reward: str | None = setting(
        None,
        "Which of several outputs is the reward: output:N, mean, weights:W,W,... or its label (default: from the "
        "registry of well-known models, docs/models.md).",
        metavar="WHICH",
    )
    attention: Attention = setting(
        "auto",
        "Attention implementation; `auto`: flash-attention where it is installed and supports the precision.",
    )
    unpadded: bool | None = setting(
        None,
        "Lay a batch's rows end to end instead of padding them (default: with flash-attention).",
        flags=("--unpadded/--padded",),
    )
    compiled: bool = setting(
        False, "Compile the model first; takes minutes, pays off for large runs.", flags=("--compile",)
    )
    beta: float = setting(1.0, "dpo: scale of the log-ratio.")
    api_key_env: str | None = setting(
        None, "Servers: environment variable that holds the key (default: no key).", metavar="NAME"
    )
    concurrency: int = setting(16, "Servers: requests at once.", least=1)
    calibrator: str | None = setting(
        None,
        "A style calibrator for this model (from `charm calibrate --style`); scores are then calibrated.",
        path="path",
        metavar="FILE",
    )


@dataclass(frozen=True, kw_only=True)
class RewardModelSettings(ModelSettings):
    """The reward model to audit and calibrate: an existing one (model) or one to train first (train_from)."""

    model: str | None = setting(
        None,
        "A local folder or a hub id of a reward model, or anything else that `charm score --rm` takes.",
        path="path or id",
    )
    train_from: TrainFromSettings | None = setting(None, "Instead of model: train one first.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.model is None) == (self.train_from is None):
            raise BadSetting(
                "give exactly one of model and train_from", setting="model", fix="leave out the other"
            )
        if self.calibrator is not None and self.model is None:
            raise BadSetting(
                "a calibrator belongs to a model that exists",
                setting="calibrator",
                fix="give model, or leave out calibrator",
            )
