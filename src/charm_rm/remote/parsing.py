"""An answer's bytes -> JSON's values, within limits: what is small on the wire may be large in memory, or mean two things."""

from __future__ import annotations

import json
from typing import Any

# Lists, objects and their members; each costs memory far beyond its two bytes on the wire.
MOST_VALUES = 4_000_000


def parse_json(body: bytes) -> Any:
    """The JSON in ``body``; NaN and infinities pass, for the caller to name the row.

    Raises:
        ValueError: it is no JSON, holds more than :data:`MOST_VALUES` values, nests deeper than can be read, or has an
            object with the same name twice, of which readers take either.
    """
    if sum(map(body.count, (b"[", b"{", b","))) > MOST_VALUES:
        raise ValueError(f"more than {MOST_VALUES:,} values")
    try:
        return json.loads(body, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice in one object")
    return found
