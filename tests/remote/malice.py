"""Malicious answers of servers, by the hundred: each is an honest answer spoilt in one way, the same for the same seed.

A case has a role (which command asks, and which of its requests is spoilt) and a way to spoil. Cases of :func:`cases` cannot be
used by anybody: they have to end in a typed error. Those of :func:`odd_but_usable` hold something wrong where nobody looks: they
may also end in the right figures.
"""

from __future__ import annotations

import copy
import gzip
import json
import random
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from remote.fake_rewards import Tei, Vllm
from remote.fault_server import Answer, Asked
from remote.key_forms import FORMS

Spoil = Callable[[Asked, Answer], Answer]
Place = tuple[str | int, ...]

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
        *((f"wire: {name}", _raw(data), rng.sample(ROLES, 2)) for name, data in _WIRE.items()),
        *((f"held open: {name}", _raw(data, "hold"), [rng.choice(ROLES)]) for name, data in _HELD.items()),
        *((f"endless {name}", _raw(data, "endless"), [rng.choice(ROLES)]) for name, data in _ENDLESS.items()),
        *((f"status {n}", _status(n, rng), [rng.choice(ROLES)]) for n in _STATUSES),
        *((f"redirect {name}", spoil, rng.sample(ROLES, 2)) for name, spoil in _redirects(rng)),
        *((f"body: {name}", spoil, rng.sample(ROLES, 2)) for name, spoil in _bodies()),
        *((f"key in {where}, {form}", _ECHOES[where](FORMS[form]), [role])
          for form in FORMS for where, role in rng.sample(_ECHO_ROLES, 3)),
        *((f"cut at {share:.0%}", _cut(share), [rng.choice(ROLES)]) for share in (rng.random() for _ in range(8))),
    ]  # fmt: skip
    made = [Case(name, role, spoil) for name, spoil, roles in kinds for role in roles]
    return made + [
        Case(f"{_shown(place)} = {_shown(value)}", role, _put(place, value))
        for role, places in _PLACES.items()
        for place, values in places.items()
        for value in values
    ]


def odd_but_usable(seed: int) -> list[Case]:
    """Wrong values in fields that decide nothing, or that have a safe reading."""
    rng = random.Random(seed)
    return [
        Case(f"{_shown(place)} = {_shown(value)}", role, _put(place, value))
        for role, places in _UNIMPORTANT.items()
        for place in places
        for value in rng.sample(_HOSTILE, 4)
    ]


# --- what is sent ---------------------------------------------------------------------------------

OK = b"HTTP/1.1 200 OK\r\n"
JSON = b"content-type: application/json\r\n"
_WIRE = {
    "nothing": b"",
    "half a status line": b"HTTP/1.1 20",
    "no status line": b'{"data": []}',
    "another protocol": b"SSH-2.0-OpenSSH_9.9\r\n",
    "HTTP 0.9": b"<html>hello</html>",
    "HTTP 2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "status 000": b"HTTP/1.1 000 X\r\ncontent-length: 2\r\n\r\n{}",
    "status 99": b"HTTP/1.1 99 X\r\ncontent-length: 2\r\n\r\n{}",
    "status 1000": b"HTTP/1.1 1000 X\r\ncontent-length: 2\r\n\r\n{}",
    "status in words": b"HTTP/1.1 fine OK\r\ncontent-length: 2\r\n\r\n{}",
    "only continue": b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
    "switching protocols": b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n{}",
    "a header without a colon": OK + b"nonsense\r\n\r\n{}",
    "a header with a NUL": OK + b"x: a\0b\r\ncontent-length: 2\r\n\r\n{}",
    "a header of 200 kB": OK + b"x: " + b"y" * 200_000 + b"\r\n\r\n{}",
    "20,000 headers": OK + b"".join(b"x-%d: y\r\n" % i for i in range(20_000)) + b"\r\n{}",
    "headers that are no text": OK + b"x: \xff\xfe\x80\r\ncontent-length: 2\r\n\r\n{}",
    "bare carriage returns": b"HTTP/1.1 200 OK\rcontent-length: 2\r\r{}",
    "folded headers": OK + b"content-length:\r\n 2\r\n\r\n{}",
    "length -1": OK + b"content-length: -1\r\n\r\n{}",
    "length in words": OK + b"content-length: two\r\n\r\n{}",
    "length of 18 digits": OK + b"content-length: " + b"9" * 18 + b"\r\n\r\n{}",
    "length of 5,000 digits": OK + b"content-length: " + b"9" * 5000 + b"\r\n\r\n{}",
    "two lengths": OK + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
    "length and chunks": OK + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "chunks of garbage": OK + b"transfer-encoding: chunked\r\n\r\n" + bytes(range(256)) * 4,
    "a chunk of negative size": OK + b"transfer-encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
    "a chunk of huge size": OK + b"transfer-encoding: chunked\r\n\r\n" + b"f" * 16 + b"\r\n{}",
    "a chunk of absurd size": OK + b"transfer-encoding: chunked\r\n\r\n" + b"f" * 400 + b"\r\n{}",
    "chunks without an end": OK + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n",
    "chunks of another length": OK + b"transfer-encoding: chunked\r\n\r\n5\r\n{}\r\n0\r\n\r\n",
    "an unknown transfer": OK + b"transfer-encoding: gzip\r\n\r\n{}",
    "a body of nothing but blanks": OK + b"content-length: 3\r\n\r\n \n ",
    "words after the end": OK + b"content-length: 0\r\n\r\n" + b'{"data": []}',
}  # fmt: skip
_HELD = {
    "nothing is said": b"",
    "half a status line": b"HTTP/1.",
    "half of the headers": OK + b"content-le",
    "half of the body": OK + JSON + b'content-length: 100\r\n\r\n{"data": [',
    "half a chunk": OK + b"transfer-encoding: chunked\r\n\r\n10\r\n{",
}
_ENDLESS = {
    "headers": OK + b"x: y\r\n" * 1000,
    "continues": b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
    "body": OK + b"\r\n" + b" " * 5000,
    "list": OK + b"\r\n[" + b"[],[" * 2000,
    "chunks": OK + b"transfer-encoding: chunked\r\n\r\n" + b"2\r\n  \r\n" * 1024,
}
_STATUSES = (
    *(201, 204, 206, 299, 300, 304, 305, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413),
    *(414, 415, 418, 421, 422, 425, 426, 428, 429, 431, 451, 499, 500, 501, 502, 503, 504, 505, 507, 508, 511),
    *(520, 529, 599, 600, 777, 999),
)  # fmt: skip


