"""A backbone by transformers and a head by its names in the checkpoint; no code of the model's own runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....errors import ModelError
from ...extras import require
from ..checkpoint import Checkpoint
from ..head_names import SAVED
from ..reduction import reduce
from ..source import Source
from ..state import load_backbone
from .table import Reading, reads, signed


@reads("linear-head")
def _read_linear_head(source: Source, _tokenizer: Any) -> Reading:
    """The head that is asked for, else the registry's, else the one that the checkpoint shows."""
    choice, entry = source.choice, source.entry
    if choice is not None and choice.kind == "head":
        return read_layers(source, [choice.argument])
    if entry is not None:
        return read_layers(source, entry.head, pooling=entry.pooling)
    return read_layers(source, [source.saved_head or SAVED[0]])


def read_layers(source: Source, layers: Sequence[str], *, pooling: str = "last") -> Reading:
    """A backbone by transformers and a head by its names in the checkpoint; no code of the model's own runs.

    Args:
        source: the model.
        layers: names of linear layers, ``relu`` or ``tanh`` between them.
        pooling: the token that the head reads, or ``config``.
    """
    heads = load_heads()
    checkpoint = Checkpoint(source.folder)
    modules = [load_layer(checkpoint, name) for name in layers]
    n_outputs = modules[-1].out_features
    weights, words = reduce(source.reduction, n_outputs, where=str(source.folder))
    scale, shift = _normaliser(source, checkpoint)
    modules[-1] = heads.combined(modules[-1], weights, scale=scale * source.sign, shift=shift * source.sign)
    head = modules[0] if len(modules) == 1 else require("torch").nn.Sequential(*modules)
    body = load_backbone(source, checkpoint)
    if (size := body.config.get_text_config().hidden_size) != modules[0].in_features:
        raise ModelError(
            f"the head {layers[0]!r} reads {modules[0].in_features} numbers, the backbone has {size}",
            where=str(source.folder),
            fix="take config.json and weights from one place, the model's own",
        )
    pooling = source.config.get("pooling") or "last" if pooling == "config" else pooling
    if pooling not in ("last", "first", "mean"):
        raise ModelError(
            f"pooling {pooling!r} in config.json is unknown",
            where=str(source.folder),
            fix="write last, first or mean there, as the model was trained",
        )
    words = words.replace("the head", f"the head {layers[0]!r}") if n_outputs == 1 else words
    return Reading(heads.TokenReward(body, head, pooling=pooling), n_outputs, signed(words, source.sign))


def load_layer(checkpoint: Checkpoint, name: str) -> Any:
    """A linear layer by its name in the checkpoint; or ``relu``, ``tanh``."""
    nn = require("torch").nn
    if name in ("relu", "tanh"):
        return {"relu": nn.ReLU, "tanh": nn.Tanh}[name]()
    bias = checkpoint.tensor(f"{name}.bias") if f"{name}.bias" in checkpoint.keys else None
    return load_heads().linear(checkpoint.tensor(f"{name}.weight"), bias)


def load_heads() -> Any:
    """The modules (:mod:`..heads`), which need torch to be defined at all."""
    from .. import heads

    return heads


def _normaliser(source: Source, checkpoint: Checkpoint) -> tuple[float, float]:
    """(scale, shift) by which the model's authors normalise its scores; (1, 0) where they do not.

    safe-rlhf: a reward is normalised to mean 0 and variance 1, a cost only divided by its deviation.
    """
    name = source.entry.normaliser if source.entry else None
    if name is None or not source.config.get("do_normalize"):
        return 1.0, 0.0
    mean, var = (float(checkpoint.tensor(f"{name}.{part}").reshape(-1)[0]) for part in ("mean", "var"))
    scale = 1 / (var**0.5 + 1e-8)
    return scale, 0.0 if source.config.get("score_type") == "cost" else -mean * scale
