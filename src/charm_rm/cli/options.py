"""The options of the commands: made from the settings of the stages, and those that mean the same everywhere."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from ..errors import BadSetting
from ..paths import expanded
from ..settings import (
    AuditSettings,
    LocalModelSettings,
    ModelSettings,
    RatingsChoice,
    ScoreSettings,
    Setting,
    Settings,
    TableSettings,
    TrainSettings,
    parse_columns,
    setting_named,
    settings_of,
)
from .look import look_options

MOST_ROWS = 1_000_000_000
_Command = Callable[..., Any]
_Decorator = Callable[[_Command], _Command]

PATH = click.Path(path_type=Path)


# --- options made from settings -----------------------------------------------------------------


def settings_options(
    cls: type[Settings], name: str, *, but: tuple[str, ...] = (), argument: str | None = None
) -> _Decorator:
    """Every setting of ``cls`` as an option; the command gets one checked object of it, as ``name``.

    ``but`` names settings that the command sets in another way, or not at all: they keep their defaults. ``argument`` is one
    that the command takes as its argument, which it declares itself.
    """
    chosen = [one for one in settings_of(cls) if one.name not in (*but, argument)]

    def decorate(command: _Command) -> _Command:
        @functools.wraps(command)
        def with_settings(*args: Any, **values: Any) -> Any:
            mine = {one.name: _given(one, values.pop(one.name)) for one in chosen}
            if argument is not None:
                mine[argument] = values.pop(argument)
            return command(*args, **values, **{name: checked(cls, **mine)})

        decorated: _Command = with_settings
        for one in reversed(chosen):
            decorated = _option(one)(decorated)
        return decorated

    return decorate


def option_of(cls: type[Settings], name: str, *flags: str) -> _Decorator:
    """One setting as an option; the command gets its value, checked, under its name. ``flags``: other ones than its own."""
    one = setting_named(cls, name)

    def decorate(command: _Command) -> _Command:
        @functools.wraps(command)
        def with_setting(*args: Any, **values: Any) -> Any:
            values[name] = _given(one, values[name])
            with naming_the_option(cls):
                one.check(values[name], where=name)
            return command(*args, **values)

        return _option(one, flags)(with_setting)

    return decorate


def checked(cls: type[Settings], **values: Any) -> Any:
    """An object of ``cls``; a bad value is told by the name of its option."""
    with naming_the_option(cls):
        return cls(**values)


@contextlib.contextmanager
def naming_the_option(cls: type[Settings]) -> Iterator[None]:
    """Within, a bad setting of ``cls`` is told by the name of its option."""
    try:
        yield
    except BadSetting as error:
        flags = {one.name: one.flags[0].partition("/")[0] for one in settings_of(cls)}
        if error.setting:
            error.where = flags.get(error.setting)
        else:  # several that do not fit together: each by its option
            error.what = re.sub(r"\w+", lambda name: flags.get(name[0], name[0]), error.what)
        raise


def _given(one: Setting, value: Any) -> Any:
    """What was given, or the default: click has an empty tuple for an option that may be repeated."""
    return one.default if one.many and not value and not one.required else value


def _option(one: Setting, flags: tuple[str, ...] = ()) -> _Decorator:
    """A setting as a click option."""
    about: dict[str, Any] = {"help": one.about, "required": one.required, "metavar": one.bounds.metavar}
    flags = flags or one.flags
    if one.kind is bool:
        both = one.default is not False and "/" not in flags[0]
        flags = tuple(f"{f}/--no-{f[2:]}" for f in flags) if both else flags
        about |= {"is_flag": True, "default": one.default, "show_default": bool(one.default)}
    else:
        about["type"] = _click_type(one)
        if one.many:
            about["multiple"] = True
        elif not one.required and one.default is not None:
            about |= {"default": one.default, "show_default": True}
    return click.option(*flags, one.name, **about)


def _click_type(one: Setting) -> click.ParamType[Any] | None:
    if one.choices:
        return click.Choice(one.choices)
    if one.bounds.path == "path":
        return click.Path()
    numbers: dict[Any, click.ParamType[Any]] = {int: click.INT, float: click.FLOAT}
    return numbers.get(one.kind)


# --- groups that several commands have ----------------------------------------------------------

ratings_options = settings_options(RatingsChoice, "ratings")
draws_option = option_of(AuditSettings, "draws")
seed_option = option_of(TrainSettings, "seed")
trust_option = option_of(LocalModelSettings, "trust_remote_code")
reward_option = option_of(ModelSettings, "reward")

force_option = click.option("--force", is_flag=True, help="Overwrite the output where it exists.")
json_option = look_options()
rm_option = click.option(
    "--rm", required=True, metavar="DIR_OR_ID", help="Reward model: a local folder or a Hugging Face hub id."
)


def judgement_options(command: _Command) -> _Command:
    """Whose judgements, against whom: ``--judge``, ``--baseline``, as :func:`~charm_rm.sources.load_source` takes them."""
    return option_of(ScoreSettings, "annotator")(option_of(ScoreSettings, "baseline")(command))


def table_options(first: str, *others: str, samples: bool = True) -> _Decorator:
    """``--column``, ``--reward-model``, ``--sample`` of a command that reads tables: which is the ``first``, and what ``others`` there are.

    The command gets them as ``read_as``. ``samples``: whether the first table is one of scores, in which there may be several.
    """
    but = () if samples else ("reward_model", "sample")

    def decorate(command: _Command) -> _Command:
        @functools.wraps(command)
        def with_table(*args: Any, **values: Any) -> Any:
            for field in parse_columns(values["read_as"].columns):
                about, dot, _name = field.rpartition(".")
                if dot and about not in (first, *others):
                    known = ", ".join(f"{name}.FIELD" for name in (first, *others))
                    raise BadSetting(
                        f"this command reads no table {about!r}",
                        where=f"--column {field}=...",
                        fix=f"write FIELD=COLUMN, or {known}",
                    )
            return command(*args, **values)

        return settings_options(TableSettings, "read_as", but=but)(with_table)

    return decorate


class Rows(click.IntRange):
    """A number of rows. Help shows its lower bound alone: the upper one only keeps out absurd numbers."""

    def __init__(self, least: int) -> None:
        super().__init__(min=least, max=MOST_ROWS)

    def _describe_range(self) -> str:
        return f"x>={self.min}"


def top_option(default: int) -> _Decorator:
    """The ``--top N`` option of commands that print long tables."""
    return click.option(
        "--top",
        type=Rows(0),
        default=default,
        show_default=True,
        help="Rows to print of each long table (0: all).",
    )


def output_option(
    default: str | None = None, *, required: bool = False, what: str = "Where to write."
) -> _Decorator:
    """The ``-o/--output PATH`` option."""
    # A default of None is not passed on: newer releases of click take it for a value, and ask for nothing.
    given: dict[str, Any] = {} if default is None else {"default": default, "show_default": True}
    return click.option("-o", "--output", type=PATH, required=required, help=what, **given)


# Words for options and arguments that take a path, or a spec that may hold one.
_READS = frozenset({"SPEC", "DIR_OR_ID", "NAME_OR_FILE", "RESPONSES"})


def given_paths(*, but: tuple[str, ...] = ()) -> list[Path]:
    """Every file and folder that the command was given, but for where it writes: what no output may replace.

    Specs are looked into: ``FILE:CATEGORY@DATE``, ``KIND:FOLDER``, ``dpo:POLICY,REFERENCE``. ``but``: parameters to pass over.
    """
    context = click.get_current_context()
    reads = [p for p in context.command.params if isinstance(p.type, click.Path) or p.metavar in _READS]
    values = [context.params.get(str(p.name)) for p in reads if p.name not in ("output", "cache", *but)]
    texts = [str(one) for value in values for one in _each(value) if isinstance(one, (str, Path))]
    named = dict.fromkeys(part for text in texts for part in _parts(text))
    return [Path(name) for name in named if name and _exists(name)]


def _each(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _parts(spec: str) -> list[str]:
    """What may be a path in a spec: all of it, without its kind, without its category and date, its halves."""
    undated = spec.rpartition("@")[0]
    rest = spec.partition(":")[2]
    return [spec, rest, *rest.split(","), undated, spec.rpartition(":")[0], undated.rpartition(":")[0]]


def _exists(name: str) -> bool:
    with contextlib.suppress(OSError, ValueError):  # too long, or with a NUL
        return expanded(name).exists()
    return False


# --- stores of what was scored or asked ---------------------------------------------------------


def store_options(what: str) -> _Decorator:
    """The ``--cache PATH`` and ``--no-cache`` options of commands whose values are kept; see ``pipeline/stages/outputs.py``."""

    def decorate(command: _Command) -> _Command:
        for option in (
            click.option("--no-cache", is_flag=True, help="Neither read nor write the store."),
            click.option(
                "--cache", type=PATH, help=f"Store of {what} (default: in $CHARM_CACHE or ~/.cache/charm-rm)."
            ),
        ):
            command = option(command)
        return command

    return decorate


def check_store_usage(cache: Path | None, *, no_cache: bool, output: Path | None = None) -> None:
    """Refuse ``--cache`` together with ``--no-cache``, and a store in the output's place."""
    if cache is not None and no_cache:
        raise click.UsageError("--cache and --no-cache exclude each other")
    if cache is not None and output is not None and cache.resolve() == output.resolve():
        raise click.UsageError("--cache and --output are the same file")
