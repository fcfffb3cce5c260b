"""Opening a reward model: a folder or hub id -> model and tokenizer, refused where it is not a reward model.

Transformers fills what a checkpoint lacks with random numbers and goes on. For a reward model that means
scores out of thin air, so every missing weight is an error here, unless a new head is asked for by seed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CharmError, ModelError, listing
from . import require

ADAPTER_CONFIG = "adapter_config.json"
# What decides a model's scores, among the files beside it (no README, no training state).
_DECIDING = (
    "config.json",
    "adapter_config.json",
    "chat_template.jinja",
    "*token*.json",
    "vocab*",
    "merges.txt",
    "*.model",
    "*.safetensors",
    "pytorch_model*.bin",
    "adapter_model.bin",
    "*.py",
)


@dataclass(frozen=True)
class Opened:
    """A model with its tokenizer, on the CPU and in eval mode; ``model(**inputs).logits`` is (rows, 1), the reward.

    ``n_outputs`` is how many outputs the head has, ``output`` says in words what of them is taken as the reward.
    """

    model: Any
    tokenizer: Any
    fingerprint: str
    has_new_head: bool = False
    n_outputs: int = 1
    output: str = "the one output of the head"


def open_model(
    path_or_id: str | os.PathLike[str],
    *,
    dtype: str = "float32",
    trust_remote_code: bool = False,
    new_head_seed: int | None = None,
    attention: str | None = None,
) -> Opened:
    """Open a model folder, a PEFT adapter folder (merged into its base), or a hub id.

    Args:
        path_or_id: local folder or hub id.
        dtype: ``float32``, ``bfloat16`` or ``auto`` (as saved).
        trust_remote_code: run Python code that comes with the model.
        attention: transformers' ``attn_implementation``; None: its choice.
        new_head_seed: where the checkpoint lacks only a reward head, make one with this seed instead of
            refusing: the start of training a reward model from a backbone.

    Raises:
        ModelError: nothing there, no reward head, more than one output, or weights that do not fit.
        MissingExtra: transformers (or peft, for adapters) is not installed.
    """
    require("torch"), require("transformers")
    folder = _folder(path_or_id)
    options: dict[str, Any] = {"dtype": dtype, "trust_remote_code": trust_remote_code}
    if attention is not None:
        options["attn_implementation"] = attention
    with _as_model_error(path_or_id), quiet():
        if (folder / ADAPTER_CONFIG).exists():
            return _open_adapter(folder, options)
        model, missing = _load(folder, options, new_head_seed=new_head_seed)
        if missing and new_head_seed is None:
            raise _headless(path_or_id, missing)
        tokenizer = _tokenizer(folder, trust_remote_code)
    return Opened(model.eval(), tokenizer, fingerprint(folder), has_new_head=bool(missing))


def fingerprint(folder: str | os.PathLike[str]) -> str:
    """SHA-256 of the files that decide the scores: configuration, weights, tokenizer, code."""
    digest = hashlib.sha256()
    for file in sorted({f for pattern in _DECIDING for f in Path(folder).glob(pattern)}):
        digest.update(file.name.encode() + b"\0")
        with file.open("rb") as handle:
            digest.update(hashlib.file_digest(handle, "sha256").digest())
    return digest.hexdigest()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back the libraries' own bars and reports: what matters in them is a typed error here."""
    logging = require("transformers").utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            # TRL and peft use names that transformers has begun to rename.
            warnings.filterwarnings("ignore", message=".*gradient_checkpointing.*", category=FutureWarning)
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


# --- details ------------------------------------------------------------------------------------