def _raw(data: bytes, fault: Any = "raw") -> Spoil:
    return lambda _asked, _right: Answer(data, fault=fault)


def _key(asked: Asked) -> str:
    return asked.headers["authorization"].removeprefix("Bearer ")


def _status(number: int, rng: random.Random) -> Spoil:
    """The status with the key in body and headers, and texts of the request."""
    form = FORMS[rng.choice(list(FORMS))]
    style: int = rng.randrange(4)

    def spoil(asked: Asked, _right: Answer) -> Answer:
        said = f"bad key {form(_key(asked))} in {json.dumps(asked.body)[:200]}"
        wrapped: Any = (
            said.encode("utf-8", "replace"),
            {"error": {"message": said, "code": number}},
            {"detail": [{"loc": ["body", form(_key(asked))], "msg": said, "input": asked.body}]},
            {"message": [[[[{"error": {"detail": said}}]]]]},
        )[style]
        after = {"retry-after": "9" * 400} if number in (429, 503) else {}
        reset = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1" * 50_000}
        return Answer(b"" if number in (204, 304) else wrapped, status=number, headers=after | reset)

    return spoil


def _redirects(rng: random.Random) -> Iterator[tuple[str, Spoil]]:
    form = FORMS[rng.choice(list(FORMS))]
    places: dict[str, Callable[[str, str], str]] = {
        "elsewhere with the key": lambda key, _path: f"http://127.0.0.2:9/{form(key)}?key={key}#{key}",
        "to a host named by the key": lambda key, _path: f"http://{key.replace('_', '-')}.example/",
        "with a user name": lambda key, _path: f"http://user:{key}@example.org/v1",
        "in a circle": lambda _key, path: path,
        "to no address": lambda _key, _path: "http://[::bad/",
        "to a wrong port": lambda _key, _path: "http://localhost:99999999/",
        "to a file": lambda _key, _path: "file:///etc/passwd",
        "to words": lambda key, _path: f"javascript:alert('{key}')",
        "to nowhere": lambda _key, _path: "",
        "to a long address": lambda key, _path: "http://" + "a." * 5000 + key,
    }
    for name, place in places.items():
        yield name, _redirect(place, rng.choice((301, 302, 303, 307, 308)))
    yield "to itself with a user name", _own_user


def _redirect(place: Callable[[str, str], str], status: int) -> Spoil:
    def spoil(asked: Asked, _right: Answer) -> Answer:
        where = place(_key(asked), asked.path).encode("ascii", "replace").decode()
        return Answer({}, status=status, headers={"location": where})

    return spoil


def _own_user(asked: Asked, _right: Answer) -> Answer:
    where = f"http://user:pw@{asked.headers['host']}{asked.path}"
    return Answer({}, status=307, headers={"location": where})


