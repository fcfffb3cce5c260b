"""What a message tells its reader to do can be done: every option that it names is one of some command."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import click

import charm_rm
from charm_rm.cli import main
from source_trees import nodes

SOURCE = Path(charm_rm.__file__).parent
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
IN_PYTHON = re.compile(r"\b([a-z_]+)= in Python")
# Options of other tools that messages name.
OTHER_TOOLS = {
    "vLLM": {"--runner", "--chat-template", "--max-model-len", "--override-pooler-config"},
    "Inspect": {"--to"},
    # Their underscore ends the name here: --config_file, --main_process_port, --num_processes.
    "accelerate": {"--config", "--main", "--num"},
    "pip": {"--no-deps"},
    "click": {"--help", "--version"},
}
# No option, but the beginning of one: `--no-` before a flag's name.
PARTS = {"--no-"}


def options(command: click.Command) -> set[str]:
    """All options of a command and of those under it."""
    found = {name for p in command.params for name in (*p.opts, *p.secondary_opts)}
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            under = command.get_command(context, name)
            assert under is not None
            found |= options(under)
    return found


@cache
def messages() -> tuple[tuple[str, str], ...]:
    """(place, text) of every string in the source that is no docstring; parts of f-strings each on their own."""
    found: list[tuple[str, str]] = []
    for path in sorted(SOURCE.rglob("*.py")):
        bodies = [n.body for n in nodes(path) if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef)]
        docs = {id(b[0].value) for b in bodies if b and isinstance(b[0], ast.Expr)}
        texts = (n for n in nodes(path) if isinstance(n, ast.Constant) and id(n) not in docs)
        place = path.relative_to(SOURCE)
        found += [(f"{place}:{n.lineno}", n.value) for n in texts if isinstance(n.value, str)]
    return tuple(found)


def keywords() -> set[str]:
    """The names of all arguments of the source's functions, and of its settings."""
    found: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        for node in nodes(path):
            if isinstance(node, ast.arguments):
                found |= {a.arg for a in (*node.args, *node.kwonlyargs)}
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.add(node.target.id)
    return found


def test_every_option_that_a_message_names_exists() -> None:
    known = options(main) | PARTS | {name for names in OTHER_TOOLS.values() for name in names}
    named = [(place, option) for place, text in messages() for option in OPTION.findall(text)]
    assert len(named) > 100  # the scan sees what it should
    assert [f"{place}: {option}" for place, option in named if option not in known] == []


def test_options_of_other_tools_are_none_of_ours() -> None:
    """And each is still named somewhere."""
    named = {option for _, text in messages() for option in OPTION.findall(text)}
    for tool, names in OTHER_TOOLS.items():
        if tool != "click":
            assert names <= named, tool


def test_every_argument_that_a_message_names_exists() -> None:
    known = keywords()
    named = [(place, name) for place, text in messages() for name in IN_PYTHON.findall(text)]
    assert len(named) > 10
    assert [f"{place}: {name}=" for place, name in named if name not in known] == []
