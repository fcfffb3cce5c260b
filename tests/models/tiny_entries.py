"""For each entry of the registry a tiny random model that looks as its authors' checkpoint does, and a slow twin.

``build(name, home, tokenizer)`` writes it under its hub id and returns the folder and a function from token ids
to the score, written out by hand on the parts that were saved.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Twin = Callable[[list[int]], float]
IDS = {
    "skywork-v0-1": "Skywork/Skywork-Reward-Gemma-2-27B",
    "skywork-v0-2": "Skywork/Skywork-Reward-Llama-3.1-8B-v0.2",
    "skywork-v2": "Skywork/Skywork-Reward-V2-Qwen3-0.6B",
    "fsfairx": "sfairXC/FsfairX-LLaMA3-RM-v0.1",
    "rm-mistral-7b": "weqweasdas/RM-Mistral-7B",
    "btrm-qwen2": "CIR-AMS/BTRM_Qwen2_7b_0613",
    "grm": "Ray2333/GRM-Gemma-2B-rewardmodel-ft",
    "grm-sftreg": "Ray2333/GRM-Gemma-2B-sftreg",
    "ultrarm": "openbmb/UltraRM-13b",
    "eurus": "openbmb/Eurus-RM-7b",
    "starling-7b": "berkeley-nest/Starling-RM-7B-alpha",
    "starling-34b": "Nexusflow/Starling-RM-34B",
    "beaver-reward": "PKU-Alignment/beaver-7b-v1.0-reward",
    "beaver-cost": "PKU-Alignment/beaver-7b-v1.0-cost",
    "oasst-deberta": "OpenAssistant/reward-model-deberta-v3-large-v2",
    "oasst-pythia": "OpenAssistant/oasst-rm-2.1-pythia-1.4b-epoch-2.5",
    "armorm": "RLHFlow/ArmoRM-Llama3-8B-v0.1",
    "qrm-llama": "nicolinho/QRM-Llama3.1-8B",
    "urm": "LxzGordon/URM-LLaMa-3.1-8B",
    "qrm": "nicolinho/QRM-Gemma-2-27B",
    "internlm2": "internlm/internlm2-1_8b-reward",
    "nemotron": "nvidia/Llama-3.1-Nemotron-70B-Reward-HF",
    "pairrm": "llm-blender/PairRM-hf",
}
_CLASSIFIERS = {
    "skywork-v0-1": "Gemma2",
    "skywork-v0-2": "Llama",
    "skywork-v2": "Qwen3",
    "fsfairx": "Llama",
    "rm-mistral-7b": "Mistral",
    "btrm-qwen2": "Qwen2",
    "grm": "Gemma",
}
# (backbone, what stands before its names, the head's names and whether it has biases, architecture in config.json)
_HEADS: dict[str, tuple[str, str, list[str], bool, str]] = {
    "grm-sftreg": ("Gemma", "model.", ["v_head.summary.0", "v_head.summary.2"], True, "GemmaForCausalLM"),
    "ultrarm": ("Llama", "model.", ["regression_head"], False, "LlamaRewardModel"),
    "eurus": ("Mistral", "model.", ["regression_head"], False, "EurusRewardModel"),
    "starling-7b": ("Llama", "transformer.", ["v_head"], False, "LlamaForCausalLM"),
    "starling-34b": ("Llama", "transformer.", ["v_head"], False, "LlamaForSequenceClassification"),
    "beaver-reward": ("Llama", "model.", ["score_head"], True, "LlamaForScore"),
    "beaver-cost": ("Llama", "model.", ["score_head"], True, "LlamaForScore"),
    "oasst-pythia": ("GPTNeoX", "gpt_neox.", ["out_proj"], True, "GPTNeoXRewardModel"),
}
# What config.json says besides.
_EXTRA: dict[str, dict[str, Any]] = {
    "beaver-reward": {"score_type": "reward", "do_normalize": True},
    "beaver-cost": {"score_type": "cost", "do_normalize": True},
    "oasst-pythia": {"model_type": "gpt_neox_reward_model", "pooling": "last"},
    "eurus": {"auto_map": {"AutoModel": "modeling_eurus_rm.EurusRewardModel"}},
}


def config(kind: str, tokenizer: Any, **more: Any) -> Any:
    """A two-layer configuration of transformers' class ``kind``."""
    import transformers

    sizes = {
        "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "max_position_embeddings": 256, "initializer_range": 0.3,
        "pad_token_id": tokenizer.pad_token_id,
    }  # fmt: skip
    if kind != "GPTNeoX":
        sizes |= {"num_key_value_heads": 2, "head_dim": 8}
    return getattr(transformers, f"{kind}Config")(**sizes | more)


