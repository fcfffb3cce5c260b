"""How each kind of reward model is read from its folder: one function per kind, all giving a :class:`Reading`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import ModelError, listing
from ..causal import read_causal
from ..extras import require
from .checkpoint import Checkpoint
from .reduction import Choice, parse_reward, reduce
from .registry import Entry

# Names under which training codes save a linear head beside a backbone. First TRL's, then others'.
KNOWN_HEADS = (
    "v_head.summary", "v_head", "regression_head", "score_head", "value_head", "reward_head", "rm_head", "out_proj"
)  # fmt: skip
# Configurations that change a causal LM's logits after its output layer.
_LOGIT_CHANGES = ("final_logit_softcapping", "logit_scale", "logits_scaling")

_NORM = ("weight", "bias", "running_mean", "running_var")


@dataclass(frozen=True)
class Source:
    """What is opened: folder, its config.json, what is known of it, and the options of the loader."""

    folder: Path
    config: dict[str, Any]
    entry: Entry | None
    choice: Choice | None
    options: dict[str, Any]
    # Where config.json was found: the folder, or that of the entry's base.
    home: Path

    @property
    def reduction(self) -> Choice | None:
        """Which of several outputs is the reward: as asked for, or as the entry says."""
        if self.choice is not None and self.choice.kind != "like":
            return self.choice if self.choice.reduces else None
        wanted = parse_reward(self.entry.reward) if self.entry and self.entry.reward else None
        return wanted if wanted and wanted.reduces else None

    @property
    def sign(self) -> int:
        """-1 for a cost."""
        return self.entry.sign if self.entry else 1


@dataclass(frozen=True)
class Reading:
    """A model whose logits are the reward, of how many outputs (1 where its own code decides), and what it is in words."""

    model: Any
    n_outputs: int
    output: str


def find_head(checkpoint: Checkpoint) -> str | None:
    """The one linear head of another name that the checkpoint has, if it has none under transformers' names."""
    found = [name for name in KNOWN_HEADS if f"{name}.weight" in checkpoint.keys]
    usual = any(k.split(".")[0] in ("score", "classifier", "classification_head") for k in checkpoint.keys)
    return found[0] if len(found) == 1 and not usual else None


def open_linear_head(source: Source, layers: Sequence[str], *, pooling: str = "last") -> Reading:
    """A backbone by transformers and a head by its names in the checkpoint; no code of the model's own runs.

    Args:
        source: the model.
        layers: names of linear layers, ``relu`` or ``tanh`` between them.
        pooling: the token that the head reads, or ``config``.
    """
    heads = _heads()
    checkpoint = Checkpoint(source.folder)
    modules = [_layer(checkpoint, name) for name in layers]
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
        )
    pooling = source.config.get("pooling") or "last" if pooling == "config" else pooling
    if pooling not in ("last", "first", "mean"):
        raise ModelError(f"pooling {pooling!r} in config.json is unknown", where=str(source.folder))
    words = words.replace("the head", f"the head {layers[0]!r}") if n_outputs == 1 else words
    return Reading(heads.TokenReward(body, head, pooling=pooling), n_outputs, _signed(words, source.sign))


def open_gated(source: Source, pattern: Sequence[int]) -> Reading:
    """ArmoRM and its kin: objectives and gate by their names in the checkpoint; no code of the model's own runs.

    With a choice among the objectives that choice is the reward, and the gate is not asked.
    """
    if source.reduction is not None:
        return open_linear_head(source, ["regression_layer"])
    heads, checkpoint = _heads(), Checkpoint(source.folder)
    objectives = checkpoint.tensor("regression_layer.weight")
    transform = checkpoint.tensor("reward_transform_matrix")
    model = heads.GatedReward(
        load_backbone(source, checkpoint),
        objectives,
        transform,
        _gate(source, checkpoint),
        scale=source.sign * float(checkpoint.tensor("gating.logit_scale").reshape(-1)[0]),
        pattern=pattern,
    )
    words = f"{len(transform)} objectives, weighed by a gate that reads the prompt"
    return Reading(model, len(transform), _signed(words, source.sign))


def open_first_token(source: Source, token: str, tokenizer: Any) -> Reading:
    """A causal LM: the logit of one vocabulary entry for the token that would come next."""
    heads = _heads()
    model = read_causal(source.folder, where=str(source.folder), **source.options)
    config = model.config.get_text_config()
    if changed := [k for k in _LOGIT_CHANGES if getattr(config, k, None) not in (None, 1, 1.0)]:
        raise ModelError(
            f"the model changes its logits ({listing(changed)}), so one row of its output layer is not the logit",
            where=str(source.folder),
        )
    output = model.get_output_embeddings()
    index = _vocabulary_index(token, tokenizer, len(output.weight), source)
    bias = getattr(output, "bias", None)
    head = heads.linear(output.weight[index : index + 1], None if bias is None else bias[index : index + 1])
    head = heads.combined(head, [1.0], scale=source.sign, shift=0.0)
    words = f"the logit of vocabulary entry {index} as the next token"
    return Reading(heads.TokenReward(model.base_model, head), 1, _signed(words, source.sign))


