"""The forms in which a server may echo a key, and a search for them that shares nothing with the code it checks."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote


def coded(text: str) -> str:
    """Base64."""
    return base64.b64encode(text.encode()).decode()


FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "reversed": lambda key: key[::-1],
    "quoted": lambda key: quote(key, safe=""),
    "quoted whole": lambda key: "".join(f"%{ord(c):02X}" for c in key),
    "quoted twice": lambda key: quote(quote(key, safe=""), safe=""),
    "hexadecimal": lambda key: key.encode().hex(),
    "HEXADECIMAL": lambda key: key.encode().hex().upper(),
    "escapes of JSON": lambda key: "".join(f"\\u{ord(c):04x}" for c in key),
    "escapes of JSON in JSON": lambda key: json.dumps("".join(f"\\u{ord(c):04x}" for c in key))[1:-1],
    "escapes of C": lambda key: "".join(f"\\x{ord(c):02x}" for c in key),
    "entities": lambda key: "".join(f"&#{ord(c)};" for c in key),
    "HTML": html.escape,
    "Base64": coded,
    "Base64, one before": lambda key: coded(f"x{key}"),
    "Base64, user:key": lambda key: coded(f"user:{key}"),
    "Base64, Bearer": lambda key: coded(f"Bearer {key} and more"),
    "Base64 for addresses": lambda key: coded(f"me:{key}").replace("+", "-").replace("/", "_"),
    "spaced": " ".join,
    "with marks": lambda key: "-".join(key),
    "other case": str.swapcase,
    "NULs between": "\0".join,
    "half of it": lambda key: key[: len(key) // 2],
    "its end": lambda key: key[-8:],
}


def found_in(text: str, key: str) -> list[str]:
    """The names of the forms of which a third or more stands in ``text``."""
    found = []
    for name, form in FORMS.items():
        echoed = form(key)
        # What surrounds the key in Base64 is no secret; the middle of it is the key's alone.
        third = len(echoed) // 3 if len(echoed) >= 24 else 0
        middle = echoed[third : len(echoed) - third]
        if middle in text or middle in text.replace("\\\\", "\\"):
            found.append(name)
    return found
