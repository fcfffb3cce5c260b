"""The commented configuration that ``charm init`` writes, made from the schema itself: it cannot go stale."""

from __future__ import annotations

import textwrap
from typing import Any

import yaml

from ..settings import Setting, Settings, settings_of
from .config import Config
from .load import section_type
from .schema import SCHEMA_FILE

_WIDTH = 96
_HEADER = """\
# A charm run: everything from responses to a calibrated reward model and a report.
# Start it with:   charm run {name}
# See what it would do first:   charm run {name} --dry-run
#
# Relative paths are relative to this file. An unknown key is an error. What is left out has the value shown here.
# Optional sections (calibrate, relabel, train, evaluate) are off when null.
"""
_MODELINE = "# yaml-language-server: $schema={schema}\n"
_HOW_TO = """\
# For completion and checks in an editor: charm init --schema > {schema}
# and a first line:   # yaml-language-server: $schema={schema}
"""
# What a person has to fill in, and optional sections worth showing; the rest shows its defaults.
_EXAMPLES: dict[tuple[str, ...], Any] = {
    ("responses", "source"): "responses.parquet",
    ("rm", "model"): "path/to/reward-model",
    ("evaluate", "benchmarks"): [],
}
_HIDDEN = {("rm", "train_from"), ("judge",), ("prompts",)}  # off by default, shown commented out


def config_template(name: str = "charm.yaml", *, schema: bool = False) -> str:
    """Return the template as text: every key with its meaning and its default.

    ``schema``: the schema (:data:`~charm_rm.pipeline.schema.SCHEMA_FILE`) lies beside it; the first line then names it, so that an
    editor completes and checks the keys. Without, a comment says how to get one.
    """
    header = _HEADER.format(name=name)
    header = (_MODELINE + header if schema else header + _HOW_TO).replace("{schema}", SCHEMA_FILE)
    return "\n".join([header, *_keys(Config, (), depth=0), ""])


def _keys(cls: type[Settings], at: tuple[str, ...], *, depth: int) -> list[str]:
    lines: list[str] = []
    for one in settings_of(cls):
        here = (*at, one.name)
        section = section_type(cls, one.name)
        if one.items is not None:
            lines += ["", *_comment(f"{one.about} For example:", depth), *_list_commented_out(one)]
        elif section is None:
            lines += [*_comment(one.about, depth), _entry(one.name, _value(here, one), depth)]
        elif here in _HIDDEN:
            lines += ["", *_comment(f"{one.about} For example:", depth)]
            lines += _commented_out(one.name, section, here, depth)
        else:
            lines += ["", *_comment(_first_line(section), depth), f"{'  ' * depth}{one.name}:"]
            lines += _keys(section, here, depth=depth + 1)
    return lines


def _value(here: tuple[str, ...], one: Setting) -> Any:
    return _EXAMPLES.get(here, None if one.required else one.default)


def _commented_out(key: str, section: type[Settings], here: tuple[str, ...], depth: int) -> list[str]:
    """A nested section as a comment, its keys with their meanings beside."""
    lines = [f"{'  ' * depth}{key}: null", f"{'  ' * depth}# {key}:"]
    for one in settings_of(section):
        value = "..." if one.required else yaml.safe_dump(_value((*here, one.name), one)).split("\n")[0]
        lines += textwrap.wrap(
            f"{one.name}: {value}   # {one.about}",
            _WIDTH,
            initial_indent=f"{'  ' * depth}#   ",
            subsequent_indent=f"{'  ' * depth}#       # ",
        )
    return lines


def _list_commented_out(one: Setting) -> list[str]:
    """A list of sections as a comment: its first entry, its keys with their meanings beside."""
    lines = [f"{one.name}: null", f"# {one.name}:"]
    for i, key in enumerate(settings_of(one.items) if one.items else ()):
        value = "..." if key.required else yaml.safe_dump(key.default).split("\n")[0]
        lines += textwrap.wrap(
            f"{'- ' if i == 0 else ''}{key.name}: {value}   # {key.about}",
            _WIDTH,
            initial_indent="#   " if i == 0 else "#     ",
            subsequent_indent="#         # ",
        )
    return lines


def _entry(key: str, value: Any, depth: int) -> str:
    if isinstance(value, tuple):
        value = list(value)
    text = yaml.safe_dump({key: value}, default_flow_style=isinstance(value, list), width=_WIDTH).strip()
    return f"{'  ' * depth}{text.strip('{}') if isinstance(value, list) else text}"


def _comment(text: str, depth: int) -> list[str]:
    mark = f"{'  ' * depth}# "
    return textwrap.wrap(text, _WIDTH, initial_indent=mark, subsequent_indent=mark)


def _first_line(section: type[Settings]) -> str:
    return (section.__doc__ or "").strip().splitlines()[0]
