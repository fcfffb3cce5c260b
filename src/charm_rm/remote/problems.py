"""What went wrong with a server -> a typed error that gives away neither the key nor the texts.

Servers like to quote what they were sent. What is repeated of their answers is therefore cut short, freed of
control characters, and of every run of characters that is also in the request; of the key in any form (:mod:`.secret`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import RemoteRefused
from .parsing import parse_json
from .secret import Secret, without_runs

_LONGEST = 300
# Looked at of an answer; a page of HTML has nothing more to say.
_LOOKED_AT = 1500
# Runs of so many characters that are also in the request are taken out of what a server says.
_RUN = 12
# Messages are looked for this deep in an answer; json reads deeper than Python calls itself.
_DEEPEST = 20
_MOST_MESSAGES = 100
# Parts of a request that are no secret.
_PUBLIC = frozenset({"model", "role", "task", "encoding_format"})


class Transient(Exception):
    """Worth another try: ``wait`` is how long the server asks for, ``crowded`` whether it said to be overloaded."""

    def __init__(self, what: str, *, wait: float | None = None, crowded: bool = False) -> None:
        super().__init__(what)
        self.wait = wait
        self.crowded = crowded


class Malformed(Transient):
    """An answer that is not what was asked for."""


class BadRequest(Exception):
    """400, 413 or 422, before it is known whose fault it is: ``error`` is what to raise, ``message`` the server's own words."""

    def __init__(self, error: RemoteRefused, message: str) -> None:
        super().__init__(error.what)
        self.error = error
        self.message = message


def refusal(
    status: int, body: bytes, *, where: str, payload: Any, secret: Secret, key_variable: str | None
) -> RemoteRefused:
    """The error for a status that no second try will change."""
    what, fix = _WORDS.get(status, ("turned the request down", "see what the server says"))
    if status == 401:
        return RemoteRefused(
            f"the server refuses access (401): {_key_state(secret, key_variable)}",
            status=status,
            where=where,
            fix=_key_fix(key_variable),
        )
    said = excerpt(body, payload=payload, secret=secret)
    return RemoteRefused(
        f"the server {what} ({status}){': ' + said if said else ''}", status=status, where=where, fix=fix
    )


_WORDS = {
    400: ("cannot use the request", "check the model's name, the options and the length of the texts"),
    402: ("wants to be paid", "look at the account's balance"),
    403: ("does not allow this", "check what the key may use, and the model's name"),
    404: (
        "knows no such path or model",
        "check the base URL (OpenAI-like ones mostly end in /v1) and the model's name",
    ),
    405: ("does not take this kind of request", "check the base URL"),
    413: ("finds the request too long", "shorten the texts, or give the server a larger limit"),
    422: ("cannot use the request", "check the options and the length of the texts"),
    429: (
        "says that the account's quota is used up",
        "look at the account's balance and limits; waiting will not help",
    ),
    501: ("does not offer this", "start it with the feature, or use another endpoint"),
}


def _key_state(secret: Secret, variable: str | None) -> str:
    if variable is None:
        return "it wants a key, and none was named"
    return (
        f"the environment variable {variable} is not set"
        if secret.key is None
        else f"the key in {variable} is not accepted"
    )


def _key_fix(variable: str | None) -> str:
    if variable is None:
        return "name the environment variable that holds the key (api_key_env)"
    return f"put a valid key for this server into {variable}"


# --- a server's words ---------------------------------------------------------------------------


def excerpt(body: bytes, *, payload: Any, secret: Secret) -> str:
    """What a server says, short and fit to print."""
    text = secret.hidden(message_of(body)[:_LOOKED_AT])
    for sent in _texts(payload):
        text = without_runs(text, sent, min(_RUN, max(4, len(sent))))
    return _printable(" ".join(text.split()))


def message_of(body: bytes) -> str:
    """The message in an answer: of the JSON that servers use for errors, else the text as it is."""
    text = body.decode("utf-8", "replace")
    try:
        value = parse_json(body)
    except ValueError:
        return text
    return "; ".join(itertools.islice(_messages(value), _MOST_MESSAGES)) or text


def _messages(value: Any, depth: int = 0) -> Iterator[str]:
    """``{"error": {"message"}}``, ``{"error": ""}``, ``{"message"}``, ``{"detail": "" or [{"loc", "msg"}]}``."""
    if depth > _DEEPEST:
        return
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from _messages(part, depth + 1)
    elif isinstance(value, Mapping):
        place = value.get("loc")
        parts = place if isinstance(place, list) else []
        named = ".".join(str(p) for p in parts if isinstance(p, (str, int))) + ": " if parts else ""
        for name in ("error", "message", "msg", "detail"):
            yield from (named + text for text in _messages(value.get(name), depth + 1))


def _texts(payload: Any, name: str = "") -> Iterator[str]:
    """Every text in a request that may be somebody's."""
    if isinstance(payload, str):
        if payload.strip() and name not in _PUBLIC:
            yield payload
    elif isinstance(payload, Mapping):
        for key, value in payload.items():
            yield from _texts(value, str(key))
    elif isinstance(payload, (list, tuple)):
        for value in payload:
            yield from _texts(value, name)


def _printable(text: str) -> str:
    """Cut short; control characters, and those that turn the direction of writing, as escapes."""
    cut = text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)
