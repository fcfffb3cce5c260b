"""The folder of responses: a Parquet file a policy, which are one table together, and a manifest of all that decided them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from .. import store
from ..costs import Prices
from ..folders import replacing_directory
from ..provenance import source_name, source_record
from ..tables import Responses
from .marks import count_marks, refusal_rule
from .plan import PolicyPlan
from .run import Generated
from .taken import Taken

# Names that begin with _ are no part of the table in a folder.
MANIFEST = "_manifest.json"
SHAPE: dict[str, Any] = {"policies": [{"policy": str, "settings": dict}]}
_LONGEST = 80


def save_responses(
    parts: Sequence[Generated | Taken],
    output: Path,
    *,
    prompts: Mapping[str, Any],
    prices: Prices | None = None,
    force: bool = False,
) -> dict[str, Any]:
    """Write every policy's responses and the manifest; the folder appears whole. Returns the manifest.

    Args:
        parts: what each policy answered.
        output: the folder.
        prompts: what the manifest says of the prompts.
        prices: money per million tokens.
        force: replace what charm wrote there before.

    Raises:
        OutputExists: the folder may not be written.
        WriteFailed: the file system refused; what was there before is whole.
    """
    names = file_names([_name(part) for part in parts])
    several = any(part.frame["sample"].max() for part in parts if part.frame.height)
    records = [
        {"policy": _name(part), "file": file, **_record(part, prices)}
        for part, file in zip(parts, names, strict=True)
    ]
    manifest = {
        "verb": "generate_responses",
        "prompts": dict(prompts),
        "refusal": refusal_rule(),
        "policies": records,
    }
    with replacing_directory(output, force=force) as folder:
        for part, file, record in zip(parts, names, records, strict=True):
            frame = part.frame if several else part.frame.drop("sample")
            store.save(Responses(frame, provenance={"verb": "generate_responses", **record}), folder / file)
        store.write_json(manifest, folder / MANIFEST)
    return manifest


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of an earlier run; empty where there is none that can be read."""
    from ..errors import CharmError

    try:
        return store.read_shaped(folder / MANIFEST, SHAPE)
    except (CharmError, OSError):
        return {}


def plan_record(plans: Iterable[PolicyPlan]) -> dict[str, Any]:
    """What decides each policy's answers, by its name."""
    return {"policies": [{"policy": plan.name, "settings": plan.settings} for plan in plans]}


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What is different from an earlier run, a line for each policy that therefore is asked again."""
    earlier = {one["policy"]: one["settings"] for one in before.get("policies", ()) if "settings" in one}
    lines = []
    for one in now["policies"]:
        old, new = earlier.get(one["policy"]), one["settings"]
        if old is None:
            continue
        changed = [name for name in new if name not in _ADDS and old.get(name) != new[name]]
        if changed:
            words = ", ".join(f"{name} {_shown(old.get(name))} -> {_shown(new[name])}" for name in changed)
            lines.append(f"policy {one['policy']!r} has changed ({words}): its prompts are asked again")
    return lines


# More samples are asked for; those that are there stay.
_ADDS = ("samples",)


def _shown(value: Any) -> str:
    text = "another" if isinstance(value, Mapping) else repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def file_names(policies: Sequence[str]) -> list[str]:
    """A file name for each policy: its own where every file system takes it, else freed of other characters, with a hash."""
    names, taken = [], set[str]()
    for policy in policies:
        plain = re.sub(r"[^A-Za-z0-9.+-]+|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", "_", policy).lstrip("._")[
            :_LONGEST
        ]
        if plain != policy or plain.casefold() in taken or plain.endswith("."):
            plain = f"{plain or 'policy'}-{hashlib.sha256(policy.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
        taken.add(plain.casefold())
        names.append(f"{plain}.parquet")
    return names


# --- details ------------------------------------------------------------------------------------


def _name(part: Generated | Taken) -> str:
    return part.name if isinstance(part, Taken) else part.plan.name


def _record(part: Generated | Taken, prices: Prices | None) -> dict[str, Any]:
    """What the manifest says of a policy: the same for a run that was killed and went on."""
    counts = count_marks(part.frame)
    if isinstance(part, Taken):
        counts |= {"missing": part.missing}
        return {"taken": source_record(part.source), "counts": counts, "left_out": part.others}
    counts |= {"too_long": part.too_long, "failed": part.failed}
    return {
        "source": source_name(part.plan.policy.source),
        "settings": part.plan.settings,
        "counts": counts,
        "answered_by": dict(part.models),
        "usage": asdict(part.usage),
        "prices": None if prices is None else asdict(prices),
        "cost": part.usage.cost(prices),
    }


def prompts_record(prompts: pl.DataFrame, source: str | Path | None) -> dict[str, Any]:
    """What the manifest says of the prompts: where they came from, how many there are."""
    return ({} if source is None else source_record(source)) | {"n": prompts.height}
