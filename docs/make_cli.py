"""Write docs/cli.md from the click commands themselves.

    python docs/make_cli.py           writes the page
    python docs/make_cli.py --check   exits with 1 where the page is not what it would write

The page is built from names, defaults and help texts, not from click's own rendering, so that another release
of click or a narrower terminal does not make it stale.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from charm_rm.cli import main

PAGE = Path(__file__).with_name("cli.md")
HEADER = """\
# The command line

Written by `python docs/make_cli.py` from the commands themselves: edit their help texts, not this page.

`charm COMMAND --help` shows the same. Results go to standard output, warnings and progress to standard error. Expected
errors come without a traceback, which `charm --debug COMMAND` shows. An output that exists is refused without
`--force`, before any work is done, and every output appears whole or not at all.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | a failure of charm or of the machine; of `charm doctor`: a check failed |
| 2 | bad input or usage |
| 3 | what `--fail-if` names holds ([Gating a release](ci.md)) |

Commands that print a result share these options; give one of the first four:

| option | standard output holds |
|---|---|
| none | a summary, then tables that fit the screen. Where it is narrow, columns of less weight are left out and named, or each row takes a few lines; no number is cut. In a file or pipe nothing is left out. `$COLUMNS` sets the width. |
| `--json` | all figures as one JSON document |
| `--markdown` | the same as without, as GitHub-flavoured Markdown |
| `--csv` | the main table alone: all rows, numbers with all digits. Control characters in names are written out (`\\x1b`). |
| `-q`, `--quiet` | one line. Standard error has warnings, errors and progress, and no notes. |
| `--all` | long tables to the end (`charm calibrate`, whose `--all` means all policies: `--top 0`) |

Shell completion: [below](#shell-completion).
"""


COMPLETION = """\
## Shell completion

The shell completes commands and options after one line in its start-up file:

```bash
eval "$(_CHARM_COMPLETE=bash_source charm)"        # ~/.bashrc (bash 4.4 or later)
eval "$(_CHARM_COMPLETE=zsh_source charm)"         # ~/.zshrc
_CHARM_COMPLETE=fish_source charm | source         # ~/.config/fish/completions/charm.fish
```
"""


def render() -> str:
    """The page as text."""
    commands = list(_walk(main, ("charm",)))
    contents = [f"- [`{name}`](#{name.replace(' ', '-')}): {_summary(c)}" for name, c in commands[1:]]
    sections = [_section(name, command) for name, command in commands]
    return "\n\n".join([HEADER.rstrip(), "\n".join(contents), *sections, COMPLETION.rstrip()]) + "\n"


def _walk(command: click.Command, names: tuple[str, ...]) -> Iterator[tuple[str, click.Command]]:
    """A command and those below it, in the order of ``charm --help``."""
    yield " ".join(names), command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=names[-1])
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield from _walk(below, (*names, name))


def _section(name: str, command: click.Command) -> str:
    options = [_option(p) for p in command.params if isinstance(p, click.Option)]
    parts = [f"## {name}", f"```text\n{_usage(name, command)}\n```", *_help(command.help or "")]
    return "\n\n".join([*parts, "\n".join(options)] if options else parts)


def _summary(command: click.Command) -> str:
    """The first paragraph of the help text."""
    return next(_help(command.help or ""), "")


def _usage(name: str, command: click.Command) -> str:
    arguments = [p for p in command.params if isinstance(p, click.Argument)]
    shown = [(p.metavar or (p.name or "").upper()) + ("..." if p.nargs == -1 else "") for p in arguments]
    optional = [a if p.required else f"[{a}]" for a, p in zip(shown, arguments, strict=True)]
    below = ["COMMAND [ARGS]..."] if isinstance(command, click.Group) else []
    return " ".join([name, "[OPTIONS]", *optional, *below])


def _help(text: str) -> Iterator[str]:
    r"""Paragraphs of a help text as Markdown; those that begin with ``\b`` keep their lines, as click keeps them."""
    for paragraph in _dedented(text).split("\n\n"):
        lines = paragraph.strip("\n").split("\n")
        if lines[0].strip() == "\b":
            yield "```text\n" + "\n".join(lines[1:]) + "\n```"
        elif paragraph.strip():
            yield " ".join(line.strip() for line in lines)


def _dedented(text: str) -> str:
    """click dedents a docstring, but not one whose first line stands beside the quotes on every release."""
    first, _, rest = text.partition("\n")
    lines = rest.split("\n")
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join([first.strip(), *(line[margin:].rstrip() for line in lines)]).strip()


def _option(option: click.Option) -> str:
    names = " / ".join(
        [", ".join(option.opts), *([", ".join(option.secondary_opts)] * bool(option.secondary_opts))]
    )
    value = "" if option.is_flag else f" {option.metavar or _kind(option.type)}"
    notes = [
        *(["required"] if option.required else []),
        *(["repeatable"] if option.multiple and "repeat" not in (option.help or "").lower() else []),
        *_default(option),
    ]
    said = " ".join([(option.help or "").strip(), *([f"({'; '.join(notes)})"] if notes else [])]).strip()
    return f"- `{names}{value}`" + (f": {said}" if said else "")


def _kind(kind: Any) -> str:
    if isinstance(kind, click.Choice):
        return "|".join(str(choice) for choice in kind.choices)
    name = str(kind.name)
    return {"integer range": "INTEGER", "float range": "FLOAT"}.get(name, name.upper())


def _default(option: click.Option) -> list[str]:
    plain = isinstance(option.default, str | int | float | Path) and not isinstance(option.default, bool)
    return [f"default `{option.default}`"] if plain and option.show_default else []


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != render():
            sys.exit(f"{PAGE.name} is stale; write it with: python docs/make_cli.py")
    elif sys.argv[1:]:
        sys.exit("usage: python docs/make_cli.py [--check]")
    else:
        PAGE.write_text(render(), encoding="utf-8")
