"""A scalar reward model: (prompt, response) -> one number, higher is better."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError, first_line
from ...protocols import Prompt
from ..devices import device_kind, find_devices
from ..extras import require
from ..loading.registry import Entry
from ..precision import DTypeName, check_dtype
from .batching import collate, flash_bounds, pack, set_pad_token
from .encoding import Encoded, ResponseEncoder, last_token, resolve_max_length
from .finishing import checked_scores
from .launched import Launched
from .local import Memory
from .onednn import use_onednn
from .positions import ONE_REGIME, Regimes, find_regimes, run_by_regime
from .running import FLASH, AttentionName, decide_unpadded, open_with_attention, use_float32_head

# Tokens per batch, padding included. On a CPU larger batches are no faster and pad more; a GPU wants more.
TOKEN_BUDGET = {"cpu": 2048, "cuda": 32768}


@dataclass(frozen=True, eq=False)
class RewardModel:
    """A loaded reward model. Call it with prompts and responses; :func:`~.responses.score_responses` does more.

    ``source`` is what it was loaded from, ``fingerprint`` the hash of its files, ``dtype`` the precision it runs in,
    ``attention`` transformers' name of what computes attention, ``linear`` what multiplies matrices. ``unpadded``: rows of a
    batch lie end to end. ``regimes``: which rows may share a forward pass. ``n_outputs``, ``output`` and ``entry`` are as :class:`~..loading.opened.Opened` has them. ``replicas`` are
    the same model on further devices, ``memory`` is what these turned out to hold.
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
    attention: str = "sdpa"
    linear: Literal["torch", "onednn"] = "torch"
    unpadded: bool = False
    compiled: bool = False
    regimes: Regimes = ONE_REGIME
    n_outputs: int = 1
    output: str = "the one output of the head"
    entry: Entry | None = None
    replicas: tuple[RewardModel, ...] = ()
    memory: Memory = field(default_factory=Memory)

    def __call__(self, prompts: Sequence[Prompt], responses: Sequence[str]) -> NDArray[np.float64]:
        """Score each response to its prompt.

        Raises:
            ModelError: a score is not finite.
        """
        return checked_scores(self, self.encode_many(prompts, responses), memory=self.memory)

    def encode_many(self, prompts: Sequence[Prompt], responses: Sequence[str]) -> list[Encoded]:
        """The tokens that each text is read as."""
        return self.encoder.encode_many(prompts, responses)

    @property
    def layout(self) -> str:
        """How texts become tokens."""
        return self.encoder.layout

    @property
    def max_length(self) -> int:
        """Most tokens per conversation."""
        return self.encoder.max_length

    @property
    def device_kind(self) -> str:
        """``cpu`` or ``cuda``."""
        return device_kind(self.device)

    @property
    def token_budget(self) -> int:
        """A sane number of tokens per batch for the device."""
        return TOKEN_BUDGET[self.device_kind]

    @property
    def numerics(self) -> dict[str, str]:
        """All besides model and text that a score depends on: a little, in its last digits."""
        numerics = {
            "dtype": self.dtype,
            "attention": self.attention,
            "linear": "compiled" if self.compiled else self.linear,
            "device": self.device_kind,
            "padding": "none" if self.unpadded else self.padding_side,
        }
        return numerics | ({"positions": str(self.regimes)} if self.regimes else {})

    def score_batch(self, batch: Sequence[Encoded]) -> NDArray[np.float64]:
        """Score encoded rows in one forward pass."""
        return self.launch(batch).wait()

    def launch(self, batch: Sequence[Encoded]) -> Launched:
        """Start the forward pass over encoded rows; on a GPU this returns before it is done."""
        with require("torch").inference_mode():
            run = self._packed if self.unpadded else self._padded
            return Launched.of(run_by_regime(self.regimes, batch, run, model=self.model))

    def _padded(self, batch: Sequence[Encoded]) -> Any:
        inputs = collate(batch, pad_token_id=self.pad_token_id, side=self.padding_side)
        if self.padding_side == "left" and "position_ids" in self.accepts:
            # Absolute positions count from the first real token, not from the padding.
            inputs["position_ids"] = (inputs["attention_mask"].cumsum(-1) - 1).clamp(min=0)
        return self.model(**self._on_device(inputs)).logits[:, 0]

    def _packed(self, batch: Sequence[Encoded]) -> Any:
        """The head's output at the last token of each row: where padded rows are read, too."""
        inputs, ends = pack(batch)
        if self.attention == FLASH:
            inputs |= flash_bounds([len(e) for e in batch])
        inputs = self._on_device(inputs | {"ends": ends})
        ends = inputs.pop("ends")
        hidden = self.model.base_model(**inputs, use_cache=False).last_hidden_state
        return self.model.score(hidden[0, ends])[:, 0]

    def _on_device(self, inputs: dict[str, Any]) -> dict[str, Any]:
        if self.device_kind != "cuda":
            return inputs
        tensor = require("torch").Tensor
        return {
            k: v.pin_memory().to(self.device, non_blocking=True) if isinstance(v, tensor) else v
            for k, v in inputs.items()
        }


