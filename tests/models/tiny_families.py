"""A tiny random model of every family that transformers has as a sequence classifier, all of one size.

``build(kind)`` gives model and configuration of a ``model_type`` of ``MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING``; what
cannot be built here is in ``NOT_BUILT`` with the reason.
"""

from __future__ import annotations

import inspect
from typing import Any

POSITIONS, WORDS = 64, 32
# What sizes are called, in whichever configuration has a field of that name.
_SIZES: dict[str, Any] = {
    **dict.fromkeys(("vocab_size",), WORDS),
    **dict.fromkeys(("hidden_size", "d_model", "n_embd", "n_embed", "dim", "emb_dim", "embed_dim", "embedding_size"), 32),
    **dict.fromkeys(("intermediate_size", "d_ff", "d_inner", "ffn_dim", "hidden_dim", "encoder_ffn_dim", "decoder_ffn_dim"), 64),
    **dict.fromkeys(("n_inner", "dff"), 64),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers", "decoder_layers"), 2),
    **dict.fromkeys(("num_decoder_layers",), 2),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads", "encoder_attention_heads"), 4),
    **dict.fromkeys(("decoder_attention_heads",), 4),
    **dict.fromkeys(("head_dim", "d_kv", "d_head", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"), 8),
    **dict.fromkeys(("num_experts", "n_routed_experts", "num_local_experts"), 4),
    **dict.fromkeys(("moe_intermediate_size", "shared_expert_intermediate_size", "q_lora_rank", "kv_lora_rank"), 16),
    **dict.fromkeys(("n_group", "topk_group", "n_shared_experts", "first_k_dense_replace"), 1),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "max_seq_len", "n_ctx"), POSITIONS),
    "num_experts_per_tok": 2, "num_key_value_heads": 2, "num_labels": 1, "initializer_range": 0.3,
    "bos_token_id": 0, "cls_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "sep_token_id": 2, "decoder_start_token_id": 0,
}  # fmt: skip
_MLA = {"head_dim": 8, "num_key_value_heads": 4}
# What a family needs besides.
_MORE: dict[str, dict[str, Any]] = {
    "axk1": _MLA,
    "axk2": _MLA,
    "big_bird": {"block_size": 4, "num_random_blocks": 1},
    "bigbird_pegasus": {"block_size": 4, "num_random_blocks": 1},
    "cohere_compass_text": {
        "layer_types": ["full_attention", "sliding_attention"],
        "rope_parameters": {
            name: {"rope_type": "default", "rope_theta": 1e4} for name in ("full_attention", "sliding_attention")
        },
    },
    "deepseek_v2": _MLA,
    "deepseek_v3": _MLA,
    "minicpm3": _MLA,
    "mistral4": {"head_dim": 16, "num_key_value_heads": 4},
    "esmc": {"num_key_value_heads": 4},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "window_size": 8},
    "gptj": {"rotary_dim": 8},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "mamba_d_state": 4, "use_mamba_kernels": False},
    "lilt": {"channel_shrink_ratio": 4, "hidden_size": 48},
    "layoutlmv3": {"coordinate_size": 5, "shape_size": 6, "visual_embed": False},
    "longformer": {"attention_window": [8, 8]},
    "luke": {"entity_vocab_size": 8, "entity_emb_size": 8},
    "perceiver": {"d_latents": 32, "num_latents": 4, "num_self_attends_per_block": 1, "num_self_attention_heads": 4},
    "qwen3_5_text": {"layer_types": ["linear_attention", "full_attention"]},
    "qwen3_next": {"layer_types": ["linear_attention", "full_attention"]},
    "reformer": {"axial_pos_embds_dim": [16, 16], "axial_pos_shape": [8, 8], "attn_layers": ["local", "local"]},
    "roc_bert": {"pronunciation_vocab_size": 8, "shape_vocab_size": 8, "shape_embed_dim": 8, "pronunciation_embed_dim": 8},
    "tapas": {"type_vocab_sizes": [3, 16, 16, 2, 2, 2, 2]},
    "xmod": {"default_language": "en_XX"},
    "zamba": {
        "num_hidden_layers": 6, "layers_block_type": ["mamba", "mamba", "hybrid"] * 2, "use_mamba_kernels": False,
        "attention_head_dim": 16, "attention_hidden_size": 64, "mamba_d_state": 4, "n_mamba_heads": 2,
    },
    "zamba2": {
        "layers_block_type": ["mamba", "hybrid"], "hybrid_layer_ids": [1], "use_mamba_kernels": False, "mamba_d_state": 4,
        "mamba_headdim": 8, "n_mamba_heads": 8, "mamba_ngroups": 1, "num_mem_blocks": 1,
    },
}  # fmt: skip
NOT_BUILT = {"layoutlmv2": "needs the detectron2 library, and a page's image"}
_VISION = {
    "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28,
    "patch_size": 14,
}  # fmt: skip
_IMAGE_WORDS = {"image_token_index": 3, "boi_token_index": 4, "eoi_token_index": 4}
# Families of several parts: the text part's family, and what else they need.
_OF_PARTS: dict[str, tuple[str, dict[str, Any]]] = {
    "gemma3": ("gemma3_text", {"vision_config": _VISION, "mm_tokens_per_image": 4} | _IMAGE_WORDS),
    "modernvbert": ("modernbert", {"vision_config": _VISION, "image_token_id": 3, "pixel_shuffle_factor": 2}),
    "qwen3_5": (
        "qwen3_5_text",
        {
            "vision_config": {
                "depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 32, "patch_size": 4
            },
            "image_token_id": 3, "video_token_id": 4, "vision_start_token_id": 3, "vision_end_token_id": 4,
        },
    ),
    "ultravbert": ("ultrabert", {"vision_config": _VISION}),
}  # fmt: skip


