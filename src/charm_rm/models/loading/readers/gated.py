"""ArmoRM and its kin: objectives and gate by their names in the checkpoint; no code of the model's own runs."""

from __future__ import annotations

from typing import Any

from ....errors import ModelError
from ...extras import require
from ..checkpoint import Checkpoint
from ..source import Source
from ..state import load_backbone
from .linear_head import load_heads, load_layer, read_layers
from .table import Reading, reads, signed

_NORM = ("weight", "bias", "running_mean", "running_var")


@reads("gated")
def _read_gated(source: Source, _tokenizer: Any) -> Reading:
    """ArmoRM and its kin: objectives and gate by their names in the checkpoint; no code of the model's own runs.

    With a choice among the objectives that choice is the reward, and the gate is not asked.
    """
    if source.reduction is not None:
        return read_layers(source, ["regression_layer"])
    heads, checkpoint = load_heads(), Checkpoint(source.folder)
    objectives = checkpoint.tensor("regression_layer.weight")
    transform = checkpoint.tensor("reward_transform_matrix")
    model = heads.GatedReward(
        load_backbone(source, checkpoint),
        objectives,
        transform,
        _gate(source, checkpoint),
        scale=source.sign * float(checkpoint.tensor("gating.logit_scale").reshape(-1)[0]),
        pattern=source.entry.gate_pattern if source.entry else (),
    )
    words = f"{len(transform)} objectives, weighed by a gate that reads the prompt"
    return Reading(model, len(transform), signed(words, source.sign))


def _gate(source: Source, checkpoint: Checkpoint) -> Any:
    """The gate's layers as the checkpoint has them: linear ones with ReLU between, perhaps batch norms after those."""
    nn = require("torch").nn
    names = {k.removeprefix("gating.layers.") for k in checkpoint.keys if k.startswith("gating.layers.")}
    numbers = sorted({int(name.split(".")[0]) for name in names})
    layers: list[Any] = []
    for i in numbers:
        if f"{i}.running_mean" in names:
            parts = {p: checkpoint.tensor(f"gating.layers.{i}.{p}") for p in _NORM}
            norm = nn.BatchNorm1d(len(parts["weight"]))
            norm.load_state_dict(parts, strict=False)
            layers.append(norm)
            continue
        layers += [load_layer(checkpoint, f"gating.layers.{i}")]
        layers += [nn.ReLU()] if i != numbers[-1] else []
    wanted = int(source.config.get("gating_n_hidden", 3)) + 1
    if (n := sum(isinstance(layer, nn.Linear) for layer in layers)) != wanted:
        raise ModelError(
            f"the checkpoint lacks weights of the gate: it has {n} of {wanted} layers",
            where=str(source.folder),
            fix="take config.json and weights from one place, the model's own",
        )
    last, temperature = layers[-1], float(source.config.get("gating_temperature", 10))
    layers[-1] = load_heads().linear(
        last.weight / temperature, None if last.bias is None else last.bias / temperature
    )
    return nn.Sequential(*layers)