def load_reward_model(
    path_or_id: str | os.PathLike[str],
    *,
    dtype: DTypeName = "float32",
    device: str = "auto",
    max_length: int | None = None,
    trust_remote_code: bool = False,
    attention: AttentionName = "auto",
    unpadded: bool | None = None,
    compiled: bool = False,
    reward: str | None = None,
) -> RewardModel:
    """Load a Hugging Face reward model of any kind, or a PEFT adapter of a classifier, ready to score.

    Args:
        path_or_id: local folder or hub id.
        dtype: precision of the body; the head always runs in float32, as bfloat16's three digits would tie
            responses of nearly equal worth.
        device: ``auto`` (all GPUs, else the CPU), ``cpu``, ``cuda``, ``cuda:1``, or several: ``cuda:0,cuda:1``.
        max_length: most tokens per sequence; default: all that the model takes.
        trust_remote_code: run Python code that comes with the model.
        attention: what computes attention; ``auto``: flash-attention where it is installed and takes the precision.
        unpadded: lay a batch's rows end to end instead of padding them; None: where flash-attention computes
            attention, which alone gains by it.
        compiled: compile the model's body (``torch.compile``).
        reward: which of its outputs is the reward, or where its head is (:mod:`..loading.reduction`); default: as the
            registry of well-known models says, or the only one.

    Raises:
        ModelError: it is not a reward model, or cannot be loaded.
        ConfigError: ``max_length``, ``dtype``, ``device``, ``attention`` or ``unpadded`` cannot be used.
    """
    check_dtype(dtype, float16=True)
    devices = find_devices(device)
    opened = open_with_attention(
        path_or_id, attention, devices[0], dtype=dtype, trust_remote_code=trust_remote_code, reward=reward
    )
    length = resolve_max_length(opened.tokenizer, opened.model.config, max_length)
    encoder = ResponseEncoder(opened.tokenizer, length)
    pad = set_pad_token(opened.model, opened.tokenizer, last=last_token(encoder, where=os.fspath(path_or_id)))
    use_float32_head(opened.model)
    used = getattr(opened.model.config, "_attn_implementation", None) or "eager"
    model = RewardModel(
        model=opened.model,
        encoder=encoder,
        pad_token_id=pad,
        device=devices[0],
        dtype=str(opened.model.dtype).removeprefix("torch."),
        source=os.fspath(path_or_id),
        fingerprint=opened.fingerprint,
        padding_side="left"
        if encoder.layout != "pair" and opened.tokenizer.padding_side == "left"
        else "right",
        accepts=frozenset(inspect.signature(opened.model.forward).parameters),
        attention=used,
        unpadded=decide_unpadded(opened.model, unpadded, attention=used, source=os.fspath(path_or_id)),
        compiled=compiled,
        regimes=find_regimes(opened.model.config).within(length),
        n_outputs=opened.n_outputs,
        output=opened.output,
        entry=opened.entry,
    )
    # Copies first, while the model is on the host: on its own device there may be room for it alone.
    replicas = tuple(_placed(model, copy.deepcopy(model.model), device) for device in devices[1:])
    return dataclasses.replace(_placed(model, model.model, devices[0]), replicas=replicas)


def _placed(model: RewardModel, body: Any, device: str) -> RewardModel:
    """The model with its ``body`` on ``device``, compiled where asked, with the fastest float32 there."""
    placed = dataclasses.replace(model, model=body.to(device), device=device)
    if model.compiled:
        body.base_model.compile(dynamic=True)
        _try_out(placed)
    elif placed.device_kind == "cpu" and model.dtype == "float32" and use_onednn(body):
        placed = dataclasses.replace(placed, linear="onednn")
    return placed


def _try_out(model: RewardModel) -> None:
    """Score two words, so that a compiler that is missing or refuses says so before the work."""
    try:
        model.score_batch(model.encoder.encode_many(["a"], ["b"]))
    except Exception as error:  # compilers fail in many ways
        raise ModelError(
            f"torch.compile failed: {first_line(error)}",
            where=model.source,
            fix="leave --compile out, or install a C++ compiler (CPU) or Triton (GPU)",
        ) from error