def kinds() -> list[str]:
    """All model types with a sequence classifier."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES

    return sorted(MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES)


def config(kind: str, **more: Any) -> Any:
    """The tiny configuration of a family."""
    import transformers

    cls = transformers.CONFIG_MAPPING[kind]
    if kind in _OF_PARTS:
        text, others = _OF_PARTS[kind]
        made = cls(text_config=config(text, **more).to_dict(), **others)
    elif kind in ("t5gemma", "t5gemma2"):
        half = {k: v for k, v in (_SIZES | more).items() if k in _HALF}
        whole = {"text_config": half, "vision_config": _VISION, "mm_tokens_per_image": 4}
        made = cls(
            encoder=whole if kind == "t5gemma2" else half,
            decoder=half,
            vocab_size=half["vocab_size"],
            eoi_token_index=4,
        )
    else:
        made = cls(**_sizes(cls) | _MORE.get(kind, {}) | more)
    made.num_labels, made.pad_token_id = 1, more.get("pad_token_id", 1)
    made.get_text_config().pad_token_id = made.pad_token_id
    if kind in ("t5", "mt5", "umt5"):
        made.decoder_start_token_id = 0
    return made


_HALF = frozenset(
    {
        "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim",
        "max_position_embeddings", "pad_token_id", "eos_token_id", "bos_token_id", "initializer_range",
    }
)  # fmt: skip


def _sizes(cls: Any) -> dict[str, Any]:
    """The sizes that a configuration's class knows, each under one of its names."""
    known = {name for c in cls.__mro__ for name in getattr(c, "__annotations__", {})}
    known |= {
        n for c in cls.__mro__ if "__init__" in vars(c) for n in inspect.signature(c.__init__).parameters
    }
    aliases = dict(getattr(cls, "attribute_map", {}))
    sizes = {k: v for k, v in _SIZES.items() if k in known or k in aliases}
    for alias, target in aliases.items():
        if alias in sizes and target in sizes:
            del sizes[alias]
    return sizes


def build(kind: str, *, seed: int = 0, **more: Any) -> Any:
    """The tiny model of a family, in eval mode."""
    import torch
    import transformers

    torch.manual_seed(seed)
    return transformers.AutoModelForSequenceClassification.from_config(config(kind, **more)).eval()
