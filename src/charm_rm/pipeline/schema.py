"""The JSON schema of a run's configuration: for editors, which complete and check keys by it, and for other tools."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..settings import Setting, Settings, settings_of
from .config import Config
from .load import plain_schema, section_type

SCHEMA_FILE = "charm.schema.json"  # beside a configuration: what `charm init` names in it


def config_schema() -> dict[str, Any]:
    """The schema (JSON Schema 2020-12) of what :func:`~charm_rm.pipeline.load_config` takes: keys, types, choices, bounds, descriptions.

    What only several keys together can break (rm beside score.scores, say) is checked by the loader alone.
    """
    schema = plain_schema()
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema | {"title": "charm run"}
    classes: list[type[Settings]] = [Config, *_sections(Config)]
    for cls in classes:
        known = schema if cls is Config else schema["$defs"].get(cls.__name__, {})
        for one in settings_of(cls):
            if one.name in known.get("properties", {}):
                known["properties"][one.name] = _with_bounds(known["properties"][one.name], one)
    return schema | {"anyOf": [_GIVEN_RESPONSES, _OWN_RESPONSES]}


# Responses that exist, or prompts and policies that answer them.
_GIVEN_RESPONSES = {
    "properties": {
        "responses": {"required": ["source"], "properties": {"source": {"not": {"type": "null"}}}}
    },
    "required": ["responses"],
}
_OWN_RESPONSES = {
    "properties": {"prompts": {"type": "object"}, "policies": {"type": "array"}},
    "required": ["prompts", "policies"],
}


def _sections(cls: type[Settings]) -> Iterator[type[Settings]]:
    for one in settings_of(cls):
        section = section_type(cls, one.name)
        if section is not None:
            yield section
            yield from _sections(section)
        elif one.items is not None:
            yield one.items


def _with_bounds(value: dict[str, Any], one: Setting) -> dict[str, Any]:
    """The schema of a key, with the bounds of its number, and without the title that only says its name again."""
    about = one.bounds
    limits = {"exclusiveMinimum": about.above, "minimum": about.least, "exclusiveMaximum": about.below}
    bounds = {key: limit for key, limit in limits.items() if limit is not None}
    shown = {key: part for key, part in value.items() if key != "title"}
    if "anyOf" in shown:
        return shown | {"anyOf": [_bounded(part, bounds) for part in shown["anyOf"]]}
    return _bounded(shown, bounds)


def _bounded(part: dict[str, Any], bounds: dict[str, float]) -> dict[str, Any]:
    return part | bounds if part.get("type") in ("number", "integer") else part
