"""Sentence embeddings by an encoder: a local folder or a hub id, as sentence-transformers lays it out or plain."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ModelError, listing
from .devices import one_device
from .extras import require
from .loading.folders import model_folder
from .loading.libraries import as_model_error, quiet
from .loading.state import LOADING, refuse_mismatched
from .loading.tokenizers import read_tokenizer

_POOLING = "1_Pooling/config.json"
_LONGEST = 256  # tokens of a text that count, as for all-MiniLM-L6-v2
_AT_ONCE = 64


def load_embedder(
    path_or_id: str | os.PathLike[str], *, device: str = "auto", batch_size: int = _AT_ONCE
) -> Callable[[Sequence[str]], np.ndarray]:
    """A function of texts that gives their embeddings, one row of length 1 each (float32).

    Pooling is the mean over tokens, or the first token where the folder's ``1_Pooling/config.json`` says so.

    Raises:
        MissingExtra: [hf] is not installed.
        ModelError: it is no encoder, or lacks weights.
    """
    folder = model_folder(path_or_id)
    place = one_device(device)
    first_token = _takes_first_token(folder, path_or_id)
    with (
        as_model_error(path_or_id, kind="sentence embedding model", by="AutoModel", or_else=""),
        quiet(),
    ):
        tokenizer = read_tokenizer(folder, trust_remote_code=False)
        model, info = require("transformers").AutoModel.from_pretrained(folder, **LOADING)
        refuse_mismatched(os.fspath(path_or_id), info)
        missing = [name for name in sorted(info["missing_keys"]) if "pooler" not in name]
        if missing:
            raise ModelError(
                f"the checkpoint lacks {len(missing)} weights, which would be random numbers: {listing(missing)}",
                where=os.fspath(path_or_id),
                fix="use a complete encoder, such as sentence-transformers/all-MiniLM-L6-v2",
            )
    model = model.eval().to(place)

    def embed(texts: Sequence[str]) -> np.ndarray:
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # little padding
        rows: list[Any] = [None] * len(texts)
        for at in range(0, len(order), batch_size):
            some = order[at : at + batch_size]
            for i, row in zip(
                some, _embed(model, tokenizer, [texts[i] for i in some], first_token), strict=True
            ):
                rows[i] = row
        return np.array(rows, dtype=np.float32)

    return embed


def _embed(model: Any, tokenizer: Any, texts: list[str], first_token: bool) -> np.ndarray:
    torch = require("torch")
    tokens = tokenizer(texts, padding=True, truncation=True, max_length=_LONGEST, return_tensors="pt")
    tokens = tokens.to(model.device)
    with torch.inference_mode():
        hidden = model(**tokens).last_hidden_state.float()
    mask = tokens["attention_mask"].unsqueeze(-1)
    pooled = hidden[:, 0] if first_token else (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
    found: np.ndarray = torch.nn.functional.normalize(pooled, dim=1).cpu().numpy()
    return found


def _takes_first_token(folder: Path, path_or_id: str | os.PathLike[str]) -> bool:
    file = folder / _POOLING
    if not file.is_file() and not Path(path_or_id).is_dir():
        with contextlib.suppress(Exception):  # a model without the file pools by the mean
            file = Path(require("huggingface_hub").hf_hub_download(os.fspath(path_or_id), _POOLING))
    try:
        return bool(json.loads(file.read_text()).get("pooling_mode_cls_token", False))
    except (OSError, ValueError, AttributeError):
        return False