def _bodies() -> Iterator[tuple[str, Spoil]]:
    """An honest body made unreadable, too large, or something else."""
    ways: dict[str, Callable[[bytes], bytes]] = {
        "empty": lambda _body: b"",
        "null": lambda _body: b"null",
        "a number": lambda _body: b"1" * 400,
        "a number of 5,000 digits": lambda _body: b"9" * 5000,
        "a page": lambda _body: b"<!doctype html><title>Sign in</title>" + b"<p>" * 5000,
        "no text": lambda _body: bytes(range(128, 256)) * 10,
        "NULs": lambda _body: b"\0" * 1000,
        "twice": lambda body: body + body,
        "with words behind": lambda body: body + b" and more",
        "with a comma too many": lambda body: body[:-1] + b"," + body[-1:],
        "with a comment": lambda body: b"// fine\n" + body,
        "without quotes": lambda body: body.replace(b'"', b""),
        "with single quotes": lambda body: body.replace(b'"', b"'"),
        "lists 100,000 deep": lambda _body: b"[" * 100_000 + b"]" * 100_000,
        "lists 900 deep": lambda _body: b"[" * 900 + b"]" * 900,
        "objects 100,000 deep": lambda _body: b'{"error":' * 100_000 + b"1" + b"}" * 100_000,
        "errors 900 deep": lambda _body: b'{"error":' * 900 + b'"x"' + b"}" * 900,
        "errors 90 deep": lambda _body: b'{"error":[' * 90 + b'"x"' + b"]}" * 90,
        "five million values": lambda _body: b"[" + b"{}," * 5_000_000 + b"0]",
        "said twice": lambda body: body[:1] + body[1:-1] + b"," + body[1:] if body[:1] == b"{" else b"{,",
        "longer than allowed": lambda body: body + b" " * 20_000_000,
        "an error with status 200": lambda _body: b'{"error": {"message": "upstream", "code": 502}}',
    }
    for name, way in ways.items():
        yield name, _rewritten(way)
    packed: dict[str, Callable[[bytes], tuple[str, bytes]]] = {
        "gzip twice": lambda body: ("gzip", gzip.compress(gzip.compress(body))),
        "gzip twice, and said": lambda body: ("gzip, gzip", gzip.compress(gzip.compress(body))),
        "a gzip bomb": lambda _body: ("gzip", gzip.compress(b" " * 50_000_000)),
        "a deflate bomb": lambda _body: ("deflate", zlib.compress(b"[" * 50_000_000)),
        "half a gzip": lambda body: ("gzip", gzip.compress(body)[: len(gzip.compress(body)) // 2]),
        "no gzip": lambda body: ("gzip", body),
        "no deflate": lambda body: ("deflate", body),
        "another packing": lambda body: ("br", body),
        "a packing of many names": lambda body: (", ".join(["gzip"] * 100), gzip.compress(body)),
        "gzip that is called deflate": lambda body: ("identity", gzip.compress(body)),
    }
    for name, pack in packed.items():
        yield name, _packed(pack)


def _rewritten(way: Callable[[bytes], bytes]) -> Spoil:
    return lambda _asked, right: replace(right, body=way(json.dumps(right.body).encode()))


def _packed(pack: Callable[[bytes], tuple[str, bytes]]) -> Spoil:
    def spoil(_asked: Asked, right: Answer) -> Answer:
        encoding, body = pack(json.dumps(right.body).encode())
        return replace(right, body=body, headers={"content-encoding": encoding})

    return spoil


def _cut(share: float) -> Spoil:
    return _rewritten(lambda body: body[: int(share * (len(body) - 1))])


# --- keys that come back --------------------------------------------------------------------------


def _in_status(form: Callable[[str], str]) -> Spoil:
    return lambda asked, _right: Answer({"error": {"message": f"key {form(_key(asked))}"}}, status=403)


def _in_text(form: Callable[[str], str]) -> Spoil:
    """The judge's words are the key and no verdict."""

    def spoil(asked: Asked, right: Answer) -> Answer:
        body = copy.deepcopy(right.body)
        body["choices"][0] |= {
            "logprobs": None,
            "message": {"role": "assistant", "content": form(_key(asked))},
        }
        return replace(right, body=body)

    return spoil


def _in_name(form: Callable[[str], str]) -> Spoil:
    """The server's model is called by the key, and gives two numbers a text: an error that would name it."""

    def spoil(asked: Asked, right: Answer) -> Answer:
        body = copy.deepcopy(right.body)
        if "data" in body:
            body["data"] = [{**body["data"][0], "id": f"{form(_key(asked))}-{i}"} for i in range(2)]
        else:
            body |= {"model_id": form(_key(asked)), "model_type": {"embedding": {}}}
        return replace(right, body=body)

    return spoil


def _in_headers(form: Callable[[str], str]) -> Spoil:
    """In the status line and in headers, which a talkative HTTP library logs."""

    def spoil(asked: Asked, _right: Answer) -> Answer:
        echoed = form(_key(asked)).encode("latin-1", "replace").replace(b"\0", b"?")
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


# --- values in places -----------------------------------------------------------------------------


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
_HOSTILE: Sequence[Any] = (
    *(None, True, -1, BIG, -BIG, BEYOND, "", "\ud800", "x" * 100_000, [], {}, [[]], DEEP, "0", 1.5, Gone()),
)
_PLACES: dict[str, dict[Place, Sequence[Any]]] = {
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
_UNIMPORTANT: dict[str, Sequence[Place]] = {
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


def _put(place: Place, value: Any) -> Spoil:
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


def _shown(value: Any) -> str:
    text = type(value).__name__ if isinstance(value, Gone) else getattr(value, "text", None) or repr(value)
    return text if len(text) <= 40 else f"{text[:30]}... ({len(text)} long)"