def build(name: str, home: Path, tokenizer: Any) -> tuple[Path, Twin]:
    """Write the entry's tiny model under ``home`` and return folder and slow twin."""
    import torch

    torch.manual_seed(len(name))
    folder = home / IDS[name]
    folder.mkdir(parents=True)
    if name in _CLASSIFIERS:
        twin = _classifier(_CLASSIFIERS[name], folder, tokenizer)
    elif name in _HEADS:
        twin = _linear_head(name, folder, tokenizer)
    elif name in ("armorm", "qrm-llama"):
        twin = _gated(folder, tokenizer, quantiles=1 if name == "armorm" else 4)
    elif name == "nemotron":
        twin = causal(folder, tokenizer)
    else:
        twin = _remote(name, folder, tokenizer)
    if name != "starling-7b":
        tokenizer.save_pretrained(folder)
    return folder, twin


def causal(folder: Path, tokenizer: Any, *, index: int = 0) -> Twin:
    """A causal LM whose reward is a logit."""
    import torch
    import transformers

    model = transformers.LlamaForCausalLM(config("Llama", tokenizer)).eval()
    model.save_pretrained(folder)
    return lambda ids: float(model(torch.tensor([ids])).logits[0, -1, index].detach())


def _classifier(kind: str, folder: Path, tokenizer: Any) -> Twin:
    import torch
    import transformers

    model = getattr(transformers, f"{kind}ForSequenceClassification")(
        config(kind, tokenizer, num_labels=1)
    ).eval()
    torch.nn.init.normal_(model.score.weight)
    model.save_pretrained(folder)
    return lambda ids: float(model.score(model.model(torch.tensor([ids])).last_hidden_state[0, -1]).detach())


def _linear_head(name: str, folder: Path, tokenizer: Any) -> Twin:
    import torch
    import transformers

    kind, prefix, heads, has_bias, architecture = _HEADS[name]
    body = getattr(transformers, f"{kind}Model")(config(kind, tokenizer)).eval()
    sizes = [32, 16, 1] if len(heads) == 2 else [32, 1]
    layers = [torch.nn.Linear(i, o, bias=has_bias) for i, o in itertools.pairwise(sizes)]
    state = {prefix + k: v for k, v in body.state_dict().items()}
    if name == "starling-7b":  # its authors' module holds the same backbone twice, once inside a causal LM
        state |= {f"model.model.{k}": v for k, v in body.state_dict().items()}
        state["model.lm_head.weight"] = torch.randn(len(tokenizer), 32)
    for head, layer in zip(heads, layers, strict=True):
        state |= {f"{head}.{k}": v.detach() for k, v in layer.state_dict().items()}
    if name.startswith("beaver"):
        state |= {"normalizer.mean": torch.tensor([0.7]), "normalizer.var": torch.tensor([4.0])}
    if name == "starling-7b":
        torch.save(state, folder / "starling_rm.pt")
    else:
        _save(state, folder)
        _write_config(body.config, folder, architecture, **_EXTRA.get(name, {}))

    def twin(ids: list[int]) -> float:
        value = body(torch.tensor([ids])).last_hidden_state[0, -1]
        for i, layer in enumerate(layers):
            value = layer(value.relu() if i else value)
        score = float(value.detach())
        return {"beaver-reward": (score - 0.7) / 2, "beaver-cost": -score / 2}.get(name, score)

    return twin


GATE = [128009, 128006, 78191, 128007, 271]


def _gated(folder: Path, tokenizer: Any, *, quantiles: int) -> Twin:
    """Objectives and gate as ArmoRM (without quantiles) and QRM (with them, and batch norms) build them."""
    import torch
    import transformers
    from torch import nn

    made = config("Llama", tokenizer, vocab_size=128256)
    body = transformers.LlamaModel(made).eval()
    objectives, transform = nn.Linear(32, 5 * quantiles, bias=False), torch.randn(5, 5)
    if quantiles == 1:
        gate = nn.ModuleList([nn.Linear(32, 16), nn.Linear(16, 16), nn.Linear(16, 5)])
    else:
        norms = [nn.BatchNorm1d(16), nn.BatchNorm1d(16)]
        for norm in norms:
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
            nn.init.normal_(norm.weight)
        gate = nn.ModuleList(
            [nn.Linear(32, 16, bias=False), nn.ReLU(), norms[0], nn.Linear(16, 16, bias=False), nn.ReLU(), norms[1],
             nn.Linear(16, 5)]
        )  # fmt: skip
    gate.eval()
    state = {f"model.{k}": v for k, v in body.state_dict().items()}
    state |= {f"gating.layers.{k}": v.detach() for k, v in gate.state_dict().items()}
    state |= {"regression_layer.weight": objectives.weight.detach(), "reward_transform_matrix": transform}
    _save(state | {"gating.logit_scale": torch.tensor([1.5])}, folder)
    more = {"num_objectives": 5, "gating_temperature": 3, "gating_n_hidden": 2} | (
        {"num_quantiles": quantiles} if quantiles > 1 else {}
    )
    _write_config(made, folder, "LlamaForRewardModelWithGating", **more)

    def twin(ids: list[int]) -> float:
        hidden = body(torch.tensor([ids])).last_hidden_state
        values = objectives(hidden[:, -1]).reshape(1, 5, quantiles).mean(2) @ transform
        at = max(j for j in range(len(ids)) if ids[j : j + len(GATE)] == GATE)
        x = hidden[:, at]
        for i, layer in enumerate(gate):
            x = layer(x)
            x = x.relu() if quantiles == 1 and i < len(gate) - 1 else x
        return float((1.5 * (x / 3).softmax(1) * values).sum().detach())

    return twin


