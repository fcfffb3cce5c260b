"""The tokenizer of a model, with the template, closing token, padding side and length that the registry knows of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import ModelError
from ..extras import require
from ..rendering import render_chat
from .config import transformers_config
from .source import Source


def load_tokenizer(source: Source, folder: Path | None = None) -> Any:
    """The tokenizer out of ``folder``, as it is; or the model's (its base's where it has none), adjusted."""
    if folder is None:
        home = source.folder if any(source.folder.glob("*token*")) else source.home
        return _adjusted(load_tokenizer(source, home), source)
    options: dict[str, Any] = {"trust_remote_code": source.options["trust_remote_code"]}
    if source.entry is not None and source.entry.model_type is not None:
        options["config"] = transformers_config(source)
    return require("transformers").AutoTokenizer.from_pretrained(folder, **options)


def _adjusted(tokenizer: Any, source: Source) -> Any:
    """The tokenizer as the registry wants it: template, closing token, padding side, length."""
    entry = source.entry
    if entry is None:
        return tokenizer
    if entry.template is not None:
        tokenizer.chat_template = entry.template
    if entry.end_token is not None:
        _end_with(tokenizer, source.config.get(entry.end_token), entry.end_token, source)
    if entry.padding_side is not None:
        tokenizer.padding_side = entry.padding_side
    if entry.max_length is not None:
        tokenizer.model_max_length = min(tokenizer.model_max_length, entry.max_length)
    return tokenizer


def _end_with(tokenizer: Any, index: Any, key: str, source: Source) -> None:
    """Let the template end with this token of the vocabulary, if it does not yet."""
    token = tokenizer.convert_ids_to_tokens(index) if isinstance(index, int) else None
    if token is None or not tokenizer.chat_template:
        raise ModelError(
            f"the conversation must end with the token that config.json calls {key}; there is none, or no template",
            where=str(source.folder),
        )
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    if not render_chat(tokenizer, turns).endswith(token):
        tokenizer.chat_template += token
