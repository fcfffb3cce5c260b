"""PairRM: three texts with a mark each, and a small head that reads the marks."""

from __future__ import annotations

import functools
from typing import Any

from ...errors import ConfigError, ModelError
from ...protocols import Prompt
from ...tables import as_messages
from ..loading.checkpoint import Checkpoint
from ..loading.source import Source
from ..loading.state import load_backbone
from ..scoring.encoding import Encoded
from .row import EncodedTrio

PREFIXES = ("<|source|>", "<|candidate1|>", "<|candidate2|>")
_LENGTH, _SOURCE = 2048, 1224
_INSTRUCTION = (
    "Finish the following coversation in each i-th turn by filling in <Response i> with your response."
)


def build_pairrm(source: Source, tokenizer: Any, max_length: int | None, *_others: Any) -> tuple[Any, ...]:
    from ..loading.heads import PairHead

    checkpoint = Checkpoint(source.folder)
    layers = [
        tuple(checkpoint.tensor(f"head_layer.{i}.{part}") for part in ("weight", "bias")) for i in (1, 4)
    ]
    model = PairHead(load_backbone(source, checkpoint), layers)
    asked = [source.config[k] for k in ("source_prefix_id", "cand1_prefix_id", "cand2_prefix_id")]
    if [tokenizer.convert_tokens_to_ids(p) for p in PREFIXES] != asked:
        raise ModelError(
            f"the tokenizer does not have {', '.join(PREFIXES)} where config.json says",
            where=str(source.folder),
            fix="take config.json and tokenizer files from one place, the model's own",
        )
    limit = _LENGTH if max_length is None else max_length
    if limit < 16:
        raise ConfigError(
            f"max_length {limit} leaves no room for text",
            fix="raise --max-length (max_length= in Python), or leave it out for 2048",
        )
    encode = functools.partial(_encode, tokenizer, limit)
    return model, lambda inputs, marks: model(marks=marks, **inputs), encode, limit


def _encode(tokenizer: Any, limit: int, prompt: Prompt, first: str, second: str) -> EncodedTrio:
    """As its authors do: the prompt keeps its share, the two responses divide the rest; each loses its end."""
    ids: list[int] = []
    marks, truncated = [], False
    room = limit * _SOURCE // _LENGTH
    for prefix, text in zip(PREFIXES, _texts(as_messages(prompt), first, second), strict=True):
        whole = tokenizer(prefix + text, verbose=False)["input_ids"]
        part = tokenizer(prefix + text, max_length=room, truncation=True)["input_ids"]
        truncated |= len(part) < len(whole)
        marks.append(len(ids) + part.index(tokenizer.convert_tokens_to_ids(prefix)))
        ids += part
        room = (limit - len(ids)) // 2 if prefix == PREFIXES[0] else room
    return EncodedTrio(Encoded(ids, truncated=truncated), tuple(marks))


def _texts(messages: list[dict[str, str]], first: str, second: str) -> tuple[str, str, str]:
    """One message as it is; several in the form that its authors trained conversations in."""
    if len(messages) == 1:
        return messages[0]["content"], first, second
    roles = [m["role"] for m in messages]
    if roles != ["user", "assistant"] * (len(roles) // 2) + ["user"]:
        raise ModelError(
            f"PairRM takes conversations of user and assistant in turn, not {', '.join(roles)}",
            fix="leave system messages out, or put them into the first user message",
        )
    asked, answered = messages[::2], [m["content"] for m in messages[1::2]]
    turns = "\n".join(f"USER: {m['content']}\nAssistant: <Response {i}>" for i, m in enumerate(asked, 1))
    a, b = (
        "\n".join(f"<Response {i}>: {text}" for i, text in enumerate([*answered, last], 1))
        for last in (first, second)
    )
    return _INSTRUCTION + turns, a, b