def _save(state: dict[str, Any], folder: Path) -> None:
    from safetensors.torch import save_file

    save_file({k: v.contiguous().clone() for k, v in state.items()}, folder / "model.safetensors")


def _write_config(made: Any, folder: Path, architecture: str, **more: Any) -> None:
    written = made.to_dict() | {"architectures": [architecture]} | more
    (folder / "config.json").write_text(json.dumps(written), encoding="utf-8")


_CODE = """
import torch
from dataclasses import dataclass
from transformers import LlamaConfig, LlamaModel, LlamaPreTrainedModel
from transformers.utils import ModelOutput


class TinyConfig(LlamaConfig):
    model_type = "MODEL_TYPE"


@dataclass
class TinyOutput(ModelOutput):
    logits: torch.FloatTensor = None
    score: torch.FloatTensor = None
    rewards: torch.FloatTensor = None


class TinyRewardModel(LlamaPreTrainedModel):
    config_class = TinyConfig

    def __init__(self, config):
        super().__init__(config)
        self.model = LlamaModel(config)
        self.regression_layer = torch.nn.Linear(config.hidden_size, 3, bias=False)
        self.post_init()

    def forward(self, input_ids=None, attention_mask=None, position_ids=None):
        hidden = self.model(input_ids, attention_mask=attention_mask, position_ids=position_ids)[0]
        last = attention_mask.cumsum(1).argmax(1)
        if getattr(self.config, "reward_token_id", None) is not None:
            assert (input_ids.gather(1, last[:, None]) == self.config.reward_token_id).all()
        rewards = self.regression_layer(hidden[torch.arange(len(hidden)), last])
        return RESULT
"""
# The shape of each family's result, as its own code gives it, and what of three rewards is the score.
_RESULTS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "qrm": ("TinyOutput(score=rewards.mean(1, keepdim=True), logits=rewards)", lambda r: r.mean()),
    "urm": ("TinyOutput(logits=rewards)", lambda r: r[0]),
    "internlm2": ("TinyOutput(logits=rewards[:, 1])", lambda r: r[1]),
}


def _remote(name: str, folder: Path, tokenizer: Any) -> Twin:
    """A folder with code of its own, which transformers runs only when told to."""
    import torch
    import transformers

    result, pick = _RESULTS[name]
    auto = "AutoModel" if name == "internlm2" else "AutoModelForSequenceClassification"
    kind = "internlm2" if name == "internlm2" else f"tiny_{name}"
    code = _CODE.replace("MODEL_TYPE", kind).replace("RESULT", result)
    (folder / "modeling_tiny.py").write_text(code, encoding="utf-8")
    made = config("Llama", tokenizer)
    body, layer = transformers.LlamaModel(made).eval(), torch.nn.Linear(32, 3, bias=False)
    state = {f"model.{k}": v for k, v in body.state_dict().items()}
    _save(state | {"regression_layer.weight": layer.weight.detach()}, folder)
    more: dict[str, Any] = {
        "model_type": kind,
        "auto_map": {
            "AutoConfig": "modeling_tiny.TinyConfig", auto: "modeling_tiny.TinyRewardModel"
        },
    }  # fmt: skip
    if name == "internlm2":
        more["reward_token_id"] = tokenizer.convert_tokens_to_ids("p199")
    _write_config(
        made, folder, "InternLM2ForRewardModel" if name == "internlm2" else "TinyRewardModel", **more
    )
    return lambda ids: float(pick(layer(body(torch.tensor([ids])).last_hidden_state[0, -1])).detach())
