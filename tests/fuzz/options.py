"""Any option of a command with any value: read from the command itself, so that new options are fuzzed as they come."""

from __future__ import annotations

from random import Random
from typing import Any

import click

# Networks, browsers, compilers, and what the command lines give already.
_LEFT_OUT = {
    *("base_url", "timeout", "api_key_env", "concurrency", "show", "device", "compiled", "output", "help", "listed", "example"),
    *("rm", "judge", "spec", "baseline_judge", "resume", "dry_run", "attention", "dtype", "source", "trust_remote_code"),
}  # fmt: skip
_WHOLE = (-1, 0, 1, 2, 3, 5, 50, 100, 101, 1000, 2**31, 2**63, 10**30, "x", "", "1.5", "1e3")
_FLOATS = (-1, 0, 1e-308, 1e-9, 0.01, 0.5, 1, 2, 100, 1e9, 1e154, 1e308, "nan", "inf", "-inf", "x", "", "1,5")
_NAMES = ("favour>50", "favour.low>-1e9 and q<2 or md>0", "spearman<", "oak", "velvet", "nobody", "", " ", "auto", "all", "people", "a=1", "oak=1000", "oak=nan", "oak=1e400", "\x1b[2J", "x" * 5000, "why 1", "overall", "latest", "2024-12-31", "stone", "mean", "output:1", "weights:1,2", "python:fuzz_models:score", "column:policy", "words", "length", "sampled:0", "vs:nobody", "vs:", "all")  # fmt: skip
_PATHS = ("nothing.csv", ".", "out", "/dev/null", "/dev/zero", "x" * 300, "")


def random_options(words: tuple[str, ...], rng: Random, files: list[str]) -> list[str]:
    """Up to three options of the command that ``words`` begin with, each with a value that may be right or wrong."""
    options = [o for o in _options(words) if o.name not in _LEFT_OUT]
    chosen = rng.sample(options, min(len(options), rng.choice([1, 1, 2, 3])))
    return [word for option in chosen for word in _given(option, rng, files)]


def _options(words: tuple[str, ...]) -> list[click.Option]:
    from charm_rm.cli import main

    command: Any = main
    for word in words:
        found = (
            command.get_command(click.Context(command), word) if isinstance(command, click.Group) else None
        )
        if found is None:
            break
        command = found
    return [p for p in command.params if isinstance(p, click.Option)]


def _given(option: click.Option, rng: Random, files: list[str]) -> list[str]:
    name = rng.choice(option.opts)
    if option.is_flag:
        return [rng.choice([*option.opts, *option.secondary_opts])]
    return [name, str(_value(option, rng, files))]


def _value(option: click.Option, rng: Random, files: list[str]) -> Any:
    kind = option.type
    if isinstance(kind, click.Choice):
        return rng.choice([*kind.choices, "x"])
    if isinstance(kind, click.types.IntParamType):
        return rng.choice(_WHOLE)
    if isinstance(kind, click.types.FloatParamType):
        return rng.choice(_FLOATS)
    if isinstance(kind, click.Path):
        return rng.choice([*files, *files, *_PATHS])
    return rng.choice([*_NAMES, *files])
