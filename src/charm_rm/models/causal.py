"""Opening a causal language model: for judges, for DPO policies, and where one logit is the reward."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ModelError, listing
from .devices import one_device
from .extras import require
from .loading.folders import model_folder
from .loading.libraries import as_model_error, quiet
from .loading.state import LOADING, refuse_mismatched
from .loading.tokenizers import read_tokenizer
from .precision import check_dtype


@dataclass(frozen=True)
class CausalModel:
    """A causal language model in eval mode on its device, its tokenizer, and the folder that both came from."""

    model: Any
    tokenizer: Any
    folder: Path
    device: str

    @property
    def dtype(self) -> str:
        """The precision that it runs in."""
        return str(self.model.dtype).removeprefix("torch.")


def open_causal(
    path_or_id: str | os.PathLike[str], *, dtype: str, device: str, trust_remote_code: bool
) -> CausalModel:
    """Open a folder or hub id on one device.

    Raises:
        ModelError: it is no causal language model, lacks weights, or cannot be loaded.
        ConfigError: ``dtype`` or ``device`` cannot be used.
    """
    check_dtype(dtype)
    folder = model_folder(path_or_id)  # first: it costs no import of torch to find nothing there
    place, source = one_device(device), os.fspath(path_or_id)
    words = {"kind": "causal language model", "by": "AutoModelForCausalLM", "or_else": ""}
    with as_model_error(source, **words), quiet():
        tokenizer = read_tokenizer(folder, trust_remote_code=trust_remote_code)
        model = read_causal(folder, where=source, dtype=dtype, trust_remote_code=trust_remote_code)
        return CausalModel(model.eval().to(place), tokenizer, folder, place)


def read_causal(folder: Path, *, where: str, **options: Any) -> Any:
    """The model alone, by transformers' ``AutoModelForCausalLM``.

    Raises:
        ModelError: weights are missing: transformers would fill them with random numbers and go on.
    """
    model, info = require("transformers").AutoModelForCausalLM.from_pretrained(folder, **LOADING, **options)
    refuse_mismatched(where, info)
    if missing := sorted(info["missing_keys"]):
        raise ModelError(
            f"no causal language model: the checkpoint lacks {len(missing)} weights, which would be random numbers: "
            f"{listing(missing)}",
            where=where,
            fix="use a complete causal language model; a reward model goes to `charm score`",
        )
    return model
