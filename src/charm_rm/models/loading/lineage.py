"""What a model folder that `charm train` wrote says of itself, in its ``training.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RECORD = "training.json"


def anchored_on(folder: str | Path) -> list[dict[str, Any]]:
    """The prompts (as digests) and policies that a model, or one that it grew from, was anchored on; none where nothing says so.

    The file came with the model, from anybody: what is not of the right form is passed over.
    """
    try:
        record = json.loads((Path(folder) / RECORD).read_text(encoding="utf-8"))
        found = record["provenance"]["anchored_on"]
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return []
    return [one for one in found if _is_sound(one)] if isinstance(found, list) else []


def _is_sound(one: Any) -> bool:
    return (
        isinstance(one, dict)
        and isinstance(one.get("prompts"), str)
        and isinstance(one.get("policies"), list)
        and all(isinstance(policy, str) for policy in one["policies"])
    )