def open_remote_code(source: Source) -> Reading:
    """A model by its own Python code, its reward in the field of its result that the entry names."""
    entry, transformers = source.entry, require("transformers")
    assert entry is not None
    assert entry.auto_class is not None
    if not source.options["trust_remote_code"]:
        raise refuse_own_code(source)
    model, info = getattr(transformers, entry.auto_class).from_pretrained(
        source.folder, output_loading_info=True, **source.options
    )
    if info["missing_keys"]:
        raise _incomplete(source, info["missing_keys"])
    field = entry.output or "logits"
    words = f"{field!r} as the model's own code gives it"
    if source.reduction is not None:
        words = f"{source.reduction} of {words}"
    return Reading(reduced(source, model, field=field), 1, _signed(words, source.sign))


def refuse_own_code(source: Source) -> ModelError:
    """What to say where a model cannot be read without its own code, and nobody said to run that."""
    return ModelError(
        "this model is read by Python code that comes with it, which is not run unasked",
        where=str(source.folder),
        mend="if you trust its authors, say so: --trust-remote-code (trust_remote_code=True)",
    )


def reduced(
    source: Source, model: Any, *, field: str = "logits", labels: Mapping[int, str] | None = None
) -> Any:
    """The model with its outputs made into one reward, as the source says; ``labels`` name them, else config.json."""
    if labels is None:
        labels = {int(k): str(v) for k, v in (source.config.get("id2label") or {}).items()}
    where = str(source.folder)
    return _heads().ReducedOutputs(
        model, source.reduction, labels=labels, sign=source.sign, field=field, where=where
    )


# --- details ------------------------------------------------------------------------------------


def _heads() -> Any:
    """The modules, which need torch to be defined at all."""
    from . import heads

    return heads


def _signed(words: str, sign: int) -> str:
    return words if sign == 1 else f"minus {words}: a cost, lower is better"


def _layer(checkpoint: Checkpoint, name: str) -> Any:
    nn = require("torch").nn
    if name in ("relu", "tanh"):
        return {"relu": nn.ReLU, "tanh": nn.Tanh}[name]()
    bias = checkpoint.tensor(f"{name}.bias") if f"{name}.bias" in checkpoint.keys else None
    return _heads().linear(checkpoint.tensor(f"{name}.weight"), bias)


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
        layers += [_layer(checkpoint, f"gating.layers.{i}")]
        layers += [nn.ReLU()] if i != numbers[-1] else []
    wanted = int(source.config.get("gating_n_hidden", 3)) + 1
    if (n := sum(isinstance(layer, nn.Linear) for layer in layers)) != wanted:
        raise ModelError(
            f"the checkpoint lacks weights of the gate: it has {n} of {wanted} layers",
            where=str(source.folder),
        )
    last, temperature = layers[-1], float(source.config.get("gating_temperature", 10))
    layers[-1] = _heads().linear(
        last.weight / temperature, None if last.bias is None else last.bias / temperature
    )
    return nn.Sequential(*layers)


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


def load_backbone(source: Source, checkpoint: Checkpoint) -> Any:
    """The model without a head that config.json describes, with its weights out of the checkpoint."""
    torch, transformers = require("torch"), require("transformers")
    config = transformers_config(source)
    with torch.device("meta"):
        bare = transformers.AutoModel.from_config(config)
    prefix = _prefix(set(bare.state_dict()), checkpoint.keys)
    options = {k: v for k, v in source.options.items() if k != "trust_remote_code"}
    model, info = type(bare).from_pretrained(
        None, config=config, state_dict=checkpoint.under(prefix), output_loading_info=True, **options
    )
    if info["missing_keys"]:
        raise _incomplete(source, info["missing_keys"])
    return model


def transformers_config(source: Source) -> Any:
    """config.json as transformers' own class for its model_type (or the entry's), whatever code it points to."""
    mapping = require("transformers").CONFIG_MAPPING
    kind = (source.entry.model_type if source.entry else None) or source.config.get("model_type")
    if kind not in mapping:
        raise ModelError(
            f"transformers knows no model_type {kind!r}, so its backbone cannot be read without the model's own code",
            where=str(source.folder),
        )
    own = {k: v for k, v in source.config.items() if k not in ("model_type", "auto_map", "architectures")}
    return mapping[kind].from_dict(own)


def _prefix(expected: set[str], keys: frozenset[str]) -> str:
    """What the checkpoint puts before the backbone's names: that which finds most of them, the shortest first."""
    found: dict[str, int] = {}
    for name in expected:
        for key in (k for k in keys if k.endswith(name)):
            prefix = key.removesuffix(name)
            if prefix == "" or prefix.endswith("."):
                found[prefix] = found.get(prefix, 0) + 1
    return min(found, key=lambda prefix: (-found[prefix], len(prefix)), default="")


def _vocabulary_index(token: str, tokenizer: Any, size: int, source: Source) -> int:
    index = int(token) if token.isdecimal() else tokenizer.get_vocab().get(token)
    if index is None or index >= size:
        raise ModelError(
            f"the vocabulary has no entry {token!r}",
            where=str(source.folder),
            mend="give its number, or the token as the tokenizer writes it",
        )
    return int(index)


def _incomplete(source: Source, missing: Sequence[str]) -> ModelError:
    return ModelError(
        f"the checkpoint lacks {listing(sorted(missing))}, which would be random numbers",
        where=str(source.folder),
        mend="use a complete checkpoint",
    )
