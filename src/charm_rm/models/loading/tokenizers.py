"""The tokenizer of a model, with the template, closing token, padding side and length that the registry knows of."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from ...errors import ModelError, first_line
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
    return read_tokenizer(folder, **options)


def read_tokenizer(folder: Path, **options: Any) -> Any:
    """The tokenizer in a folder, by transformers' ``AutoTokenizer``.

    Raises:
        ModelError: its vocabulary is missing: transformers would invent one of five tokens, to which every word is
            unknown, and go on.
    """
    try:
        tokenizer = require("transformers").AutoTokenizer.from_pretrained(folder, **options)
    except Exception as error:  # which one is the library's affair; what is missing shows in the folder
        if not any(_has(folder, pattern) for pattern in (*_WHOLE, "vocab.txt", "merges.txt", "*.py")):
            raise _no_vocabulary(
                folder, "tokenizer.json (or vocab.txt, or vocab.json and merges.txt)"
            ) from error
        raise
    if missing := _missing_files(type(tokenizer), folder):
        raise _no_vocabulary(folder, missing)
    _try_out(tokenizer, folder)
    return tokenizer


# Words, and what no vocabulary has as a word.
_SAMPLE = "a word \u2603 zq\u0175xj"


def _try_out(tokenizer: Any, folder: Path) -> None:
    """Read a few words, so that a tokenizer that cannot says so before the work."""
    fix = "take the tokenizer's files from where the model came from"
    try:
        tokenizer(_SAMPLE, verbose=False)
    except Exception as error:  # the library's many ways to say no
        raise ModelError(
            f"its tokenizer cannot read text: {first_line(error)}", where=str(folder), fix=fix
        ) from error
    length = tokenizer.model_max_length
    if not isinstance(length, int | float) or not 1 <= length < math.inf:
        raise ModelError(
            f"model_max_length is {str(length)[:40]!r} in tokenizer_config.json, not a number of tokens",
            where=str(folder),
            fix=fix,
        )


# Files that are a whole vocabulary each.
_WHOLE = ("tokenizer.json", "tekken.json", "*.model", "*.tiktoken")


def _has(folder: Path, pattern: str) -> bool:
    return any(True for _ in folder.glob(pattern))


def _missing_files(kind: Any, folder: Path) -> str | None:
    """The files with a vocabulary that a tokenizer of this class needs and the folder lacks; byte tokenizers need none."""
    names: dict[str, str] = kind.vocab_files_names
    if not names or any(_has(folder, pattern) for pattern in _WHOLE):
        return None
    parts = [names[part] for part in ("vocab_file", "merges_file") if part in names]
    if parts and all((folder / name).exists() for name in parts):
        return None
    return "tokenizer.json" + (f" (or {' and '.join(parts)})" if parts else "")


def _no_vocabulary(folder: Path, missing: str) -> ModelError:
    return ModelError(
        f"no vocabulary for its tokenizer: {missing} missing, so every word would be read as unknown",
        where=str(folder),
        fix="save the tokenizer that the model was trained with beside it: "
        f'AutoTokenizer.from_pretrained(BASE).save_pretrained("{folder}")',
    )


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
            fix="take config.json and tokenizer files from one place, the model's own",
        )
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    if not render_chat(tokenizer, turns).endswith(token):
        tokenizer.chat_template += token
