"""Opening causal language models: one way for judges, policies and first-token rewards."""

from __future__ import annotations

from pathlib import Path

import pytest

from charm_rm.errors import ConfigError, ModelError
from charm_rm.models.causal import open_causal, read_causal

pytestmark = pytest.mark.models
pytest.importorskip("transformers", reason="needs the [hf] extra")


def test_model_tokenizer_folder_and_device(smollm2_dir: Path) -> None:
    opened = open_causal(smollm2_dir, dtype="bfloat16", device="cpu", trust_remote_code=False)
    assert (opened.dtype, opened.device, opened.folder) == ("bfloat16", "cpu", smollm2_dir)
    assert not opened.model.training
    assert opened.tokenizer.chat_template


def test_weights_that_are_missing_are_never_made_up(tiny_rm_dir: Path) -> None:
    with pytest.raises(ModelError, match=r"lacks 1 weights.*lm_head\.weight") as caught:
        read_causal(tiny_rm_dir, where="mine", dtype="float32")
    assert caught.value.where == "mine"


def test_settings_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="dtype 'float16' is unknown"):
        open_causal(tmp_path / "none", dtype="float16", device="cpu", trust_remote_code=False)
    with pytest.raises(ModelError, match="no such model folder"):
        open_causal(tmp_path / "none", dtype="auto", device="toaster", trust_remote_code=False)


def test_an_unusable_device_is_named_before_the_weights_are_read(smollm2_dir: Path) -> None:
    with pytest.raises(ConfigError, match="not usable here"):
        open_causal(smollm2_dir, dtype="auto", device="toaster", trust_remote_code=False)
