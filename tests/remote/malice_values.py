"""Malicious answers by their values: every field that is read, with what must not stand there."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from remote.fault_server import Answer, Asked
from remote.malice_wire import Spoil

Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Written:
    """JSON that ``json`` would not write."""

    text: str


class Gone:
    """Take the field, or the item, away."""


DEEP = Written("[" * 900 + "]" * 900)
BIG, BEYOND = 10**400, Written("1e999")
_NO_TEXT = (1, True, {"a": 1}, BIG)
_NO_NUMBER = ("1.0", "x", True, [], {}, [1], DEEP, {"score": 1})
_NOT_FINITE = (None, float("nan"), float("inf"), -float("inf"), BIG, -BIG, BEYOND)
_NO_INDEX = ("0", 0.0, True, -1, 1_000_000, BIG, None, [], {}, [0], "", Gone())
_NO_LIST = (None, {}, "x", 1, True, [], [None], ["x"], [[]], [1.0], [{}], DEEP, Gone())
_NO_NAME = (None, 1, True, [], {}, "", "n" * 100_000, "a\ud800", "a\x1b[2J", "a\u202eb", BIG, Gone())
HOSTILE: Sequence[Any] = (
    *(None, True, -1, BIG, -BIG, BEYOND, "", "\ud800", "x" * 100_000, [], {}, [[]], DEEP, "0", 1.5, Gone()),
)
PLACES: dict[str, dict[Place, Sequence[Any]]] = {
    "judge": {
        (): (None, [], "x", 1, DEEP, {}),
        ("choices",): _NO_LIST,
        ("choices", 0): (None, "x", [], 1, {}),
        ("choices", 0, "message"): (None, "x", [], 1, {}, Gone()),
        ("choices", 0, "message", "content"): (*_NO_TEXT, [{"type": "text", "text": DEEP}], Gone()),
        ("choices", 0, "logprobs", "content", 0): (None, "x", [], 1),
        ("choices", 0, "logprobs", "content", 0, "top_logprobs"): ([None], ["x"], [[]], [1], [{}]),
        ("choices", 0, "logprobs", "content", 0, "top_logprobs", 0, "logprob"): (
            *("-0.1", None, True, [], {}, float("nan"), 5, BIG, BEYOND, Gone()),
        ),
        ("choices", 0, "logprobs", "content", 0, "top_logprobs", 1, "token"): (None, 1, [], {}, True, Gone()),
    },
    "vllm models": {
        (): (None, [], "x", 1, {}),
        ("data",): (*_NO_LIST, [{"id": str(i), "parent": None} for i in range(2000)]),
        ("data", 0): (None, "x", [], 1, {}),
        ("data", 0, "id"): _NO_NAME,
    },
    "vllm classify": {
        (): (None, [], "x", 1, {}),
        ("data",): _NO_LIST,
        ("data", 0, "probs"): (None, [], [[]], "x", 1, {}, [1.0, 2.0], [1.0] * 100_000, DEEP, Gone()),
        ("data", 0, "probs", 0): (*_NO_NUMBER, *_NOT_FINITE),
        ("data", 0, "index"): ("0", 0.0, True, -1, 1, BIG, None, [], {}, Gone()),
    },
    "vllm pooling": {
        ("data",): _NO_LIST,
        ("data", 0, "data"): (None, [], [[]], "x", 1, {}, [1.0, 2.0], [[1.0], [2.0]], [[1.0, 2.0]], DEEP, Gone()),
        ("data", 0, "data", 0): (*_NO_NUMBER[:4], *_NOT_FINITE),
    },
    "vllm score": {
        ("data",): _NO_LIST,
        ("data", 0): (Gone(),),
        ("data", 1, "score"): (*_NO_NUMBER, *_NOT_FINITE),
        ("data", 0, "index"): (*_NO_INDEX, 1),
        ("data", 1, "index"): _NO_INDEX,
    },
    "tei info": {
        (): (None, [], "x", 1, {}),
        ("model_id",): _NO_NAME,
        ("model_type",): (None, 1, "x", [], {}, DEEP, {"embedding": {}}, {"classifier": 1}),
        ("model_type", "classifier", "id2label"): ({"0": "a", "1": "b"},),
    },
    "tei predict": {
        (): (None, [], "x", 1, {}, [[]], [None], [[{"score": 1.0}]] * 1000),
        (0,): (None, [], "x", 1, {}, [None], [[]], [{}, {}], DEEP, Gone()),
        (1, 0, "score"): (*_NO_NUMBER, *_NOT_FINITE),
    },
}  # fmt: skip
UNIMPORTANT: dict[str, Sequence[Place]] = {
    "judge": [
        *(("id",), ("usage",), ("usage", "prompt_tokens"), ("usage", "completion_tokens"), ("system_fingerprint",)),
        *(("choices", 0, "finish_reason"), ("choices", 0, "index"), ("choices", 0, "logprobs")),
        *(("choices", 0, "logprobs", "content"), ("choices", 0, "message", "reasoning_content")),
        *(("choices", 0, "message", "role"), ("model",)),
    ],
    "vllm models": [("data", 0, "root"), ("data", 0, "parent"), ("data", 0, "max_model_len"), ("object",)],
    "vllm score": [("id",), ("usage",), ("data", 0, "object"), ("model",)],
    "tei info": [("model_sha",), ("model_dtype",), ("max_client_batch_size",), ("served_model_name",)],
    "tei predict": [(0, 0, "label")],
}  # fmt: skip


def put(place: Place, value: Any) -> Spoil:
    """The honest answer with another value in one place."""

    def spoil(_asked: Asked, right: Answer) -> Answer:
        body = copy.deepcopy(right.body)
        if not place:
            return replace(right, body=_as_json(value))
        inner = body
        for step in place[:-1]:
            inner = inner[step]
            if not isinstance(inner, (list, dict)):
                return right  # log-probabilities that were not asked for
        if isinstance(value, Gone):
            inner.pop(place[-1], None) if isinstance(inner, dict) else inner.pop(place[-1])
        else:
            inner[place[-1]] = value
        return replace(right, body=_as_json(body))

    return spoil


def _as_json(value: Any) -> bytes:
    """JSON as it may be sent, with what is :class:`Written` as it is."""
    written: list[str] = []

    def put_aside(found: Any) -> str:
        written.append(found.text)
        return f"<{len(written) - 1}>"

    text = json.dumps(value, default=put_aside)
    for number, literal in enumerate(written):
        text = text.replace(f'"<{number}>"', literal)
    return text.encode()


def shown(value: Any) -> str:
    text = type(value).__name__ if isinstance(value, Gone) else getattr(value, "text", None) or repr(value)
    return text if len(text) <= 40 else f"{text[:30]}... ({len(text)} long)"
