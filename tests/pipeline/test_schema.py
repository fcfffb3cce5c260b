"""The JSON schema of the configuration: every example validates, and what the loader refuses alone it refuses, too."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from charm_rm.errors import BadSetting, ConfigError
from charm_rm.pipeline import Config, check_config, config_schema, config_template
from charm_rm.pipeline.load import section_type
from charm_rm.settings import Setting, Settings, settings_of

jsonschema = pytest.importorskip("jsonschema", reason="needs the [test] extra")

ROOT = Path(__file__).resolve().parents[2]
MINIMAL: dict[str, Any] = {"responses": {"source": "r.parquet"}, "rm": {"model": "org/rm"}}


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = config_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def examples() -> Iterator[tuple[str, str]]:
    """The template, the files of the project, and the blocks of the documentation that are whole configurations."""
    yield "template", config_template()
    for path in sorted((ROOT / "examples").rglob("*.y*ml")):
        yield path.name, path.read_text()
    for page in [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]:
        for i, block in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(), flags=re.DOTALL)):
            if re.search(r"^responses:", block, re.MULTILINE):
                yield f"{page.name} {i}", block


EXAMPLES = dict(examples())


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_validate(validator: Any, name: str) -> None:
    validator.validate(yaml.safe_load(EXAMPLES[name]))


def test_there_are_examples() -> None:
    assert {"template", "joint.yaml", "pair.yaml"} <= set(EXAMPLES)


@pytest.mark.parametrize(
    "bad",
    [
        {"respones": {}},
        {"responses": {"source": "r.parquet", "sorce": "x"}},
        {"responses": {}},
        {"responses": {"source": 3}},
        {"seed": "one"},
        {"seed": -1},
        {"audit": {"outcome": "medium"}},
        {"audit": {"temperature": 0}},
        {"calibrate": []},
        {"train": {"epochs": "many"}},
        {"audit": None},
    ],
    ids=str,
)
def test_what_is_wrong_fails_both(validator: Any, bad: dict[str, Any]) -> None:
    values = MINIMAL | bad
    assert not validator.is_valid(values)
    with pytest.raises(ConfigError):
        check_config(values)


def bounded(cls: type[Settings] = Config) -> Iterator[tuple[str, Setting]]:
    for one in settings_of(cls):
        section = section_type(cls, one.name)
        if section is not None:
            yield from bounded(section)
        elif any(limit is not None for limit in (one.bounds.above, one.bounds.least, one.bounds.below)):
            yield f"{'' if cls is Config else cls.__name__}.{one.name}", one


BOUNDED = dict(bounded())


@pytest.mark.parametrize("key", BOUNDED)
def test_every_bound_is_in_the_schema(key: str) -> None:
    """A value just outside fails, one inside does not: for the setting itself as for the schema."""
    section, _, name = key.partition(".")
    schema = config_schema()
    known = (schema["$defs"][section] if section else schema)["properties"][name]
    one, validator = BOUNDED[key], jsonschema.Draft202012Validator(known)
    about, step = one.bounds, 1 if one.kind is int else 1e-6
    low = about.above if about.above is not None else about.least
    outside = [about.above, None if about.least is None else about.least - step, about.below]
    inside = [None if low is None else low + (step if about.above is not None else 0)]
    for wanted, values in ((False, outside), (True, inside)):
        for value in (one.kind(v) for v in values if v is not None):
            assert validator.is_valid(value) is wanted
            with contextlib.nullcontext() if wanted else pytest.raises(BadSetting):
                one.check(value, where="here")


def test_every_key_has_its_description() -> None:
    schema = config_schema()
    for name, section in {"": schema, **schema["$defs"]}.items():
        for key, value in section["properties"].items():
            assert "title" not in value
            has_own = "description" in value or "$ref" in str(value)
            assert has_own, (name, key)
