"""The key, in whatever form a server may send it back: found and taken out before anything is shown, logged or kept."""

from __future__ import annotations

import base64
import contextlib
import html
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import quote, unquote

HIDDEN = "[...]"
# In place of a text that gives the key away in a form in which no run of characters shows where.
WITHHELD = "[withheld: it holds the key]"

# Runs of so many characters of the key are taken out of what a server says; of a short key the whole.
_RUN = 6
# Shorter than this is a placeholder ("EMPTY"); shorter than that ("ollama") may well be part of a model's name.
_LEAST, _LONG = 6, 12
# So many letters and digits of the key in a row, whatever stands between them, are no coincidence.
_TELLING = 8
# Encodings within encodings are undone this often.
_DEEPEST = 4

# What would write a header that a server sent, or its status line, into a log.
_LOGGERS = ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")))


@dataclass(frozen=True)
class Secret:
    """A key (None: there is none) and the forms in which it may come back.

    The forms: as it is, reversed, in hexadecimal, percent-encoded, with JSON's escapes, and in Base64, alone or as part of more
    (``user:key``). :meth:`gives_away` also undoes percent-encoding and JSON's and HTML's escapes, and passes over blanks,
    marks and case.
    """

    key: str | None = field(repr=False)

    def hidden(self, text: str) -> str:
        """``text`` without what gives the key away; all of it is withheld where that cannot be told apart."""
        for form, length in self._forms:
            if _share_a_run(text, form, length):
                text = without_runs(text, form, length)
        return WITHHELD if self.gives_away(text) else text

    def gives_away(self, text: str) -> bool:
        """Whether a good part of the key can be read out of ``text``; never of a key that is short."""
        return bool(self._plain_forms) and any(
            _share_a_run(_plain(text), plain, _TELLING) for plain in self._plain_forms
        )

    @cached_property
    def _forms(self) -> list[tuple[str, int]]:
        """Each form, with the length from which a run of it counts: what :data:`_RUN` characters of the key become."""
        key = self.key or ""
        if len(key) < _LEAST:
            return []
        run = _RUN if len(key) >= _LONG else len(key)
        spelt = [(form, run * len(form) // len(key)) for form in (key, key[::-1], *_spelt_out(key))]
        return [*spelt, *((form, min(8, len(form))) for form in _base64(key))]

    @cached_property
    def _plain_forms(self) -> list[str]:
        return [_plain(form) for form, _ in self._forms] if len(self.key or "") >= _LONG else []


def without_runs(text: str, secret: str, length: int) -> str:
    """``text`` without its runs of ``length`` or more characters that are also in ``secret``."""
    hidden = [False] * len(text)
    for start in range(len(text) - length + 1):
        if text[start : start + length] in secret:
            hidden[start : start + length] = [True] * length
    if not any(hidden):
        return text
    pieces: list[str] = []
    for position, character in enumerate(text):
        if not hidden[position]:
            pieces.append(character)
        elif position == 0 or not hidden[position - 1]:
            pieces.append(HIDDEN)
    return "".join(pieces)


@contextlib.contextmanager
def discreet_logs(secret: Secret) -> Iterator[None]:
    """For the block, the HTTP library logs no line that gives the key away: at its most talkative it logs servers' headers."""

    def passes(record: logging.LogRecord) -> bool:
        said = record.getMessage()
        return secret.hidden(said) == said

    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addFilter(passes)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(passes)


# --- forms ----------------------------------------------------------------------------------------


def _spelt_out(key: str) -> list[str]:
    """Each character by its number, with hexadecimal digits of either case; and percent-encoded as addresses are."""
    ways: list[Callable[[str], str]] = [
        *(lambda c: f"{ord(c):02x}", lambda c: f"{ord(c):02X}"),
        *(lambda c: f"%{ord(c):02x}", lambda c: f"%{ord(c):02X}"),
        *(lambda c: f"\\u{ord(c):04x}", lambda c: f"\\u{ord(c):04X}"),
        *(lambda c: f"\\x{ord(c):02x}", lambda c: f"\\x{ord(c):02X}"),
    ]
    return [*("".join(map(way, key)) for way in ways), quote(key, safe="")]


def _base64(key: str) -> list[str]:
    """What of Base64 is the key's alone, at each of the three places in a group of three bytes where it may begin."""
    found: dict[str, None] = {}
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + key.encode()).decode()
        # From the first character that nothing before the key has a part in, to the last that nothing after it has.
        core = whole[(8 * before + 5) // 6 : 8 * (before + len(key)) // 6]
        found |= dict.fromkeys((core, core.translate(str.maketrans("+/", "-_"))))
    return list(found)


_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))")


def _plain(text: str) -> str:
    """Letters and digits alone, in lower case, with escapes undone."""
    for _ in range(_DEEPEST):
        undone = html.unescape(unquote(_ESCAPE.sub(lambda found: chr(int(found[1] or found[2], 16)), text)))
        if undone == text:
            break
        text = undone
    return "".join(filter(str.isalnum, text)).casefold()


def _share_a_run(text: str, secret: str, length: int) -> bool:
    return any(secret[start : start + length] in text for start in range(len(secret) - length + 1))