def _load(
    folder: Path, options: dict[str, Any], *, new_head_seed: int | None = None, one_label: bool = False
) -> tuple[Any, set[str]]:
    """Load with one output; return the model and the weights that the checkpoint lacks."""
    torch, transformers = require("torch"), require("transformers")
    config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=options["trust_remote_code"])
    is_classifier = any("SequenceClassification" in a for a in config.architectures or [])
    if is_classifier and config.num_labels != 1 and not one_label:
        raise ModelError(
            f"the model has {config.num_labels} outputs, a reward model has 1",
            where=str(folder),
            mend="use a model trained as a reward model (num_labels 1)",
        )
    config.num_labels = 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(new_head_seed or 0)
        model, info = transformers.AutoModelForSequenceClassification.from_pretrained(
            folder, config=config, output_loading_info=True, **options
        )
    missing = set(info["missing_keys"])
    if missing and new_head_seed is not None and (lost := {k for k in missing if not _is_head(k)}):
        raise ModelError(f"weights besides the head are missing: {listing(sorted(lost))}", where=str(folder))
    return model, missing


def _open_adapter(folder: Path, options: dict[str, Any]) -> Opened:
    """Load the base of a PEFT adapter, put adapter and saved head on it, and merge."""
    peft = require("peft")
    settings = peft.PeftConfig.from_pretrained(str(folder))
    base = _folder(settings.base_model_name_or_path)
    model, missing = _load(base, options, one_label=True)
    saved = peft.load_peft_weights(str(folder), device="cpu")
    lost = {key for key in missing if not any(name.endswith(key) for name in saved)}
    if lost:
        raise _headless(folder, lost)
    merged = peft.PeftModel.from_pretrained(model, str(folder)).merge_and_unload()
    has_tokenizer = any(folder.glob("tokenizer*"))
    tokenizer = _tokenizer(folder if has_tokenizer else base, options["trust_remote_code"])
    both = hashlib.sha256((fingerprint(base) + fingerprint(folder)).encode()).hexdigest()
    return Opened(merged.eval(), tokenizer, both)


def _tokenizer(folder: Path, trust_remote_code: bool) -> Any:
    return require("transformers").AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)


def _folder(path_or_id: str | os.PathLike[str]) -> Path:
    """The local folder of a model; a hub id is downloaded (or found in the cache) first."""
    path = Path(path_or_id).expanduser()
    if path.is_dir():
        if not any((path / name).exists() for name in ("config.json", ADAPTER_CONFIG)):
            raise ModelError(
                f"the folder has neither config.json nor {ADAPTER_CONFIG}",
                where=str(path),
                mend="name a folder written by save_pretrained",
            )
        return path
    name = os.fspath(path_or_id)
    if path.exists() or path.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
        raise ModelError("no such model folder", where=name, mend="check the path")
    hub = require("huggingface_hub")
    try:
        pickles = [p for p in _DECIDING if p.endswith(".bin")]
        wanted = [p for p in _DECIDING if p not in pickles]
        folder = Path(hub.snapshot_download(name, allow_patterns=wanted, ignore_patterns="*/*"))
        if not any(folder.glob("*.safetensors")):
            hub.snapshot_download(name, allow_patterns=pickles, ignore_patterns="*/*")
        return folder
    except Exception as error:  # network, login, no such repository: the hub has many ways to say no
        raise ModelError(
            f"neither a local folder nor a model that the hub gave: {_first_line(error)}",
            where=name,
            mend="check the name and the network; a private or gated model needs `hf auth login`",
        ) from error


def _is_head(key: str) -> bool:
    return key.split(".")[0] in ("score", "classifier", "classification_head", "v_head", "head")


def _headless(source: str | os.PathLike[str], missing: set[str]) -> ModelError:
    return ModelError(
        f"not a reward model: the checkpoint lacks {listing(sorted(missing))}, which would be random numbers",
        where=os.fspath(source),
        mend="use a reward model, or train one on this backbone with `charm train`",
    )


@contextlib.contextmanager
def _as_model_error(source: str | os.PathLike[str]) -> Iterator[None]:
    """Turn the loaders' many errors into one that names the model."""
    try:
        yield
    except CharmError:
        raise
    except Exception as error:  # half a dozen libraries and perhaps the model's own code: anything may come
        raise ModelError(
            f"cannot be loaded as a reward model: {_first_line(error)}",
            where=os.fspath(source),
            mend="it should load with AutoModelForSequenceClassification (num_labels 1) and AutoTokenizer",
        ) from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
