"""Malicious answers by their bytes: broken HTTP, statuses, redirects, bodies that are damaged, packed or too large."""

from __future__ import annotations

import gzip
import json
import random
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from remote.fault_server import Answer, Asked
from remote.key_forms import FORMS

Spoil = Callable[[Asked, Answer], Answer]

OK = b"HTTP/1.1 200 OK\r\n"
JSON = b"content-type: application/json\r\n"
WIRE = {
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
HELD = {
    "nothing is said": b"",
    "half a status line": b"HTTP/1.",
    "half of the headers": OK + b"content-le",
    "half of the body": OK + JSON + b'content-length: 100\r\n\r\n{"data": [',
    "half a chunk": OK + b"transfer-encoding: chunked\r\n\r\n10\r\n{",
}
ENDLESS = {
    "headers": OK + b"x: y\r\n" * 1000,
    "continues": b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
    "body": OK + b"\r\n" + b" " * 5000,
    "list": OK + b"\r\n[" + b"[],[" * 2000,
    "chunks": OK + b"transfer-encoding: chunked\r\n\r\n" + b"2\r\n  \r\n" * 1024,
}
STATUSES = (
    *(201, 204, 206, 299, 300, 304, 305, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413),
    *(414, 415, 418, 421, 422, 425, 426, 428, 429, 431, 451, 499, 500, 501, 502, 503, 504, 505, 507, 508, 511),
    *(520, 529, 599, 600, 777, 999),
)  # fmt: skip


def raw(data: bytes, fault: Any = "raw") -> Spoil:
    return lambda _asked, _right: Answer(data, fault=fault)


def key_of(asked: Asked) -> str:
    return asked.headers["authorization"].removeprefix("Bearer ")


def status(number: int, rng: random.Random) -> Spoil:
    """The status with the key in body and headers, and texts of the request."""
    form = FORMS[rng.choice(list(FORMS))]
    style: int = rng.randrange(4)

    def spoil(asked: Asked, _right: Answer) -> Answer:
        said = f"bad key {form(key_of(asked))} in {json.dumps(asked.body)[:200]}"
        wrapped: Any = (
            said.encode("utf-8", "replace"),
            {"error": {"message": said, "code": number}},
            {"detail": [{"loc": ["body", form(key_of(asked))], "msg": said, "input": asked.body}]},
            {"message": [[[[{"error": {"detail": said}}]]]]},
        )[style]
        after = {"retry-after": "9" * 400} if number in (429, 503) else {}
        reset = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1" * 50_000}
        return Answer(b"" if number in (204, 304) else wrapped, status=number, headers=after | reset)

    return spoil


def redirects(rng: random.Random) -> Iterator[tuple[str, Spoil]]:
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
        where = place(key_of(asked), asked.path).encode("ascii", "replace").decode()
        return Answer({}, status=status, headers={"location": where})

    return spoil


def _own_user(asked: Asked, _right: Answer) -> Answer:
    where = f"http://user:pw@{asked.headers['host']}{asked.path}"
    return Answer({}, status=307, headers={"location": where})


def bodies() -> Iterator[tuple[str, Spoil]]:
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


def cut(share: float) -> Spoil:
    return _rewritten(lambda body: body[: int(share * (len(body) - 1))])
