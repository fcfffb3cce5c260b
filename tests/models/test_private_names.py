"""Canaries: one test for each name of TRL, transformers, peft and torch that is private, unstable, or not promised.

Where an upgrade breaks one, the message says which file of ours depends on it. Look there first.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import charm_rm

pytestmark = pytest.mark.models
torch = pytest.importorskip("torch", reason="needs the [hf] extra")
transformers = pytest.importorskip("transformers", reason="needs the [hf] extra")
trl = pytest.importorskip("trl", reason="needs the [hf] extra")
peft = pytest.importorskip("peft", reason="needs the [hf] extra")

OURS = Path(charm_rm.__file__).parent
TRAINER, PRODUCTS = "models/training/trainer.py", "models/training/products.py"


def said(condition: Any, name: str, file: str) -> None:
    """Fail with the file of ours that an upgrade has broken."""
    assert (OURS / file).is_file(), f"this canary names a file that is gone: {file}"
    assert condition, f"{name} is not what it was: src/charm_rm/{file} depends on it"


def parameters(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)


@pytest.fixture(scope="module")
def llama() -> Any:
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=40, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
        num_labels=1, pad_token_id=0,
    )  # fmt: skip
    return transformers.LlamaForSequenceClassification(config).eval()


# --- TRL ----------------------------------------------------------------------------------------


def test_trl_sends_telemetry_through_the_method_that_we_silence() -> None:
    base = importlib.import_module("trl.trainer.base_trainer")
    said(hasattr(trl.RewardTrainer, "_send_telemetry"), "RewardTrainer._send_telemetry", TRAINER)
    source = inspect.getsource(base)
    told = [line for line in source.splitlines() if "send_telemetry(" in line and "def " not in line]
    inside = inspect.getsource(trl.RewardTrainer._send_telemetry)
    outside = [
        line for line in told if line not in inside.splitlines() and "self._send_telemetry()" not in line
    ]
    said(not outside, f"telemetry elsewhere ({outside})", TRAINER)


def test_trl_writes_its_card_through_the_method_that_we_silence() -> None:
    said(hasattr(trl.RewardTrainer, "create_model_card"), "RewardTrainer.create_model_card", TRAINER)


def test_trls_loss_has_the_signature_outputs_and_value_that_ours_replaces(llama: Any) -> None:
    from charm_rm.models.training.losses import bradley_terry_loss

    taken = ["self", "model", "inputs", "return_outputs", "num_items_in_batch"]
    said(parameters(trl.RewardTrainer.compute_loss) == taken, "RewardTrainer.compute_loss", TRAINER)
    accelerator = SimpleNamespace(gather=lambda x: x, gather_for_metrics=lambda x: x)
    trainer: Any = SimpleNamespace(
        model=llama, accelerator=accelerator, args=SimpleNamespace(center_rewards_coefficient=None),
        _total_train_tokens=0, _tp_size=1, _metrics={"eval": __import__("collections").defaultdict(list)},
    )  # fmt: skip
    ids = torch.arange(1, 13).reshape(4, 3)
    with torch.no_grad():
        for margin in ({}, {"margin": torch.tensor([0.5, -1.0])}):
            inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), **margin}
            loss, outputs = trl.RewardTrainer.compute_loss(trainer, llama, inputs, return_outputs=True)
            chosen, rejected = outputs.logits.squeeze(-1).chunk(2)
            ours = bradley_terry_loss(chosen, rejected, **margin)
            said(torch.equal(loss, ours), "the loss of RewardTrainer (chosen first, then rejected)", TRAINER)


@pytest.mark.parametrize(
    "name",
    [
        "max_length", "disable_dropout", "gradient_checkpointing", "remove_unused_columns", "logging_nan_inf_filter",
        "warmup_steps", "use_cpu", "report_to", "save_steps", "save_total_limit", "data_seed", "disable_tqdm", "ddp_broadcast_buffers",
    ],
)  # fmt: skip
def test_trls_configuration_has_the_field(name: str) -> None:
    said(name in parameters(trl.RewardConfig), f"RewardConfig({name})", TRAINER)


# --- transformers: the trainer --------------------------------------------------------------------


def test_warm_up_below_one_is_a_share_of_all_steps(tmp_path: Path) -> None:
    settings = trl.RewardConfig(
        output_dir=str(tmp_path), warmup_steps=0.03, use_cpu=True, bf16=False, report_to="none"
    )
    said(settings.get_warmup_steps(200) == 6, "warmup_steps below 1 as a share", TRAINER)


def test_the_trainer_moves_inputs_by_the_method_that_we_call() -> None:
    said(
        parameters(transformers.Trainer._prepare_inputs) == ["self", "inputs"],
        "Trainer._prepare_inputs",
        TRAINER,
    )


def test_the_trainer_steps_and_logs_through_the_methods_that_we_replace() -> None:
    taken = ["self", "model", "inputs", "num_items_in_batch"]
    said(parameters(transformers.Trainer.training_step) == taken, "Trainer.training_step", TRAINER)
    said(parameters(trl.RewardTrainer.log) == ["self", "logs", "start_time"], "RewardTrainer.log", TRAINER)
    said(
        parameters(transformers.Trainer.floating_point_ops) == ["self", "inputs"],
        "Trainer.floating_point_ops",
        TRAINER,
    )


def test_the_trainer_prints_through_the_callback_that_we_remove() -> None:
    said(hasattr(transformers, "PrinterCallback"), "transformers.PrinterCallback", TRAINER)


def test_checkpoints_are_called_so() -> None:
    utils = importlib.import_module("transformers.trainer_utils")
    said(utils.PREFIX_CHECKPOINT_DIR == "checkpoint", "the name of a checkpoint's folder", TRAINER)


# --- transformers: loading ------------------------------------------------------------------------


def test_weights_are_taken_from_a_dictionary_without_a_folder(llama: Any) -> None:
    """``from_pretrained(None, state_dict=...)``."""
    state = {k: v.clone() for k, v in llama.model.state_dict().items()}
    body, info = type(llama.model).from_pretrained(
        None, config=llama.config, state_dict=state, output_loading_info=True, dtype="float32"
    )
    file = "models/loading/state.py"
    said(not info["missing_keys"], "from_pretrained(None, state_dict=...)", file)
    said(
        all(torch.equal(v, state[k]) for k, v in body.state_dict().items()),
        "from_pretrained(None, state_dict=...)",
        file,
    )
    lost = next(iter(state))
    del state[lost]
    _, info = type(llama.model).from_pretrained(
        None, config=llama.config, state_dict=state, output_loading_info=True, dtype="float32"
    )
    said(lost in info["missing_keys"], "missing_keys of from_pretrained", file)


def test_configurations_are_found_by_model_type() -> None:
    mapping = transformers.CONFIG_MAPPING
    said(
        "llama" in mapping and mapping["llama"] is transformers.LlamaConfig,
        "CONFIG_MAPPING",
        "models/loading/config.py",
    )
    said("no-such-model" not in mapping, "CONFIG_MAPPING", "models/loading/config.py")


def test_models_are_made_without_memory() -> None:
    with torch.device("meta"):
        bare = transformers.AutoModel.from_config(
            transformers.LlamaConfig(
                vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2
            )
        )
    said(
        next(bare.parameters()).is_meta, "AutoModel.from_config on the meta device", "models/loading/state.py"
    )


def test_the_libraries_voices_can_be_held_back() -> None:
    logging = transformers.utils.logging
    names = (
        "get_verbosity",
        "set_verbosity",
        "set_verbosity_error",
        "is_progress_bar_enabled",
        "disable_progress_bar",
    )
    for name in (*names, "enable_progress_bar"):
        said(hasattr(logging, name), f"transformers.utils.logging.{name}", "models/loading/libraries.py")


# --- transformers: computing ----------------------------------------------------------------------


def test_a_model_says_and_switches_its_attention(llama: Any) -> None:
    used = llama.config._attn_implementation
    said(used in ("sdpa", "eager"), "config._attn_implementation", "models/scoring/reward.py")
    llama.set_attn_implementation("eager")
    said(llama.config._attn_implementation == "eager", "set_attn_implementation", "models/doctor/drift.py")
    llama.set_attn_implementation(used)


def test_decoders_classify_by_the_class_that_we_look_for(llama: Any) -> None:
    layers = importlib.import_module("transformers.modeling_layers")
    said(
        isinstance(llama, layers.GenericForSequenceClassification),
        "modeling_layers.GenericForSequenceClassification",
        "models/scoring/running.py",
    )
    said(
        hasattr(llama, "score") and llama.base_model is llama.model,
        "score and base_model",
        "models/scoring/reward.py",
    )


def test_positions_that_restart_tell_rows_apart(llama: Any) -> None:
    """Rows laid end to end attend within themselves alone."""
    rows = [torch.tensor([5, 6, 7]), torch.tensor([8, 9])]
    packed = torch.cat(rows)[None]
    positions = torch.tensor([[0, 1, 2, 0, 1]])
    with torch.inference_mode():
        together = llama.base_model(
            input_ids=packed, position_ids=positions, use_cache=False
        ).last_hidden_state[0]
        alone = torch.cat(
            [llama.base_model(input_ids=row[None], use_cache=False).last_hidden_state[0] for row in rows]
        )
    said(
        torch.allclose(together, alone, atol=1e-5),
        "packed rows by position_ids",
        "models/scoring/batching.py",
    )


def test_logits_are_kept_where_asked(llama: Any) -> None:
    config = transformers.LlamaConfig(**{**llama.config.to_dict(), "num_labels": 2})
    causal = transformers.LlamaForCausalLM(config).eval()
    said(
        "logits_to_keep" in parameters(causal.forward),
        "logits_to_keep",
        "models/implicit.py",
    )
    ids = torch.tensor([[1, 2, 3, 4]])
    with torch.inference_mode():
        whole = causal(ids).logits
        last = causal(ids, logits_to_keep=1).logits
        some = causal(ids, logits_to_keep=torch.arange(2, 4)).logits
    said(torch.allclose(last, whole[:, -1:], atol=1e-6), "logits_to_keep=1", "models/causal_judge.py")
    said(torch.allclose(some, whole[:, 2:4], atol=1e-6), "logits_to_keep as places", "models/implicit.py")


def test_a_templates_clock_is_where_the_doctor_stops_it(make_tokenizer: Callable[..., Any]) -> None:
    import datetime

    from charm_rm.models.doctor.template import stopped_clock

    tokenizer = make_tokenizer("{{ strftime_now('%Y') }}")
    with stopped_clock(datetime.date(1999, 1, 1)):
        text = tokenizer.apply_chat_template([{"role": "user", "content": "x"}], tokenize=False)
    said(text == "1999", "transformers.utils.chat_template_utils.datetime", "models/doctor/template.py")


def test_a_macro_takes_the_clocks_place(make_tokenizer: Callable[..., Any]) -> None:
    from charm_rm.models.rendering import render_chat

    text = render_chat(make_tokenizer("{{ strftime_now('%Y') }}"), [{"role": "user", "content": "x"}])
    said(text == "2024", "a template's own macro of strftime_now", "models/rendering.py")


def test_tokenizers_tell_what_they_were_saved_with(
    make_tokenizer: Callable[..., Any], tmp_path: Path
) -> None:
    make_tokenizer(None, pad="<unk>").save_pretrained(tmp_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    tokenizer.pad_token = "</s>"
    said(
        str(tokenizer.init_kwargs.get("pad_token")) == "<unk>",
        "tokenizer.init_kwargs",
        "models/doctor/tokens.py",
    )
    names = {t.content for t in tokenizer.added_tokens_decoder.values() if t.special}
    said(
        {"<s>", "</s>"} <= names,
        "tokenizer.added_tokens_decoder",
        "models/doctor/tokens.py",
    )
    said(
        '"model"' in tokenizer.backend_tokenizer.to_str(), "tokenizer.backend_tokenizer", "models/implicit.py"
    )


# --- peft ---------------------------------------------------------------------------------------


def test_peft_trains_the_head_and_merges_back(llama: Any, tmp_path: Path) -> None:
    import copy

    settings = peft.LoraConfig(task_type=peft.TaskType.SEQ_CLS, r=2, target_modules="all-linear")
    adapted = peft.get_peft_model(copy.deepcopy(llama), settings)
    trained = [name for name, p in adapted.named_parameters() if p.requires_grad]
    said(any("modules_to_save" in name for name in trained), "modules_to_save in parameters' names", TRAINER)
    said("default" in adapted.peft_config, 'peft_config["default"]', "models/training/train.py")
    adapted.save_pretrained(tmp_path)
    saved = peft.load_peft_weights(str(tmp_path), device="cpu")
    said(
        any(key.endswith("score.weight") for key in saved),
        "peft.load_peft_weights",
        "models/loading/adapters.py",
    )
    merged = peft.PeftModel.from_pretrained(copy.deepcopy(llama), str(tmp_path)).merge_and_unload()
    said(type(merged) is type(llama), "merge_and_unload", "models/loading/adapters.py")


# --- accelerate and torch -------------------------------------------------------------------------


def test_accelerate_gives_the_trainers_precision() -> None:
    accelerate = pytest.importorskip("accelerate")
    said(hasattr(accelerate.Accelerator, "autocast"), "Accelerator.autocast", TRAINER)


def test_accelerate_holds_gradients_back_until_the_last_micro_batch() -> None:
    accelerate = pytest.importorskip("accelerate")
    said(hasattr(accelerate.Accelerator, "no_sync"), "Accelerator.no_sync", TRAINER)
    said(hasattr(accelerate.state.GradientState, "_set_sync_gradients"), "_set_sync_gradients", TRAINER)


def test_torch_tells_whether_the_processor_multiplies_bfloat16() -> None:
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        said(isinstance(getattr(torch.cpu, name)(), bool), f"torch.cpu.{name}", PRODUCTS)


def test_onednn_multiplies_by_the_operator_that_we_call() -> None:
    if not (torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")):
        pytest.skip("this PyTorch has no oneDNN, and scoring does without")
    x, w, b = torch.randn(3, 4), torch.randn(2, 4), torch.randn(2)
    found = torch.ops.mkldnn._linear_pointwise(x, w, b, "none", [], "")
    said(
        torch.allclose(found, torch.nn.functional.linear(x, w, b), atol=1e-5),
        "torch.ops.mkldnn._linear_pointwise",
        "models/scoring/onednn.py",
    )
