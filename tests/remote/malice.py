"""Malicious answers of servers, by the hundred: each is an honest answer spoilt in one way, the same for the same seed.

A case has a role (which command asks, and which of its requests is spoilt) and a way to spoil. Cases of :func:`cases` cannot be
used by anybody: they have to end in a typed error. Those of :func:`odd_but_usable` hold something wrong where nobody looks: they
may also end in the right figures.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from remote.fake_rewards import Tei, Vllm
from remote.fault_server import Answer, Asked
from remote.key_forms import FORMS
from remote.malice_values import HOSTILE, PLACES, UNIMPORTANT, put, shown
from remote.malice_wire import (
    ENDLESS,
    HELD,
    STATUSES,
    WIRE,
    Spoil,
    bodies,
    cut,
    key_of,
    raw,
    redirects,
    status,
)

# The requests whose answers can be spoilt, by the path that they are sent to.
PATHS = {
    "judge": "/v1/chat/completions",
    "vllm models": "/v1/models",
    "vllm classify": "/classify",
    "vllm pooling": "/pooling",
    "vllm score": "/score",
    "tei info": "/info",
    "tei predict": "/predict",
}
ROLES = tuple(PATHS)


@dataclass(frozen=True)
class Case:
    """One kind of malicious answer to one kind of request."""

    name: str
    role: str
    spoil: Spoil

    def script(self) -> Callable[[Asked], Answer]:
        """A server that is honest but for this."""
        honest = HONEST[self.role.split()[0]]()
        spoilt = PATHS[self.role]

        def answer(asked: Asked) -> Answer:
            right: Answer = honest(asked)
            return self.spoil(asked, right) if asked.path == spoilt else right

        return answer


def chat(asked: Asked) -> Answer:
    """A judge who prefers the first of two by the length of what it is asked, with log-probabilities."""
    size = sum(len(message["content"]) for message in asked.body["messages"])
    label = "AB"[size % 2]
    top = [{"token": label, "logprob": -0.1}, {"token": "AB"[1 - size % 2], "logprob": -2.5}]
    message = {"role": "assistant", "content": label}
    logprobs = {"content": [{**top[0], "top_logprobs": top}]} if asked.body.get("logprobs") else None
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": logprobs}
    usage = {"prompt_tokens": 11, "completion_tokens": 1, "total_tokens": 12}
    return Answer({"id": "x", "object": "chat.completion", "choices": [choice], "usage": usage})


HONEST: dict[str, Callable[[], Callable[[Asked], Answer]]] = {
    "judge": lambda: chat,
    "vllm": Vllm,
    "tei": lambda: Tei(most_rows=32),
}


def cases(seed: int) -> list[Case]:
    """Everything below, each with roles and forms of the key drawn by ``seed``."""
    rng = random.Random(seed)
    kinds: list[tuple[str, Spoil, Sequence[str]]] = [
        *((f"wire: {name}", raw(data), rng.sample(ROLES, 2)) for name, data in WIRE.items()),
        *((f"held open: {name}", raw(data, "hold"), [rng.choice(ROLES)]) for name, data in HELD.items()),
        *((f"endless {name}", raw(data, "endless"), [rng.choice(ROLES)]) for name, data in ENDLESS.items()),
        *((f"status {n}", status(n, rng), [rng.choice(ROLES)]) for n in STATUSES),
        *((f"redirect {name}", spoil, rng.sample(ROLES, 2)) for name, spoil in redirects(rng)),
        *((f"body: {name}", spoil, rng.sample(ROLES, 2)) for name, spoil in bodies()),
        *((f"key in {where}, {form}", _ECHOES[where](FORMS[form]), [role])
          for form in FORMS for where, role in rng.sample(_ECHO_ROLES, 3)),
        *((f"cut at {share:.0%}", cut(share), [rng.choice(ROLES)]) for share in (rng.random() for _ in range(8))),
    ]  # fmt: skip
    made = [Case(name, role, spoil) for name, spoil, roles in kinds for role in roles]
    return made + [
        Case(f"{shown(place)} = {shown(value)}", role, put(place, value))
        for role, places in PLACES.items()
        for place, values in places.items()
        for value in values
    ]


def odd_but_usable(seed: int) -> list[Case]:
    """Wrong values in fields that decide nothing, or that have a safe reading."""
    rng = random.Random(seed)
    return [
        Case(f"{shown(place)} = {shown(value)}", role, put(place, value))
        for role, places in UNIMPORTANT.items()
        for place in places
        for value in rng.sample(HOSTILE, 4)
    ]


# --- keys that come back --------------------------------------------------------------------------


def _in_status(form: Callable[[str], str]) -> Spoil:
    return lambda asked, _right: Answer({"error": {"message": f"key {form(key_of(asked))}"}}, status=403)


def _in_text(form: Callable[[str], str]) -> Spoil:
    """The judge's words are the key and no verdict."""

    def spoil(asked: Asked, right: Answer) -> Answer:
        body = copy.deepcopy(right.body)
        body["choices"][0] |= {
            "logprobs": None,
            "message": {"role": "assistant", "content": form(key_of(asked))},
        }
        return replace(right, body=body)

    return spoil


def _in_name(form: Callable[[str], str]) -> Spoil:
    """The server's model is called by the key, and gives two numbers a text: an error that would name it."""

    def spoil(asked: Asked, right: Answer) -> Answer:
        body = copy.deepcopy(right.body)
        if "data" in body:
            body["data"] = [{**body["data"][0], "id": f"{form(key_of(asked))}-{i}"} for i in range(2)]
        else:
            body |= {"model_id": form(key_of(asked)), "model_type": {"embedding": {}}}
        return replace(right, body=body)

    return spoil


def _in_headers(form: Callable[[str], str]) -> Spoil:
    """In the status line and in headers, which a talkative HTTP library logs."""

    def spoil(asked: Asked, _right: Answer) -> Answer:
        echoed = form(key_of(asked)).encode("latin-1", "replace").replace(b"\0", b"?")
        head = b"HTTP/1.1 418 " + echoed + b"\r\nx-echo: " + echoed + b"\r\nset-cookie: k=" + echoed
        return Answer(head + b"\r\ncontent-length: 0\r\n\r\n", fault="raw")

    return spoil


_ECHOES: dict[str, Callable[[Callable[[str], str]], Spoil]] = {
    "an error": _in_status,
    "an answer": _in_text,
    "a name": _in_name,
    "headers": _in_headers,
}
_ECHO_ROLES = (
    *(("an error", "judge"), ("an error", "tei predict"), ("an answer", "judge"), ("a name", "vllm models")),
    *(("a name", "tei info"), ("headers", "judge"), ("headers", "vllm score")),
)
